"""An animal that never leaves its place is told from the arena by its brightness.

Motion alone shows only the parts that move. The animal is then taken to be one of the two
brightness classes (Otsu) of the median picture: the connected region that holds the motion and is
small against the picture. Its background is flat: the other class's grey level.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mouse_ar.detection.segmentation import Blob, as_mask, difference

__all__ = ["still_background"]

Image = NDArray[Any]  # uint8; OpenCV's stubs know no element type
Mask = NDArray[Any]  # 0 or 255

# The animal holds at least the first share of all motion with its outline, and the second with its
# place. Both reach around it by a share of the root of its area.
_OUTLINE_HELD, _OUTLINE_REACH = 0.4, 0.2
_PLACE_HELD, _PLACE_REACH = 0.7, 1.0
# Walls and floors run along the edge of the picture; an animal covers less of it than this.
_BORDER = 0.3
# Bodies of which more than the first share lies within a region, and whose median area is less than
# the second share of it, move about on a lit floor. What moves of a still animal crosses its
# outline: in those of 260 clips of rats that show at least five bodies, at most 95 % lay within.
_WITHIN = 0.96
_PART = 0.3
# Parts of the animal in the shade: foreground starts at this share of the step between classes.
_DIM = 0.5
_NEVER = 255


def still_background(
    samples_NHWC: Image,
    *,
    median_HWC: Image,
    min_contrast: float,
    area_range_px: tuple[float, float],
    bodies: Sequence[Blob] = (),
) -> tuple[Image, Image, float] | None:
    """A flat background (H, W, 3), the thresholds (H, W) that let an animal stand out, its area.

    Returns None where nothing moves, or where the motion belongs to no region of one brightness.
    Outside the animal's place nothing is foreground, however bright.

    Args:
        samples_NHWC: frames of the clip.
        median_HWC: their temporal median.
        min_contrast: least difference in grey levels.
        area_range_px: smallest and largest area of an animal.
        bodies: what moved as a whole; a region that they move about in is no animal.
    """
    moved_HW = _motion(samples_NHWC, median_HWC=median_HWC, min_contrast=min_contrast)
    if np.count_nonzero(moved_HW) == 0:
        return None
    gray_HW = cv2.cvtColor(median_HWC, cv2.COLOR_RGB2GRAY)
    level, bright_HW = cv2.threshold(gray_HW, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    for mask_HW in (bright_HW, cv2.bitwise_not(bright_HW)):
        region_HW = _region(moved_HW, mask_HW=mask_HW, area_range_px=area_range_px)
        if region_HW is None or _is_floor(region_HW, bodies=bodies):
            continue
        area_px = float(np.count_nonzero(region_HW))
        distance_HW = cv2.distanceTransform(cv2.bitwise_not(region_HW), cv2.DIST_L2, 3)
        place_HW = distance_HW <= _PLACE_REACH * np.sqrt(area_px)
        reached = distance_HW[moved_HW > 0] / np.sqrt(area_px)
        if (
            np.mean(reached <= _OUTLINE_REACH) < _OUTLINE_HELD
            or np.mean(reached <= _PLACE_REACH) < _PLACE_HELD
        ):
            continue
        flat = float(np.median(gray_HW[mask_HW == 0]))
        enough = max(min_contrast, _DIM * abs(level - flat))
        threshold_HW = np.where(place_HW, enough, _NEVER).astype(np.uint8)
        return np.full_like(median_HWC, round(flat)), threshold_HW, area_px
    return None


def _motion(samples_NHWC: Image, *, median_HWC: Image, min_contrast: float) -> Mask:
    """Where any frame differs from the median."""
    moved_HW: Mask = np.zeros(median_HWC.shape[:2], dtype=np.uint8)
    for frame_HWC in samples_NHWC:
        diff_HW = difference(frame_HWC, background_HWC=median_HWC)
        moved_HW |= as_mask(diff_HW > min_contrast)
    return np.asarray(cv2.morphologyEx(moved_HW, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)))


def _region(moved_HW: Mask, *, mask_HW: Mask, area_range_px: tuple[float, float]) -> Mask | None:
    """The connected region of a mask that holds most of the motion, if it may be an animal."""
    _, labels_HW, stats, _ = cv2.connectedComponentsWithStats(mask_HW, connectivity=8)
    held = np.bincount(labels_HW[moved_HW > 0], minlength=len(stats))
    held[0] = 0
    label = int(np.argmax(held))
    area_px = int(stats[label, cv2.CC_STAT_AREA])
    if not (held[label] and area_range_px[0] <= area_px <= area_range_px[1]):
        return None
    region_HW = as_mask(labels_HW == label)
    border = np.concatenate([region_HW[0], region_HW[-1], region_HW[:, 0], region_HW[:, -1]])
    return None if np.mean(border > 0) > _BORDER else region_HW


def _is_floor(region_HW: Mask, *, bodies: Sequence[Blob]) -> bool:
    """Whether small bodies move about within the region, holes included."""
    if not bodies:
        return False
    outlines, _ = cv2.findContours(region_HW, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled_HW = cv2.drawContours(np.zeros_like(region_HW), outlines, -1, 255, cv2.FILLED)
    within = sum(np.count_nonzero(cv2.min(filled_HW[b.window], b.mask_HW)) for b in bodies)
    areas = [blob.area_px for blob in bodies]
    small = np.median(areas) < _PART * np.count_nonzero(filled_HW)
    return bool(small and within > _WITHIN * sum(areas))
