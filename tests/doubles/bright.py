"""A detector whose boxes can be told from the pixels alone: bright regions on dark ground."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mouse_ar.core.types import Box
from mouse_ar.detection.protocol import Detection
from mouse_ar.video.probe import VideoMeta

THRESHOLD = 128


def bright_regions(
    frame_HWC: NDArray[np.uint8], *, threshold: int = THRESHOLD
) -> list[tuple[int, int, int, int, float]]:
    """(left, top, right, bottom) half-open in whole pixels, and a score; best first."""
    gray = frame_HWC.mean(axis=2)
    count, _, stats, _ = cv2.connectedComponentsWithStats((gray > threshold).astype(np.uint8))
    regions = []
    for left, top, width, height, _ in stats[1:count].tolist():
        score = float(gray[top : top + height, left : left + width].mean() / 255)
        regions.append((left, top, left + width, top + height, score))
    return sorted(regions, key=lambda region: -region[4])


class BrightDetector:
    """In process; with ``shift`` the boxes have fractions that no whole pixel can hold."""

    fingerprint = "bright-1"
    class_name = "mouse"

    def __init__(self, *, shift: float = 0.0, confidence: float = 0.0) -> None:
        self.shift = shift
        self.confidence = confidence

    def prepare(self, path: Path, *, meta: VideoMeta | None = None) -> None:
        pass

    def detect(self, frames_NHWC: NDArray[np.uint8]) -> list[list[Detection]]:
        return [
            [
                Detection(Box(*(side + self.shift for side in region[:4])), region[4])
                for region in bright_regions(frame)
                if region[4] >= self.confidence
            ]
            for frame in frames_NHWC
        ]


def mouse_frames(
    count: int, *, seed: int, height: int = 240, width: int = 320
) -> NDArray[np.uint8]:
    """Noisy dark frames (N, H, W, 3) with one bright rectangle each, all in different places."""
    rng = np.random.default_rng(seed)
    frames = rng.integers(10, 40, (count, height, width, 3), dtype=np.uint8)
    for frame in frames:
        box_height, box_width = (int(v) for v in rng.integers(60, 120, 2))
        top = int(rng.integers(0, height - box_height))
        left = int(rng.integers(0, width - box_width))
        colour = rng.integers(190, 250, 3)
        frame[top : top + box_height, left : left + box_width] = colour
    return frames
