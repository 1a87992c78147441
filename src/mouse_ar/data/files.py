"""Files: written so that a reader never sees half of one, and told apart by their bytes."""

from __future__ import annotations

import filecmp
import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any, Literal

__all__ = ["LinkMode", "place_file", "read_json", "sha256_of", "write_json", "write_text"]

LinkMode = Literal["link", "copy"]


def _temporary(path: Path) -> Path:
    """Where a file is built. Neither hidden files nor this suffix are taken for content."""
    return path.with_name(f".{path.name}.tmp")


def write_text(path: Path, text: str) -> bool:
    """Write a UTF-8 file by renaming a finished one into place.

    Returns:
        Whether the file changed; one that already holds ``text`` is left untouched.
    """
    data = text.encode("utf-8")
    if path.is_file() and path.read_bytes() == data:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary(path)
    temporary.write_bytes(data)
    temporary.replace(path)
    return True


def write_json(path: Path, value: Any, *, indent: int | None = None) -> bool:
    """Write JSON atomically (see :func:`write_text`); equal values give identical bytes."""
    # Plain ASCII: some readers open these files in the system's encoding.
    separators = (",", ":") if indent is None else None
    return write_text(path, json.dumps(value, indent=indent, separators=separators) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        FileNotFoundError: when there is no such file.
        ValueError: when it is not a JSON object; the message names the file.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8-sig"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(
            f"{path} is not valid JSON ({error}). It may be a broken export: export it again."
        ) from error
    if not isinstance(value, dict):
        raise ValueError(f"{path}: expected a JSON object, got {type(value).__name__}.")
    return value


def place_file(source: Path, target: Path, *, mode: LinkMode = "link") -> bool:
    """Put a file at ``target`` without changing ``source``.

    Args:
        source: an existing file.
        target: where it shall appear; folders are created.
        mode: ``link`` shares the data on disk (hard link) where the file system can and
            copies otherwise; ``copy`` always copies.

    Returns:
        Whether something was done; an identical file already in place is kept.

    Raises:
        FileNotFoundError: when ``source`` is missing.
        FileExistsError: when ``target`` holds something else.
    """
    if not source.is_file():
        raise FileNotFoundError(f"{source} does not exist or is not a file.")
    if target.exists():
        if target.samefile(source) or filecmp.cmp(source, target):
            return False
        raise FileExistsError(
            f"{target} already exists with other content than {source}. "
            "Remove it first or choose another name."
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary(target)
    temporary.unlink(missing_ok=True)
    if mode == "copy" or not _hard_link(source.resolve(), temporary):
        shutil.copy2(source, temporary)
    temporary.replace(target)
    return True


def _hard_link(source: Path, target: Path) -> bool:
    """Try a hard link; other disks, some network shares and FAT cannot hold one."""
    try:
        os.link(source, target)
    except OSError:
        return False
    return True


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
