"""Which windows one training epoch sees: class-balanced, seeded, from real frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mouse_ar.core.metrics import ignored_mask
from mouse_ar.core.types import ClipSpec, Ethogram, Interval
from mouse_ar.core.windows import central_half, mirror_frames

__all__ = ["Sample", "SampledSource", "WindowSampler"]

BoolArray = NDArray[np.bool_]


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
    """Draws the windows of an epoch.

    Half of them (``background_share``) are idle: from idle clips and, as often, from the
    action-free parts of clips with actions, right up to the bouts' edges, which teaches where
    bouts end. The rest is shared equally by the actions; a bout is drawn uniformly and the window
    placed uniformly so that its central half touches the bout.

    Args:
        sources: the clips.
        actions: action names in class order, background excluded.
        samples: windows per epoch.
        background_share: share of idle windows, 0..1.
        seed: every epoch's draw depends on (seed, epoch) alone.

    Raises:
        ValueError: there is nothing to draw from.
    """

    def __init__(
        self,
        sources: Sequence[SampledSource],
        *,
        actions: Sequence[str],
        samples: int,
        background_share: float = 0.5,
        seed: int = 0,
    ) -> None:
        if samples < 1 or not 0.0 <= background_share < 1.0:
            raise ValueError(
                f"WindowSampler needs samples >= 1 and background_share in [0, 1), "
                f"got {samples} and {background_share}."
            )
        self._sources = sources
        self._samples = samples
        self._seed = seed
        placed = [
            [
                (index, starts)
                for index, source in enumerate(sources)
                for bout in source.ethogram.of(action)
                if len(starts := _starts_on(source, bout.interval))
            ]
            for action in actions
        ]
        self._bouts = [entries for entries in placed if entries]
        self._idle = [
            (index, starts)
            for index, source in enumerate(sources)
            if len(starts := _idle_starts(source))
        ]
        if not self._bouts:
            raise ValueError(
                f"No window can be drawn for any of the actions {list(actions)}: the training "
                "clips carry no such tags. Label bouts and run preprocess again."
            )
        self._background_share = background_share if self._idle else 0.0

    def epoch(self, epoch: int) -> list[Sample]:
        """The shuffled windows of one epoch."""
        rng = np.random.default_rng([self._seed, epoch])
        idle = round(self._samples * self._background_share)
        samples = [self._draw_idle(rng) for _ in range(idle)]
        for number in range(self._samples - idle):
            # Round-robin over the actions, so that each has its share in every epoch.
            entries = self._bouts[number % len(self._bouts)]
            samples.append(_draw(entries[rng.integers(len(entries))], rng))
        return [samples[i] for i in rng.permutation(len(samples))]

    def _draw_idle(self, rng: np.random.Generator) -> Sample:
        pools = [
            [entry for entry in self._idle if self._sources[entry[0]].is_idle],
            [entry for entry in self._idle if not self._sources[entry[0]].is_idle],
        ]
        pools = [pool for pool in pools if pool]
        pool = pools[rng.integers(len(pools))]
        weights = np.array([len(starts) for _, starts in pool], dtype=np.float64)
        return _draw(pool[rng.choice(len(pool), p=weights / weights.sum())], rng)


def _draw(entry: tuple[int, NDArray[np.int64]], rng: np.random.Generator) -> Sample:
    index, starts = entry
    return Sample(source=index, start=int(starts[rng.integers(len(starts))]))


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


def _starts_on(source: SampledSource, bout: Interval) -> NDArray[np.int64]:
    """Windows whose central half touches the bout and nothing uncertain."""
    half = central_half(Interval(0, source.spec.window_frames))
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
