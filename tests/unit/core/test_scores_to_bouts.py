"""The chain from window scores to bouts, with the one set of default parameters."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from whole_video import aggregate

from mouse_ar.core.actions import Action, ActionKind, ActionSet
from mouse_ar.core.decoding import DecodingParams, decode
from mouse_ar.core.metrics import Evaluation, VideoPair, evaluate
from mouse_ar.core.types import ActionScores, Bout, ClipSpec, Ethogram, Interval
from mouse_ar.core.windows import action_masks, class_targets, plan_windows

GROOM, TWITCH = "Groom", "Twitch"
ACTIONS = ActionSet(
    (Action(GROOM, GROOM, ActionKind.STATE), Action(TWITCH, TWITCH, ActionKind.POINT))
)
PARAMS = DecodingParams.defaults(ACTIONS)


def perfect(truth: Ethogram, *, spec: ClipSpec, stride: int) -> ActionScores:
    windows = plan_windows(truth.num_frames, spec=spec, stride_frames=stride)
    masks_TK = action_masks(truth, actions=ACTIONS)
    targets = np.stack([class_targets(w, masks_TK) for w in windows])
    return aggregate(
        windows, targets, num_frames=truth.num_frames, classes=ACTIONS.classes, fps=truth.fps
    )


def score(truths: list[Ethogram], *, spec: ClipSpec, stride: int) -> Evaluation:
    videos = {
        str(i): VideoPair(
            decode(perfect(truth, spec=spec, stride=stride), actions=ACTIONS, params=PARAMS),
            truth,
        )
        for i, truth in enumerate(truths)
    }
    return evaluate(videos, actions=ACTIONS)


def draw(rng: np.random.Generator, action: str, *, spec: ClipSpec, fps: float) -> Ethogram:
    """A video with an event at its very start, one at its very end and random ones between.

    A third of the events are touched by one of the other action.
    """

    def length(action: str) -> int:
        if action == TWITCH:
            return int(rng.integers(3, 11))
        seconds = rng.uniform(1, 2) if rng.random() < 0.5 else rng.uniform(2, 20)
        return int(np.ceil(fps * seconds))

    # windows cannot tell events apart that lie closer than half a window
    least = max(spec.window_frames // 2 + 4, int(1.5 * fps))
    other = TWITCH if action == GROOM else GROOM
    bouts: list[Bout] = []
    end = 0
    for number in range(21 if action == TWITCH else 9):
        kinds = [action] if rng.random() < 2 / 3 else [action, other]
        for kind in kinds if number % 2 else kinds[::-1]:
            bouts.append(Bout(Interval(end, end + length(kind)), kind))
            end = bouts[-1].interval.stop
        frames, end = end, end + least + int(rng.exponential(fps))
    return Ethogram(frames, fps, tuple(bouts))


@settings(max_examples=40)
@given(
    action=st.sampled_from([GROOM, TWITCH]),
    sampling_rate=st.sampled_from([1, 2]),
    fps=st.one_of(st.sampled_from([25.0, 29.97, 60.0, 120.0]), st.floats(25, 120)),
    part=st.floats(0, 1),
    seed=st.integers(0, 2**32 - 1),
)
def test_a_perfect_classifier_gives_perfect_bouts(
    action: str, sampling_rate: int, fps: float, part: float, seed: int
) -> None:
    spec = ClipSpec(sampling_rate=sampling_rate)
    stride = 1 + int(part * (spec.window_frames // 4 - 1))  # up to a quarter of the window
    rng = np.random.default_rng(seed)
    truths = [draw(rng, action, spec=spec, fps=fps) for _ in range(3)]
    result = score(truths, spec=spec, stride=stride)
    for name in (GROOM, TWITCH):
        bouts = result.pooled[name].bouts
        assert bouts.precision is not None
        assert bouts.recall is not None
        assert bouts.f1 is not None
        if name == GROOM:
            assert bouts.f1 >= 0.98
        else:
            assert min(bouts.precision, bouts.recall) >= 0.98


def test_a_stride_of_half_a_window_costs_what_the_benchmarks_say(
    record_property: Callable[[str, object], None],
) -> None:
    """At a quarter nothing is lost; at half a window the loss is the one that is documented."""
    rng = np.random.default_rng(0)
    lost = {}
    for sampling_rate in (1, 2):
        spec = ClipSpec(sampling_rate=sampling_rate)
        truths = [draw(rng, TWITCH, spec=spec, fps=25) for _ in range(10)]
        for divisor in (4, 2):
            stride = spec.window_frames // divisor
            bouts = score(truths, spec=spec, stride=stride).pooled[TWITCH].bouts
            assert bouts.recall is not None
            lost[sampling_rate, divisor] = 1 - bouts.recall
    record_property("twitches lost by sampling rate and part of the window", lost)
    assert max(lost[1, 4], lost[2, 4], lost[1, 2]) <= 0.02
    assert 0.04 <= lost[2, 2] <= 0.15


@pytest.mark.parametrize("sampling_rate", [1, 2])
def test_durations_of_a_perfect_classifier_are_unbiased(sampling_rate: int) -> None:
    spec = ClipSpec(sampling_rate=sampling_rate)
    rng = np.random.default_rng(5)
    for action in (GROOM, TWITCH):
        truths = [draw(rng, action, spec=spec, fps=25) for _ in range(3)]
        result = score(truths, spec=spec, stride=spec.window_frames // 8).pooled[action]
        assert result.predicted_seconds == pytest.approx(result.true_seconds, rel=0.03)


@pytest.mark.parametrize("gap", [0, 1, 5])
def test_a_twitch_that_touches_grooming_leaves_both(gap: int) -> None:
    truth = Ethogram(
        400,
        25,
        (
            Bout(Interval(100, 200), GROOM),
            Bout(Interval(200 + gap, 206 + gap), TWITCH),
            Bout(Interval(300, 303), TWITCH),
        ),
    )
    result = score([truth], spec=ClipSpec(), stride=4)
    assert result.macro_bout_f1 == 1.0


@pytest.mark.parametrize(("action", "length"), [(TWITCH, 4), (TWITCH, 8), (GROOM, 50)])
def test_events_of_one_action_that_touch_are_one(action: str, length: int) -> None:
    """Two in a row have the very targets of a longer one: no scores could tell them apart."""
    spec = ClipSpec()
    halves = [Interval(100, 100 + length), Interval(100 + length, 100 + 2 * length)]
    two = Ethogram(400, 25, tuple(Bout(half, action) for half in halves))
    one = Ethogram(400, 25, (Bout(Interval(100, 100 + 2 * length), action),))
    scores = perfect(two, spec=spec, stride=4)
    np.testing.assert_array_equal(scores.scores_TK, perfect(one, spec=spec, stride=4).scores_TK)
    (found,) = decode(scores, actions=ACTIONS, params=PARAMS).of(action)
    assert found.interval.iou(one.bouts[0].interval) > 0.8


def test_short_bouts_that_fill_a_good_part_of_a_video_are_no_noise() -> None:
    period, length = 65, 25
    bouts = [Bout(Interval(at, at + length), GROOM) for at in range(40, 900, period)]
    truth = Ethogram(bouts[-1].interval.stop + 40, 25, tuple(bouts))
    for stride in range(1, 9):
        assert score([truth], spec=ClipSpec(), stride=stride).pooled[GROOM].bouts.f1 == 1.0


@pytest.mark.parametrize("frames", [1, 2, 5, 20, 40, 60])
def test_short_videos_keep_their_twitch(frames: int) -> None:
    middle = frames // 2
    stop = min(frames, middle + 3)
    truth = Ethogram(frames, 25, (Bout(Interval(middle, stop), TWITCH),))
    result = score([truth], spec=ClipSpec(), stride=4)
    assert result.pooled[TWITCH].bouts.f1 == 1.0


NOISES: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    "dirichlet": lambda rng, n: rng.dirichlet(np.ones(3), n),
    "softmax": lambda rng, n: np.exp(z := rng.normal(size=(n, 3))) / np.exp(z).sum(1)[:, None],
    "uniform": lambda rng, n: rng.random((n, 3)),
}


@pytest.mark.parametrize("noise", list(NOISES))
@pytest.mark.parametrize(("sampling_rate", "fps"), [(1, 25), (2, 25), (1, 60), (2, 120)])
@pytest.mark.parametrize("divisor", [4, 8])
def test_white_noise_gives_less_than_one_event_in_ten_minutes(
    noise: str, sampling_rate: int, fps: int, divisor: int
) -> None:
    spec = ClipSpec(sampling_rate=sampling_rate)
    frames = 20 * 60 * fps // (1 if fps < 100 else 2)
    windows = plan_windows(frames, spec=spec, stride_frames=max(1, spec.window_frames // divisor))
    rng = np.random.default_rng([fps, sampling_rate, divisor])
    scores = aggregate(
        windows,
        NOISES[noise](rng, len(windows)),
        num_frames=frames,
        classes=ACTIONS.classes,
        fps=fps,
    )
    found = decode(scores, actions=ACTIONS, params=PARAMS)
    assert len(found.bouts) < frames / fps / 600


def test_white_noise_per_frame_gives_nothing() -> None:
    scores_TK = np.random.default_rng(0).dirichlet(np.ones(3), 15000).astype(np.float32)
    scores = ActionScores(scores_TK, ACTIONS.classes, 25)
    assert decode(scores, actions=ACTIONS, params=PARAMS).bouts == ()
