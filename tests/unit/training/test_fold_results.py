"""Figures of a cross-validation: what counts where, spread, and pooled counts."""

from __future__ import annotations

import pytest

from mouse_ar.core.matching import MatchRule
from mouse_ar.core.metrics import ActionResult, Counts, Evaluation
from mouse_ar.training.fold_results import fold_metrics, pooled_metrics, spread
from tiny import ACTIONS, GROOMING, TWITCH


def evaluation(grooming: Counts, twitch: Counts) -> Evaluation:
    pooled = {
        GROOMING: ActionResult(frames=grooming, bouts=grooming, average_precision=0.5),
        TWITCH: ActionResult(frames=twitch, bouts=twitch),
    }
    return Evaluation(pooled=pooled, per_video={}, rule=MatchRule())


FIRST = evaluation(Counts(tp=8, fp=2, fn=2), Counts(tp=1, fp=1, fn=1))
# No twitch is there; one was seen where there is none.
SECOND = evaluation(Counts(tp=6, fp=4, fn=4), Counts(fp=1))


def test_action_that_a_fold_does_not_show_does_not_count_there() -> None:
    summary = spread([fold_metrics(FIRST, val_score=0.7), fold_metrics(SECOND, val_score=0.9)])
    assert fold_metrics(SECOND, val_score=0.9)[f"{TWITCH}/bout F1"] is None
    assert fold_metrics(SECOND, val_score=0.9)["macro/bout F1"] == pytest.approx(0.6)
    assert fold_metrics(FIRST, val_score=0.7)["macro/bout F1"] == pytest.approx((0.8 + 0.5) / 2)
    assert summary[f"{TWITCH}/bout F1"] == {
        "mean": 0.5,
        "std": None,
        "min": 0.5,
        "max": 0.5,
        "folds": 1,
    }
    grooming = summary[f"{GROOMING}/bout F1"]
    assert grooming["mean"] == pytest.approx(0.7)
    assert grooming["std"] == pytest.approx(0.2 / 2**0.5)


def test_pooled_counts_add_up_and_keep_false_ones() -> None:
    folds = [one.to_dict()["pooled"] for one in (FIRST, SECOND)]
    pooled = pooled_metrics(folds, actions=ACTIONS)
    assert pooled[GROOMING]["bouts"]["tp"] == 14
    assert pooled[TWITCH]["bouts"]["fp"] == 2
    assert pooled[TWITCH]["bouts"]["f1"] == pytest.approx(2 / 5)
