"""One box per frame from the boxes of single frames: interpolation, holding, smoothing."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, median_filter

from mouse_ar.core.types import Box, Track

__all__ = [
    "DETECT_EVERY",
    "MAX_DETECT_EVERY",
    "MAX_GAP_SECONDS",
    "REST_SECONDS",
    "TRACKING_VERSION",
    "fill_track",
    "median_looks",
    "smoothing_frames",
]

Floats = NDArray[np.float64]

# Part of a stored track's key: raise it when association or filling change for equal detections.
TRACKING_VERSION = 6
DETECT_EVERY = 4
# So many frames are kept to look at them again.
MAX_DETECT_EVERY = 64
MAX_GAP_SECONDS = 2.0

# Boxes jitter by a pixel or two from frame to frame; a mouse does not change its course within
# this time. The filter is symmetric, so it does not lag.
_SMOOTHING_SECONDS = 0.04
# Single wrong boxes shorter than half of this are outvoted by their neighbours.
_MEDIAN_SECONDS = 0.1
# Resting: the boxes before and after overlap at least this much.
_REST_IOU = 0.3
# At either end of the track, rest is judged by the boxes within the first time, which have to span
# at least the second: a lone detection is no resting mouse.
REST_SECONDS, _REST_SEEN_SECONDS = 1.0, 0.5
# At the ends nothing tells whether a mouse that rested is still there: it is held for so long.
_REST_HELD_SECONDS = 30.0


def fill_track(
    seen: Mapping[int, Box],
    *,
    num_frames: int,
    fps: float,
    detect_every: int = 1,
    max_gap_seconds: float = MAX_GAP_SECONDS,
) -> Track:
    """A track from the boxes of single frames.

    Between detections at most ``max_gap_seconds`` apart the box is interpolated. A longer gap is
    bridged too if the mouse is found again where it was (it rested); otherwise the last box is
    held for ``max_gap_seconds`` and the rest of the gap stays empty. After the last detection a
    resting mouse's box is held for 30 s, any other for ``max_gap_seconds``; before the first
    detection likewise. To be taken for resting, the mouse must be seen in one place for half a
    second and at least twice within one second.

    Args:
        seen: observed boxes by frame.
        num_frames: frames of the video.
        fps: average frames per second.
        detect_every: step between the frames that were looked at.
        max_gap_seconds: see above.
    """
    observed = Track.from_boxes(num_frames, seen)
    frames = np.flatnonzero(observed.observed_T)
    if len(frames) == 0:
        return observed
    boxes_N4 = observed.boxes_T4[frames].astype(np.float64)
    size = median_looks(fps=fps, detect_every=detect_every)
    steady_N4 = median_filter(boxes_N4, size=(size, 1), mode="nearest")
    boxes_T4 = np.full((num_frames, 4), np.nan, dtype=np.float32)
    max_gap = max(detect_every, round(max_gap_seconds * fps))
    held = round(_REST_HELD_SECONDS * fps)
    pieces = _pieces(frames, boxes_N4, max_gap=max_gap)
    for number, part in enumerate(pieces):
        start, stop = frames[part][0], min(num_frames, frames[part][-1] + 1 + max_gap)
        if number == 0:
            rests = _rests(frames[part], boxes_N4[part], at=frames[part][0], fps=fps)
            start = max(0, start - (max(max_gap, held) if rests else max_gap))
        if number + 1 < len(pieces):
            stop = min(stop, frames[pieces[number + 1]][0])
        elif _rests(frames[part], boxes_N4[part], at=frames[part][-1], fps=fps):
            stop = min(num_frames, frames[part][-1] + 1 + max(max_gap, held))
        grid = np.arange(start, stop)
        lines_T4 = np.stack([np.interp(grid, frames[part], y) for y in steady_N4[part].T], axis=1)
        boxes_T4[start:stop] = gaussian_filter1d(
            lines_T4,
            _SMOOTHING_SECONDS * fps,
            radius=smoothing_frames(fps=fps),
            axis=0,
            mode="nearest",
        )
    return Track(boxes_T4=boxes_T4, observed_T=observed.observed_T)


def median_looks(*, fps: float, detect_every: int) -> int:
    """Detections that the median goes over: the nearest odd number, at least 1."""
    return 2 * int(_MEDIAN_SECONDS * fps / detect_every / 2) + 1


def smoothing_frames(*, fps: float) -> int:
    """Frames to either side that a box is smoothed with: four deviations."""
    return int(4.0 * _SMOOTHING_SECONDS * fps + 0.5)


def _pieces(frames: NDArray[np.int64], boxes_N4: Floats, *, max_gap: int) -> list[slice]:
    """Runs of detections between which the mouse was lost."""
    cuts = [
        n + 1
        for n in np.flatnonzero(np.diff(frames) > max_gap)
        if not _overlap(boxes_N4[n], boxes_N4[n + 1])
    ]
    edges = [0, *cuts, len(frames)]
    return [slice(a, b) for a, b in pairwise(edges)]


def _rests(frames: NDArray[np.int64], boxes_N4: Floats, *, at: int, fps: float) -> bool:
    """Whether the mouse stayed around a frame, and was seen for long enough to tell."""
    near = np.flatnonzero(np.abs(frames - at) <= REST_SECONDS * fps)[[0, -1]]
    (start, end), (first_4, last_4) = frames[near], boxes_N4[near]
    return bool(end - start >= _REST_SEEN_SECONDS * fps) and _overlap(first_4, last_4)


def _overlap(one_4: Floats, other_4: Floats) -> bool:
    """Whether two boxes may be of a mouse that did not walk between."""
    first, second = (Box(*(float(v) for v in sides)) for sides in (one_4, other_4))
    return first.iou(second) >= _REST_IOU
