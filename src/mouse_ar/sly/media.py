"""Videos of an instance as a pipeline's input: fetched when they are needed, on bounded disk."""

from __future__ import annotations

import base64
import hashlib
import logging
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from mouse_ar.sly.connection import Connection
from mouse_ar.sly.disk import check_space
from mouse_ar.sly.errors import RefusedError, TransferError
from mouse_ar.sly.videos import RemoteVideo, download_video
from mouse_ar.video.probe import VideoError

__all__ = ["RemoteMedia", "disk_budget"]

_LOG = logging.getLogger(__name__)
_LARGEST_BUDGET = 50_000_000_000

Progress = Callable[[str, int, int], None]


def disk_budget(folder: Path) -> int:
    """Bytes that videos may take there: half of what is free, and 50 GB at most."""
    place = folder.absolute()
    while not place.exists():
        place = place.parent
    return min(_LARGEST_BUDGET, shutil.disk_usage(place).free // 2)


class RemoteMedia:
    """A :class:`~mouse_ar.pipelines.media.Media` of an instance's videos.

    A video that was used stays until the budget needs its place: preprocessing reads each video
    twice, once to plan and once to cut.

    Args:
        connection: to the instance.
        videos: by key.
        budget_bytes: that the files may take; a single larger video may exceed it.
        progress: called with (what, bytes done, bytes in all).
    """

    def __init__(
        self,
        connection: Connection,
        videos: Mapping[str, RemoteVideo],
        *,
        budget_bytes: int,
        progress: Progress | None = None,
    ) -> None:
        self._connection, self._videos = connection, dict(videos)
        self._budget = budget_bytes
        self._progress = progress or (lambda what, done, total: None)
        # Least recently used first.
        self._kept: dict[str, Path] = {}
        self._in_use: set[str] = set()
        self._linked: dict[str, str] = {}

    def sha256(self, key: str, path: Path) -> str:
        """Hash of a video's bytes; a linked video has to be fetched for it."""
        video = self._videos[key]
        if video.hash is not None:
            return base64.b64decode(video.hash).hex()
        if key not in self._linked:
            with self.opened(key, path) as file_path, file_path.open("rb") as file:
                self._linked[key] = hashlib.file_digest(file, "sha256").hexdigest()
        return self._linked[key]

    @contextmanager
    def opened(self, key: str, path: Path) -> Iterator[Path]:
        """The file, fetched unless it is still here.

        Raises:
            VideoError: this video cannot be had; others may.
            TransferError: the instance cannot be reached.
        """
        if not path.is_file():
            self._fetch(key, path)
        self._kept.pop(key, None)
        self._kept[key] = path
        self._in_use.add(key)
        try:
            yield path
        finally:
            self._in_use.discard(key)
            self._make_room(0)

    def close(self) -> None:
        """Remove all files."""
        for key in list(self._kept):
            self._drop(key)

    def _fetch(self, key: str, path: Path) -> None:
        video = self._videos[key]
        size = video.size or 0
        self._make_room(size)
        check_space(path.parent, size, what=f"fetching {key}")
        what = f"fetching {key}"
        try:
            download_video(
                self._connection,
                video,
                path,
                progress=lambda done: self._progress(what, done, max(size, done)),
            )
        except RefusedError as error:
            if error.ends_run:
                raise
            raise VideoError(key, str(error)) from error
        except TransferError as error:
            if not self._connection.alive():
                raise
            raise VideoError(key, str(error)) from error

    def _make_room(self, needed: int) -> None:
        """Remove what was used longest ago until there is room within the budget."""
        sizes = {k: p.stat().st_size for k, p in self._kept.items() if p.is_file()}
        total = sum(sizes.values())
        for key in list(self._kept):
            if total + needed <= self._budget:
                break
            if key not in self._in_use:
                total -= sizes.get(key, 0)
                self._drop(key)

    def _drop(self, key: str) -> None:
        path = self._kept.pop(key)
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            _LOG.warning("%s cannot be removed: %s", path, error)
