"""Files that are there whole, or as they were."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def atomic_write(path: str | os.PathLike, content: bytes) -> None:
    """Writes a file: all of it or, if this process dies, none of it. The folder is made."""
    with atomic_replace(Path(path)) as partial:
        partial.write_bytes(content)


@contextmanager
def atomic_replace(path: Path) -> Iterator[Path]:
    """Yields a temporary name beside `path`, which takes the name `path` when the block ends.

    The folder is made. If the block raises, nothing is left behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    partial = Path(name)
    try:
        yield partial
        partial.chmod(0o644)  # mkstemp's files are the owner's alone
        with partial.open("rb") as written:
            os.fsync(written.fileno())  # the name must not outlive the content if the power fails
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
