from __future__ import annotations

import json
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mouse_ar.core.actions import Action, ActionKind, ActionSet
from mouse_ar.core.decoding import DecodingParams, PointDecoding, StateDecoding, decode
from mouse_ar.core.fitting import ActionFit, FittedDecoding, _parts, fit_decoding
from mouse_ar.core.metrics import VideoPair, evaluate
from mouse_ar.core.types import ActionScores, Bout, Ethogram, Interval

GROOM, TWITCH = "Groom", "Twitch"
ACTIONS = ActionSet(
    (Action(GROOM, GROOM, ActionKind.STATE), Action(TWITCH, TWITCH, ActionKind.POINT))
)
Video = tuple[ActionScores, Ethogram]


def video(
    seed: int, *, seconds: int = 120, fps: int = 25, groom_level: float = 0.9, hum: float = 0.0
) -> Video:
    """Grooming at a given score level, twitches at 0.7 and false humps of height ``hum``."""
    rng = np.random.default_rng(seed)
    frames = seconds * fps
    groom, twitch = np.zeros(frames), np.zeros(frames)
    bouts, start = [], 20
    while start < frames - 150:
        stop = start + int(rng.integers(40, 120))
        bouts.append(Bout(Interval(start, stop), GROOM))
        groom[start:stop] = groom_level
        middle = stop + 25
        bouts.append(Bout(Interval(middle, middle + 5), TWITCH))
        twitch[middle : middle + 5] = 0.7
        twitch[stop + 50 : stop + 55] = hum
        start = stop + 80
    noisy = np.clip(np.stack([groom, twitch], 1) + rng.normal(0, 0.02, (frames, 2)), 0, 0.95)
    scores_TK = np.concatenate([np.clip(1 - noisy.sum(1, keepdims=True), 0, 1), noisy], axis=1)
    scores = ActionScores(scores_TK.astype(np.float32), ACTIONS.classes, fps)
    return scores, Ethogram(frames, fps, tuple(bouts))


def bout_f1(videos: list[Video], params: DecodingParams, action: str) -> float:
    pairs = {
        str(i): VideoPair(decode(scores, actions=ACTIONS, params=params), truth)
        for i, (scores, truth) in enumerate(videos)
    }
    f1 = evaluate(pairs, actions=ACTIONS).pooled[action].bouts.f1
    assert f1 is not None
    return f1


def test_a_model_whose_scores_run_low_gets_a_lower_threshold() -> None:
    low = [video(seed, groom_level=0.45) for seed in range(3)]
    fitted = fit_decoding(low, actions=ACTIONS)
    params = fitted.params[GROOM]
    assert isinstance(params, StateDecoding)
    assert 0.1 < params.on_threshold < 0.45
    report = {fit.action: fit for fit in fitted.report}
    assert report[GROOM].fitted
    assert report[GROOM].f1_before == 0
    assert report[GROOM].f1_after == 1
    assert bout_f1([video(99, groom_level=0.45)], fitted.params, GROOM) == 1


def test_false_humps_raise_the_point_threshold_between_them_and_the_events() -> None:
    fitted = fit_decoding([video(seed, hum=0.4) for seed in range(3)], actions=ACTIONS)
    params = fitted.params[TWITCH]
    assert isinstance(params, PointDecoding)
    assert max(params.threshold, params.prominence) > 0.35
    assert params.threshold < 0.7
    assert bout_f1([video(99, hum=0.4)], fitted.params, TWITCH) == 1


def test_the_reported_f1_is_what_decode_and_evaluate_give() -> None:
    videos = [video(seed, hum=0.65) for seed in range(2)]
    ignored = [[Interval(0, 500)], []]
    fitted = fit_decoding(videos, actions=ACTIONS, ignored=ignored)
    for params, when in ((DecodingParams.defaults(ACTIONS), "before"), (fitted.params, "after")):
        pairs = {
            str(i): VideoPair(decode(s, actions=ACTIONS, params=params), truth, ignored[i])
            for i, (s, truth) in enumerate(videos)
        }
        result = evaluate(pairs, actions=ACTIONS)
        for fit in fitted.report:
            assert getattr(fit, f"f1_{when}") == result.pooled[fit.action].bouts.f1


def test_few_bouts_keep_the_defaults_and_say_so() -> None:
    low = [video(0, groom_level=0.45, seconds=30)]
    fitted = fit_decoding(low, actions=ACTIONS)
    assert fitted.params == DecodingParams.defaults(ACTIONS)
    assert not any(fit.fitted for fit in fitted.report)
    assert "at least 10 are needed" in fitted.report[0].reason
    assert fit_decoding(low, actions=ACTIONS, min_bouts=1).report[0].fitted


def test_defaults_that_do_as_well_as_any_are_kept() -> None:
    fitted = fit_decoding([video(seed) for seed in range(3)], actions=ACTIONS)
    assert fitted.params == DecodingParams.defaults(ACTIONS)
    assert "nothing does better" in fitted.report[0].reason
    own = DecodingParams.defaults(ACTIONS).with_overrides({"Groom.on_threshold": 0.66})
    kept = fit_decoding([video(0)], actions=ACTIONS, defaults=own, min_bouts=100)
    assert kept.params == own


def test_one_false_event_more_or_less_is_no_reason_to_leave_the_defaults() -> None:
    (scores, truth), *others = [video(seed) for seed in range(3)]
    spoilt_TK = scores.scores_TK.copy()
    spoilt_TK[5:10, 2] = 0.4
    spoilt = (ActionScores(spoilt_TK, ACTIONS.classes, 25), truth)
    fitted = fit_decoding([spoilt, *others], actions=ACTIONS)
    twitch = fitted.report[1]
    assert twitch.f1_before is not None
    assert twitch.f1_before < 1
    assert fitted.params == DecodingParams.defaults(ACTIONS)


def test_among_equal_bout_scores_the_frames_decide() -> None:
    videos = []
    for seed in range(3):
        scores, truth = video(seed)
        groom = np.zeros(truth.num_frames)
        for bout in truth.of(GROOM):
            start, stop = bout.interval.start, bout.interval.stop
            groom[start:stop] = 0.35  # shoulders over the whole bout ...
            inset = (stop - start) // 5
            groom[start + inset : stop - inset] = 0.6  # ... that the default thresholds cut off
        spread_TK = scores.scores_TK.copy()
        spread_TK[:, 1] = groom
        videos.append((ActionScores(spread_TK, ACTIONS.classes, 25), truth))
    params = fit_decoding(videos, actions=ACTIONS).params[GROOM]
    assert isinstance(params, StateDecoding)
    assert params.off_threshold <= 0.3


def test_ignored_intervals_do_not_shape_the_fit() -> None:
    scores, truth = video(0)
    spoilt_TK = scores.scores_TK.copy()
    spoilt_TK[:1500] = np.random.default_rng(0).dirichlet(np.ones(3), 1500)
    spoilt = (ActionScores(spoilt_TK, ACTIONS.classes, 25), truth)
    fitted = fit_decoding([spoilt], actions=ACTIONS, ignored=[[Interval(0, 1500)]], min_bouts=5)
    assert [fit.f1_after for fit in fitted.report] == [1, 1]


def test_no_videos_keep_the_defaults() -> None:
    fitted = fit_decoding([], actions=ACTIONS)
    assert fitted.params == DecodingParams.defaults(ACTIONS)
    assert fitted.report[0].f1_before is None


def test_the_result_is_json() -> None:
    fitted = fit_decoding([video(0)], actions=ACTIONS)
    data = json.loads(json.dumps(fitted.to_dict(), allow_nan=False))
    assert DecodingParams.from_dict(data["params"]) == fitted.params
    assert data["report"][0]["action"] == GROOM


def test_scores_and_truth_must_agree_in_length() -> None:
    scores, truth = video(0)
    with pytest.raises(ValueError, match="must describe the same video"):
        fit_decoding([(scores, truth.crop(Interval(0, 100)))], actions=ACTIONS)


def test_an_hour_of_video_takes_seconds() -> None:
    hour = [video(seed, seconds=600, hum=0.4, groom_level=0.6) for seed in range(6)]
    begin = time.process_time()
    fit_decoding(hour, actions=ACTIONS)
    assert time.process_time() - begin < 15  # about 2 s on an idle core


def test_what_does_not_hold_on_videos_left_out_is_not_used() -> None:
    # In each video grooming reaches another level, and humming lies just below it in the next.
    levels = [0.45, 0.75, 0.45, 0.75]
    videos = []
    for seed, level in enumerate(levels):
        scores, truth = video(seed, groom_level=level)
        spoilt_TK = scores.scores_TK.copy()
        if level > 0.5:
            spoilt_TK[:, 1] = np.where(truth.mask(GROOM), level, 0.0)
            for bout in truth.of(TWITCH):
                spoilt_TK[bout.interval.start - 10 : bout.interval.stop + 25, 1] = 0.62
        videos.append((ActionScores(spoilt_TK, ACTIONS.classes, 25), truth))
    one_kind = fit_decoding(videos[::2], actions=ACTIONS).report[0]
    assert one_kind.fitted
    assert one_kind.f1_held_out == 1
    assert "fitted to" in one_kind.reason
    defaults = DecodingParams.defaults(ACTIONS)
    mixed = fit_decoding(videos[:2], actions=ACTIONS)
    assert mixed.params[GROOM] == defaults[GROOM]
    assert not mixed.report[0].fitted
    assert mixed.report[0].f1_after == mixed.report[0].f1_before
    assert "videos left out" in mixed.report[0].reason


def halves(one: Video) -> list[Video]:
    """Two clips of a video."""
    scores, truth = one
    middle = truth.num_frames // 2
    return [
        (ActionScores(scores.scores_TK[a:b], ACTIONS.classes, 25), truth.crop(Interval(a, b)))
        for a, b in ((0, middle), (middle, truth.num_frames))
    ]


@given(st.lists(st.sampled_from("abcdefgh"), max_size=30))
def test_parts_left_out_are_whole_groups_and_cover_all_once(groups: list[str]) -> None:
    parts = _parts(groups)
    assert sorted(i for part in parts for i in part) == list(range(len(groups)))
    assert len(parts) == min(5, len(set(groups)))
    held = [{groups[i] for i in part} for part in parts]
    assert all(held), "no part is empty"
    assert sum(map(len, held)) == len(set(groups)), "no group is in two parts"
    apart = [f"{number}" for number in range(len(groups))]
    assert _parts(apart) == [list(range(p, len(groups), 5)) for p in range(min(5, len(groups)))]


def test_clips_of_one_video_do_not_confirm_each_other() -> None:
    # Each video runs low in another way, so what helps one spoils the other (see the test above):
    # left out clip by clip, its sibling gives the answer away.
    low = video(0, groom_level=0.45)
    scores, truth = video(1, groom_level=0.75)
    hum_TK = scores.scores_TK.copy()
    hum_TK[:, 1] = np.where(truth.mask(GROOM), 0.75, 0.0)
    for bout in truth.of(TWITCH):
        hum_TK[bout.interval.start - 10 : bout.interval.stop + 25, 1] = 0.62
    videos = [*halves(low), *halves((ActionScores(hum_TK, ACTIONS.classes, 25), truth))]
    grouped = fit_decoding(videos, actions=ACTIONS, groups=["a", "a", "b", "b"]).report[0]
    single = fit_decoding(videos, actions=ACTIONS).report[0]
    assert not grouped.fitted
    assert grouped.f1_held_out is not None
    assert single.f1_held_out is not None
    assert grouped.f1_held_out < single.f1_held_out


def test_clips_of_a_single_video_are_said_to_be_unconfirmed() -> None:
    clips = halves(video(0, groom_level=0.45))
    fit = fit_decoding(clips, actions=ACTIONS, groups=["a", "a"]).report[0]
    assert fit.fitted
    assert fit.f1_held_out is None
    assert "of one video, which nothing else confirms" in fit.reason


def test_groups_of_other_length_are_refused() -> None:
    with pytest.raises(ValueError, match="got 1 groups for 2 videos"):
        fit_decoding([video(0), video(1)], actions=ACTIONS, groups=["a"])


def test_fixed_parameters_keep_their_defaults() -> None:
    videos = [video(seed, groom_level=0.45, hum=0.4) for seed in range(3)]
    own = DecodingParams.defaults(ACTIONS).with_overrides(
        {"Groom.noise_sigmas": 3.0, "Twitch.noise_sigmas": 3.0}
    )
    fixed = {"noise_sigmas", "smooth_seconds"}
    fitted = fit_decoding(videos, actions=ACTIONS, defaults=own, fixed=fixed)
    assert all(fit.fitted for fit in fitted.report)
    assert {fitted.params[name].noise_sigmas for name in ACTIONS.names} == {3.0}
    groom = fitted.params[GROOM]
    assert isinstance(groom, StateDecoding)
    assert groom.smooth_seconds == StateDecoding().smooth_seconds


def test_checkpoints_are_judged_by_what_the_fit_did_not_see() -> None:
    fitted = ActionFit("a", True, "", 20, f1_before=0.2, f1_after=0.9, f1_held_out=0.6)
    kept = ActionFit("b", False, "", 20, f1_before=0.8, f1_after=0.8, f1_held_out=0.7)
    unconfirmed = ActionFit("c", True, "", 20, f1_before=0.2, f1_after=0.5)
    unknown = ActionFit("d", False, "", 0, f1_before=None, f1_after=None)
    assert [fit.honest_f1 for fit in (fitted, kept, unconfirmed, unknown)] == [0.6, 0.8, 0.5, None]
    result = FittedDecoding(DecodingParams({}), (fitted, kept, unconfirmed, unknown))
    assert result.macro_bout_f1 == pytest.approx((0.6 + 0.8 + 0.5) / 3)
    assert FittedDecoding(DecodingParams({}), (unknown,)).macro_bout_f1 is None
