"""One box per frame: detection in a single pass, association, interpolation, smoothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, median_filter

from mouse_ar.core.types import Box, Track
from mouse_ar.detection.association import associate
from mouse_ar.detection.protocol import Detector
from mouse_ar.detection.sparse import STILL_IOU, detect_sparsely
from mouse_ar.video.probe import VideoMeta, probe
from mouse_ar.video.reader import Picture, iter_pictures

__all__ = [
    "DETECT_EVERY",
    "MAX_DETECT_EVERY",
    "MAX_GAP_SECONDS",
    "TRACKING_VERSION",
    "fill_track",
    "track_video",
]

Floats = NDArray[np.float64]

# Part of a stored track's key: raise it when association or filling change for equal detections.
TRACKING_VERSION = 6
DETECT_EVERY = 4
# So many frames are kept to look at them again.
MAX_DETECT_EVERY = 64
MAX_GAP_SECONDS = 2.0

# Frames kept to look at them again: 64 of 1920 x 1080.
_HELD_PIXELS = 64 * 1920 * 1080
_REPORT_FRAMES = 16
# Boxes jitter by a pixel or two from frame to frame; a mouse does not change its course within
# this time. The filter is symmetric, so it does not lag.
_SMOOTHING_SECONDS = 0.04
# Single wrong boxes shorter than half of this are outvoted by their neighbours.
_MEDIAN_SECONDS = 0.1
# Resting: the boxes before and after overlap at least this much.
_REST_IOU = 0.3
# At either end of the track, rest is judged by the boxes within the first time, which have to span
# at least the second: a lone detection is no resting mouse.
_REST_SECONDS, _REST_SEEN_SECONDS = 1.0, 0.5
# At the ends nothing tells whether a mouse that rested is still there: it is held for so long.
_REST_HELD_SECONDS = 30.0


def track_video(
    path: Path,
    *,
    detector: Detector,
    detect_every: int = DETECT_EVERY,
    still_iou: float = STILL_IOU,
    max_gap_seconds: float = MAX_GAP_SECONDS,
    meta: VideoMeta | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Track:
    """The mouse's box in every frame of a video.

    The video is decoded once, beside what ``detector.prepare`` reads, and few frames are kept.
    See :func:`~.sparse.detect_sparsely` for the frames that are looked at, and :func:`fill_track`
    for those without detection.

    Args:
        path: the video.
        detector: prepared here for this video.
        detect_every: look at every n-th frame, more often where the mouse moves fast, and
            interpolate between.
        still_iou: overlap of boxes below which the mouse moves fast.
        max_gap_seconds: longest time over which a box is interpolated or held while unseen.
        meta: result of ``probe``, to save probing again.
        progress: called with (frames done, frames in all).

    Raises:
        ValueError: on ``detect_every`` outside 1..64, an overlap outside 0..1 or a negative gap.
        VideoError: when the video cannot be read.
    """
    if not 1 <= detect_every <= MAX_DETECT_EVERY or not 0 <= still_iou <= 1 or max_gap_seconds < 0:
        raise ValueError(
            f"track_video needs detect_every within 1..{MAX_DETECT_EVERY}, still_iou within 0..1 "
            f"and max_gap_seconds >= 0, got {detect_every}, {still_iou}, {max_gap_seconds}."
        )
    meta = meta or probe(path)
    detector.prepare(path, meta=meta)
    found = detect_sparsely(
        _reported(iter_pictures(path, meta=meta), meta=meta, progress=progress),
        num_frames=meta.num_frames,
        detector=detector,
        detect_every=detect_every,
        still_iou=still_iou,
        held_frames=_HELD_PIXELS // (meta.width * meta.height),
    )
    return fill_track(
        {frame: d.box for frame, d in associate(found, fps=meta.fps).items()},
        num_frames=meta.num_frames,
        fps=meta.fps,
        detect_every=detect_every,
        max_gap_seconds=max_gap_seconds,
    )


def _reported(
    pictures: Iterator[tuple[int, Picture]],
    *,
    meta: VideoMeta,
    progress: Callable[[int, int], None] | None,
) -> Iterator[tuple[int, Picture]]:
    """The same pictures, with progress now and then."""
    for frame, picture in pictures:
        yield frame, picture
        if progress is not None and (frame % _REPORT_FRAMES == 0 or frame == meta.num_frames - 1):
            progress(frame + 1, meta.num_frames)


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
    steady_N4 = median_filter(
        boxes_N4, size=(_odd(_MEDIAN_SECONDS * fps / detect_every), 1), mode="nearest"
    )
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
            lines_T4, _SMOOTHING_SECONDS * fps, axis=0, mode="nearest"
        )
    return Track(boxes_T4=boxes_T4, observed_T=observed.observed_T)


def _odd(value: float) -> int:
    """The nearest odd number of samples, at least 1."""
    return 2 * int(value / 2) + 1


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
    near = np.flatnonzero(np.abs(frames - at) <= _REST_SECONDS * fps)[[0, -1]]
    (start, end), (first_4, last_4) = frames[near], boxes_N4[near]
    return bool(end - start >= _REST_SEEN_SECONDS * fps) and _overlap(first_4, last_4)


def _overlap(one_4: Floats, other_4: Floats) -> bool:
    """Whether two boxes may be of a mouse that did not walk between."""
    first, second = (Box(*(float(v) for v in sides)) for sides in (one_4, other_4))
    return first.iou(second) >= _REST_IOU
