"""Whether there is disk space for what is about to be done."""

from __future__ import annotations

import shutil
from pathlib import Path

__all__ = ["NoSpaceError", "check_space"]

# A disk that is filled to the last byte breaks other programs.
_RESERVE_BYTES = 200_000_000


class NoSpaceError(OSError):
    """Not enough disk space for what is about to be done; nothing was begun."""


def check_space(
    folder: Path,
    needed_bytes: int,
    *,
    what: str,
    advice: str = "Make room, or choose another disk.",
) -> None:
    """Refuse work for which there is no space.

    Args:
        folder: where the files will lie; need not exist yet.
        needed_bytes: their size.
        what: for the error: "downloading project 12".
        advice: what the user can do, for the error.

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
            f"{_gigabytes(_RESERVE_BYTES)} in {folder}, got {_gigabytes(free)} free. {advice}"
        )


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.2f} GB"
