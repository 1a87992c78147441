"""Bouts -> training clips of 2-3 s, cut with context around each bout.

Per action: bouts with their context are joined where they touch, bouts that fit one clip share
it, what is longer than a clip is split into several, and clips are moved so that those of one
action share no frames. Each clip then carries every bout, of every action, that it shows.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np

from mouse_ar.core.actions import ActionSet
from mouse_ar.core.types import Bout, Clip, Ethogram, Interval, merge_intervals

__all__ = ["clip_frame_limits", "plan_action_clips"]


def clip_frame_limits(
    fps: float, *, num_frames: int, min_seconds: float = 2.0, max_seconds: float = 3.0
) -> tuple[int, int]:
    """Shortest and longest clip in frames; both are the whole video where that is shorter.

    The shortest is rounded up and the longest down, so that clips keep to the seconds; where no
    whole number of frames lies between (a few frames per second), both are the shortest.

    Raises:
        ValueError: on limits that are not 0 < min_seconds <= max_seconds.
    """
    if not 0 < min_seconds <= max_seconds or not math.isfinite(max_seconds):
        raise ValueError(
            f"Clip length must satisfy 0 < min_seconds <= max_seconds, "
            f"got {min_seconds} and {max_seconds}."
        )
    # 1e-6 frames: 2.3 s * 30 fps must not become one frame more by rounding in floating point.
    shortest = max(1, math.ceil(min_seconds * fps - 1e-6))
    longest = max(shortest, math.floor(max_seconds * fps + 1e-6))
    return min(shortest, num_frames), min(longest, num_frames)


def plan_action_clips(
    ethogram: Ethogram,
    *,
    actions: ActionSet,
    min_seconds: float = 2.0,
    max_seconds: float = 3.0,
    context_seconds: float = 0.25,
) -> list[Clip]:
    """Clips that show every bout of every action with context on both sides.

    Clips of one action share no frames (only in a video too short for that do they overlap),
    lie inside the video and last ``min_seconds..max_seconds``; a shorter video is one clip.
    Overlapping bouts of the same action are merged first. Bouts of the same action share a clip
    where they fit one together with their context. A bout that does not fit one clip with its
    context is split; cuts avoid other bouts where they can. A clip belongs to the dataset of the
    action it was cut for, and carries all bouts that touch it: a grooming clip shows the twitch
    in it, and the twitch has a clip of its own, too.

    Args:
        ethogram: all bouts of the source video.
        actions: known actions; each gives its clips in the order of the set.
        min_seconds: shortest clip.
        max_seconds: longest clip.
        context_seconds: least context before and after a bout (less only at the video's edge).

    Raises:
        ValueError: on bouts of unknown actions or impossible lengths.
    """
    unknown = sorted({b.action for b in ethogram.bouts} - set(actions.names))
    if unknown:
        raise ValueError(
            f"Bouts of unknown actions {unknown}; allowed: {', '.join(actions.names)}."
        )
    if context_seconds < 0 or not math.isfinite(context_seconds):
        raise ValueError(f"context_seconds must be >= 0, got {context_seconds}.")
    if not ethogram.bouts:
        return []
    shortest, longest = clip_frame_limits(
        ethogram.fps,
        num_frames=ethogram.num_frames,
        min_seconds=min_seconds,
        max_seconds=max_seconds,
    )
    limits = _Limits(video=Interval(0, ethogram.num_frames), shortest=shortest, longest=longest)
    merged = Ethogram(
        num_frames=ethogram.num_frames,
        fps=ethogram.fps,
        bouts=tuple(b for name in actions.names for b in _merge_overlapping(ethogram.of(name))),
    )
    context = math.ceil(context_seconds * ethogram.fps - 1e-6)
    clips = []
    for action in actions.actions:
        cores = _cores(merged.of(action.name), context=context, video=limits.video)
        for block in _arrange(_share(cores, longest=longest), limits=limits):
            clips += [
                Clip(dataset=action.dataset, interval=part, bouts=merged.crop(part).bouts)
                for part in _split(block, bouts=merged.bouts, limits=limits)
            ]
    return clips


@dataclass(frozen=True)
class _Limits:
    """What clips of a video must keep to, in frames."""

    video: Interval
    shortest: int
    longest: int

    def pieces(self, length: int) -> int:
        """Into how many clips a stretch is cut: as near to the middle length as possible."""
        if length <= self.longest:
            return 1
        least = -(-length // self.longest)
        most = max(least, length // self.shortest)
        return min(max(round(2 * length / (self.shortest + self.longest)), least), most)

    def room(self, span: Interval) -> int:
        """Frames that the clips of a span take up: at least the shortest clip for each."""
        return min(max(span.length, self.pieces(span.length) * self.shortest), self.video.length)

    def starts(self, span: Interval) -> tuple[int, int]:
        """Earliest and latest start of the clips such that they hold the span."""
        room = self.room(span)
        return (
            max(span.stop - room, self.video.start),
            min(span.start, self.video.stop - room),
        )


def _merge_overlapping(bouts: Iterable[Bout]) -> list[Bout]:
    """Join bouts (of one action) that share frames; bouts that only touch stay two events."""
    merged: list[Bout] = []
    for bout in bouts:
        last = merged[-1] if merged else None
        if last is not None and bout.interval.start < last.interval.stop:
            merged[-1] = Bout(
                interval=Interval(last.interval.start, max(last.interval.stop, bout.interval.stop)),
                action=bout.action,
                confidence=max(last.confidence, bout.confidence),
            )
        else:
            merged.append(bout)
    return merged


def _cores(bouts: Iterable[Bout], *, context: int, video: Interval) -> list[Interval]:
    """Bouts with their context, joined where they overlap or touch."""
    padded = (
        Interval(b.interval.start - context, b.interval.stop + context).clip(video) for b in bouts
    )
    return merge_intervals(p for p in padded if p is not None)


def _share(cores: list[Interval], *, longest: int) -> list[Interval]:
    """Join neighbours that fit one clip together."""
    spans: list[Interval] = []
    for core in cores:
        if spans and core.stop - spans[-1].start <= longest:
            spans[-1] = Interval(spans[-1].start, core.stop)
        else:
            spans.append(core)
    return spans


def _arrange(spans: list[Interval], *, limits: _Limits) -> list[Interval]:
    """Give each span its room, apart from the others and as well centred as that allows.

    Works from left to right with the leftmost possible places; a span that finds no room left is
    joined with the one before it, so both are cut as one stretch. Blocks are disjoint, inside the
    video and hold their spans.
    """
    stack: list[tuple[Interval, int]] = []  # span, leftmost possible start
    for new in spans:
        span = new
        while True:
            earliest, latest = limits.starts(span)
            if stack:
                earliest = max(earliest, stack[-1][1] + limits.room(stack[-1][0]))
            if earliest <= latest or not stack:
                break
            span = Interval(stack.pop()[0].start, span.stop)
        stack.append((span, earliest))
    limit = limits.video.stop
    latest_starts = []
    for span, _ in reversed(stack):
        latest_starts.append(min(limits.starts(span)[1], limit - limits.room(span)))
        limit = latest_starts[-1]
    blocks: list[Interval] = []
    for (span, earliest), latest in zip(stack, reversed(latest_starts), strict=True):
        room = limits.room(span)
        centred = (span.start + span.stop - room) // 2
        free_from = max(earliest, blocks[-1].stop if blocks else earliest)
        start = min(max(centred, free_from), latest)
        blocks.append(Interval(start, start + room))
    return blocks


def _split(block: Interval, *, bouts: Iterable[Bout], limits: _Limits) -> list[Interval]:
    """Cut a block into clips, at places where the fewest bouts go on."""
    pieces = limits.pieces(block.length)
    if pieces * limits.shortest > block.length:
        # The whole video is too short for so many clips: they overlap, evenly spread.
        starts = np.linspace(block.start, block.stop - limits.shortest, pieces).round()
        return [Interval(int(s), int(s) + limits.shortest) for s in starts]
    inside = [b.interval for b in bouts if b.interval.overlap(block)]
    edges = [block.start]
    for left in range(pieces, 1, -1):  # clips still to come, this one included
        low = max(edges[-1] + limits.shortest, block.stop - (left - 1) * limits.longest)
        high = min(edges[-1] + limits.longest, block.stop - (left - 1) * limits.shortest)
        even = edges[-1] + (block.stop - edges[-1]) // left
        nearest_first = sorted(range(low, high + 1), key=partial(_distance, even))
        edges.append(min(nearest_first, key=partial(_cut_bouts, inside)))
    return [Interval(start, stop) for start, stop in pairwise([*edges, block.stop])]


def _distance(wanted: int, cut: int) -> int:
    return abs(cut - wanted)


def _cut_bouts(bouts: list[Interval], cut: int) -> int:
    """How many bouts a cut before a frame would divide."""
    return sum(b.start < cut < b.stop for b in bouts)
