"""Train, val and test by source video: stratified by action, seeded, stable under additions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial

from mouse_ar.core.seeding import rng_for

__all__ = ["Split", "VideoSummary", "assign_splits"]

# Below this many videos none is spared for validation.
_MIN_VIDEOS_FOR_VAL = 6
_DEFAULT_TEST_SHARE = 0.2
_DEFAULT_TEST_LIMIT = 10


class Split(StrEnum):
    """What a source video is used for."""

    TRAIN = "train"
    VAL = "val"
    TEST = "test"


@dataclass(frozen=True)
class VideoSummary:
    """What the split needs to know about a video.

    Args:
        key: unique name of the video.
        group: what must stay together (animal, recording); None: the video stands alone.
        counts: bouts by action.
    """

    key: str
    group: str | None = None
    counts: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        negative = {action: n for action, n in self.counts.items() if n < 0}
        if negative:
            raise ValueError(f"Video {self.key!r}: bout counts must be >= 0, got {negative}.")


def assign_splits(
    videos: Sequence[VideoSummary],
    *,
    previous: Mapping[str, Split],
    test_videos: int | float | None = None,
    val_share: float = 0.1,
    seed: int = 0,
) -> dict[str, Split]:
    """Give every video a split.

    - A video that had a split keeps it, and new videos of its group join it; only other new
      videos fill up test and val. The order of the input never matters.
    - Test and val get about their share of each action's bouts, and at least one bout of an
      action before they get more of another. Ties are broken by the seed and the keys.
    - Train keeps at least one video, and at least one with each action that it could have: an
      action seen in one video (or group) only stays in train.
    - Groups are never split, so sizes are met as nearly as groups allow without going over them
      (but test and val get at least one group when they are to have any). The two points above
      may leave test or val smaller than asked: compare the result with the request.
    - Shares are rounded to the nearest number of videos, at least 1. Val has none below six
      videos, and none that train cannot spare.

    Args:
        videos: all videos there are now, old and new.
        previous: splits of earlier runs by key; keys of videos that are gone are not counted.
        test_videos: number (int) or share (float within 0..1) of test videos; None: 20 %, at
            most 10. A single video is always train unless ``previous`` says otherwise.
        val_share: share of validation videos, 0 for none.
        seed: another seed, another choice among equals.

    Returns:
        Split by key, in the order of ``videos``.

    Raises:
        ValueError: on duplicate keys, impossible sizes, or a group whose videos had different
            splits before.
    """
    keys = [v.key for v in videos]
    if len(set(keys)) != len(keys):
        twice = sorted({k for k in keys if keys.count(k) > 1})
        raise ValueError(f"Video keys must be unique, got several of {twice}.")
    num_test = _num_test(len(videos), test_videos=test_videos)
    num_val = _num_val(len(videos), val_share=val_share, num_test=num_test)
    board = _Board(_units(videos, previous=previous, seed=seed), num_videos=len(videos))
    board.fill(Split.TEST, size=num_test)
    board.fill(Split.VAL, size=num_val)
    split_by_key = {key: unit.split for unit in board.units for key in unit.keys}
    return {key: split_by_key[key] or Split.TRAIN for key in keys}


def _nearest(share: float, *, of: int) -> int:
    return max(1, int(share * of + 0.5))


def _num_test(num_videos: int, *, test_videos: int | float | None) -> int:
    if test_videos is None:
        wanted = min(_DEFAULT_TEST_LIMIT, _nearest(_DEFAULT_TEST_SHARE, of=num_videos))
        return wanted if num_videos > 1 else 0
    if isinstance(test_videos, int):
        if not 0 <= test_videos <= max(0, num_videos - 1):
            raise ValueError(
                f"test_videos={test_videos} is impossible with {num_videos} videos: allowed are "
                f"0..{max(0, num_videos - 1)}, at least one video has to stay for training."
            )
        return test_videos
    if not 0 <= test_videos < 1:
        raise ValueError(
            f"test_videos={test_videos} is neither a whole number of videos (int) nor a share "
            "of them (float, 0 <= share < 1)."
        )
    return min(_nearest(test_videos, of=num_videos), max(0, num_videos - 1)) if test_videos else 0


def _num_val(num_videos: int, *, val_share: float, num_test: int) -> int:
    if not 0 <= val_share < 1:
        raise ValueError(f"val_share must satisfy 0 <= share < 1, got {val_share}.")
    if num_videos < _MIN_VIDEOS_FOR_VAL or val_share == 0:
        return 0
    return min(_nearest(val_share, of=num_videos), num_videos - num_test - 1)


@dataclass
class _Unit:
    """Videos that go together: a group, or one video without a group."""

    keys: list[str]
    counts: Counter[str]
    split: Split | None
    luck: float


def _units(
    videos: Iterable[VideoSummary], *, previous: Mapping[str, Split], seed: int
) -> list[_Unit]:
    """Videos by group, in an order that depends on the seed and the names alone."""
    members: dict[tuple[str, str], list[VideoSummary]] = {}
    for video in sorted(videos, key=lambda v: v.key):
        name = ("video", video.key) if video.group is None else ("group", video.group)
        members.setdefault(name, []).append(video)
    units = []
    for name, group in members.items():
        splits = {v.key: Split(previous[v.key]) for v in group if v.key in previous}
        if len(set(splits.values())) > 1:
            had = ", ".join(f"{key}: {split.value}" for key, split in splits.items())
            raise ValueError(
                f"Group {name[1]!r} must not be divided, but its videos had different splits "
                f"before ({had}). Correct the groups, or start the splits afresh."
            )
        counts: Counter[str] = Counter()
        for video in group:
            counts.update(video.counts)
        units.append(
            _Unit(
                keys=[v.key for v in group],
                counts=counts,
                split=next(iter(splits.values()), None),
                luck=float(rng_for(seed, key="/".join(name)).random()),
            )
        )
    return sorted(units, key=lambda u: (u.luck, u.keys))


class _Board:
    """The units and their splits while they are dealt."""

    def __init__(self, units: list[_Unit], *, num_videos: int) -> None:
        self.units = units
        self._num_videos = num_videos
        self._totals = _sum_counts(units)
        self._actions = sorted(self._totals)

    def fill(self, split: Split, *, size: int) -> None:
        """Add free units to a split, best first, until it has its size in videos."""
        while True:
            chosen = [u for u in self.units if u.split == split]
            videos = sum(len(u.keys) for u in chosen)
            spare = self._spare()
            fitting = [u for u in spare if videos + len(u.keys) <= size]
            if size and spare and not fitting and not chosen:
                smallest = min(len(u.keys) for u in spare)
                fitting = [u for u in spare if len(u.keys) == smallest]
            if not fitting:
                return
            cost = partial(self._cost, videos, _sum_counts(chosen))
            min(fitting, key=cost).split = split

    def _spare(self) -> list[_Unit]:
        """Free units without which train still has a video, and one of each of their actions."""
        pool = [u for u in self.units if u.split in (None, Split.TRAIN)]
        if len(pool) < 2:
            return []
        holders = Counter(a for u in pool for a, n in u.counts.items() if n)
        return [
            u
            for u in pool
            if u.split is None and all(holders[a] > 1 for a, n in u.counts.items() if n)
        ]

    def _cost(self, videos: int, counts: Counter[str], unit: _Unit) -> tuple[int, float]:
        """With the unit added: actions still lacking, then how unevenly the actions are drawn.

        The share of each action is held against the share of videos drawn *so far*: a draw that
        goes for the final share at once takes the richest videos first and ends up with too much.
        """
        drawn = (videos + len(unit.keys)) / self._num_videos
        lacking, distance = 0, 0.0
        for action in self._actions:
            count = counts[action] + unit.counts[action]
            lacking += not count
            distance += (count / self._totals[action] - drawn) ** 2
        return lacking, round(distance, 12)


def _sum_counts(units: Iterable[_Unit]) -> Counter[str]:
    """Bouts by action, those that occur only."""
    return sum((u.counts for u in units), Counter())
