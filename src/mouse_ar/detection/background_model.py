"""Learns the empty arena from frames sampled over a video.

The temporal median is the arena wherever the animal is absent most of the time. Where it rests
longer, the median holds the animal, and every frame in which it is elsewhere shows a "ghost": a
region that differs from the median although nothing is there. Object and ghost are told apart by
their outline: an object has edges in the frame along it, a ghost has them in the background.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mouse_ar.detection.light import gain, match_light
from mouse_ar.detection.segmentation import Blob, as_mask, difference, find_blobs
from mouse_ar.detection.shadow import shadow_limit
from mouse_ar.detection.silhouettes import empty_arena, silhouette
from mouse_ar.detection.still_animal import still_background

__all__ = ["BackgroundModel", "FitConfig", "fit_background"]

Image = NDArray[Any]  # uint8; OpenCV's stubs know no element type
Mask = NDArray[Any]

_MAD_TO_SIGMA = 1.4826
_ROUNDS = 3
# Outline in the background this much stronger than in the frame: a ghost; the inverse: an object.
_GHOST_RATIO = 1.25
_ROWS_AT_ONCE = 64
# In a clip shorter than this the animal may well have stayed in its place.
_CLIP_SECONDS = 3.0
# Whole objects in fewer frames than this may be anything.
_LEAST_SEEN = 5
_STILL_CONFIDENCE = 0.5


@dataclass(frozen=True)
class FitConfig:
    """What counts as foreground.

    Args:
        min_contrast: least difference from the background in grey levels (0..255).
        noise_factor: least difference in standard deviations of a pixel's own noise.
        min_area: smallest animal as a share of the image area.
        max_area: largest animal as a share of the image area.
    """

    min_contrast: float = 18.0
    noise_factor: float = 5.0
    min_area: float = 0.0005
    max_area: float = 0.35

    def __post_init__(self) -> None:
        if not 0 < self.min_contrast < 255 or self.noise_factor <= 0:
            raise ValueError(
                "FitConfig needs 0 < min_contrast < 255 and noise_factor > 0, "
                f"got {self.min_contrast}, {self.noise_factor}."
            )
        if not 0 < self.min_area < self.max_area <= 1:
            raise ValueError(
                "FitConfig needs 0 < min_area < max_area <= 1, "
                f"got {self.min_area}, {self.max_area}."
            )

    def area_range_px(self, image_px: int) -> tuple[float, float]:
        """Smallest and largest area of an animal in an image of so many pixels."""
        return self.min_area * image_px, self.max_area * image_px


@dataclass(frozen=True, eq=False)
class BackgroundModel:
    """The empty arena and what differs enough from it.

    Args:
        image_HWC: background, uint8 RGB.
        threshold_HW: difference from which a pixel is foreground, uint8; 255 = never.
        area_px: usual area of the animal; None when nothing ever moved.
        confidence: trust in the model, 0..1: lower where the animal never left its place, so
            that it was told from the arena by brightness alone.
        shadow: share of the light that the animal's shadow takes; None where none is known.
    """

    image_HWC: Image
    threshold_HW: Image
    area_px: float | None
    confidence: float
    shadow: float | None = None

    def blobs(self, frame_HWC: Image, *, config: FitConfig, max_blobs: int) -> list[Blob]:
        """Foreground regions of a frame of the model's size that may be animals, largest first."""
        return find_blobs(
            frame_HWC,
            background_HWC=self.image_HWC,
            threshold_HW=self.threshold_HW,
            area_range_px=config.area_range_px(self.threshold_HW.size),
            max_blobs=max_blobs,
        )

    def difference(self, frame_HWC: Image) -> Image:
        """Difference of a frame from the background under the frame's light: uint8 (H, W)."""
        lit_HWC = match_light(self.image_HWC, frame_HWC=frame_HWC)
        return difference(frame_HWC, background_HWC=lit_HWC)


def fit_background(
    samples_NHWC: Image, *, config: FitConfig, span_seconds: float = math.inf
) -> BackgroundModel:
    """Background, noise and usual size of the animal from sampled frames (N, H, W, 3) RGB.

    Args:
        samples_NHWC: the frames, in any order.
        config: what counts as foreground.
        span_seconds: time they are spread over: within a few seconds an animal hardly leaves its
            place, and the median then holds it.

    Raises:
        ValueError: when there is no frame.
    """
    if samples_NHWC.ndim != 4 or len(samples_NHWC) == 0:
        raise ValueError(
            f"A background needs at least one frame (N, H, W, 3), got {samples_NHWC.shape}."
        )
    samples_NHWC, median_HWC = _evenly_lit(samples_NHWC)
    model = _with_noise(samples_NHWC, median_HWC, config=config)
    if span_seconds < _CLIP_SECONDS:
        # Hardly a frame shows what is below the animal: brightness tells more, where it does.
        return _still(samples_NHWC, median_HWC, model, config=config) or _without_animals(
            samples_NHWC, model, config=config
        )
    model = _without_animals(samples_NHWC, model, config=config)
    bodies, frames_with_blobs = _bodies_seen(samples_NHWC, model, config=config)
    if _clear(bodies, frames_with_blobs):
        return replace(model, shadow=shadow_limit(bodies))
    return _still(samples_NHWC, median_HWC, model, config=config, bodies=bodies) or model


def _clear(bodies: list[Blob], frames_with_blobs: int) -> bool:
    return len(bodies) >= _LEAST_SEEN and len(bodies) > 0.5 * frames_with_blobs


def _still(
    samples_NHWC: Image,
    median_HWC: Image,
    model: BackgroundModel,
    *,
    config: FitConfig,
    bodies: list[Blob] | None = None,
) -> BackgroundModel | None:
    """A model of an animal that never leaves its place, if there is one to be seen.

    Args:
        samples_NHWC: the frames.
        median_HWC: their median.
        model: the model of it.
        config: what counts as foreground.
        bodies: what moves as a whole. None: a clip, in which a few may be twitches of the animal,
            and count only where they are many.
    """
    if bodies is None:
        bodies, frames_with_blobs = _bodies_seen(samples_NHWC, model, config=config)
        bodies = bodies if _clear(bodies, frames_with_blobs) else []
    still = still_background(
        samples_NHWC,
        median_HWC=median_HWC,
        min_contrast=config.min_contrast,
        area_range_px=config.area_range_px(median_HWC[..., 0].size),
        bodies=bodies,
    )
    return None if still is None else BackgroundModel(*still, confidence=_STILL_CONFIDENCE)


def _bodies_seen(
    samples_NHWC: Image, model: BackgroundModel, *, config: FitConfig
) -> tuple[list[Blob], int]:
    """Largest blobs that are whole objects before the background, and the frames with blobs.

    Frames without any blob say nothing: the animal may be in its shelter most of the time.
    """
    background_HW = _outline(model.image_HWC)
    bodies = []
    frames_with_blobs = 0
    for frame_HWC in samples_NHWC:
        for blob in model.blobs(frame_HWC, config=config, max_blobs=1):
            frames_with_blobs += 1
            frame_HW = _outline(frame_HWC)
            ratio = _outline_ratio(blob, frame_HW=frame_HW, background_HW=background_HW)
            if ratio < 1 / _GHOST_RATIO:
                bodies.append(blob)
    return bodies, frames_with_blobs


def _evenly_lit(samples_NHWC: Image) -> tuple[Image, Image]:
    """The samples under one light, and their median.

    Where the light changes halfway, the first median takes either light wherever the animal tips
    the scales; the second is of samples that are alike.
    """
    even_NHWC, median_HWC = samples_NHWC, _median(samples_NHWC)
    for _ in range(2):
        gains = [gain(median_HWC, frame_HWC=frame_HWC) for frame_HWC in samples_NHWC]
        if all(isinstance(factor, float) and factor == 1.0 for factor in gains):
            break
        lit = [_unlit(frame, factor) for frame, factor in zip(samples_NHWC, gains, strict=True)]
        even_NHWC = np.stack(lit)
        median_HWC = _median(even_NHWC)
    return even_NHWC, median_HWC


def _unlit(frame_HWC: Image, factor: float | NDArray[np.float32]) -> Image:
    """A frame with a gain of the light taken back."""
    if isinstance(factor, float):
        return frame_HWC if factor == 1.0 else cv2.convertScaleAbs(frame_HWC, alpha=1 / factor)
    return np.asarray(cv2.divide(frame_HWC, cv2.merge([factor] * 3), dtype=cv2.CV_8U))


def _median(samples_NHWC: Image) -> Image:
    """Temporal median, a few rows at a time: numpy copies what it sorts."""
    height = samples_NHWC.shape[1]
    return np.concatenate(
        [
            np.median(samples_NHWC[:, row : row + _ROWS_AT_ONCE], axis=0).astype(np.uint8)
            for row in range(0, height, _ROWS_AT_ONCE)
        ]
    )


def _with_noise(samples_NHWC: Image, image_HWC: Image, *, config: FitConfig) -> BackgroundModel:
    """Thresholds from each pixel's own noise in the frames where no animal covers it."""
    blank = np.zeros(image_HWC.shape[:2], dtype=np.uint8)
    model = BackgroundModel(image_HWC=image_HWC, threshold_HW=blank, area_px=None, confidence=1.0)
    diffs_NHW = np.stack([model.difference(frame_HWC) for frame_HWC in samples_NHWC])
    typical = _MAD_TO_SIGMA * float(np.median(diffs_NHW[:, ::4, ::4]))
    coarse = np.full(image_HWC.shape[:2], max(config.min_contrast, config.noise_factor * typical))
    model = replace(model, threshold_HW=_as_image(coarse))
    _, largest_px = config.area_range_px(blank.size)
    areas: list[int] = []
    square_HW = np.zeros(image_HWC.shape[:2], dtype=np.float32)
    count_HW = np.zeros_like(square_HW)
    for frame_HWC, diff_HW in zip(samples_NHWC, diffs_NHW, strict=True):
        quiet_HW = np.ones_like(square_HW)
        # What is larger than an animal (a lamp switched on) is no noise either.
        blobs = model.blobs(frame_HWC, config=replace(config, max_area=1.0), max_blobs=4)
        for blob in blobs:
            quiet_HW[_widened(blob, shape=quiet_HW.shape) > 0] = 0
        fitting = [blob.area_px for blob in blobs if blob.area_px <= largest_px]
        areas += fitting[:1]
        square_HW += quiet_HW * diff_HW.astype(np.float32) ** 2
        count_HW += quiet_HW
    sigma_HW = cv2.blur(np.sqrt(square_HW / np.maximum(count_HW, 1)), (5, 5))
    threshold_HW = np.maximum(coarse, config.noise_factor * sigma_HW)
    return replace(
        model,
        threshold_HW=_as_image(threshold_HW),
        area_px=float(np.median(areas)) if areas else None,
    )


def _widened(blob: Blob, *, shape: tuple[int, ...]) -> Mask:
    """A blob in the whole image, with the blurred rim that belongs to it."""
    return np.asarray(cv2.dilate(blob.in_image(shape), np.ones((7, 7), np.uint8)))


def _as_image(values_HW: NDArray[np.floating]) -> Image:
    """Grey levels as uint8, 254 at most: 255 means "never"."""
    return np.asarray(np.clip(values_HW, 0, 254), dtype=np.uint8)


def _outline(image_HWC: Image) -> Image:
    """Strength of edges: uint8 (H, W)."""
    gray_HW = cv2.cvtColor(image_HWC, cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.morphologyEx(gray_HW, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)))


def _outline_ratio(blob: Blob, *, frame_HW: Image, background_HW: Image) -> float:
    """Edges along a blob's outline in the background relative to those in the frame."""
    kernel = np.ones((5, 5), np.uint8)
    padded = cv2.copyMakeBorder(blob.mask_HW, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    band = cv2.subtract(padded, cv2.erode(padded, kernel))[1:-1, 1:-1] > 0
    return float(
        (background_HW[blob.window][band].mean() + 1) / (frame_HW[blob.window][band].mean() + 1)
    )


def _without_animals(
    samples_NHWC: Image, model: BackgroundModel, *, config: FitConfig
) -> BackgroundModel:
    """The model with the animals taken out of its background."""
    moved_HW = _moved(samples_NHWC, model, config=config)
    for _ in range(_ROUNDS):
        emptied_HWC = _emptied(samples_NHWC, model, moved_HW=moved_HW, config=config)
        if np.array_equal(emptied_HWC, model.image_HWC):
            break
        model = _with_noise(samples_NHWC, emptied_HWC, config=config)
    return model


def _moved(samples_NHWC: Image, model: BackgroundModel, *, config: FitConfig) -> Mask:
    """Where at least two frames differ from the background, and the pixels around: (H, W)."""
    times_HW = np.zeros(model.threshold_HW.shape, dtype=np.int32)
    for frame_HWC in samples_NHWC:
        times_HW += model.difference(frame_HWC) > config.min_contrast
    return np.asarray(cv2.dilate(as_mask(times_HW >= 2), np.ones((3, 3), np.uint8)))


def _emptied(
    samples_NHWC: Image, model: BackgroundModel, *, moved_HW: Mask, config: FitConfig
) -> Image:
    """The background without the animals that the model shows in the frames."""
    _, largest_px = config.area_range_px(model.threshold_HW.size)
    background_HW = _outline(model.image_HWC)

    def told_apart(frame_HWC: Image) -> tuple[list[Mask], list[Mask]]:
        lit_HWC = match_light(model.image_HWC, frame_HWC=frame_HWC)
        frame_HW = _outline(frame_HWC)
        animals, ghosts = [], []
        for blob in model.blobs(frame_HWC, config=config, max_blobs=4):
            ratio = _outline_ratio(blob, frame_HW=frame_HW, background_HW=background_HW)
            if ratio > _GHOST_RATIO:
                ghosts.append(blob.in_image(frame_HW.shape))
            mask_HW = silhouette(
                blob,
                frame_HWC=frame_HWC,
                background_HWC=lit_HWC,
                moved_HW=moved_HW,
                max_area_px=largest_px,
            )
            if mask_HW is not None:
                animals.append(mask_HW)
        return animals, ghosts

    return empty_arena(
        samples_NHWC, median_HWC=model.image_HWC, told_apart=told_apart, same=config.min_contrast
    )
