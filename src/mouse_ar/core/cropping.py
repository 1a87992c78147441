"""The square part of the image that the model sees: one function for training and inference."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mouse_ar.core.types import Interval, Track

__all__ = ["CropBox", "crop_square"]


@dataclass(frozen=True)
class CropBox:
    """A square in whole pixels; may reach outside the image (filled mid-grey there).

    Args:
        left: first column, may be negative.
        top: first row, may be negative.
        side: width and height.
    """

    left: int
    top: int
    side: int

    def __post_init__(self) -> None:
        if self.side < 1:
            raise ValueError(f"CropBox.side must be >= 1 pixel, got {self.side}.")

    @property
    def right(self) -> int:
        """Column after the last."""
        return self.left + self.side

    @property
    def bottom(self) -> int:
        """Row after the last."""
        return self.top + self.side


def crop_square(
    track: Track,
    *,
    frames: Interval | Sequence[int],
    width: int,
    height: int,
    padding: float,
) -> CropBox:
    """One square around the mouse for all frames that a window spans.

    The union of the mouse's boxes in *every* frame from the first to the last named one (not
    only the sampled ones), padded on each side and shifted inside the image. Where it is larger
    than the image it is centred on the image in that dimension and reaches over on both sides;
    it is never squeezed. Parts of boxes outside the image do not count. Without any box in those
    frames it is the smallest centred square around the whole image.

    Args:
        track: boxes of the whole video.
        frames: real frames of the video: ``window.indices`` (any order), or an interval.
        width: image width in pixels.
        height: image height in pixels.
        padding: added on each side, as a share of the larger side of the union
            (``ClipSpec.crop_padding``).

    Raises:
        ValueError: on an empty image, negative padding, or frames outside the track.
    """
    if width < 1 or height < 1:
        raise ValueError(f"Image must be at least 1x1 pixels, got {width}x{height}.")
    if not (padding >= 0 and math.isfinite(padding)):
        raise ValueError(f"padding must be a share >= 0, got {padding}.")
    union = _union_inside(track, frames=_span(frames, track=track), width=width, height=height)
    if union is None:
        side = max(width, height)
        return CropBox(left=(width - side) // 2, top=(height - side) // 2, side=side)
    left, top, right, bottom = union
    side = round(max(right - left, bottom - top) * (1 + 2 * padding))
    return CropBox(
        left=_place(left, right, side=side, size=width),
        top=_place(top, bottom, side=side, size=height),
        side=side,
    )


def _span(frames: Interval | Sequence[int], *, track: Track) -> Interval:
    if isinstance(frames, Interval):
        span = frames
    elif len(frames):
        span = Interval(int(min(frames)), int(max(frames)) + 1)
    else:
        raise ValueError("crop_square needs at least one frame, got none.")
    if span.start < 0 or span.stop > track.num_frames:
        raise ValueError(
            f"Crop frames {span.inclusive} lie outside the track's {track.num_frames} frames; "
            "pass Window.indices, which are mirrored into the video."
        )
    return span


def _union_inside(
    track: Track, *, frames: Interval, width: int, height: int
) -> tuple[int, int, int, int] | None:
    """Whole pixels (left, top, right, bottom) that the boxes touch inside the image."""
    boxes_T4 = track.boxes_T4[frames.start : frames.stop]
    boxes_T4 = boxes_T4[np.isfinite(boxes_T4).all(axis=1)]
    if not len(boxes_T4):
        return None
    left, top = np.floor(boxes_T4[:, :2].min(axis=0)).clip(0)
    right, bottom = np.ceil(boxes_T4[:, 2:].max(axis=0)).clip(max=[width, height])
    if right <= left or bottom <= top:
        return None
    return int(left), int(top), int(right), int(bottom)


def _place(start: int, stop: int, *, side: int, size: int) -> int:
    """First pixel of the crop in one dimension: centred on the box, then shifted inside."""
    if side > size:
        return (size - side) // 2
    return min(max((start + stop - side) // 2, 0), size - side)
