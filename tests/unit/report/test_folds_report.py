"""What is told of a cross-validation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mouse_ar.core.decoding_params import DecodingParams
from mouse_ar.core.fitting import ActionFit, FittedDecoding
from mouse_ar.core.matching import MatchRule
from mouse_ar.core.metrics import ActionResult, Counts, Evaluation
from mouse_ar.core.platt import Calibration, Platt
from mouse_ar.report.folds import folds_page, folds_text
from mouse_ar.training.fold_results import fold_metrics, folds_document
from mouse_ar.training.out_of_fold import OutOfFold
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


def result(number: int, one: Evaluation, **changes: Any) -> dict[str, Any]:
    return {
        "fold": number,
        "sources": [f"<mouse {number}>"],
        "clips": 4,
        "clips_trained_on": 12,
        "best_epoch": 2,
        "checkpoint_sha256": "",
        "metrics": fold_metrics(one, val_score=0.9),
        "pooled": one.to_dict()["pooled"],
        "failures": {},
    } | changes


@pytest.fixture
def document() -> dict[str, Any]:
    results = [result(1, FIRST), result(2, SECOND, failures={"idle/x.mp4": "it is cut off"})]
    fitted = OutOfFold(
        FittedDecoding(
            DecodingParams.defaults(ACTIONS),
            (
                ActionFit(GROOMING, True, "fitted to 20 true bouts in 3 videos", 20, 0.5, 0.9, 0.8),
                ActionFit(TWITCH, False, "defaults: only 2 true bouts", 2, 0.4, 0.4),
            ),
        ),
        calibration=Calibration({name: Platt(2.0, 0.0, "<calibrated>") for name in ACTIONS.names}),
        priors={},
        clips=8,
        sources=3,
    )
    return folds_document(
        results, folds=2, actions=ACTIONS, with_val=True, out_of_fold=fitted.to_dict()
    )


def test_text_has_the_spread_and_what_failed(document: dict[str, Any]) -> None:
    text = folds_text(document)
    assert "frame F1 0.625 ± 0.035" in text.splitlines()[0]
    rows = {line.split("|")[1].strip(): line for line in text.splitlines() if line[:1] == "|"}
    cells = [cell.strip() for cell in rows[f"{TWITCH}/bout F1"].split("|")[2:-1]]
    assert cells == ["0.500", "–", "0.500", "–", "0.500", "0.500"]
    assert "Note: Held out are all clips of whole source videos" in text
    assert "FAILED: fold 2: idle/x.mp4 could not be scored: it is cut off" in text
    assert "Note: The decoding is fitted once to the held-out clips of all folds" in text
    fit = next(line for line in text.splitlines() if "fitted to 20 true bouts" in line)
    cells = [cell.strip() for cell in fit.split("|")[1:6]]
    assert cells == [GROOMING, "20", "0.500", "0.900", "0.800"]
    assert "defaults: only 2 true bouts" in text


def test_page_stands_alone(document: dict[str, Any], tmp_path: Path) -> None:
    folds_page(tmp_path / "folds.html", document)
    page = (tmp_path / "folds.html").read_text()
    assert "Cross-validation in 2 folds" in page
    assert "&lt;mouse 2&gt;" in page
    assert "0.625 ± 0.035" in page
    assert "it is cut off" in page
    assert "fitted to 20 true bouts in 3 videos" in page
    assert "&lt;calibrated&gt;" in page


def test_nothing_finished_yet() -> None:
    empty = folds_document([], folds=2, actions=ACTIONS, with_val=False)
    text = folds_text(empty)
    assert text.startswith("None of the 2 folds is finished.")
    assert "There are no val videos" in text
    assert "out_of_fold.yaml" not in text
