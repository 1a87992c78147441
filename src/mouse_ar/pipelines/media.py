"""Where the files of videos are: on this disk, or elsewhere and fetched when they are needed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from mouse_ar.pipelines.store import HashCache

__all__ = ["LocalMedia", "Media"]


class Media(Protocol):
    """Gives a pipeline the files of its input, one at a time, so that disk use stays bounded."""

    def sha256(self, key: str, path: Path) -> str:
        """Hash of a video's bytes, hexadecimal.

        Args:
            key: ``dataset/name``.
            path: where the file is, or would be.
        """

    def opened(self, key: str, path: Path) -> AbstractContextManager[Path]:
        """The file, on this disk for as long as the context lasts."""


class LocalMedia:
    """Files that are where they belong.

    Args:
        hashes: known hashes of unchanged files.
    """

    def __init__(self, hashes: HashCache) -> None:
        self._hashes = hashes

    def sha256(self, key: str, path: Path) -> str:
        """Hash of the file."""
        return self._hashes.sha256(path)

    @contextmanager
    def opened(self, key: str, path: Path) -> Iterator[Path]:
        """The file itself."""
        yield path
