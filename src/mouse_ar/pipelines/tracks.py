"""Tracks of videos, detected once and kept for all runs."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

import platformdirs

from mouse_ar.core.types import Track
from mouse_ar.detection.cache import TrackCache, TrackKey
from mouse_ar.detection.online import LookLog, Step, track_steps, track_video
from mouse_ar.detection.protocol import Confirming, Detector
from mouse_ar.detection.tracking import MAX_GAP_SECONDS
from mouse_ar.video.probe import VideoMeta
from mouse_ar.video.reader import Picture

__all__ = ["CACHE_VARIABLE", "TrackFinder", "Tracker", "cache_folder", "tracks_folder"]

CACHE_VARIABLE = "MOUSE_AR_CACHE"

_LOG = logging.getLogger(__name__)


def cache_folder() -> Path:
    """What all runs share is kept here: ``MOUSE_AR_CACHE``, or the user's cache folder."""
    return Path(os.environ.get(CACHE_VARIABLE) or platformdirs.user_cache_dir("mouse-ar"))


def tracks_folder() -> Path:
    """Where the tracks of all runs are kept.

    A video is known by its content, so preprocessing, evaluation and inference share its track.
    """
    return cache_folder() / "tracks"


class Tracker:
    """Detects the mouse in a video unless that has been done before, by any run.

    Args:
        detector: finds the mouse.
        detect_every: frames between detections.
        folder: where tracks are kept.
    """

    def __init__(
        self, *, detector: Detector, detect_every: int, folder: Path | None = None
    ) -> None:
        self._cache = TrackCache(folder or tracks_folder())
        self._detector = detector
        self._detect_every = detect_every

    def track(self, meta: VideoMeta, *, sha256: str, progress: Callable[[int, int], None]) -> Track:
        """The mouse's box in every frame.

        Args:
            meta: probe of the video.
            sha256: of its bytes.
            progress: called with (frames done, frames in all) while detecting.

        Raises:
            DetectorUnavailableError: when a served detector is not the same at the end of the
                video as at its beginning; nothing of the video is kept then.
        """
        track = self.known(sha256)
        if track is None:
            track = track_video(
                meta.path,
                detector=self._detector,
                detect_every=self._detect_every,
                max_gap_seconds=MAX_GAP_SECONDS,
                meta=meta,
                progress=progress,
            )
            self.keep(track, sha256=sha256, name=meta.path.name)
        return track

    def known(self, sha256: str) -> Track | None:
        """The track of a video if it has been detected before.

        Args:
            sha256: of its bytes.
        """
        return self._cache.get(self._key(sha256))

    def finder(self, meta: VideoMeta, *, sha256: str) -> TrackFinder:
        """Finds the mouse in frames that are decoded for something else as well.

        Args:
            meta: probe of the video.
            sha256: of its bytes.
        """
        return TrackFinder(
            meta,
            sha256=sha256,
            detector=self._detector,
            detect_every=self._detect_every,
            keep=partial(self.keep, sha256=sha256, name=meta.path.name),
        )

    def keep(self, track: Track, *, sha256: str, name: str) -> None:
        """Keep a track for all runs; what cannot be written is told and left.

        Args:
            track: of the video.
            sha256: of its bytes.
            name: of its file, for the user.

        Raises:
            DetectorUnavailableError: see :meth:`track`.
        """
        if isinstance(self._detector, Confirming):
            self._detector.confirm()
        try:
            self._cache.put(self._key(sha256), track)
        except OSError as error:  # a full or read-only disk: the next run detects again
            _LOG.warning(
                "The track of %s cannot be kept in %s (%s): set %s to a folder that can be "
                "written to.",
                name,
                self._cache.directory,
                error,
                CACHE_VARIABLE,
            )

    def _key(self, sha256: str) -> TrackKey:
        return TrackKey(
            video_sha256=sha256,
            fingerprint=self._detector.fingerprint,
            detect_every=self._detect_every,
            max_gap_seconds=MAX_GAP_SECONDS,
        )


class TrackFinder:
    """Detection of one video, as a stage of a longer pipeline.

    Args:
        meta: probe of the video.
        sha256: of its bytes.
        detector: finds the mouse.
        detect_every: frames between detections.
        keep: called with the track before it is given on.
    """

    def __init__(
        self,
        meta: VideoMeta,
        *,
        sha256: str,
        detector: Detector,
        detect_every: int,
        keep: Callable[[Track], None],
    ) -> None:
        self.sha256 = sha256
        self._meta, self._detector, self.keep = meta, detector, keep
        self._detect_every = detect_every

    def prepare(self) -> None:
        """Let the detector learn what it needs of the video."""
        self._detector.prepare(self._meta.path, meta=self._meta)

    def steps(
        self, pictures: Iterable[tuple[int, Picture]], *, log: LookLog, held_pixels: int
    ) -> Iterator[Step]:
        """See :func:`~mouse_ar.detection.online.track_steps`."""
        for step in track_steps(
            pictures,
            meta=self._meta,
            detector=self._detector,
            detect_every=self._detect_every,
            max_gap_seconds=MAX_GAP_SECONDS,
            held_pixels=held_pixels,
            log=log,
        ):
            if step.track is not None:
                self.keep(step.track)
            yield step
