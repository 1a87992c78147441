from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mouse_ar.core.actions import Action, ActionKind, ActionSet
from mouse_ar.core.decoding import (
    DecodingParams,
    PointDecoding,
    StateDecoding,
    decode,
    decode_spans,
    noise_floor,
    point_spans,
    smooth,
    state_spans,
)
from mouse_ar.core.types import ActionScores, ClipSpec, Interval

ACTIONS = ActionSet(
    (
        Action("Groom", "Groom", ActionKind.STATE),
        Action("Twitch", "Twitch", ActionKind.POINT, aliases=("tw",)),
    )
)
PLAIN_STATE = StateDecoding(
    smooth_seconds=0, on_threshold=0.6, off_threshold=0.4, max_gap_seconds=0, min_bout_seconds=0
)
PLAIN_POINT = PointDecoding(threshold=0.3, prominence=0.1, min_distance_seconds=0)


def signal_of(*pieces: tuple[float, int]) -> np.ndarray:
    return np.concatenate([np.full(n, value) for value, n in pieces])


def spans(array: np.ndarray) -> list[tuple[int, int]]:
    return [(int(a), int(b)) for a, b in array]


def test_hysteresis_needs_the_upper_threshold_and_extends_to_the_lower() -> None:
    score = signal_of((0, 5), (0.5, 3), (0.7, 2), (0.45, 4), (0, 5), (0.5, 6), (0, 2))
    assert spans(state_spans(score, params=PLAIN_STATE, fps=10)) == [(5, 14)]


def test_bouts_at_the_edges_and_over_the_whole_video() -> None:
    score = signal_of((0.9, 3), (0, 4), (0.9, 2))
    assert spans(state_spans(score, params=PLAIN_STATE, fps=10)) == [(0, 3), (7, 9)]
    assert spans(state_spans(np.ones(5), params=PLAIN_STATE, fps=10)) == [(0, 5)]


def test_gaps_are_stitched_before_short_bouts_are_dropped() -> None:
    score = signal_of((0.9, 3), (0, 2), (0.9, 3), (0, 6), (0.9, 3))
    params = StateDecoding(0, 0.6, 0.4, max_gap_seconds=0.2, min_bout_seconds=0.5)
    assert spans(state_spans(score, params=params, fps=10)) == [(0, 8)]


def test_floor_raises_the_upper_threshold_only() -> None:
    score = signal_of((0, 5), (0.7, 5), (0, 5), (0.5, 2), (0.95, 2), (0, 3))
    assert spans(state_spans(score, params=PLAIN_STATE, fps=10, floor=0.9)) == [(15, 19)]


@given(st.lists(st.floats(0, 1), min_size=0, max_size=60), st.floats(0, 3), st.floats(0, 3))
def test_state_spans_are_sorted_disjoint_and_long_enough(
    values: list[float], gap: float, shortest: float
) -> None:
    params = StateDecoding(0, 0.6, 0.4, max_gap_seconds=gap, min_bout_seconds=shortest)
    found = spans(state_spans(np.array(values), params=params, fps=3))
    for start, stop in found:
        assert 0 <= start < stop <= len(values)
        assert stop - start >= shortest * 3
        assert max(values[start:stop]) >= 0.6
    for (_, before), (after, _) in itertools.pairwise(found):
        assert after - before > gap * 3


def test_smoothing_is_centred_and_keeps_a_step_in_place() -> None:
    step = signal_of((0, 50), (1, 50))
    smoothed = smooth(step, seconds=1.0, fps=20)
    assert int(np.argmax(smoothed >= 0.5)) == 50
    np.testing.assert_allclose(smooth(np.full(7, 0.3), seconds=5, fps=20), 0.3)
    np.testing.assert_array_equal(smooth(step, seconds=0, fps=20), step)


def test_a_point_event_lies_in_the_middle_of_its_hump_and_has_its_sum() -> None:
    # a 3-frame event seen through a central half of 16 frames
    hump = np.convolve(signal_of((0, 40), (1, 3), (0, 40)), np.ones(16) / 16, mode="full")
    ((start, stop),) = spans(point_spans(hump, params=PointDecoding(), fps=25))
    assert stop - start == 3
    assert abs((start + stop) / 2 - (41.5 + 7.5)) <= 1


@pytest.mark.parametrize("at", [0, 30, 59])
def test_a_peak_at_any_frame_is_found(at: int) -> None:
    score = np.zeros(60)
    score[at] = 0.9
    assert spans(point_spans(score, params=PLAIN_POINT, fps=25)) == [(at, at + 1)]


def test_prominence_ignores_ripples_on_one_hump() -> None:
    score = signal_of((0, 5), (0.8, 3), (0.75, 2), (0.8, 3), (0, 5))
    assert len(point_spans(score, params=PLAIN_POINT, fps=25)) == 1
    saturated = signal_of((0, 5), (1, 3), (0.99, 2), (1, 3), (0, 5))
    assert spans(point_spans(saturated, params=PLAIN_POINT, fps=25)) == [(5, 13)]
    sharp = PointDecoding(threshold=0.3, prominence=0.04, min_distance_seconds=0)
    assert len(point_spans(score, params=sharp, fps=25)) == 2


def test_neighbouring_events_do_not_share_the_valley_frame() -> None:
    score = np.array([0, 1, 0.8, 1, 0])
    assert spans(point_spans(score, params=PLAIN_POINT, fps=25)) == [(1, 2), (2, 4)]


def test_of_two_close_peaks_the_higher_is_kept() -> None:
    score = signal_of((0, 10), (0.6, 1), (0, 3), (0.9, 1), (0, 10))
    apart = PointDecoding(threshold=0.3, prominence=0.1, min_distance_seconds=0.5)
    assert spans(point_spans(score, params=apart, fps=10)) == [(14, 15)]
    assert len(point_spans(score, params=PLAIN_POINT, fps=10)) == 2


@given(st.lists(st.floats(0, 1, width=32), min_size=0, max_size=80))
def test_point_spans_are_sorted_disjoint_and_inside(values: list[float]) -> None:
    score = np.array(values, dtype=np.float32)
    previous = 0
    for start, stop in spans(point_spans(score, params=PLAIN_POINT, fps=25)):
        assert previous <= start < stop <= len(values)
        previous = stop


def test_the_noise_floor_sees_through_events_but_not_through_noise() -> None:
    rng = np.random.default_rng(0)
    noise = np.clip(rng.normal(0.33, 0.1, 5000), 0, 1)
    assert noise_floor(noise, sigmas=6) == pytest.approx(0.93, abs=0.1)
    for share in (0.05, 0.3, 0.5, 0.8, 0.95):  # of the time with the action
        sure = np.where(np.arange(5000) < share * 5000, 0.97, 0.02)
        sure = sure + rng.normal(0, 0.004, 5000)
        assert noise_floor(sure, sigmas=6) < 0.6
    smoothed = smooth(noise, seconds=1.0, fps=25)
    assert noise_floor(smoothed, sigmas=6, unsmoothed_T=noise) == noise_floor(smoothed, sigmas=6)
    assert noise_floor(noise, sigmas=0) == 0
    assert noise_floor(np.zeros(0), sigmas=6) == 0


def scores_of(groom: np.ndarray, twitch: np.ndarray, fps: float = 25.0) -> ActionScores:
    idle = np.clip(1 - groom - twitch, 0, 1)
    scores_TK = np.stack([idle, groom, twitch], axis=1).astype(np.float32)
    return ActionScores(scores_TK=scores_TK, classes=ACTIONS.classes, fps=fps)


def test_actions_may_overlap_and_carry_their_confidence() -> None:
    groom = signal_of((0, 100), (0.8, 100), (0, 100))
    twitch = np.zeros(300)
    twitch[150:154] = (0.2, 0.6, 0.6, 0.2)
    found = decode(
        scores_of(groom, twitch), actions=ACTIONS, params=DecodingParams.defaults(ACTIONS)
    )
    (bout,) = found.of("Groom")
    (event,) = found.of("Twitch")
    assert bout.interval.overlap(event.interval) == event.interval.length
    assert bout.interval.iou(Interval(100, 200)) > 0.9
    assert bout.confidence == pytest.approx(0.8, abs=0.02)
    assert event.confidence == pytest.approx(0.6)
    assert event.interval.start in {150, 151}


def test_an_empty_and_a_one_frame_video() -> None:
    params = DecodingParams.defaults(ACTIONS)
    for frames in (0, 1):
        empty = scores_of(np.zeros(frames), np.zeros(frames))
        found = decode(empty, actions=ACTIONS, params=params)
        assert found.bouts == ()
        assert found.num_frames == frames


def test_scores_and_parameters_must_fit_the_actions() -> None:
    params = DecodingParams.defaults(ACTIONS)
    other = ActionScores(np.zeros((5, 2), dtype=np.float32), ("idle", "Groom"), 25)
    with pytest.raises(ValueError, match="no class 'Twitch'"):
        decode(other, actions=ACTIONS, params=params)
    with pytest.raises(KeyError, match="No decoding parameters for action 'Groom'"):
        decode(scores_of(np.zeros(5), np.zeros(5)), actions=ACTIONS, params=DecodingParams())
    with pytest.raises(ValueError, match="'Groom' is a state event"):
        decode(
            scores_of(np.zeros(5), np.zeros(5)),
            actions=ACTIONS,
            params=params.with_action("Groom", PointDecoding()),
        )


def test_default_threshold_follows_from_the_window() -> None:
    long = DecodingParams.defaults(ACTIONS, spec=ClipSpec(num_frames=16, sampling_rate=2))
    short = DecodingParams.defaults(ACTIONS, spec=ClipSpec(num_frames=16, sampling_rate=1), fps=25)
    assert isinstance(long["Twitch"], PointDecoding)
    assert isinstance(short["Twitch"], PointDecoding)
    assert long["Twitch"].threshold == pytest.approx(3 / 16 / 2)
    assert short["Twitch"].threshold == pytest.approx(3 / 8 / 2)
    assert long["Twitch"].min_distance_seconds == pytest.approx(0.25)
    assert short["Twitch"].min_distance_seconds == pytest.approx(8 / 25)
    assert DecodingParams.defaults(ACTIONS) == long


def test_parameters_survive_the_round_trip_and_partial_dicts() -> None:
    params = DecodingParams.defaults(ACTIONS).with_overrides({"Groom.on_threshold": 0.65})
    assert DecodingParams.from_dict(params.to_dict()) == params
    partial = DecodingParams.from_dict({"Twitch": {"kind": "point", "threshold": 0.4}})
    assert partial["Twitch"] == PointDecoding(threshold=0.4)


def test_overrides() -> None:
    params = DecodingParams.defaults(ACTIONS)
    changed = params.with_overrides({"groom.on_threshold": 0.9})
    assert isinstance(changed["Groom"], StateDecoding)
    assert changed["Groom"].on_threshold == 0.9
    assert changed["Twitch"] == params["Twitch"]
    # One after the other, the first would put the lower threshold above the upper one.
    both = {"Groom.off_threshold": 0.92, "Groom.on_threshold": 0.95}
    assert params.with_overrides(both) == params.with_overrides(dict(reversed(both.items())))
    by_alias = params.with_overrides({"tw.threshold": 0.6}, actions=ACTIONS)
    assert isinstance(by_alias["Twitch"], PointDecoding)
    assert by_alias["Twitch"].threshold == 0.6


@pytest.mark.parametrize(
    ("key", "value", "match"),
    [
        ("Scratch.threshold", 0.5, "names no known action"),
        ("threshold", 0.5, "names no known action"),
        ("Groom.threshold", 0.5, "no parameter of 'Groom', a state event; allowed: smooth_seconds"),
        ("Groom.on_threshold", 1.5, "at most 1"),
        ("Groom.on_threshold", 0.2, "off_threshold must not be above"),
        ("Groom.max_gap_seconds", -1, "0 or more"),
        ("Twitch.threshold", 0, "above 0"),
        ("Twitch.min_distance_seconds", float("inf"), "0 or more"),
    ],
)
def test_bad_overrides_are_refused(key: str, value: float, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        DecodingParams.defaults(ACTIONS).with_overrides({key: value})


@pytest.mark.parametrize(
    ("data", "match"),
    [
        ({"Groom": {}}, "'kind' must be one of"),
        ({"Groom": {"kind": "state", "threshold": 0.5}}, r"unknown parameters \['threshold'\]"),
    ],
)
def test_bad_dicts_are_refused(data: dict[str, dict[str, object]], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        DecodingParams.from_dict(data)


def test_decode_spans_smooths_and_guards_by_kind() -> None:
    flicker = np.tile([1.0, 0.0], 100)  # mean 0.5 over every second: never a bout when smoothed
    smoothed = StateDecoding(smooth_seconds=1.0, on_threshold=0.7)
    assert len(decode_spans(flicker, params=smoothed, fps=10)) == 0
    noise = np.random.default_rng(0).dirichlet(np.ones(3), 2000)[:, 0]
    assert len(decode_spans(noise, params=PointDecoding(), fps=25)) == 0
    assert len(decode_spans(noise, params=PointDecoding(noise_sigmas=0), fps=25)) > 100
