"""Scores as probabilities."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve

from mouse_ar.core.calibration import reliability


@given(st.integers(1, 300), st.integers(0, 2**16))
def test_bins_are_those_of_scikit_learn(frames: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    score_T = rng.random(frames)
    truth_T = rng.random(frames) < score_T**2
    found = reliability(score_T, truth_T, bins=10)
    share_true, mean_score = calibration_curve(truth_T, score_T, n_bins=10)
    np.testing.assert_allclose(found.share_true, share_true)
    np.testing.assert_allclose(found.mean_score, mean_score)
    assert found.frames.sum() == frames


def test_the_error_is_zero_for_probabilities_and_large_for_boasts() -> None:
    truth_T = np.arange(1000) % 5 == 0
    honest = reliability(np.full(1000, 0.2), truth_T)
    boast = reliability(np.full(1000, 1.0), truth_T)
    assert honest.expected_error == pytest.approx(0)
    assert boast.expected_error == pytest.approx(0.8)
    assert boast.mean_score.tolist() == [1.0]  # the last bin holds its edge


def test_without_frames_nothing_is_defined() -> None:
    assert reliability(np.zeros(0), np.zeros(0, dtype=bool)).expected_error is None
    with pytest.raises(ValueError, match="as many scores as labels"):
        reliability(np.zeros(3), np.zeros(2, dtype=bool))
