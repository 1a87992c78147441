"""Frozen, self-validating domain types shared by every layer.

Frame intervals are half-open ``[start, stop)``; pixel boxes are half-open too
(``right`` and ``bottom`` are exclusive edges).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "ActionScores",
    "Bout",
    "Box",
    "Clip",
    "ClipSpec",
    "Ethogram",
    "Interval",
    "Track",
    "Window",
    "merge_intervals",
]

BoolArray = NDArray[np.bool_]
FloatArray = NDArray[np.float32]


@dataclass(frozen=True, order=True)
class Interval:
    """Half-open range of frame indices ``[start, stop)``; never empty.

    ``start`` may be negative only for model windows that reach over the edge of a video.
    """

    start: int
    stop: int

    def __post_init__(self) -> None:
        if self.stop <= self.start:
            raise ValueError(
                f"Interval is empty or reversed: got [{self.start}, {self.stop}), "
                "expected start < stop (stop is exclusive)."
            )

    @classmethod
    def from_inclusive(cls, first: int, last: int) -> Interval:
        """Build from the inclusive frame range that users and the labeler see."""
        return cls(first, last + 1)

    @property
    def inclusive(self) -> tuple[int, int]:
        """First and last frame, both inclusive, as shown to users."""
        return self.start, self.stop - 1

    @property
    def length(self) -> int:
        """Number of frames."""
        return self.stop - self.start

    @property
    def center(self) -> float:
        """Middle of the interval in frames: a one-frame interval ``[3, 4)`` has centre 3.5."""
        return (self.start + self.stop) / 2

    def overlap(self, other: Interval) -> int:
        """Number of frames the two share."""
        return max(0, min(self.stop, other.stop) - max(self.start, other.start))

    def iou(self, other: Interval) -> float:
        """Temporal intersection over union, 0..1."""
        shared = self.overlap(other)
        return shared / (self.length + other.length - shared)

    def shift(self, frames: int) -> Interval:
        """The same interval moved by ``frames``."""
        return Interval(self.start + frames, self.stop + frames)

    def clip(self, bounds: Interval) -> Interval | None:
        """The part inside ``bounds``, or None when nothing is left."""
        start, stop = max(self.start, bounds.start), min(self.stop, bounds.stop)
        return Interval(start, stop) if start < stop else None


@dataclass(frozen=True, order=True)
class Bout:
    """One occurrence of an action."""

    interval: Interval
    action: str
    confidence: float = 1.0

    def __post_init__(self) -> None:
        if self.interval.start < 0:
            raise ValueError(f"Bout of {self.action!r} starts at frame {self.interval.start} < 0.")
        if not 0.0 <= self.confidence <= 1.0:
            raise ValueError(f"Bout confidence must be within 0..1, got {self.confidence}.")


@dataclass(frozen=True)
class Ethogram:
    """All bouts of one video, sorted by start.

    Args:
        num_frames: frames of the video.
        fps: average frames per second.
        bouts: the bouts; each must end inside the video.
    """

    num_frames: int
    fps: float
    bouts: tuple[Bout, ...] = ()

    def __post_init__(self) -> None:
        if self.num_frames < 0 or not (self.fps > 0 and math.isfinite(self.fps)):
            raise ValueError(
                f"Ethogram needs num_frames >= 0 and fps > 0, got {self.num_frames}, {self.fps}."
            )
        object.__setattr__(self, "bouts", tuple(sorted(self.bouts)))
        for bout in self.bouts:
            if bout.interval.stop > self.num_frames:
                raise ValueError(
                    f"Bout of {bout.action!r} covers frames {bout.interval.inclusive} but the "
                    f"video has only {self.num_frames} frames."
                )

    def of(self, action: str) -> tuple[Bout, ...]:
        """Bouts of one action, sorted by start."""
        return tuple(b for b in self.bouts if b.action == action)

    def mask(self, action: str) -> BoolArray:
        """Frames covered by an action: bool (T,)."""
        mask_T = np.zeros(self.num_frames, dtype=bool)
        for bout in self.of(action):
            mask_T[bout.interval.start : bout.interval.stop] = True
        return mask_T

    def crop(self, interval: Interval) -> Ethogram:
        """The ethogram of a part of the video, in the part's own frame indices."""
        inside = []
        for bout in self.bouts:
            part = bout.interval.clip(interval)
            if part is not None:
                inside.append(replace(bout, interval=part.shift(-interval.start)))
        return Ethogram(num_frames=interval.length, fps=self.fps, bouts=tuple(inside))


@dataclass(frozen=True)
class Box:
    """Axis-aligned box in pixels; may reach outside the image."""

    left: float
    top: float
    right: float
    bottom: float

    def __post_init__(self) -> None:
        values = (self.left, self.top, self.right, self.bottom)
        if not all(math.isfinite(v) for v in values):
            raise ValueError(f"Box must be finite, got {values}.")
        if self.right <= self.left or self.bottom <= self.top:
            raise ValueError(f"Box must satisfy left < right and top < bottom, got {values}.")

    @property
    def width(self) -> float:
        """Width in pixels."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """Height in pixels."""
        return self.bottom - self.top

    @property
    def area(self) -> float:
        """Area in square pixels."""
        return self.width * self.height

    @property
    def center(self) -> tuple[float, float]:
        """Centre (x, y)."""
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2

    def union(self, other: Box) -> Box:
        """Smallest box around both."""
        return Box(
            min(self.left, other.left),
            min(self.top, other.top),
            max(self.right, other.right),
            max(self.bottom, other.bottom),
        )

    def iou(self, other: Box) -> float:
        """Intersection over union, 0..1."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        if width <= 0 or height <= 0:
            return 0.0
        shared = width * height
        return shared / (self.area + other.area - shared)

    def contains(self, x: float, y: float) -> bool:
        """Whether a point lies inside."""
        return self.left <= x < self.right and self.top <= y < self.bottom


@dataclass(frozen=True, eq=False)
class Track:
    """The mouse's box in every frame of a video: float32 (T, 4), NaN rows where there is none.

    Columns are left, top, right, bottom in pixels. ``observed_T`` marks the frames in which the
    detector really saw the mouse (the rest is interpolated or empty).
    """

    boxes_T4: FloatArray
    observed_T: BoolArray

    def __post_init__(self) -> None:
        if self.boxes_T4.ndim != 2 or self.boxes_T4.shape[1] != 4:
            raise ValueError(f"Track boxes must have shape (T, 4), got {self.boxes_T4.shape}.")
        if self.observed_T.shape != self.boxes_T4.shape[:1]:
            raise ValueError(
                f"Track observed must have shape ({len(self.boxes_T4)},), "
                f"got {self.observed_T.shape}."
            )

    @classmethod
    def from_boxes(cls, num_frames: int, boxes: Mapping[int, Box]) -> Track:
        """Build from observed boxes by frame index; other frames are empty."""
        boxes_T4 = np.full((num_frames, 4), np.nan, dtype=np.float32)
        observed_T = np.zeros(num_frames, dtype=bool)
        for frame, box in boxes.items():
            boxes_T4[frame] = (box.left, box.top, box.right, box.bottom)
            observed_T[frame] = True
        return cls(boxes_T4=boxes_T4, observed_T=observed_T)

    @property
    def num_frames(self) -> int:
        """Frames of the video."""
        return len(self.boxes_T4)

    @property
    def present_T(self) -> BoolArray:
        """Frames that have a box (observed or interpolated): bool (T,)."""
        return ~np.isnan(self.boxes_T4[:, 0])

    def box(self, frame: int) -> Box | None:
        """The box in one frame, or None."""
        row = self.boxes_T4[frame]
        return None if np.isnan(row[0]) else Box(*(float(v) for v in row))

    def scaled(self, factor_x: float, factor_y: float) -> Track:
        """The track in a video resized by these factors."""
        factors_4 = np.array([factor_x, factor_y, factor_x, factor_y], dtype=np.float32)
        return Track(boxes_T4=self.boxes_T4 * factors_4, observed_T=self.observed_T)

    def crop(self, interval: Interval) -> Track:
        """The track of a part of the video.

        Raises:
            ValueError: when the part reaches over the video's edges.
        """
        if interval.start < 0 or interval.stop > self.num_frames:
            raise ValueError(
                f"Track has frames 0..{self.num_frames - 1}, cannot crop it to "
                f"{interval.inclusive}; clip the interval to the video first."
            )
        rows = slice(interval.start, interval.stop)
        return Track(boxes_T4=self.boxes_T4[rows], observed_T=self.observed_T[rows])


@dataclass(frozen=True)
class ClipSpec:
    """How the model sees video: one spec rules training and inference.

    Args:
        num_frames: frames per window (T of the model).
        sampling_rate: step between them in video frames.
        input_size: side of the square model input in pixels.
        crop_padding: padding around the window's boxes as a share of the larger side of their
            union, added on each side.
    """

    num_frames: int = 16
    sampling_rate: int = 2
    input_size: int = 224
    crop_padding: float = 0.1

    def __post_init__(self) -> None:
        for name in ("num_frames", "sampling_rate", "input_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"ClipSpec.{name} must be >= 1, got {getattr(self, name)}.")
        if not 0.0 <= self.crop_padding <= 2.0:
            raise ValueError(f"ClipSpec.crop_padding must be within 0..2, got {self.crop_padding}.")

    @property
    def window_frames(self) -> int:
        """Context window in video frames."""
        return self.num_frames * self.sampling_rate

    def for_fps(self, fps: float, *, reference_fps: float) -> ClipSpec:
        """The spec that spans about the same *time* in a video of another frame rate.

        Args:
            fps: frame rate of the video at hand.
            reference_fps: frame rate that ``sampling_rate`` refers to (training videos).
        """
        return replace(self, sampling_rate=max(1, round(self.sampling_rate * fps / reference_fps)))


@dataclass(frozen=True)
class Clip:
    """A clip planned or cut from a source video.

    Args:
        dataset: name of the dataset it belongs to (one per class).
        interval: frames of the source video.
        bouts: actions in *clip* frames (several may touch one clip).
    """

    dataset: str
    interval: Interval
    bouts: tuple[Bout, ...] = ()

    def __post_init__(self) -> None:
        for bout in self.bouts:
            if bout.interval.stop > self.interval.length:
                raise ValueError(
                    f"Clip bout {bout.interval.inclusive} reaches past the clip's "
                    f"{self.interval.length} frames."
                )


@dataclass(frozen=True)
class Window:
    """One model input: where it lies in the video and which real frames it reads.

    ``interval`` may reach over the video's edges; ``indices`` (num_frames,) are mirrored there,
    so every index is a real frame.
    """

    interval: Interval
    indices: tuple[int, ...] = field(repr=False)


@dataclass(frozen=True, eq=False)
class ActionScores:
    """Per-frame class probabilities of one video: float32 (T, K), rows sum to 1."""

    scores_TK: FloatArray
    classes: tuple[str, ...]
    fps: float

    def __post_init__(self) -> None:
        if self.scores_TK.ndim != 2 or self.scores_TK.shape[1] != len(self.classes):
            raise ValueError(
                f"scores must have shape (T, {len(self.classes)}) for classes {self.classes}, "
                f"got {self.scores_TK.shape}."
            )
        if not np.isfinite(self.scores_TK).all():
            raise ValueError("scores contain NaN or infinite values.")

    @property
    def num_frames(self) -> int:
        """Frames of the video."""
        return len(self.scores_TK)

    def of(self, action: str) -> FloatArray:
        """Scores of one class: float32 (T,)."""
        return self.scores_TK[:, self.classes.index(action)]


def merge_intervals(intervals: Iterable[Interval], *, max_gap: int = 0) -> list[Interval]:
    """Sort and join intervals that overlap, touch, or lie at most ``max_gap`` frames apart."""
    merged: list[Interval] = []
    for interval in sorted(intervals):
        if merged and interval.start - merged[-1].stop <= max_gap:
            merged[-1] = Interval(merged[-1].start, max(merged[-1].stop, interval.stop))
        else:
            merged.append(interval)
    return merged
