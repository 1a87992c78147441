"""What a behavioural study reports of a video: counts, durations, latency, time budget.

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

__all__ = ["ActionSummary", "frame_edges_seconds", "summarise"]

DoubleArray = NDArray[np.float64]


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
        rate_per_minute: bouts per minute of video.
    """

    action: str
    count: int
    total_seconds: float
    mean_seconds: float | None
    median_seconds: float | None
    latency_seconds: float | None
    time_budget: float | None
    mean_inter_bout_seconds: float | None
    rate_per_minute: float | None


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
        rate_per_minute=len(intervals) / video_seconds * 60 if video_seconds else None,
    )
