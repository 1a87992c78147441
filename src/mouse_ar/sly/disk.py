"""Whether there is disk space for what is about to be taken from an instance."""

from __future__ import annotations

from pathlib import Path

from mouse_ar.data import disk

__all__ = ["check_space"]

_ADVICE = "Make room, choose another disk, or take fewer datasets or only the annotations."


def check_space(folder: Path, needed_bytes: int, *, what: str) -> None:
    """Refuse work for which there is no space (see :func:`mouse_ar.data.disk.check_space`).

    Raises:
        NoSpaceError: the disk has not that much free.
    """
    disk.check_space(folder, needed_bytes, what=what, advice=_ADVICE)
