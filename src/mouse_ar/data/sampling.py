"""Which windows one training epoch sees: class-balanced, seeded, from real frames."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mouse_ar.core.metrics import ignored_mask
from mouse_ar.core.types import ClipSpec, Ethogram, Interval
from mouse_ar.core.windows import central_half, mirror_frames

__all__ = ["Sample", "SampledSource", "WindowSampler"]

BoolArray = NDArray[np.bool_]

# What random numbers are for, where the rest of their seed could coincide.
_MINING, _ORDER, _POSITION = 101, 102, 103


@dataclass(frozen=True)
class SampledSource:
    """What the sampler needs to know about one clip.

    Args:
        ethogram: its bouts, in its own frames.
        spec: its ClipSpec (the sampling rate depends on the frame rate).
        is_idle: it comes from the idle dataset.
        ignored: frames of uncertain label; no window is centred there.
    """

    ethogram: Ethogram
    spec: ClipSpec
    is_idle: bool
    ignored: tuple[Interval, ...] = ()


@dataclass(frozen=True)
class Sample:
    """One window to load: index of its source and its first frame (may be negative)."""

    source: int
    start: int


class WindowSampler:
    """Draws the windows of an epoch: one list, which all processes of a run agree on.

    Idle windows (``background_share``) come from idle clips and, as often, from the action-free
    parts of clips with actions, right up to the bouts' edges, which teaches where bouts end. They
    are drawn fresh in every epoch; a part may come from those that a model confused most.

    The rest is shared equally by the actions. Each takes its bouts in turn, in a new random order
    each time round, so that none is seen twice before all are seen once; and each bout goes through
    all positions of its window, in random order, before one is repeated. A position is good when
    the window's central half touches the bout; of a point event, when it holds its centre.

    Args:
        sources: the clips.
        actions: action names in class order, background excluded.
        points: those of them that are point events.
        samples: windows per epoch.
        background_share: share of idle windows, 0..1.
        seed: every epoch's draw depends on (seed, epoch, hard windows) alone.

    Raises:
        ValueError: there is nothing to draw from.
    """

    def __init__(
        self,
        sources: Sequence[SampledSource],
        *,
        actions: Sequence[str],
        samples: int,
        points: Collection[str] = (),
        background_share: float = 0.5,
        seed: int = 0,
    ) -> None:
        if samples < 1 or not 0.0 <= background_share < 1.0:
            raise ValueError(
                f"WindowSampler needs samples >= 1 and background_share in [0, 1), "
                f"got {samples} and {background_share}."
            )
        self._samples = samples
        self._seed = seed
        placed = [
            [
                (index, starts)
                for index, source in enumerate(sources)
                for bout in source.ethogram.of(action)
                if len(starts := _starts_on(source, bout.interval, centred=action in points))
            ]
            for action in actions
        ]
        self._bouts = [entries for entries in placed if entries]
        idle = [
            (index, starts)
            for index, source in enumerate(sources)
            if len(starts := _idle_starts(source))
        ]
        pools = [
            [entry for entry in idle if sources[entry[0]].is_idle],
            [entry for entry in idle if not sources[entry[0]].is_idle],
        ]
        self._pools = [_Pool(pool) for pool in pools if pool]
        if not self._bouts:
            raise ValueError(
                f"No window can be drawn for any of the actions {list(actions)}: the training "
                "clips carry no such tags. Label bouts and run preprocess again."
            )
        self._idle_windows = round(samples * background_share) if self._pools else 0

    @property
    def idle_windows(self) -> int:
        """Idle windows per epoch."""
        return self._idle_windows

    def epoch(
        self, epoch: int, *, hard: Sequence[Sample] = (), hard_share: float = 0.0
    ) -> list[Sample]:
        """The shuffled windows of one epoch.

        Args:
            epoch: number of the epoch.
            hard: idle windows that a model confused most.
            hard_share: share of the idle windows to draw from these, 0..1. None of them is drawn
                twice while there are others.
        """
        rng = np.random.default_rng([self._seed, epoch])
        from_hard = round(self._idle_windows * hard_share) if hard else 0
        samples = self._draw_idle(rng, self._idle_windows - from_hard)
        while from_hard:
            again = rng.permutation(len(hard))[:from_hard]
            samples += [hard[i] for i in again]
            from_hard -= len(again)
        busy = self._samples - self._idle_windows
        for action in range(len(self._bouts)):
            # Round-robin over the actions, so that each has its share in every epoch.
            share = len(range(action, busy, len(self._bouts)))
            samples += self._turns(action, first=epoch * share, number=share)
        return [samples[i] for i in rng.permutation(len(samples))]

    def idle(self, number: int, *, epoch: int) -> list[Sample]:
        """Different idle windows to look for hard ones in; at most ``number``."""
        rng = np.random.default_rng([self._seed, epoch, _MINING])
        return list(dict.fromkeys(self._draw_idle(rng, number))) if self._pools else []

    def _draw_idle(self, rng: np.random.Generator, number: int) -> list[Sample]:
        return [self._pools[rng.integers(len(self._pools))].draw(rng) for _ in range(number)]

    def _turns(self, action: int, *, first: int, number: int) -> list[Sample]:
        """Turns ``first`` to ``first + number`` of the run at the bouts of an action."""
        entries, samples, order, shuffled = self._bouts[action], [], np.empty(0, np.int64), -1
        for turn in range(first, first + number):
            lap, place = divmod(turn, len(entries))
            if lap != shuffled:
                rng = np.random.default_rng([self._seed, action, lap, _ORDER])
                order, shuffled = rng.permutation(len(entries)), lap
            bout = int(order[place])
            source, starts = entries[bout]
            deck, card = divmod(lap, len(starts))
            rng = np.random.default_rng([self._seed, action, bout, deck, _POSITION])
            start = starts[rng.permutation(len(starts))[card]]
            samples.append(Sample(source=source, start=int(start)))
        return samples


class _Pool:
    """Idle windows of several clips, all equally likely."""

    def __init__(self, entries: Sequence[tuple[int, NDArray[np.int64]]]) -> None:
        self._entries = entries
        self._stops = np.cumsum([len(starts) for _, starts in entries])

    def draw(self, rng: np.random.Generator) -> Sample:
        at = int(rng.integers(self._stops[-1]))
        clip = int(np.searchsorted(self._stops, at, side="right"))
        source, starts = self._entries[clip]
        return Sample(source=source, start=int(starts[at - int(self._stops[clip])]))


def _all_starts(source: SampledSource) -> NDArray[np.int64]:
    """Windows of real frames only; a clip shorter than the window is mirrored around."""
    spare = source.ethogram.num_frames - source.spec.window_frames
    return np.arange(min(0, spare), max(0, spare) + 1)


def _covered(source: SampledSource, starts: NDArray[np.int64], mask_T: BoolArray) -> BoolArray:
    """Whether each window's central half touches a masked frame."""
    half = central_half(Interval(0, source.spec.window_frames))
    frames_NF = starts[:, None] + np.arange(half.start, half.stop)
    # Over the edges the target is mirrored as the pixels are.
    real_NF = mirror_frames(frames_NF, num_frames=source.ethogram.num_frames)
    return np.asarray(mask_T[real_NF].any(axis=1))


def _ignored(source: SampledSource) -> BoolArray:
    return ignored_mask(source.ignored, num_frames=source.ethogram.num_frames)


def _starts_on(source: SampledSource, bout: Interval, *, centred: bool) -> NDArray[np.int64]:
    """Windows whose central half touches the bout (or holds its centre) and nothing uncertain."""
    half = central_half(Interval(0, source.spec.window_frames))
    if centred:
        middle = bout.start + (bout.length - 1) // 2
        bout = Interval(middle, middle + 1)
    touching = np.arange(bout.start - half.stop + 1, bout.stop - half.start)
    starts = touching[np.isin(touching, _all_starts(source))]
    if not len(starts):
        # A bout at the very edge is centred only by a window that is mirrored there.
        starts = touching
    return starts[~_covered(source, starts, _ignored(source))]


def _idle_starts(source: SampledSource) -> NDArray[np.int64]:
    """Windows whose central half holds no action and nothing uncertain."""
    busy_T = _ignored(source)
    for bout in source.ethogram.bouts:
        busy_T[bout.interval.start : bout.interval.stop] = True
    starts = _all_starts(source)
    return starts[~_covered(source, starts, busy_T)]
