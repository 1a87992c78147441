"""Names of datasets and videos on an instance <-> names of folders and files.

On an instance any text is a name, "/" and ".." included. On disk, ``%2F`` and the like stand for
what cannot be there; all else looks the same. Nothing is lost: the way back is exact.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["dataset_from_local", "dataset_to_local", "name_from_local", "name_to_local"]

# Slashes, characters that no file name should hold, and what would read as an escape.
_UNSAFE = re.compile(r"[/\\\x00-\x1f\x7f]|%(?=[0-9A-F]{2})|^\.")
# The SDK takes a folder whose name ends like this for a part of a dataset and skips it.
_RESERVED = re.compile(r"(ann|video|video_info|metadata|datasets|custom_data)$")
_ESCAPE = re.compile(r"%([0-9A-F]{2})")


def name_to_local(name: str) -> str:
    """File name for a video's name."""
    escaped = _UNSAFE.sub(lambda found: _code(found[0]), name)
    return _code_last(escaped) if escaped == "datasets" else escaped


def name_from_local(name: str) -> str:
    """Inverse of :func:`name_to_local`; a name that it cannot have made stays as it is."""
    return _back(name, name_to_local)


def dataset_to_local(path: Sequence[str]) -> str:
    """Names of a dataset and those it lies in, from the top, as ``parent/child``."""
    return "/".join(map(_folder, path))


def dataset_from_local(dataset: str) -> tuple[str, ...]:
    """Inverse of :func:`dataset_to_local`."""
    return tuple(_back(part, _folder) for part in dataset.split("/"))


def _folder(name: str) -> str:
    escaped = _UNSAFE.sub(lambda found: _code(found[0]), name)
    return _code_last(escaped) if _RESERVED.search(escaped) else escaped


def _back(name: str, forth: object) -> str:
    plain = _ESCAPE.sub(lambda found: chr(int(found[1], 16)), name)
    return plain if callable(forth) and forth(plain) == name else name


def _code(char: str) -> str:
    return f"%{ord(char):02X}"


def _code_last(name: str) -> str:
    return name[:-1] + _code(name[-1])
