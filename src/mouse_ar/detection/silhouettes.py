"""The whole animal in a frame, from the part of it that differs from a doubtful background.

Where an animal stays in one place for long, the temporal median of a video holds it, or some of
it. Then only what moves of it (a tail, a head) differs from the median, and where it has been a
"ghost" does: the median shows an animal that the frame does not. Both are told by the floor
around them: animal is what differs from the floor in the frame, ghost what differs in the
background. From the animal's part the rest follows by its brightness.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mouse_ar.detection.segmentation import Blob, as_mask

__all__ = ["empty_arena", "silhouette"]

Image = NDArray[Any]  # uint8; OpenCV's stubs know no element type
Mask = NDArray[Any]  # 0 or 255

# The floor around a region is looked for up to this many roots of its area away.
_RING_REACH = 1.5
# Least pixels of a region that have to be animal.
_LEAST_SEEDS = 9
# An animal covers less of the edge of the picture than this; walls and floors run along it.
_BORDER = 0.2
# Shares of the frames with an animal. A pixel covered in fewer than the first has its median among
# the free ones; one covered in more than the second is covered mostly.
_RARELY, _MOSTLY = 0.25, 0.5
# At least this share of an animal's outline moves.
_MOVING = 0.6
# Frames in which a pixel has to be free for its median to count.
_LEAST_FREE = 2
# A blurred rim belongs to an animal.
_RIM_PX = 3
_INPAINT_RADIUS_PX = 5


def silhouette(
    blob: Blob,
    *,
    frame_HWC: Image,
    background_HWC: Image,
    moved_HW: Mask,
    max_area_px: float,
) -> Mask | None:
    """The animal that a region belongs to, or None where the region shows only a ghost.

    Args:
        blob: what differs from the background.
        frame_HWC: the frame, uint8 RGB.
        background_HWC: the background under the light of the frame.
        moved_HW: where anything changes over the video. However still an animal sits, its outline
            moves; that of a plate on the floor does not.
        max_area_px: largest area of an animal. Where the brightness leads beyond it, or to an
            outline that does not move, only the part within the region is returned.

    Returns:
        Mask of the whole picture.
    """
    frame_HW = cv2.cvtColor(frame_HWC, cv2.COLOR_RGB2GRAY)
    background_HW = cv2.cvtColor(background_HWC, cv2.COLOR_RGB2GRAY)
    part_HW = blob.in_image(frame_HW.shape)
    distance_HW = cv2.distanceTransform(cv2.bitwise_not(part_HW), cv2.DIST_L2, 3)
    ring = (distance_HW > _RIM_PX) & (
        distance_HW < _RIM_PX + max(2.0, _RING_REACH * math.sqrt(blob.area_px))
    )
    if not ring.any():
        return None
    floor = float(np.median(frame_HW[ring]))
    away_HW = frame_HW.astype(np.float32) - floor
    was_away_HW = background_HW.astype(np.float32) - floor
    seeds = (part_HW > 0) & (np.abs(away_HW) > np.abs(was_away_HW))
    if np.count_nonzero(seeds) < max(_LEAST_SEEDS, 0.1 * blob.area_px):
        return None
    half = 0.5 * float(np.median(away_HW[seeds]))
    sign = math.copysign(1.0, half)
    # A tail that touches a wall of the animal's brightness must not lead into it.
    walls_HW = _walls(as_mask(was_away_HW * sign > abs(half)), max_area_px=max_area_px)
    like_HW = cv2.subtract(as_mask(away_HW * sign > abs(half)), walls_HW)
    _, labels_HW, stats, _ = cv2.connectedComponentsWithStats(like_HW, connectivity=8)
    held = np.bincount(labels_HW[seeds], minlength=len(stats))
    held[0] = 0
    label = int(np.argmax(held))
    grown_HW = as_mask(labels_HW == label)
    if (
        not held[label]
        or stats[label, cv2.CC_STAT_AREA] > max_area_px
        or _border_share(labels_HW, label) > _BORDER
        or _outline_share(grown_HW, moved_HW) < _MOVING
    ):
        return as_mask(seeds)
    return np.asarray(cv2.bitwise_or(grown_HW, as_mask(seeds)))


def _outline_share(mask_HW: Mask, moved_HW: Mask) -> float:
    """Share of a region's outline that moves."""
    outline = cv2.subtract(mask_HW, cv2.erode(mask_HW, np.ones((3, 3), np.uint8))) > 0
    return float(np.mean(moved_HW[outline] > 0))


def _walls(like_HW: Mask, *, max_area_px: float) -> Mask:
    """Regions that are too large for an animal, or run along the edge of the picture."""
    _, labels_HW, stats, _ = cv2.connectedComponentsWithStats(like_HW, connectivity=8)
    large = stats[:, cv2.CC_STAT_AREA] > max_area_px
    for label in np.unique(_border(labels_HW)):
        large[label] |= _border_share(labels_HW, label) > _BORDER
    large[0] = False
    return np.asarray(cv2.dilate(as_mask(large[labels_HW]), np.ones((3, 3), np.uint8)))


def _border(image_HW: Image) -> Image:
    return np.concatenate([image_HW[0], image_HW[-1], image_HW[:, 0], image_HW[:, -1]])


def _border_share(labels_HW: Image, label: int) -> float:
    return float(np.mean(_border(labels_HW) == label))


def empty_arena(
    samples_NHWC: Image,
    *,
    median_HWC: Image,
    told_apart: Callable[[Image], tuple[Sequence[Mask], Sequence[Mask]]],
    same: float,
) -> Image:
    """The median of every pixel over the frames in which no animal covers it: (H, W, 3).

    Where ghosts are seen, it is the median over the frames that show them; what is covered in all
    frames, or looks the same in most, covered or not, is filled in from around it.

    Args:
        samples_NHWC: the frames.
        median_HWC: their median, kept where animals are seldom.
        told_apart: silhouettes of the animals, and ghosts, in a frame.
        same: grey levels that are no difference.
    """
    covered_NHW = np.zeros(samples_NHWC.shape[:3], dtype=bool)
    bare_NHW = np.zeros_like(covered_NHW)
    rim = np.ones((2 * _RIM_PX + 1,) * 2, np.uint8)
    for covered_HW, bare_HW, frame_HWC in zip(covered_NHW, bare_NHW, samples_NHWC, strict=True):
        for masks, flags_HW in zip(told_apart(frame_HWC), (covered_HW, bare_HW), strict=True):
            for mask_HW in masks:
                flags_HW |= cv2.dilate(mask_HW, rim) > 0
    arena_HWC = _without_hidden(samples_NHWC, covered_NHW, median_HWC=median_HWC, same=same)
    times_HW = bare_NHW.sum(axis=0)
    ghosts = np.nonzero((times_HW >= _LEAST_FREE) & (times_HW > covered_NHW.sum(axis=0)))
    if len(ghosts[0]):
        arena_HWC[ghosts] = _median_where(_pick(samples_NHWC, ghosts), _pick(bare_NHW, ghosts))
    return arena_HWC


def _without_hidden(
    samples_NHWC: Image, covered_NHW: NDArray[np.bool_], *, median_HWC: Image, same: float
) -> Image:
    """The median picture, made anew where animals cover it often."""
    arena_HWC = median_HWC.copy()
    seen = np.count_nonzero(covered_NHW.any(axis=(1, 2)))
    often = np.nonzero(covered_NHW.sum(axis=0) > _RARELY * seen)
    if not len(often[0]):
        return arena_HWC
    samples_NPC, covered_NP = _pick(samples_NHWC, often), _pick(covered_NHW, often)
    free_PC = _median_where(samples_NPC, ~covered_NP)
    arena_HWC[often] = free_PC
    # An animal that moves too little to be seen in a frame is in the frames that count as free.
    unchanged_P = np.abs(free_PC - _median_where(samples_NPC, covered_NP)).max(axis=1) < same
    always_P = np.count_nonzero(~covered_NP, axis=0) < _LEAST_FREE
    mostly_P = covered_NP.sum(axis=0) > _MOSTLY * seen
    hidden_HW: Mask = np.zeros(median_HWC.shape[:2], dtype=np.uint8)
    hidden_HW[often] = as_mask(always_P | (mostly_P & unchanged_P))
    if hidden_HW.all() or not hidden_HW.any():
        return arena_HWC
    return np.asarray(cv2.inpaint(arena_HWC, hidden_HW, _INPAINT_RADIUS_PX, cv2.INPAINT_TELEA))


def _pick(values_NHW: Image, places: tuple[NDArray[np.intp], ...]) -> Image:
    """The same pixels (rows, columns) of all frames."""
    rows, columns = places
    return values_NHW[:, rows, columns]


def _median_where(values_NPC: Image, chosen_NP: NDArray[np.bool_]) -> NDArray[np.int16]:
    """(Lower) median over the chosen values of each pixel (P, C); 0 where none is."""
    # 256 sorts behind every grey level.
    sorted_NPC = np.where(chosen_NP[..., None], values_NPC.astype(np.int16), np.int16(256))
    sorted_NPC.sort(axis=0)
    middle_P = np.maximum(np.count_nonzero(chosen_NP, axis=0) - 1, 0) // 2
    middle_PC = sorted_NPC[middle_P, np.arange(chosen_NP.shape[1])]
    return np.where(middle_PC > 255, np.int16(0), middle_PC)
