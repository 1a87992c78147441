"""What every mouse detector offers, whether it runs in process, behind HTTP or without a model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from mouse_ar.core.types import Box
from mouse_ar.video.probe import VideoMeta

__all__ = ["Confirming", "Detection", "Detector"]


@dataclass(frozen=True)
class Detection:
    """One animal seen in one frame.

    Args:
        box: where, in pixels of the frame that was given.
        score: confidence, 0..1.
    """

    box: Box
    score: float

    def __post_init__(self) -> None:
        if not 0.0 <= self.score <= 1.0:
            raise ValueError(f"Detection score must be within 0..1, got {self.score}.")


@runtime_checkable
class Detector(Protocol):
    """Finds mice in frames; association over time is :func:`~.online.track_video`'s part.

    Implementations keep no memory between calls of :meth:`detect`, so that frames may come in
    any order and step.
    """

    @property
    def fingerprint(self) -> str:
        """Identifies model and settings: equal fingerprints give equal boxes (cache key)."""
        ...

    def prepare(self, path: Path, *, meta: VideoMeta | None = None) -> None:
        """Called once before the frames of a video; detectors that learn nothing from it pass.

        Args:
            path: the video.
            meta: its probe, where the caller has it.
        """
        ...

    def detect(self, frames_NHWC: NDArray[np.uint8]) -> list[list[Detection]]:
        """Detections of each frame (uint8 RGB), best first; an empty list where there is none."""
        ...


@runtime_checkable
class Confirming(Protocol):
    """A detector that may turn into another one while it is used, as it is not in this process."""

    def confirm(self) -> None:
        """Called after the last frame of a video, before its boxes are used or kept.

        Raises:
            DetectorUnavailableError: when :attr:`Detector.fingerprint` is no longer true.
        """
        ...
