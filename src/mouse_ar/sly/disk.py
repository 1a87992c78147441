"""Whether there is disk space for what is about to be done."""

from __future__ import annotations

import shutil
from pathlib import Path

from mouse_ar.sly.errors import NoSpaceError

__all__ = ["check_space"]

# A disk that is filled to the last byte breaks other programs.
_RESERVE_BYTES = 200_000_000


def check_space(folder: Path, needed_bytes: int, *, what: str) -> None:
    """Refuse work for which there is no space.

    Args:
        folder: where the files will lie; need not exist yet.
        needed_bytes: their size.
        what: for the error: "downloading project 12".

    Raises:
        NoSpaceError: the disk has not that much free.
    """
    place = folder.absolute()
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    if needed_bytes and free < needed_bytes + _RESERVE_BYTES:
        raise NoSpaceError(
            f"{what} needs {_gigabytes(needed_bytes)} and a reserve of "
            f"{_gigabytes(_RESERVE_BYTES)} in {folder}, got {_gigabytes(free)} free. Make room, "
            "choose another disk, or take fewer datasets or only the annotations."
        )


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.2f} GB"
