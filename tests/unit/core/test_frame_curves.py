"""Frame-level figures, compared with scikit-learn."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    cohen_kappa_score,
    confusion_matrix,
    precision_recall_curve,
    roc_auc_score,
    roc_curve,
)

from mouse_ar.core.actions import Action, ActionKind, ActionSet
from mouse_ar.core.frame_curves import (
    MOST_POINTS,
    class_labels,
    cohen_kappa,
    confusion,
    frame_curves,
)
from mouse_ar.core.types import Bout, Ethogram, Interval

GROOM, TWITCH, REAR = "Groom", "Twitch", "Rear"
ACTIONS = ActionSet(
    (
        Action(GROOM, GROOM, ActionKind.STATE),
        Action(REAR, REAR, ActionKind.STATE),
        Action(TWITCH, TWITCH, ActionKind.POINT),
    )
)
# few distinct scores, so that ties are common
scored = st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=2, max_size=60)


def arrays(frames: list[tuple[bool, int]]) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    truth, score = zip(*frames, strict=True)
    return np.array(truth), np.array(score, dtype=np.float32) / 7


@given(scored)
def test_curves_are_those_of_scikit_learn(frames: list[tuple[bool, int]]) -> None:
    truth_N, score_N = arrays(frames)
    curves = frame_curves(truth_N, score_N)
    assert curves is not None
    if not truth_N.any():
        assert curves.average_precision is None
        assert np.isnan(curves.recall).all()
        return
    precision, recall, thresholds = precision_recall_curve(truth_N, score_N)
    # theirs ascends and ends in a made-up point (recall 0, precision 1)
    np.testing.assert_allclose(curves.thresholds, thresholds[::-1])
    np.testing.assert_allclose(curves.precision, precision[:-1][::-1])
    np.testing.assert_allclose(curves.recall, recall[:-1][::-1])
    assert curves.average_precision == pytest.approx(average_precision_score(truth_N, score_N))
    if truth_N.all():
        assert curves.roc_auc is None
        assert curves.tpr_at_5_percent_fpr is None
        return
    fpr, tpr, _ = roc_curve(truth_N, score_N, drop_intermediate=False)
    np.testing.assert_allclose(np.append(0, curves.fpr), fpr)
    np.testing.assert_allclose(np.append(0, curves.recall), tpr)
    assert curves.roc_auc == pytest.approx(roc_auc_score(truth_N, score_N))
    steps = fpr == 0.05
    at_5 = tpr[steps].max() if steps.any() else np.interp(0.05, *_tops(fpr, tpr))
    assert curves.tpr_at_5_percent_fpr == pytest.approx(at_5)


def _tops(
    x: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The points on either side of 0.05: the last before it and the first behind it."""
    before, behind = np.flatnonzero(x < 0.05)[-1], np.flatnonzero(x > 0.05)[0]
    return x[[before, behind]], y[[before, behind]]


def test_true_positive_rate_at_five_percent() -> None:
    # 20 other frames: one of them above 10 of the 16 true ones is exactly 5 %
    truth_N = np.array([True] * 10 + [False] + [True] * 6 + [False] * 19)
    curves = frame_curves(truth_N, np.linspace(1, 0, len(truth_N)))
    assert curves is not None
    assert curves.tpr_at_5_percent_fpr == 1.0  # the top of the vertical piece
    tied_N = np.where(np.arange(len(truth_N)) < 10, 1.0, 0.5)  # one straight line from 10/16 to 1
    curves = frame_curves(truth_N, tied_N)
    assert curves is not None
    assert curves.tpr_at_5_percent_fpr == pytest.approx(10 / 16 + 0.05 * 6 / 16)


def test_operating_points() -> None:
    truth_N = np.array([True, True, False, False])
    score_N = np.array([0.9, 0.4, 0.5, 0.1], dtype=np.float32)
    decoded_N = np.array([True, True, False, False])
    curves = frame_curves(truth_N, score_N, decoded_N=decoded_N, threshold=0.5)
    assert curves is not None
    operating, decoded = curves.operating, curves.decoded
    assert operating is not None
    assert decoded is not None
    assert (operating.precision, operating.recall, operating.fpr) == (0.5, 0.5, 0.5)
    assert operating.threshold == 0.5
    at = curves.thresholds.tolist().index(0.5)
    assert (curves.precision[at], curves.recall[at], curves.fpr[at]) == (0.5, 0.5, 0.5)
    assert (decoded.precision, decoded.recall, decoded.fpr) == (1.0, 1.0, 0.0)
    assert decoded.threshold is None
    nobody = frame_curves(truth_N, score_N, threshold=1.5)
    assert nobody is not None
    assert nobody.operating is not None
    assert (nobody.operating.precision, nobody.operating.recall) == (None, 0.0)


def test_thinning_keeps_the_ends_and_the_figures() -> None:
    rng = np.random.default_rng(0)
    truth_N = rng.random(20_000) < 0.01
    score_N = rng.normal(0.3 + 0.4 * truth_N, 0.15)
    curves = frame_curves(truth_N, score_N)
    assert curves is not None
    assert 100 < len(curves.thresholds) <= MOST_POINTS
    assert curves.thresholds[0] == score_N.max()
    assert curves.thresholds[-1] == score_N.min()
    assert curves.recall[-1] == curves.fpr[-1] == 1.0
    assert curves.average_precision == pytest.approx(average_precision_score(truth_N, score_N))
    # no piece of either curve is lost: every point has a kept one beside it
    assert np.diff(curves.recall + curves.fpr).max() < 0.02
    precision, recall, _ = precision_recall_curve(truth_N, score_N)
    kept = np.stack([curves.precision, curves.recall])
    apart = np.abs(np.stack([precision, recall])[:, :-1, None] - kept[:, None]).max(axis=0)
    assert apart.min(axis=1).max() < 0.05
    text = json.dumps(curves.to_dict(), allow_nan=False)
    assert len(text) < 60_000
    assert "precision" not in curves.to_dict(points=False)


def test_curves_without_truth_are_json() -> None:
    curves = frame_curves(np.zeros(3, bool), np.array([0.1, 0.2, 0.2]))
    assert curves is not None
    found = json.loads(json.dumps(curves.to_dict(), allow_nan=False))
    assert found["recall"] == [None, None]
    assert found["fpr"] == [pytest.approx(2 / 3, abs=1e-6), 1.0]
    assert frame_curves(np.zeros(0, bool), np.zeros(0)) is None


def ethogram(*bouts: tuple[str, int, int], frames: int = 20) -> Ethogram:
    return Ethogram(frames, 10.0, tuple(Bout(Interval(a, b), name) for name, a, b in bouts))


def test_overlaps_go_to_the_point_event_then_to_the_first_action() -> None:
    labels = class_labels(ethogram((GROOM, 0, 10), (TWITCH, 2, 4), (REAR, 8, 14)), actions=ACTIONS)
    classes = [ACTIONS.classes[i] for i in labels]
    assert classes[:2] == [GROOM, GROOM]
    assert classes[2:4] == [TWITCH, TWITCH]
    assert classes[4:10] == [GROOM] * 6
    assert classes[10:14] == [REAR] * 4
    assert classes[14:] == ["idle"] * 6


spans = st.lists(
    st.tuples(st.sampled_from((GROOM, REAR, TWITCH)), st.integers(0, 15), st.integers(1, 5)),
    max_size=6,
).map(lambda found: ethogram(*((name, a, a + n) for name, a, n in found)))


@given(spans, spans, st.lists(st.booleans(), min_size=20, max_size=20))
def test_confusion_is_that_of_scikit_learn(
    predicted: Ethogram, truth: Ethogram, ignored: list[bool]
) -> None:
    ignored_T = np.array(ignored)
    found = confusion(predicted, truth, actions=ACTIONS, ignored_T=ignored_T)
    mine = class_labels(predicted, actions=ACTIONS)[~ignored_T]
    theirs = class_labels(truth, actions=ACTIONS)[~ignored_T]
    if not len(mine):
        assert found.frames_KK.sum() == 0
        assert found.kappa is found.accuracy is None
        return
    every = list(range(len(ACTIONS.classes)))
    np.testing.assert_array_equal(found.frames_KK, confusion_matrix(theirs, mine, labels=every))
    assert found.accuracy == pytest.approx(accuracy_score(theirs, mine))
    if len({*mine, *theirs}) == 1:  # chance alone agrees everywhere
        assert found.kappa is None
    else:
        assert found.kappa == pytest.approx(cohen_kappa_score(theirs, mine))
    both = found + found
    assert both.frames_KK.sum() == 2 * len(mine)


def test_kappa_of_a_known_table() -> None:
    # worked by hand: observed agreement 0.7, expected by chance 0.5
    assert cohen_kappa(np.array([[20, 5], [10, 15]])) == pytest.approx((0.7 - 0.5) / 0.5)
    assert cohen_kappa(np.array([[0, 50], [50, 0]])) == pytest.approx(-1)
    assert cohen_kappa(np.zeros((2, 2), dtype=np.int64)) is None
