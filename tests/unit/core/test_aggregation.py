from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from whole_video import aggregate

from mouse_ar.core.aggregation import ScoreAccumulator, center_weights
from mouse_ar.core.types import ClipSpec, Interval, Window
from mouse_ar.core.windows import class_targets, plan_windows

CLASSES = ("idle", "act")


def window(start: int, length: int = 8) -> Window:
    return Window(interval=Interval(start, start + length), indices=(0,))


def perfect_scores(mask_T: np.ndarray, *, spec: ClipSpec, stride: int) -> np.ndarray:
    windows = plan_windows(len(mask_T), spec=spec, stride_frames=stride)
    targets_NK = np.stack([class_targets(w, mask_T[:, None]) for w in windows])
    scores = aggregate(windows, targets_NK, num_frames=len(mask_T), classes=CLASSES)
    return scores.of("act")


@pytest.mark.parametrize("frames", [1, 2, 3, 8, 15, 16, 32])
def test_weights_are_symmetric_positive_and_peak_at_the_centre(frames: int) -> None:
    weights = center_weights(frames)
    assert weights.shape == (frames,)
    assert (weights > 0).all()
    np.testing.assert_allclose(weights, weights[::-1])
    assert weights.argmax() in {(frames - 1) // 2, frames // 2}


def test_weights_lie_in_the_central_half() -> None:
    weights = center_weights(32)
    assert weights[8:24].sum() / weights.sum() > 0.99


def test_one_window_gives_its_score_to_each_of_its_frames() -> None:
    scores = aggregate([window(-2)], np.array([[0.3, 0.7]]), num_frames=6, classes=CLASSES)
    np.testing.assert_allclose(scores.of("act"), 0.7, rtol=1e-6)
    assert scores.scores_TK.dtype == np.float32


def test_matches_a_plain_loop_over_windows_and_frames() -> None:
    rng = np.random.default_rng(0)
    frames, length = 50, 8
    windows = [window(int(s), length) for s in rng.integers(-7, frames, 60)]
    windows += [window(s, length) for s in range(0, frames, length)]
    given_NK = rng.random((len(windows), 2))
    sums, weights = np.zeros((frames, 2)), np.zeros(frames)
    for one, score in zip(windows, given_NK, strict=True):
        for offset, weight in enumerate(center_weights(length)):
            frame = one.interval.start + offset
            if 0 <= frame < frames:
                sums[frame] += weight * score
                weights[frame] += weight
    got = aggregate(windows, given_NK, num_frames=frames, classes=CLASSES)
    np.testing.assert_allclose(got.scores_TK, sums / weights[:, None], rtol=1e-5)


def test_quarter_window_stride_is_linear_interpolation_between_centres() -> None:
    windows = [window(s, 32) for s in range(-16, 64, 8)]
    score_N = np.random.default_rng(1).random(len(windows))
    got = aggregate(
        windows, np.stack([1 - score_N, score_N], 1), num_frames=64, classes=CLASSES
    ).of("act")
    centers = [w.interval.center for w in windows]
    expected = np.interp(np.arange(64) + 0.5, centers, score_N)
    np.testing.assert_allclose(got, expected, atol=2e-3)


@given(
    edge=st.integers(60, 140),
    divisor=st.sampled_from([4, 8, 16]),
    rate=st.sampled_from([1, 2]),
    rising=st.booleans(),
)
def test_a_step_crosses_half_where_it_is(edge: int, divisor: int, rate: int, rising: bool) -> None:
    spec = ClipSpec(sampling_rate=rate)
    mask_T = (np.arange(200) >= edge) == rising
    score_T = perfect_scores(mask_T, spec=spec, stride=max(1, spec.window_frames // divisor))
    crossing = int(np.argmax((score_T >= 0.5) == rising))
    assert abs(crossing - edge) <= 1


@given(
    frames=st.integers(1, 150),
    stride=st.integers(1, 16),
    start=st.integers(0, 140),
    length=st.integers(1, 60),
)
@settings(max_examples=60)
def test_every_frame_gets_a_score_within_the_windows_range(
    frames: int, stride: int, start: int, length: int
) -> None:
    mask_T = np.zeros(frames, dtype=bool)
    mask_T[start : start + length] = True
    score_T = perfect_scores(mask_T, spec=ClipSpec(), stride=stride)
    assert score_T.shape == (frames,)
    assert score_T.min() >= 0
    assert score_T.max() <= 1


def test_streaming_in_any_order_gives_the_same() -> None:
    windows = plan_windows(500, spec=ClipSpec(), stride_frames=8)
    scores_NK = np.random.default_rng(2).dirichlet(np.ones(2), len(windows)).astype(np.float32)
    at_once = aggregate(windows, scores_NK, num_frames=500, classes=CLASSES)
    accumulator = ScoreAccumulator(500, classes=CLASSES, fps=25)
    accumulator.add([], np.zeros((0, 2), dtype=np.float32))
    order = np.random.default_rng(3).permutation(len(windows))
    for part in np.array_split(order, 7):
        accumulator.add([windows[i] for i in part], scores_NK[part])
    np.testing.assert_allclose(accumulator.result().scores_TK, at_once.scores_TK, rtol=1e-6)
    np.testing.assert_allclose(at_once.scores_TK.sum(axis=1), 1, rtol=1e-5)


def test_a_hundred_thousand_windows_take_seconds() -> None:
    windows = [window(s, 32) for s in range(-16, 800_000, 8)]
    scores_NK = np.zeros((len(windows), 3), dtype=np.float32)
    begin = time.perf_counter()
    aggregate(windows, scores_NK, num_frames=800_000, classes=("a", "b", "c"))
    assert time.perf_counter() - begin < 10


def test_uncovered_frames_are_an_error() -> None:
    with pytest.raises(ValueError, match=r"4 of 12 frames .* the first is frame 8"):
        aggregate([window(0)], np.ones((1, 2)), num_frames=12, classes=CLASSES)
    with pytest.raises(ValueError, match="12 of 12 frames"):
        ScoreAccumulator(12, classes=CLASSES, fps=25).result()


@pytest.mark.parametrize(
    ("windows", "scores", "match"),
    [
        ([window(0)], np.ones((1, 3)), r"shape \(1, 2\)"),
        ([window(0)], np.full((1, 2), np.nan), "NaN"),
        ([window(0), window(0, 9)], np.ones((2, 2)), "one length"),
        ([window(12)], np.ones((1, 2)), "no frame of the video"),
        ([window(-8)], np.ones((1, 2)), "no frame of the video"),
    ],
)
def test_bad_input_is_refused(windows: list[Window], scores: np.ndarray, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        ScoreAccumulator(12, classes=CLASSES, fps=25).add(windows, scores)
