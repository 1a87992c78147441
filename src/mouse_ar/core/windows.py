"""Model windows: where they lie, which real frames they read, and what their target is.

A window is ``spec.window_frames`` long and speaks for its *central half*: its target in training
and its score in inference both mean "the share of the central half with this action". Over the
edges of a video (or clip) frames are mirrored without repeating the edge frame
(``2 1 | 0 1 2 ... n-1 | n-2 n-3``), so motion goes on and never freezes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mouse_ar.core.actions import ActionSet
from mouse_ar.core.types import ClipSpec, Ethogram, Interval, Window

__all__ = [
    "action_masks",
    "central_half",
    "class_targets",
    "mirror_frames",
    "plan_windows",
    "window_at",
]

BoolArray = NDArray[np.bool_]
FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]


def mirror_frames(frames: IntArray, *, num_frames: int) -> IntArray:
    """Map frame numbers of any size into ``0..num_frames - 1`` by mirroring at both edges.

    The same as numpy's ``pad(mode="reflect")``, any number of times over.

    Args:
        frames: frame numbers of any shape; may be negative or beyond the video.
        num_frames: frames of the video, >= 1.

    Raises:
        ValueError: when the video has no frames.
    """
    if num_frames < 1:
        raise ValueError(f"A video needs at least 1 frame to draw windows from, got {num_frames}.")
    if num_frames == 1:
        return np.zeros_like(frames)
    period = 2 * (num_frames - 1)
    phase = np.mod(frames, period)
    mirrored: IntArray = np.minimum(phase, period - phase)
    return mirrored


def central_half(interval: Interval) -> Interval:
    """The part of a window that its target and score speak for: its middle half.

    For W frames it is ``[start + W // 4, start + W // 4 + max(1, W // 2))``.
    """
    start = interval.start + interval.length // 4
    return Interval(start, start + max(1, interval.length // 2))


def window_at(start: int, *, num_frames: int, spec: ClipSpec) -> Window:
    """The window that begins at a frame, with mirrored indices where it leaves the video.

    Args:
        start: first frame of the window; may be negative or beyond the video's end.
        num_frames: frames of the video, >= 1.
        spec: length and sampling of the window.

    Returns:
        Window with ``spec.num_frames`` indices, ``spec.sampling_rate`` frames apart before
        mirroring; the first is ``start``.

    Raises:
        ValueError: when the video has no frames.
    """
    frames = start + spec.sampling_rate * np.arange(spec.num_frames, dtype=np.int64)
    indices = mirror_frames(frames, num_frames=num_frames)
    return Window(
        interval=Interval(start, start + spec.window_frames),
        indices=tuple(int(i) for i in indices),
    )


def plan_windows(num_frames: int, *, spec: ClipSpec, stride_frames: int) -> list[Window]:
    """Windows over a whole video, evenly spaced, in order.

    Every frame lies in the central half of at least one window. The centres run from the first
    edge of the video to the last, so the first and last frames are judged from windows centred
    on them (half mirrored) and not only from windows to one side: an event at the very edge of
    the video is seen as well as one in its middle. Starts lie on the grid
    ``-(W // 2) + k * stride_frames``, whatever the video's length, so a stream can plan ahead.

    Args:
        num_frames: frames of the video, >= 1.
        spec: length and sampling of the windows.
        stride_frames: distance between window starts, 1..half a window.

    Raises:
        ValueError: when the stride would leave frames uncovered, or the video has no frames.
    """
    window_frames = spec.window_frames
    widest = max(1, window_frames // 2)
    if not 1 <= stride_frames <= widest:
        raise ValueError(
            f"stride_frames must be within 1..{widest} (half of the window's {window_frames} "
            f"frames) so that every frame is scored, got {stride_frames}."
        )
    if num_frames < 1:
        raise ValueError(f"A video needs at least 1 frame to draw windows from, got {num_frames}.")
    video = Interval(0, num_frames)
    first = -(window_frames // 2)
    starts = range(first, first + num_frames + stride_frames, stride_frames)
    return [
        window_at(start, num_frames=num_frames, spec=spec)
        for start in starts
        if central_half(Interval(start, start + window_frames)).overlap(video)
    ]


def action_masks(ethogram: Ethogram, *, actions: ActionSet) -> BoolArray:
    """Which actions go on in which frame: bool (T, K), columns in the order of the actions."""
    return np.stack([ethogram.mask(name) for name in actions.names], axis=1)


def class_targets(window: Window, masks_TK: BoolArray) -> FloatArray:
    """The soft label of a window: float32 (1 + K,), background first, sums to 1.

    The background gets the share of the central half in which no action goes on. The actions
    divide the rest in proportion to the frames that each covers: that is simply their share of
    the central half, unless they overlap each other. With a twitch over a quarter of an otherwise
    full grooming window it is 0.8 grooming and 0.2 twitch.

    All frames of the central half count, not only the sampled ones; where it leaves the video the
    frames are mirrored as the pixels are.

    Args:
        window: the window, in frames of the video (or clip) that the masks describe.
        masks_TK: bool (frames, actions), see :func:`action_masks`.

    Raises:
        ValueError: when the masks have the wrong shape or no frames.
    """
    if masks_TK.ndim != 2:
        raise ValueError(f"masks must have shape (frames, actions), got {masks_TK.shape}.")
    half = central_half(window.interval)
    frames_F = mirror_frames(np.arange(half.start, half.stop), num_frames=len(masks_TK))
    central_FK = masks_TK[frames_F].astype(bool, copy=False)
    shares_K = central_FK.mean(axis=0)
    total = float(shares_K.sum())
    busy = float(central_FK.any(axis=1).mean())
    scale = busy / total if total > 0 else 0.0
    return np.concatenate([[1.0 - busy], shares_K * scale]).astype(np.float32)
