"""Detector without any weights: background subtraction for a fixed camera."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mouse_ar.core.types import Box
from mouse_ar.detection.background_model import BackgroundModel, FitConfig, fit_background
from mouse_ar.detection.protocol import Detection
from mouse_ar.detection.segmentation import CORE, THIN, Blob, body_box
from mouse_ar.video.probe import VideoMeta, probe
from mouse_ar.video.reader import open_video

__all__ = ["BackgroundConfig", "BackgroundSubtraction"]

# Part of the fingerprint: raise it when the boxes change for the same settings.
_VERSION = 8
_READ_AT_ONCE = 8


@dataclass(frozen=True)
class BackgroundConfig:
    """Settings of :class:`BackgroundSubtraction`.

    Args:
        num_samples: frames, spread evenly over the video, that the background is learnt from.
        short_side: frames are reduced by the whole number that brings their short side closest to
            this, in pixels.
        core: parts of the animal's region that differ from the background by less than this share
            of what the animal does count as shadow or reflection.
        thin: parts thinner than this share of the body's thickness are cut off (the tail).
        max_detections: most regions reported per frame.
        fit: what counts as foreground.
    """

    num_samples: int = 64
    short_side: int = 480
    core: float = CORE
    thin: float = THIN
    max_detections: int = 8
    fit: FitConfig = field(default_factory=FitConfig)

    def __post_init__(self) -> None:
        for name in ("num_samples", "short_side", "max_detections"):
            if getattr(self, name) < 1:
                raise ValueError(f"BackgroundConfig.{name} must be >= 1: {getattr(self, name)}.")
        for name in ("core", "thin"):
            if not 0.0 <= getattr(self, name) < 1.0:
                raise ValueError(
                    f"BackgroundConfig.{name} must be within [0, 1): {getattr(self, name)}."
                )


class BackgroundSubtraction:
    """Finds whatever differs from the empty arena; the animal may be darker or lighter than it.

    It needs a fixed camera. An animal that never leaves its place cannot be told from the arena
    by motion: unless whole bodies are seen to move, it is looked for by brightness, at half the
    score. Where nothing moves at all there are no detections.
    """

    def __init__(self, config: BackgroundConfig | None = None) -> None:
        self.config = config or BackgroundConfig()
        self._model: BackgroundModel | None = None

    @property
    def fingerprint(self) -> str:
        """Identifies algorithm version and settings."""
        settings = json.dumps(asdict(self.config), sort_keys=True).encode()
        return f"background-{_VERSION}-{hashlib.sha256(settings).hexdigest()[:12]}"

    def prepare(self, path: Path, *, meta: VideoMeta | None = None) -> None:
        """Learn the background of a video from frames spread evenly over it."""
        samples = []
        meta = meta or probe(path)
        with open_video(path, meta=meta) as reader:
            indices = self._sampled(meta)
            for start in range(0, len(indices), _READ_AT_ONCE):
                for frame_HWC in reader.get_batch(indices[start : start + _READ_AT_ONCE]):
                    samples.append(self._reduce(frame_HWC))
        self._model = fit_background(
            np.stack(samples), config=self.config.fit, span_seconds=meta.duration_seconds
        )

    def _sampled(self, meta: VideoMeta) -> list[int]:
        """Frames to learn from; key frames if there are enough, as they cost the least to read."""
        frames = meta.frame_index.keyframes
        if len(frames) < self.config.num_samples:
            frames = np.arange(meta.num_frames)
        count = min(self.config.num_samples, len(frames))
        return [int(frames[i]) for i in np.linspace(0, len(frames) - 1, count).round().astype(int)]

    def fit(self, frames_NHWC: NDArray[np.uint8], *, span_seconds: float = math.inf) -> None:
        """Learn the background from given frames (N, H, W, 3) uint8 RGB instead of a video.

        Args:
            frames_NHWC: the frames, in any order.
            span_seconds: time they are spread over.
        """
        samples_NHWC = np.stack([self._reduce(frame_HWC) for frame_HWC in frames_NHWC])
        self._model = fit_background(
            samples_NHWC, config=self.config.fit, span_seconds=span_seconds
        )

    def detect(self, frames_NHWC: NDArray[np.uint8]) -> list[list[Detection]]:
        """Moving bodies of each frame, best first.

        Raises:
            RuntimeError: when no background was learnt yet.
            ValueError: when the frames have another size than those it was learnt from.
        """
        if self._model is None:
            raise RuntimeError("No background yet: call prepare(path) before detect(frames).")
        return [self._detect_one(frame_HWC, self._model) for frame_HWC in frames_NHWC]

    def _reduce(self, frame_HWC: NDArray[Any]) -> NDArray[Any]:
        """A frame by a whole-number factor smaller: fast, and box edges map back exactly.

        Rows and columns that do not fill a whole pixel are left out.
        """
        factor = self._factor(frame_HWC)
        height, width = frame_HWC.shape[0] // factor, frame_HWC.shape[1] // factor
        whole = frame_HWC[: height * factor, : width * factor]
        return cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA)

    def _factor(self, frame_HWC: NDArray[Any]) -> int:
        return max(1, round(int(min(frame_HWC.shape[:2])) / self.config.short_side))

    def _detect_one(self, frame_HWC: NDArray[np.uint8], model: BackgroundModel) -> list[Detection]:
        small_HWC = self._reduce(frame_HWC)
        if small_HWC.shape != model.image_HWC.shape:
            raise ValueError(
                f"Frame of size {frame_HWC.shape[1]}x{frame_HWC.shape[0]} does not fit the "
                f"background ({model.image_HWC.shape[1]}x{model.image_HWC.shape[0]} after "
                "reduction): call prepare(path) for the video the frames come from."
            )
        factor = self._factor(frame_HWC)
        detections = []
        for blob in model.blobs(
            small_HWC, config=self.config.fit, max_blobs=self.config.max_detections
        ):
            box = body_box(blob, core=self.config.core, thin=self.config.thin, shadow=model.shadow)
            sides = (factor * v for v in (box.left, box.top, box.right, box.bottom))
            detections.append(Detection(box=Box(*sides), score=_score(blob, model)))
        return sorted(detections, key=lambda d: -d.score)


def _score(blob: Blob, model: BackgroundModel) -> float:
    """Contrast against the threshold, times how usual the size is: 0..1."""
    needed = float(np.median(model.threshold_HW[blob.window][blob.mask_HW > 0]))
    clear = 1.0 - np.exp(-blob.contrast / max(needed, 1.0) + 1.0)
    usual = 1.0
    if model.area_px is not None:
        octaves = np.log2(blob.area_px / model.area_px)
        usual = float(np.exp(-0.5 * (octaves / 2.0) ** 2))
    return float(np.clip(model.confidence * clear * usual, 0.0, 1.0))
