"""Windows of an epoch: balance, determinism, real frames, nothing uncertain."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mouse_ar.core.types import Bout, ClipSpec, Ethogram, Interval
from mouse_ar.core.windows import central_half, mirror_frames
from mouse_ar.data.sampling import Sample, SampledSource, WindowSampler

SPEC = ClipSpec(num_frames=8, sampling_rate=2, input_size=32)
GROOM, TWITCH = "groom", "twitch"


def source(
    num_frames: int = 60,
    *bouts: tuple[str, int, int],
    idle: bool = False,
    ignored: tuple[Interval, ...] = (),
) -> SampledSource:
    labels = tuple(Bout(Interval(a, b), name) for name, a, b in bouts)
    ethogram = Ethogram(num_frames=num_frames, fps=25.0, bouts=labels)
    return SampledSource(ethogram=ethogram, spec=SPEC, is_idle=idle, ignored=ignored)


def sampler(sources: list[SampledSource], *, samples: int = 200, seed: int = 0) -> WindowSampler:
    return WindowSampler(sources, actions=(GROOM, TWITCH), samples=samples, seed=seed)


def centre(sources: list[SampledSource], sample: Sample) -> set[int]:
    """Real frames that a window's target speaks of."""
    half = central_half(Interval(sample.start, sample.start + SPEC.window_frames))
    frames = mirror_frames(
        half.start + np.arange(half.length),
        num_frames=sources[sample.source].ethogram.num_frames,
    )
    return {int(f) for f in frames}


def classes(sources: list[SampledSource], samples: list[Sample]) -> Counter[str]:
    found: Counter[str] = Counter()
    for sample in samples:
        touched = {
            b.action
            for b in sources[sample.source].ethogram.bouts
            if centre(sources, sample) & set(range(b.interval.start, b.interval.stop))
        }
        found.update(touched or {"idle"})
    return found


SOURCES = [
    source(60, (GROOM, 10, 50)),
    source(60, (GROOM, 5, 30)),
    source(60, (GROOM, 15, 40)),
    source(60, (TWITCH, 30, 33)),
    source(60, idle=True),
]


def test_classes_are_balanced_whatever_the_clips() -> None:
    found = classes(SOURCES, sampler(SOURCES).epoch(0))
    assert found == {"idle": 100, GROOM: 50, TWITCH: 50}


def test_half_of_the_idle_windows_come_from_beside_the_bouts() -> None:
    epoch = sampler(SOURCES, samples=2000).epoch(0)
    from_idle_clips = sum(s.source == 4 for s in epoch)
    assert 420 < from_idle_clips < 580
    beside = [s for s in epoch if s.source == 3 and not centre(SOURCES, s) & {30, 31, 32}]
    # Right up to the bout: some centre ends on the frame before it.
    assert any(max(centre(SOURCES, s)) == 29 for s in beside)


def test_epochs_depend_on_seed_and_number_alone() -> None:
    one, other = sampler(SOURCES), sampler(SOURCES)
    later = other.epoch(3)
    assert one.epoch(3) == later == one.epoch(3)
    assert one.epoch(4) != later
    assert sampler(SOURCES, seed=1).epoch(3) != later


def test_windows_of_long_clips_read_no_mirrored_frames() -> None:
    for sample in sampler(SOURCES).epoch(0):
        assert 0 <= sample.start <= 60 - SPEC.window_frames


def test_bout_at_the_edge_of_its_video_is_centred_by_mirroring() -> None:
    sources = [source(60, (TWITCH, 0, 2)), source(60, idle=True)]
    drawn = [s for s in sampler(sources).epoch(0) if s.source == 0 and s.start < 0]
    assert len(drawn) > 50
    assert all(centre(sources, s) & {0, 1} for s in drawn)


def test_short_clips_are_drawn_mirrored() -> None:
    sources = [source(10, (GROOM, 2, 6)), source(12, idle=True)]
    epoch = sampler(sources).epoch(0)
    assert {s.source for s in epoch} == {0, 1}
    for sample in epoch:
        spare = sources[sample.source].ethogram.num_frames - SPEC.window_frames
        assert spare <= sample.start <= 0 or sample.source == 0


@settings(max_examples=60, deadline=None)
@given(
    num_frames=st.integers(1, 50),
    bout=st.integers(0, 49),
    first=st.integers(0, 49),
    length=st.integers(1, 12),
)
def test_uncertain_frames_are_never_centred(
    num_frames: int, bout: int, first: int, length: int
) -> None:
    uncertain = Interval(first, first + length).clip(Interval(0, num_frames))
    bout = min(bout, num_frames - 1)
    sources = [
        source(num_frames, (GROOM, bout, bout + 1), ignored=(uncertain,) if uncertain else ()),
        source(60, (TWITCH, 20, 40)),
    ]
    for sample in sampler(sources, samples=40).epoch(0):
        if sample.source == 0 and uncertain:
            assert not centre(sources, sample) & set(range(uncertain.start, uncertain.stop))


def test_idle_windows_of_short_clips_show_no_action() -> None:
    """Frames beyond the edge are mirrored: what they show counts."""
    sources = [source(10, (GROOM, 3, 5)), source(60, (TWITCH, 20, 23)), source(60, idle=True)]
    found = classes(sources, sampler(sources).epoch(0))
    assert found["idle"] == 100


def test_without_idle_every_window_has_an_action() -> None:
    sources = [source(20, (GROOM, 0, 20))]
    assert classes(sources, sampler(sources).epoch(0)) == {GROOM: 200}


def test_nothing_to_draw_from_is_told() -> None:
    with pytest.raises(ValueError, match="No window can be drawn for any of the actions"):
        sampler([source(60, idle=True)])
    with pytest.raises(ValueError, match="samples >= 1"):
        sampler(SOURCES, samples=0)
