"""Tracks on disk, so that preprocessing, evaluation and inference detect once."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mouse_ar.core.types import Track
from mouse_ar.detection.tracking import TRACKING_VERSION

__all__ = ["TrackCache", "TrackKey"]

_STALE_SECONDS = 24 * 3600


@dataclass(frozen=True)
class TrackKey:
    """What a track depends on, beside the tracking code (TRACKING_VERSION).

    Args:
        video_sha256: content hash of the video.
        fingerprint: of the detector, see :class:`~mouse_ar.detection.protocol.Detector`.
        detect_every: step between the frames that were looked at.
        max_gap_seconds: longest time over which a box was interpolated or held.
    """

    video_sha256: str
    fingerprint: str
    detect_every: int
    max_gap_seconds: float

    @property
    def name(self) -> str:
        """File name of the entry: safe on every file system, whatever the fingerprint holds."""
        video = hashlib.sha256(self.video_sha256.encode()).hexdigest()
        everything = hashlib.sha256(_identity(self).encode()).hexdigest()
        return f"{video[:32]}-{everything[:16]}.npz"


class TrackCache:
    """A folder of tracks; safe with several writers, and a damaged entry is simply a miss."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def get(self, key: TrackKey) -> Track | None:
        """The stored track, or None when there is none that can be read."""
        path = self.directory / key.name
        try:
            with np.load(path, allow_pickle=False) as stored:
                if _identity(key) != str(stored["key"]):
                    return None
                return Track(
                    boxes_T4=stored["boxes_T4"].astype(np.float32),
                    observed_T=stored["observed_T"].astype(np.bool_),
                )
        except Exception:  # a damaged archive fails in zip, zlib, header or shape: all mean a miss
            return None

    def put(self, key: TrackKey, track: Track) -> None:
        """Store a track; an interrupted write leaves no entry behind."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self._sweep()
        handle, name = tempfile.mkstemp(dir=self.directory, suffix=".part")
        part = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                np.savez_compressed(
                    file,
                    boxes_T4=track.boxes_T4,
                    observed_T=track.observed_T,
                    key=np.array(_identity(key)),
                )
                file.flush()
                os.fsync(file.fileno())
            part.replace(self.directory / key.name)
        finally:
            part.unlink(missing_ok=True)

    def _sweep(self) -> None:
        """Remove what killed writers left; a living one is never that old."""
        for part in self.directory.glob("*.part"):
            with contextlib.suppress(OSError):
                if time.time() - part.stat().st_mtime > _STALE_SECONDS:
                    part.unlink()


def _identity(key: TrackKey) -> str:
    parts = (key.video_sha256, key.fingerprint, key.detect_every, key.max_gap_seconds)
    return "\n".join(str(part) for part in (*parts, TRACKING_VERSION))
