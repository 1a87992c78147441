from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mouse_ar.core.types import (
    ActionScores,
    Bout,
    Box,
    Clip,
    ClipSpec,
    Ethogram,
    Interval,
    Track,
    merge_intervals,
)

intervals = st.builds(
    lambda start, length: Interval(start, start + length),
    st.integers(-50, 200),
    st.integers(1, 80),
)
boxes = st.builds(
    lambda left, top, width, height: Box(left, top, left + width, top + height),
    st.integers(-50, 200),
    st.integers(-50, 200),
    st.integers(1, 80),
    st.integers(1, 80),
)


def frames(interval: Interval) -> set[int]:
    return set(range(interval.start, interval.stop))


@pytest.mark.parametrize(("start", "stop"), [(3, 3), (4, 3)])
def test_empty_interval_is_refused(start: int, stop: int) -> None:
    with pytest.raises(ValueError, match=rf"got \[{start}, {stop}\), expected start < stop"):
        Interval(start, stop)


def test_interval_converts_to_what_users_see() -> None:
    assert Interval.from_inclusive(3, 3) == Interval(3, 4)
    assert Interval(3, 10).inclusive == (3, 9)
    assert Interval(3, 10).length == 7
    assert Interval(3, 4).center == 3.5


@given(a=intervals, b=intervals)
def test_interval_arithmetic_is_set_arithmetic(a: Interval, b: Interval) -> None:
    shared, either = frames(a) & frames(b), frames(a) | frames(b)
    assert a.overlap(b) == len(shared)
    assert a.iou(b) == b.iou(a) == len(shared) / len(either)
    clipped = a.clip(b)
    assert (frames(clipped) if clipped else set()) == shared
    assert frames(a.shift(7)) == {f + 7 for f in frames(a)}


@given(parts=st.lists(intervals, max_size=12), max_gap=st.integers(-3, 20))
def test_merging_fills_small_gaps_and_nothing_else(parts: list[Interval], max_gap: int) -> None:
    merged = merge_intervals(parts, max_gap=max_gap)
    assert merged == sorted(merged)
    assert all(b.start - a.stop > max_gap for a, b in pairwise(merged))
    covered = set().union(*map(frames, parts)) if parts else set()
    filled = set().union(*map(frames, merged)) if merged else set()
    assert covered <= filled
    if max_gap <= 0:
        assert covered == filled
    for part in parts:
        assert any(m.overlap(part) == part.length for m in merged)


def test_touching_intervals_are_joined() -> None:
    touching = [Interval(5, 9), Interval(0, 5)]
    assert merge_intervals(touching) == [Interval(0, 9)]
    assert merge_intervals(touching, max_gap=-1) == [Interval(0, 5), Interval(5, 9)]


def test_bad_bouts_are_refused() -> None:
    with pytest.raises(ValueError, match="starts at frame -1 < 0"):
        Bout(Interval(-1, 3), "groom")
    for confidence in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match=r"confidence must be within 0\.\.1"):
            Bout(Interval(0, 3), "groom", confidence)


def test_ethogram_sorts_and_selects() -> None:
    late, early = Bout(Interval(8, 9), "twitch"), Bout(Interval(0, 4), "groom")
    ethogram = Ethogram(10, 25.0, (late, early))
    assert ethogram.bouts == (early, late)
    assert ethogram.of("twitch") == (late,)
    assert ethogram.mask("groom").tolist() == [True] * 4 + [False] * 6
    assert not ethogram.mask("unknown").any()


def test_bad_ethograms_are_refused() -> None:
    with pytest.raises(ValueError, match=r"covers frames \(5, 10\) but the video has only 10"):
        Ethogram(10, 25.0, (Bout(Interval(5, 11), "groom"),))
    for num_frames, fps in [(-1, 25.0), (1, 0.0), (1, float("nan")), (1, float("inf"))]:
        with pytest.raises(ValueError, match="num_frames >= 0 and fps > 0"):
            Ethogram(num_frames, fps)


@given(
    spans=st.lists(st.tuples(st.integers(0, 90), st.integers(1, 10)), max_size=6),
    part=st.tuples(st.integers(0, 90), st.integers(1, 10)),
)
def test_cropped_ethogram_shows_the_same_frames(
    spans: list[tuple[int, int]], part: tuple[int, int]
) -> None:
    bouts = tuple(Bout(Interval(s, s + n), "groom", 0.5) for s, n in spans)
    ethogram = Ethogram(100, 25.0, bouts)
    interval = Interval(part[0], sum(part))
    cropped = ethogram.crop(interval)
    expected = ethogram.mask("groom")[interval.start : interval.stop]
    assert (cropped.mask("groom") == expected).all()
    assert cropped.num_frames == interval.length
    assert all(b.confidence == 0.5 for b in cropped.bouts)


@pytest.mark.parametrize(
    "values", [(1, 0, 1, 5), (0, 5, 1, 5), (0, 0, float("nan"), 5), (0, 0, float("inf"), 5)]
)
def test_degenerate_box_is_refused(values: tuple[float, float, float, float]) -> None:
    with pytest.raises(ValueError, match="Box must"):
        Box(*values)


@given(a=boxes, b=boxes)
def test_box_arithmetic_is_pixel_arithmetic(a: Box, b: Box) -> None:
    def pixels(box: Box) -> np.ndarray:
        image = np.zeros((350, 350), dtype=bool)
        image[
            int(box.top) + 50 : int(box.bottom) + 50, int(box.left) + 50 : int(box.right) + 50
        ] = True
        return image

    in_a, in_b = pixels(a), pixels(b)
    assert a.area == in_a.sum() == a.width * a.height
    assert a.iou(b) == pytest.approx((in_a & in_b).sum() / (in_a | in_b).sum())
    rows, columns = np.nonzero(in_a | in_b)
    assert a.union(b) == Box(
        columns.min() - 50, rows.min() - 50, columns.max() - 49, rows.max() - 49
    )
    assert a.contains(*a.center)


def test_box_edges_are_half_open() -> None:
    box = Box(2, 3, 5, 7)
    assert box.center == (3.5, 5.0)
    assert box.contains(2, 3)
    assert not box.contains(5, 3)
    assert not box.contains(2, 7)


def test_track_holds_boxes_by_frame() -> None:
    track = Track.from_boxes(4, {1: Box(1, 2, 3, 4), 3: Box(0, 0, 9, 9)})
    assert track.num_frames == 4
    assert track.present_T.tolist() == track.observed_T.tolist() == [False, True, False, True]
    assert track.box(0) is None
    assert track.box(1) == Box(1, 2, 3, 4)
    part = track.crop(Interval(1, 3))
    assert part.num_frames == 2
    assert part.box(0) == Box(1, 2, 3, 4)
    assert part.observed_T.tolist() == [True, False]


@pytest.mark.parametrize("part", [Interval(-1, 2), Interval(2, 5)])
def test_track_is_not_cropped_past_its_edges(part: Interval) -> None:
    track = Track.from_boxes(4, {})
    with pytest.raises(ValueError, match=r"frames 0\.\.3, cannot crop it to"):
        track.crop(part)


def test_track_scales_with_the_video() -> None:
    track = Track.from_boxes(2, {0: Box(2, 4, 6, 8)})
    smaller = track.scaled(0.5, 0.25)
    assert smaller.box(0) == Box(1, 1, 3, 2)
    assert smaller.box(1) is None
    assert smaller.boxes_T4.dtype == np.float32


def test_track_of_wrong_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=r"shape \(T, 4\), got \(3, 5\)"):
        Track(np.zeros((3, 5), np.float32), np.zeros(3, bool))
    with pytest.raises(ValueError, match=r"shape \(3,\), got \(2,\)"):
        Track(np.zeros((3, 4), np.float32), np.zeros(2, bool))


def test_clip_spec_checks_its_values() -> None:
    assert ClipSpec(num_frames=16, sampling_rate=2).window_frames == 32
    for values in ({"num_frames": 0}, {"sampling_rate": 0}, {"input_size": -1}):
        with pytest.raises(ValueError, match=rf"ClipSpec\.{next(iter(values))} must be >= 1"):
            ClipSpec(**values)
    for padding in (-0.1, 2.1, float("nan")):
        with pytest.raises(ValueError, match=r"crop_padding must be within 0\.\.2"):
            ClipSpec(crop_padding=padding)


def test_clip_bouts_stay_inside_the_clip() -> None:
    assert Clip("groom", Interval(100, 110), (Bout(Interval(0, 10), "groom"),))
    with pytest.raises(ValueError, match=r"bout \(0, 10\) reaches past the clip's 10 frames"):
        Clip("groom", Interval(100, 110), (Bout(Interval(0, 11), "groom"),))


def test_scores_are_checked_and_selected_by_class() -> None:
    scores = ActionScores(np.array([[0.9, 0.1], [0.2, 0.8]], np.float32), ("idle", "groom"), 25.0)
    assert scores.num_frames == 2
    np.testing.assert_allclose(scores.of("groom"), [0.1, 0.8])
    with pytest.raises(ValueError, match=r"shape \(T, 2\)"):
        ActionScores(np.zeros((2, 3), np.float32), ("idle", "groom"), 25.0)
    with pytest.raises(ValueError, match="NaN or infinite"):
        ActionScores(np.full((2, 2), np.nan, np.float32), ("idle", "groom"), 25.0)
