from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from mouse_ar.core.actions import Action, ActionKind, ActionSet
from mouse_ar.core.calibration import fit_calibration, fit_platt, reliability
from mouse_ar.core.platt import Calibration, Platt
from mouse_ar.core.types import ActionScores, Bout, Ethogram, Interval

ACTIONS = ActionSet((Action("Groom", "Groom", ActionKind.STATE),))


def drawn(*, slope: float, intercept: float, frames: int = 40_000) -> tuple[np.ndarray, np.ndarray]:
    """Scores, and truth that follows them by a known map."""
    rng = np.random.default_rng(0)
    logit = rng.normal(0, 2, frames)
    truth = rng.random(frames) < 1 / (1 + np.exp(-(slope * logit + intercept)))
    return 1 / (1 + np.exp(-logit)), truth


def test_a_known_map_is_found_and_mends_the_reliability() -> None:
    score, truth = drawn(slope=1.5, intercept=-2.0)
    found = fit_platt(score, truth)
    assert found is not None
    assert found.slope == pytest.approx(1.5, abs=0.06)
    assert found.intercept == pytest.approx(-2.0, abs=0.06)
    before, after = (reliability(s, truth).expected_error for s in (score, found(score)))
    assert before is not None
    assert after is not None
    assert before > 0.15
    assert after < 0.01


def test_it_is_the_logistic_regression_of_scikit_learn() -> None:
    score, truth = drawn(slope=0.7, intercept=0.4, frames=5000)
    found = fit_platt(score, truth)
    assert found is not None
    logit = np.log(score / (1 - score))[:, None]
    theirs = LogisticRegression(C=1e9, tol=1e-8).fit(logit, truth)
    assert found.slope == pytest.approx(float(theirs.coef_[0, 0]), rel=0.01)
    assert found.intercept == pytest.approx(float(theirs.intercept_[0]), rel=0.02)


def test_frames_of_clips_are_corrected_to_the_prior_of_whole_videos() -> None:
    score, truth = drawn(slope=1.0, intercept=-3.0, frames=200_000)
    rng = np.random.default_rng(1)
    kept = truth | (rng.random(len(truth)) < 0.1)  # clips leave out most of the idle frames
    clips = fit_platt(score[kept], truth[kept])
    corrected = fit_platt(score[kept], truth[kept], prior=float(truth.mean()))
    assert clips is not None
    assert corrected is not None
    assert clips.intercept > -1.5
    assert corrected.intercept == pytest.approx(-3.0, abs=0.1)
    error = reliability(corrected(score), truth).expected_error
    assert error is not None
    assert error < 0.01


@settings(deadline=None)
@given(st.floats(0.05, 20), st.floats(-10, 10), st.lists(st.floats(0, 1), min_size=2, max_size=20))
def test_the_order_of_scores_stays_and_results_are_probabilities(
    slope: float, intercept: float, scores: list[float]
) -> None:
    ordered = np.sort(np.array(scores))
    probability = Platt(slope, intercept)(ordered)
    assert (np.diff(probability) >= 0).all()
    assert ((probability >= 0) & (probability <= 1)).all()


def test_nothing_to_fit_gives_none() -> None:
    score = np.linspace(0, 1, 50)
    assert fit_platt(score, np.zeros(50, dtype=bool)) is None
    assert fit_platt(score, np.ones(50, dtype=bool)) is None
    assert fit_platt(score, score < 0.5) is None  # the wrong way round
    with pytest.raises(ValueError, match="expected as many"):
        fit_platt(score, np.zeros(3, dtype=bool))
    with pytest.raises(ValueError, match="prior must lie between 0 and 1"):
        fit_platt(score, score > 0.5, prior=1.0)


def video(bouts: int) -> tuple[ActionScores, Ethogram]:
    frames = 100 * bouts + 100
    truth = Ethogram(
        frames, 25, tuple(Bout(Interval(100 * i, 100 * i + 40), "Groom") for i in range(bouts))
    )
    groom = np.where(truth.mask("Groom"), 0.8, 0.3) + np.random.default_rng(0).normal(
        0, 0.1, frames
    )
    groom = np.clip(groom, 0, 1).astype(np.float32)
    return ActionScores(np.stack([1 - groom, groom], axis=1), ACTIONS.classes, 25), truth


def test_few_bouts_keep_the_scores_and_say_so() -> None:
    few = fit_calibration([video(5)], actions=ACTIONS).of("Groom")
    assert few.is_identity
    assert "only 5 true bouts" in few.reason
    enough = fit_calibration([video(5), video(6)], actions=ACTIONS).of("Groom")
    assert not enough.is_identity
    assert "11 true bouts" in enough.reason
    # ignored frames and their bouts do not count
    part = fit_calibration(
        [video(5), video(6)], actions=ACTIONS, ignored=[[Interval(0, 600)], []]
    ).of("Groom")
    assert "only 6 true bouts" in part.reason


def test_it_travels_as_json_and_an_unknown_action_keeps_its_scores() -> None:
    found = fit_calibration([video(12)], actions=ACTIONS)
    assert Calibration.from_dict(json.loads(json.dumps(found.to_dict()))) == found
    scores, _ = video(3)
    mapped = found.probabilities(scores)
    assert (mapped.of("Groom") == found.of("Groom")(scores.of("Groom")).astype(np.float32)).all()
    assert (mapped.scores_TK[:, 0] == scores.scores_TK[:, 0]).all()
    score = np.array([0.0, 0.3, 1.0])
    assert (found.of("Rearing")(score) == score).all()
    for wrong in ({"Groom": {"slope": 1}}, {"Groom": 3}, {"Groom": {"slope": -1, "intercept": 0}}):
        with pytest.raises(ValueError, match="slope"):
            Calibration.from_dict(wrong)  # type: ignore[arg-type]
