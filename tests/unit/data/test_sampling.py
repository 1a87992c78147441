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
    return WindowSampler(
        sources, actions=(GROOM, TWITCH), points=(TWITCH,), samples=samples, seed=seed
    )


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


def half_of(sample: Sample) -> Interval:
    return central_half(Interval(sample.start, sample.start + SPEC.window_frames))


@settings(max_examples=40, deadline=None)
@given(
    at=st.integers(20, 38),
    length=st.integers(1, 5),
    samples=st.integers(30, 90),
    seed=st.integers(0, 99),
)
def test_point_event_lies_at_every_position_equally_often(
    at: int, length: int, samples: int, seed: int
) -> None:
    sources = [source(60, (TWITCH, at, at + length)), source(60, (GROOM, 10, 50))]
    clips = sampler(sources, samples=samples, seed=seed)
    positions: Counter[int] = Counter()
    for epoch in range(4):
        for sample in clips.epoch(epoch):
            middle = at + (length - 1) // 2
            if sample.source == 0 and middle in centre(sources, sample):
                positions[middle - half_of(sample).start] += 1
    assert set(positions) == set(range(SPEC.window_frames // 2))
    assert max(positions.values()) - min(positions.values()) <= 1


def test_all_positions_that_touch_a_state_event_are_drawn() -> None:
    sources = [source(60, (GROOM, 25, 35)), source(60, idle=True)]
    clips = sampler(sources, samples=20)
    starts = {s.start for epoch in range(4) for s in clips.epoch(epoch) if s.source == 0}
    touching = {
        start
        for start in range(60 - 16 + 1)
        if centre(sources, Sample(0, start)) & {*range(25, 35)}
    }
    assert touching <= starts


def test_no_bout_is_drawn_again_before_all_have_been() -> None:
    sources = [source(60, (GROOM, 10 + i, 50)) for i in range(7)]
    clips = sampler(sources, samples=10)
    drawn = Counter(
        s.source
        for epoch in range(21)
        for s in clips.epoch(epoch)
        if centre(sources, s) & {*range(10 + s.source, 50)}
    )
    assert set(drawn) == set(range(7))
    assert max(drawn.values()) - min(drawn.values()) <= 1


def test_idle_windows_are_new_in_every_epoch() -> None:
    epochs = [sampler(SOURCES).epoch(epoch) for epoch in range(2)]
    idle = [[(s.source, s.start) for s in e if s.source == 4] for e in epochs]
    assert sorted(idle[0]) != sorted(idle[1])
    assert len({start for _, start in idle[0]}) > 20


def test_hard_windows_take_their_share_of_the_idle_ones() -> None:
    hard = [Sample(4, 3), Sample(4, 40), Sample(3, 0)]
    clips = sampler(SOURCES)
    plain = clips.epoch(5)
    assert clips.epoch(5, hard=hard) == plain == clips.epoch(5, hard=[], hard_share=0.9)
    drawn = clips.epoch(5, hard=hard, hard_share=0.9)
    counts = Counter(s for s in drawn if s in hard)
    assert 90 <= counts.total() <= 96
    assert max(counts.values()) - min(counts.values()) <= 4  # few more by chance
    assert classes(SOURCES, drawn) == classes(SOURCES, plain)


def test_more_hard_windows_than_needed_are_drawn_once_at_most() -> None:
    hard = [Sample(4, start) for start in range(40)]
    drawn = sampler(SOURCES, samples=40).epoch(0, hard=hard, hard_share=1.0)
    from_hard = [s for s in drawn if s.source == 4]
    assert len(from_hard) == len(set(from_hard)) == 20


def test_candidates_are_different_idle_windows() -> None:
    clips = sampler(SOURCES)
    found = clips.idle(150, epoch=2)
    assert len(found) == len(set(found)) > 60
    assert classes(SOURCES, found) == {"idle": len(found)}
    assert found == clips.idle(150, epoch=2)
    assert found != clips.idle(150, epoch=3)
    assert sampler([source(20, (GROOM, 0, 20))]).idle(10, epoch=0) == []
