"""Idle clips: how many frames are wanted, and where on the timelines they are taken.

Idle is drawn from the whole timeline of every video, those without any action included, in
proportion to the action-free time that each has.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mouse_ar.core.seeding import rng_for
from mouse_ar.core.types import Ethogram, Interval, merge_intervals

__all__ = ["idle_budget", "idle_regions", "plan_idle_clips"]

# Steps of the golden ratio around a circle: however many are taken, they lie evenly spread
# (three-distance theorem; the largest gap is at most 2.62 times the smallest).
_GOLDEN_STEP = (math.sqrt(5) - 1) / 2


def idle_regions(
    ethogram: Ethogram, *, margin_frames: int, ignored: Sequence[Interval] = ()
) -> list[Interval]:
    """Parts of a video in which nothing goes on, in order.

    Args:
        ethogram: all bouts of the video.
        margin_frames: distance kept from every bout, >= 0: human onsets are not exact.
        ignored: frames nobody vouches for ("uncertain"); never idle.

    Raises:
        ValueError: on a negative margin.
    """
    if margin_frames < 0:
        raise ValueError(f"margin_frames must be >= 0, got {margin_frames}.")
    busy = merge_intervals(
        [
            Interval(b.interval.start - margin_frames, b.interval.stop + margin_frames)
            for b in ethogram.bouts
        ]
        + list(ignored)
    )
    edges = [0, *(edge for i in busy for edge in (i.start, i.stop)), ethogram.num_frames]
    free = zip(edges[::2], edges[1::2], strict=True)
    return [
        Interval(max(start, 0), min(stop, ethogram.num_frames))
        for start, stop in free
        if max(start, 0) < min(stop, ethogram.num_frames)
    ]


def idle_budget(grooming_frames: int, *, already_sampled: int, ratio: float) -> int:
    """Idle frames still wanted: ``ratio`` times the grooming frames, less those there are.

    Args:
        grooming_frames: grooming frames of all videos, old and new.
        already_sampled: idle frames that earlier runs took.
        ratio: idle frames per grooming frame (``idle_ratio``).

    Returns:
        Frames, never below 0.

    Raises:
        ValueError: on negative or non-finite numbers.
    """
    if grooming_frames < 0 or already_sampled < 0 or not (ratio >= 0 and math.isfinite(ratio)):
        raise ValueError(
            "Idle budget needs numbers >= 0, got "
            f"grooming_frames={grooming_frames}, already_sampled={already_sampled}, ratio={ratio}."
        )
    return max(0, round(ratio * grooming_frames) - already_sampled)


def plan_idle_clips(
    regions_by_video: Mapping[str, Sequence[Interval]],
    *,
    budget_frames: int,
    clip_frames: Mapping[str, tuple[int, int]],
    seed: int,
    window_frames: int | None = None,
) -> dict[str, list[Interval]]:
    """Choose idle clips that do not overlap until the budget is met or the regions run out.

    Each video's regions are cut into as many clips as they hold, and those are ranked so that
    any number of the first ones is spread evenly over the video's timeline. Videos take turns in
    proportion to their idle time. The plan depends on the seed and the keys of the videos, not
    on their order.

    Args:
        regions_by_video: action-free parts by video key, see :func:`idle_regions`.
        budget_frames: idle frames wanted in all; the plan ends with the clip that reaches them,
            so it exceeds them by less than one clip.
        clip_frames: shortest and longest clip per video, see
            :func:`mouse_ar.core.trimming.clip_frame_limits`; in a video shorter than a clip
            both are its length, so that an action-free one is one clip.
        seed: another seed, another choice.
        window_frames: model window; a region shorter than a clip but at least this long is used
            whole. None: regions shorter than a clip are not used.

    Returns:
        Clips in order of time for every given video, with an empty list where none was chosen.

    Raises:
        ValueError: on a negative budget or missing or impossible clip lengths.
    """
    if budget_frames < 0:
        raise ValueError(f"budget_frames must be >= 0, got {budget_frames}; see idle_budget.")
    ranked: list[tuple[float, str, Interval]] = []
    for key, regions in regions_by_video.items():
        shortest, longest = _limits(clip_frames, key=key)
        rng = rng_for(seed, key=key)
        clips_N2 = _tile(
            merge_intervals(regions),
            shortest=shortest,
            longest=longest,
            keep_from=shortest if window_frames is None else min(window_frames, shortest),
            rng=rng,
        )
        ranked += _rank(clips_N2, key=key, rng=rng)
    plan: dict[str, list[Interval]] = {key: [] for key in regions_by_video}
    missing = budget_frames
    for _, key, clip in sorted(ranked):
        if missing <= 0:
            break
        # The last clip is no longer than it has to be.
        shortest = min(clip_frames[key][0], clip.length)
        length = min(clip.length, max(shortest, missing))
        plan[key].append(Interval(clip.start, clip.start + length))
        missing -= length
    return {key: sorted(clips) for key, clips in plan.items()}


def _limits(clip_frames: Mapping[str, tuple[int, int]], *, key: str) -> tuple[int, int]:
    if key not in clip_frames:
        raise ValueError(f"No clip length given for video {key!r}; got {sorted(clip_frames)}.")
    shortest, longest = clip_frames[key]
    if not 1 <= shortest <= longest:
        raise ValueError(
            f"Clip length of video {key!r} must satisfy 1 <= shortest <= longest, "
            f"got ({shortest}, {longest})."
        )
    return shortest, longest


def _tile(
    regions: Sequence[Interval],
    *,
    shortest: int,
    longest: int,
    keep_from: int,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Cut regions into clips of about the middle length: int (N, 2) starts and stops, in order."""
    tiles = [np.zeros((0, 2), dtype=np.int64)]
    for region in regions:
        if region.length < keep_from:
            continue
        fitting = max(1, region.length // shortest)
        count = max(1, min(fitting, round(2 * region.length / (shortest + longest))))
        edges = region.start + np.arange(count + 1) * region.length // count
        lengths = np.minimum(np.diff(edges), longest)
        slack = np.diff(edges) - lengths
        starts = edges[:-1] + rng.integers(0, slack, endpoint=True)
        tiles.append(np.stack([starts, starts + lengths], axis=1))
    return np.concatenate(tiles)


def _rank(
    clips_N2: NDArray[np.int64], *, key: str, rng: np.random.Generator
) -> list[tuple[float, str, Interval]]:
    """Order one video's clips for the draw: (share of the video's clips before it, key, clip)."""
    count = len(clips_N2)
    if not count:
        return []
    spread = (rng.random() + _GOLDEN_STEP * np.arange(count)) % 1.0
    order = np.argsort(np.argsort(spread))
    shares = (np.arange(count) + rng.random()) / count
    return [
        (float(share), key, Interval(int(start), int(stop)))
        for share, (start, stop) in zip(shares, clips_N2[order], strict=True)
    ]
