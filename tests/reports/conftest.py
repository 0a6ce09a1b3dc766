import json
import re

import pytest


@pytest.fixture
def data_of():
    """Reads the data that a page draws out of its file."""

    def read(path):
        page = path.read_text(encoding="utf-8")
        (text,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page)
        return json.loads(text)

    return read
