"""Write a file in one step: whoever looks finds the old one or the new one, and never half of it."""

import os
from contextlib import suppress
from pathlib import Path


def write_whole(path: Path, content: bytes) -> None:
    """Write to a file beside `path` that no other process writes to, and rename it.

    Raises
    ------
    OSError
        With the name of `path`. What stood there before is as it was, and nothing else is left behind.
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        unfinished.write_bytes(content)
        with unfinished.open("rb+") as file:
            os.fsync(file.fileno())  # on the disk, before it has the name
        unfinished.replace(path)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None
    finally:
        with suppress(OSError):  # where it could not be made, there is nothing to take away
            unfinished.unlink()
