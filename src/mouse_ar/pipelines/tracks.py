"""Tracks of videos, detected once and kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mouse_ar.core.types import Track
from mouse_ar.detection.cache import TrackCache, TrackKey
from mouse_ar.detection.protocol import Detector
from mouse_ar.detection.tracking import MAX_GAP_SECONDS, track_video
from mouse_ar.video.probe import VideoMeta

__all__ = ["Tracker"]


class Tracker:
    """Detects the mouse in a video unless that has been done before.

    Args:
        folder: where tracks are kept.
        detector: finds the mouse.
        detect_every: frames between detections.
    """

    def __init__(self, folder: Path, *, detector: Detector, detect_every: int) -> None:
        self._cache = TrackCache(folder)
        self._detector = detector
        self._detect_every = detect_every

    def track(self, meta: VideoMeta, *, sha256: str, progress: Callable[[int, int], None]) -> Track:
        """The mouse's box in every frame.

        Args:
            meta: probe of the video.
            sha256: of its bytes.
            progress: called with (frames done, frames in all) while detecting.
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
            self._cache.put(key, track)
        return track
