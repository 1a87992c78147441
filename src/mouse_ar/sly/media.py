"""Videos of an instance as a pipeline's input: fetched when they are needed, on bounded disk."""

from __future__ import annotations

import base64
import logging
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from mouse_ar.pipelines.media import VideoFacts, probed_facts
from mouse_ar.sly.batch import is_of_item
from mouse_ar.sly.connection import Connection
from mouse_ar.sly.disk import check_space
from mouse_ar.sly.errors import TransferError
from mouse_ar.sly.known_facts import KnownFacts
from mouse_ar.sly.link_hashes import LinkHashes
from mouse_ar.sly.streams import hash_of
from mouse_ar.sly.videos import RemoteVideo, download_video
from mouse_ar.video.probe import VideoError

__all__ = ["RemoteMedia", "disk_budget", "failing_alone"]

_LOG = logging.getLogger(__name__)
_LARGEST_BUDGET = 50_000_000_000

Progress = Callable[[str, int, int], None]


def disk_budget(folder: Path) -> int:
    """Bytes that videos may take there: half of what is free, and 50 GB at most."""
    place = folder.absolute()
    while not place.exists():
        place = place.parent
    return min(_LARGEST_BUDGET, shutil.disk_usage(place).free // 2)


@contextmanager
def failing_alone(connection: Connection, key: str) -> Iterator[None]:
    """Make a failure that concerns this video alone its own, which ends no run over many.

    Raises:
        VideoError: this video failed; others may not.
        TransferError: the instance cannot be reached, or says no to everything.
    """
    try:
        yield
    except TransferError as error:
        if not is_of_item(error, connection):
            raise
        raise VideoError(key, str(error)) from error


class RemoteMedia:
    """A :class:`~mouse_ar.pipelines.media.Media` of an instance's videos.

    A video that was used stays until the budget needs its place: preprocessing reads each video
    twice, once to plan and once to cut.

    Args:
        connection: to the instance.
        videos: by key.
        budget_bytes: that the files may take; a single larger video may exceed it.
        links: hashes of linked videos that are known already; what is found is noted there.
        known: facts of videos, likewise.
        progress: called with (what, bytes done, bytes in all).
    """

    def __init__(
        self,
        connection: Connection,
        videos: Mapping[str, RemoteVideo],
        *,
        budget_bytes: int,
        links: LinkHashes | None = None,
        known: KnownFacts | None = None,
        progress: Progress | None = None,
    ) -> None:
        self._connection, self._videos = connection, dict(videos)
        self._budget = budget_bytes
        self._progress = progress or (lambda what, done, total: None)
        # Least recently used first.
        self._kept: dict[str, Path] = {}
        self._in_use: set[str] = set()
        self._links = LinkHashes() if links is None else links
        self._known = KnownFacts() if known is None else known

    def sha256(self, key: str, path: Path) -> str:
        """Hash of a video's bytes; a linked video has to be fetched for it, once."""
        video = self._video(key)
        if video.hash is not None:
            return base64.b64decode(video.hash).hex()
        if (known := self._links.get(video)) is None:
            with self.opened(key, path) as file:
                known = base64.b64decode(hash_of(file)).hex()
            self._links.note(video, known)
        return known

    @contextmanager
    def opened(self, key: str, path: Path) -> Iterator[Path]:
        """The file, fetched unless it is still here.

        Raises:
            VideoError: this video cannot be had; others may.
            TransferError: the instance cannot be reached.
        """
        if not self._is_here(key, path):
            self._fetch(key, path)
        self._kept.pop(key, None)
        self._kept[key] = path
        self._in_use.add(key)
        try:
            yield path
        finally:
            self._in_use.discard(key)
            self._make_room(0)

    def facts(self, key: str, path: Path, *, sha256: str) -> VideoFacts:
        """What is known of a video; it is fetched for that once, not again by a further run.

        Raises:
            VideoError: this video cannot be had; others may.
            TransferError: the instance cannot be reached.
        """
        if (known := self._known.get(sha256)) is None:
            with self.opened(key, path) as file:
                known = probed_facts(file)
            self._known.note(sha256, known)
        return known

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove all files."""
        for key in list(self._kept):
            self._drop(key)

    def _video(self, key: str) -> RemoteVideo:
        if key not in self._videos:
            raise VideoError(key, "the instance has no such video among those of this run.")
        return self._videos[key]

    def _is_here(self, key: str, path: Path) -> bool:
        """Whether the file is this video: one that this run has fetched, or that has its hash."""
        if not path.is_file():
            return False
        if self._kept.get(key) == path:
            return True
        expected = self._video(key).hash
        if expected is not None and hash_of(path) == expected:
            return True
        path.unlink()  # of a killed run: nobody knows what it is
        return False

    def _fetch(self, key: str, path: Path) -> None:
        video = self._video(key)
        size = video.size or 0
        self._make_room(size)
        check_space(path.parent, size, what=f"fetching {key}")
        what = f"fetching {key}"
        with failing_alone(self._connection, key):
            digest = download_video(
                self._connection,
                video,
                path,
                progress=lambda done: self._progress(what, done, max(size, done)),
            )
        found, known = base64.b64decode(digest).hex(), self._links.get(video)
        if video.hash is None and known not in (None, found):
            self._links.note(video, found)
            path.unlink()
            raise VideoError(
                key,
                f"there is another file behind {video.link} than before. A further run takes it as "
                "a new video.",
            )

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
