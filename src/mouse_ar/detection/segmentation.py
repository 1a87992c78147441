"""From a difference image to animals: blobs, and the body inside a blob.

Everything works on downscaled frames; sizes are pixels of those.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mouse_ar.core.types import Box
from mouse_ar.detection.light import match_light

__all__ = ["CORE", "THIN", "Blob", "as_mask", "body_box", "difference", "find_blobs"]

Image = NDArray[Any]  # uint8; OpenCV's stubs know no element type
Mask = NDArray[Any]  # 0 or 255

# Defaults of :func:`body_box`.
CORE, THIN = 0.5, 0.2
# A floor darker than this tells little about the share of the light that is missing.
_DARK = 20
# At most this share of the animal's own strength is cut off as shadow.
_SHADE = 0.85
# Smoothing widens every part by about this much on each side.
_BLUR_PX = 1.5


@dataclass(frozen=True, eq=False)
class Blob:
    """One connected foreground region.

    Args:
        left: left edge of the region's window in pixels.
        top: top edge.
        mask_HW: the region within its window, 0 or 255.
        is_darker: whether the region is darker than the arena.
        strength_HW: how different from the arena each pixel of the window is, float32. For an
            animal darker than the arena it is the share of the light that is missing (a shadow
            takes the same share everywhere, and a coat more than a shadow); for a lighter one
            the root of the grey levels (it is shaded itself, but casts no light).
        area_px: pixels of the region.
        contrast: 80th percentile of the difference in the region, grey levels.
    """

    left: int
    top: int
    mask_HW: Mask
    is_darker: bool
    strength_HW: NDArray[np.float32]
    area_px: int
    contrast: float

    @property
    def window(self) -> tuple[slice, slice]:
        """Rows and columns of the window in the image."""
        height, width = self.mask_HW.shape
        return slice(self.top, self.top + height), slice(self.left, self.left + width)

    def in_image(self, shape: tuple[int, ...]) -> Mask:
        """The region in the whole image (H, W), 0 or 255."""
        mask_HW: Mask = np.zeros(shape, dtype=np.uint8)
        mask_HW[self.window] = self.mask_HW
        return mask_HW


def as_mask(flags_HW: NDArray[np.bool_]) -> Mask:
    """Booleans as OpenCV wants them: uint8, 0 or 255."""
    return flags_HW.view(np.uint8) * np.uint8(255)


def difference(frame_HWC: Image, *, background_HWC: Image) -> Image:
    """Largest absolute difference over the colour channels, lightly smoothed: uint8 (H, W)."""
    red, green, blue = cv2.split(cv2.absdiff(frame_HWC, background_HWC))
    return cv2.GaussianBlur(cv2.max(cv2.max(red, green), blue), (5, 5), 0)


def find_blobs(
    frame_HWC: Image,
    *,
    background_HWC: Image,
    threshold_HW: Image,
    area_range_px: tuple[float, float],
    max_blobs: int,
) -> list[Blob]:
    """Regions that differ from the background by more than the threshold, largest first.

    Specks are removed and cracks are closed. Regions outside the range of areas are left out.
    """
    lit_HWC = match_light(background_HWC, frame_HWC=frame_HWC)
    diff_HW = difference(frame_HWC, background_HWC=lit_HWC)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))
    mask_HW = cv2.compare(diff_HW, threshold_HW, cv2.CMP_GT)
    opened_HW = cv2.morphologyEx(mask_HW, cv2.MORPH_OPEN, kernel)
    # Most of the picture is empty: the costly labelling looks only where something is.
    x, y, width, height = cv2.boundingRect(opened_HW)
    if not width:
        return []
    closed = cv2.morphologyEx(
        opened_HW[y : y + height, x : x + width], cv2.MORPH_CLOSE, kernel, iterations=2
    )
    _, labels, stats, _ = cv2.connectedComponentsWithStats(closed, connectivity=8)
    areas = stats[:, cv2.CC_STAT_AREA]
    fitting = (areas >= area_range_px[0]) & (areas <= area_range_px[1])
    largest = 1 + np.argsort(-areas[1:], kind="stable")
    blobs = []
    for label in largest[fitting[largest]][:max_blobs]:
        left, top, width, height, area = (int(v) for v in stats[label])
        inside = labels[top : top + height, left : left + width] == label
        left, top = left + x, top + y
        window = slice(top, top + height), slice(left, left + width)
        diff, background = diff_HW[window], lit_HWC[window]
        is_darker = _is_darker(diff, frame_HWC[window], background, inside)
        blobs.append(
            Blob(
                left=left,
                top=top,
                mask_HW=as_mask(inside),
                is_darker=is_darker,
                strength_HW=_strength(diff, background, is_darker=is_darker),
                area_px=area,
                contrast=float(np.percentile(diff[inside], 80)),
            )
        )
    return blobs


def _is_darker(
    diff_HW: Image, frame_HWC: Image, background_HWC: Image, inside_HW: NDArray[np.bool_]
) -> bool:
    before = background_HWC[inside_HW].astype(np.int16)
    darker = float(np.median(before - frame_HWC[inside_HW]))
    return darker >= 0.5 * float(np.median(diff_HW[inside_HW]))


def _strength(diff_HW: Image, background_HWC: Image, *, is_darker: bool) -> NDArray[np.float32]:
    """See :attr:`Blob.strength_HW`."""
    strength_HW: NDArray[np.float32] = diff_HW.astype(np.float32)
    if not is_darker:
        return np.sqrt(strength_HW)
    light_HW = cv2.blur(background_HWC.max(axis=2), (3, 3)).astype(np.float32)
    return np.asarray(strength_HW / np.maximum(light_HW, _DARK), dtype=np.float32)


def body_box(
    blob: Blob, *, core: float = CORE, thin: float = THIN, shadow: float | None = None
) -> Box:
    """Box around the body: without soft shadow and reflection, and without most of the tail.

    Args:
        blob: region that holds the animal.
        core: pixels weaker than this share of the region's strength (80th percentile) are shadow
            or reflection.
        thin: parts thinner than this share of the body's thickness (the tail) are cut off by a
            morphological opening; 0 keeps everything.
        shadow: share of the light that is known to be taken by shadow.
    """
    inside = blob.mask_HW > 0
    full = float(np.percentile(blob.strength_HW[inside], 80))
    enough = core * full
    # Where the whole region is weaker than that, the animal is in the shade itself.
    if shadow is not None and blob.is_darker and shadow < full:
        enough = max(enough, min(shadow, _SHADE * full))
    solid = as_mask(inside & (blob.strength_HW >= enough))
    # A rim of zeros, so that the region's window does not count as inside.
    solid = cv2.copyMakeBorder(solid, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    depth = cv2.distanceTransform(solid, cv2.DIST_L2, 3)
    deepest = float(depth.max())
    radius = min(deepest, thin * deepest + _BLUR_PX) if thin else 0.0
    trunk = _largest(as_mask(depth >= radius))
    reach = cv2.distanceTransform(255 - trunk, cv2.DIST_L2, 3)
    body = as_mask((solid > 0) & (reach <= radius))
    left, top, width, height = cv2.boundingRect(body)
    left, top = blob.left + left - 1, blob.top + top - 1
    return Box(left, top, left + width, top + height)


def _largest(mask_HW: Mask) -> Mask:
    """Only the largest connected region of a mask."""
    count, labels_HW, stats, _ = cv2.connectedComponentsWithStats(mask_HW, connectivity=8)
    if count <= 2:
        return mask_HW
    largest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    return as_mask(labels_HW == largest)
