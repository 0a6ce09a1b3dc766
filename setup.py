"""The steps of a build that setup.cfg cannot express.

The recipes in configs/ become the package `seq2seq_jax.configs`. The links of the long description
become addresses in the repository.
"""

import re
import sys
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT))

from seq2seq_jax.utils.installation import PUBLISHED, REPOSITORY  # noqa: E402

PAGES = {
    "Documentation": "blob/main/docs/index.md",
    "Changelog": "blob/main/CHANGELOG.md",
    "Issues": "issues",
}


def long_description() -> str:
    """Return README.md with links that work outside of the repository.

    Before a release fills in the address of the repository, the text of a link replaces the link,
    and images are left out.
    """
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    relative = r"(?![a-z]+:|#)([^)\s]+)"
    if PUBLISHED:
        text = re.sub(rf"\]\({relative}\)", rf"]({REPOSITORY}/blob/main/\1)", text)
        return re.sub(r'src="(?![a-z]+:)', f'src="{REPOSITORY}/raw/main/', text)
    text = re.sub(rf"\[([^\]]*)\]\({relative}\)", r"\1", text)
    return re.sub(r"<img [^>]*>\n\n\*[^*]*\*\n+", "", text)


if __name__ == "__main__":
    setup(
        packages=[*find_packages(include=["seq2seq_jax*"]), "seq2seq_jax.configs"],
        package_dir={"seq2seq_jax.configs": "configs"},
        long_description=long_description(),
        long_description_content_type="text/markdown",
        project_urls={"Repository": REPOSITORY}
        | {name: f"{REPOSITORY}/{page}" for name, page in PAGES.items()}
        if PUBLISHED
        else {},
    )
