"""Where the files of videos are: on this disk, or elsewhere and fetched when they are needed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mouse_ar.pipelines.store import HashCache
from mouse_ar.video.probe import probe

__all__ = ["Hashes", "LocalMedia", "Media", "VideoFacts", "probed_facts"]


@dataclass(frozen=True)
class VideoFacts:
    """What a plan needs to know of a video; unlike a whole probe it is worth keeping.

    Args:
        num_frames: as counted.
        fps: average frames per second.
        warnings: what is odd about the file, for the user.
    """

    num_frames: int
    fps: float
    warnings: tuple[str, ...] = ()


def probed_facts(path: Path) -> VideoFacts:
    """The facts of a file.

    Raises:
        VideoError: as of :func:`~mouse_ar.video.probe.probe`.
    """
    meta = probe(path)
    return VideoFacts(meta.num_frames, meta.fps, meta.warnings)


class Hashes(Protocol):
    """Knows the content of a pipeline's input."""

    def sha256(self, key: str, path: Path) -> str:
        """Hash of a video's bytes, hexadecimal.

        Args:
            key: ``dataset/name``.
            path: where the file is, or would be.
        """


class Media(Hashes, Protocol):
    """Gives a pipeline the files of its input, one at a time, so that disk use stays bounded."""

    def opened(self, key: str, path: Path) -> AbstractContextManager[Path]:
        """The file, on this disk for as long as the context lasts."""

    def facts(self, key: str, path: Path, *, sha256: str) -> VideoFacts:
        """What a plan needs to know of a video, which may have been found out before.

        Args:
            key: ``dataset/name``.
            path: where the file is, or would be.
            sha256: of its bytes.
        """


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

    def facts(self, key: str, path: Path, *, sha256: str) -> VideoFacts:
        """Those of the file, which is at hand."""
        return probed_facts(path)
