"""Tracks of videos, detected once and kept for all runs."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path

import platformdirs

from mouse_ar.core.types import Track
from mouse_ar.detection.cache import TrackCache, TrackKey
from mouse_ar.detection.protocol import Confirming, Detector
from mouse_ar.detection.tracking import MAX_GAP_SECONDS, track_video
from mouse_ar.video.probe import VideoMeta

__all__ = ["CACHE_VARIABLE", "Tracker", "tracks_folder"]

CACHE_VARIABLE = "MOUSE_AR_CACHE"

_LOG = logging.getLogger(__name__)


def tracks_folder() -> Path:
    """Where the tracks of all runs are kept: below ``MOUSE_AR_CACHE``, or the user's cache folder.

    A video is known by its content, so preprocessing, evaluation and inference share its track.
    """
    base = os.environ.get(CACHE_VARIABLE) or platformdirs.user_cache_dir("mouse-ar")
    return Path(base) / "tracks"


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
        key = TrackKey(
            video_sha256=sha256,
            fingerprint=self._detector.fingerprint,
            detect_every=self._detect_every,
            max_gap_seconds=MAX_GAP_SECONDS,
        )
        track = self._cache.get(key)
        if track is None:
            track = track_video(
                meta.path,
                detector=self._detector,
                detect_every=self._detect_every,
                max_gap_seconds=MAX_GAP_SECONDS,
                meta=meta,
                progress=progress,
            )
            if isinstance(self._detector, Confirming):
                self._detector.confirm()
            try:
                self._cache.put(key, track)
            except OSError as error:  # a full or read-only disk: the next run detects again
                _LOG.warning(
                    "The track of %s cannot be kept in %s (%s): set %s to a folder that can be "
                    "written to.",
                    meta.path.name,
                    self._cache.directory,
                    error,
                    CACHE_VARIABLE,
                )
        return track
