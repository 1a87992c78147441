"""What a behavioural study reports of a video: counts, durations, latency, time budget.

Of the whole video, and of its successive time bins.

Times are seconds from the video's first frame. They come from the per-frame timestamps when given
(variable frame rate), else from the frame rate.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from statistics import fmean, median

import numpy as np
from numpy.typing import NDArray

from mouse_ar.core.actions import ActionSet
from mouse_ar.core.types import Ethogram, merge_intervals

__all__ = ["ActionSummary", "BinSummary", "frame_edges_seconds", "summarise", "summarise_bins"]

DoubleArray = NDArray[np.float64]

SHORTEST_BIN_SECONDS = 1.0
# Time stamps of frames that belong on a bin's edge miss it by rounding.
_ROUNDING_SECONDS = 1e-6


@dataclass(frozen=True)
class ActionSummary:
    """One action in one video; a value that does not exist is None (e.g. latency of no bout).

    Args:
        action: name of the action.
        count: number of bouts.
        total_seconds: time with the action; bouts that overlap count once.
        mean_seconds: mean length of a bout.
        median_seconds: median length of a bout.
        latency_seconds: start of the first bout.
        time_budget: share of the video with the action, 0..1.
        mean_inter_bout_seconds: mean time from the end of a bout to the start of the next;
            bouts that touch or overlap have none between them.
        bouts_per_hour: bouts per hour of video.
    """

    action: str
    count: int
    total_seconds: float
    mean_seconds: float | None
    median_seconds: float | None
    latency_seconds: float | None
    time_budget: float | None
    mean_inter_bout_seconds: float | None
    bouts_per_hour: float | None


@dataclass(frozen=True)
class BinSummary:
    """One action in one time bin of a video.

    Args:
        action: name of the action.
        start_seconds: start of the bin, from the video's first frame on.
        end_seconds: its end; that of the last bin is the end of the video.
        start_frame: first of the frames that begin in the bin; None where none does.
        end_frame: last of them, inclusive.
        count: bouts that start in the bin.
        seconds: time with the action within the bin; a bout over its edge is cut there.
        time_budget: share of the bin's real length, 0..1.
    """

    action: str
    start_seconds: float
    end_seconds: float
    start_frame: int | None
    end_frame: int | None
    count: int
    seconds: float
    time_budget: float


def frame_edges_seconds(
    num_frames: int, *, fps: float, timestamps: DoubleArray | None = None
) -> DoubleArray:
    """When each frame begins and the last one ends, from the first frame on: float64 (T + 1,).

    Frames ``[start, stop)`` last from ``edges[start]`` to ``edges[stop]``.

    Args:
        num_frames: frames of the video.
        fps: average frames per second.
        timestamps: presentation time of each frame in seconds, strictly increasing; the last
            frame is taken to last as long as the median frame.

    Raises:
        ValueError: when there is not one increasing timestamp per frame.
    """
    if timestamps is None or num_frames == 0:
        return np.arange(num_frames + 1) / fps
    times = np.asarray(timestamps, dtype=np.float64)
    if times.shape != (num_frames,):
        raise ValueError(f"timestamps must have shape ({num_frames},), got {times.shape}.")
    steps = np.diff(times)
    if not (np.isfinite(times).all() and (steps > 0).all()):
        raise ValueError("timestamps must be finite and strictly increasing.")
    last = float(np.median(steps)) if steps.size else 1 / fps
    edges: DoubleArray = np.append(times, times[-1] + last) - times[0]
    return edges


def summarise(
    ethogram: Ethogram, *, actions: ActionSet, timestamps: DoubleArray | None = None
) -> list[ActionSummary]:
    """One row per action, in the order of the actions, those without bouts included.

    Args:
        ethogram: bouts of one video.
        actions: what to report.
        timestamps: presentation time of each frame in seconds, for variable frame rate.
    """
    edges = frame_edges_seconds(ethogram.num_frames, fps=ethogram.fps, timestamps=timestamps)
    return [_summarise_action(ethogram, name, edges) for name in actions.names]


def _summarise_action(ethogram: Ethogram, action: str, edges: DoubleArray) -> ActionSummary:
    intervals = [b.interval for b in ethogram.of(action)]
    lengths = [float(edges[i.stop] - edges[i.start]) for i in intervals]
    merged = merge_intervals(intervals)
    total = sum(float(edges[i.stop] - edges[i.start]) for i in merged)
    gaps = [
        float(edges[after.start] - edges[before.stop])
        for before, after in itertools.pairwise(merged)
    ]
    video_seconds = float(edges[-1])
    return ActionSummary(
        action=action,
        count=len(intervals),
        total_seconds=total,
        mean_seconds=fmean(lengths) if lengths else None,
        median_seconds=median(lengths) if lengths else None,
        latency_seconds=float(edges[intervals[0].start]) if intervals else None,
        time_budget=total / video_seconds if video_seconds else None,
        mean_inter_bout_seconds=fmean(gaps) if gaps else None,
        bouts_per_hour=len(intervals) / video_seconds * 3600 if video_seconds else None,
    )


def summarise_bins(
    ethogram: Ethogram,
    *,
    actions: ActionSet,
    bin_seconds: float,
    timestamps: DoubleArray | None = None,
) -> list[BinSummary]:
    """One row per action and bin, in their orders; bins without bouts included.

    Counts of the bins add up to the bouts of the video and their seconds to its time with the
    action. A bout counts in the bin where it starts, and its time where it is spent.

    Args:
        ethogram: bouts of one video.
        actions: what to report.
        bin_seconds: length of a bin; the last one is as long as what is left of the video.
        timestamps: presentation time of each frame in seconds, for variable frame rate.

    Raises:
        ValueError: ``bin_seconds`` is below a second.
    """
    if not SHORTEST_BIN_SECONDS <= bin_seconds < float("inf"):
        raise ValueError(
            f"A time bin must last {SHORTEST_BIN_SECONDS:g} second or more, got {bin_seconds} s."
        )
    edges = frame_edges_seconds(ethogram.num_frames, fps=ethogram.fps, timestamps=timestamps)
    video_seconds = float(edges[-1])
    number = int(np.ceil((video_seconds - _ROUNDING_SECONDS) / bin_seconds))
    borders = np.append(np.arange(number) * bin_seconds, video_seconds)
    # The first frame of every bin, and after the last one.
    frames = np.searchsorted(edges[:-1], borders - _ROUNDING_SECONDS)
    rows = []
    for name in actions.names:
        counts, seconds = _binned(ethogram, name, edges, borders)
        for i in range(number):
            some = frames[i] < frames[i + 1]
            rows.append(
                BinSummary(
                    action=name,
                    start_seconds=float(borders[i]),
                    end_seconds=float(borders[i + 1]),
                    start_frame=int(frames[i]) if some else None,
                    end_frame=int(frames[i + 1]) - 1 if some else None,
                    count=int(counts[i]),
                    seconds=float(seconds[i]),
                    time_budget=min(1.0, float(seconds[i] / (borders[i + 1] - borders[i]))),
                )
            )
    return rows


def _binned(
    ethogram: Ethogram, action: str, edges: DoubleArray, borders: DoubleArray
) -> tuple[NDArray[np.int64], DoubleArray]:
    """Bouts that start in each bin, and the time with the action in it."""
    onsets = np.array([edges[b.interval.start] for b in ethogram.of(action)], dtype=np.float64)
    bins = np.searchsorted(borders, onsets + _ROUNDING_SECONDS, side="right") - 1
    counts = np.bincount(bins, minlength=len(borders) - 1).astype(np.int64)
    merged = merge_intervals(b.interval for b in ethogram.of(action))
    if not merged:
        return counts, np.zeros(len(borders) - 1)
    # Time with the action up to any moment: it grows by one second a second within bouts alone.
    moments = np.array([(edges[i.start], edges[i.stop]) for i in merged]).ravel()
    passed = np.cumsum(np.diff(moments, prepend=moments[0]) * (np.arange(len(moments)) % 2))
    seconds: DoubleArray = np.diff(np.interp(borders, moments, passed))
    return counts, seconds
