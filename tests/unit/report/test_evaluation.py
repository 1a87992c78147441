"""What an evaluation leaves on disk."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mouse_ar.core.decoding_params import DecodingParams
from mouse_ar.core.metrics import VideoPair, evaluate
from mouse_ar.core.types import ActionScores, Bout, Ethogram, Interval, Track
from mouse_ar.data.training_data import VideoRecord
from mouse_ar.pipelines.bout_decoding import Decoding
from mouse_ar.pipelines.evaluate import EvaluatedVideos
from mouse_ar.pipelines.results import load_scores, scores_path
from mouse_ar.report.evaluation import write_evaluation
from tiny import ACTIONS, GROOMING

KEY = "test/<mouse> & co.mp4"


@pytest.fixture
def result() -> tuple[EvaluatedVideos, list[VideoRecord]]:
    truth = Ethogram(100, 10.0, (Bout(Interval(10, 40), GROOMING),))
    predicted = Ethogram(100, 10.0, (Bout(Interval(12, 40), GROOMING, 0.9),))
    scores = ActionScores(np.full((100, 3), 1 / 3, np.float32), ACTIONS.classes, 10.0)
    record = VideoRecord(KEY, "test", Path("no.mp4"), KEY, 64, 64, truth, Track.from_boxes(100, {}))
    evaluated = EvaluatedVideos(
        evaluation=evaluate({KEY: VideoPair(predicted, truth)}, actions=ACTIONS),
        predicted={KEY: predicted},
        scores={KEY: scores},
        timestamps_seconds={KEY: np.arange(100) / 10.0},
        failures={"test/broken.mp4": "no video stream"},
    )
    return evaluated, [record]


def test_files(tmp_path: Path, result: tuple[EvaluatedVideos, list[VideoRecord]]) -> None:
    evaluated, records = result
    params = DecodingParams.defaults(ACTIONS)
    decoding = Decoding(ACTIONS, params, checkpoint_sha256="0" * 64)
    write_evaluation(tmp_path, evaluated, records=records, actions=ACTIONS, decoding=decoding)
    figures = json.loads((tmp_path / "evaluation.json").read_text())
    assert figures["pooled"][GROOMING]["bouts"]["f1"] == 1.0
    assert figures["failures"] == evaluated.failures
    assert "FAILED: test/broken.mp4" in (tmp_path / "evaluation.md").read_text()
    header = load_scores(scores_path(tmp_path, KEY))[2]
    assert (header["video"], header["checkpoint_sha256"]) == (KEY, "0" * 64)
    kept = Decoding.of_results(tmp_path)
    assert kept is not None
    assert kept.params == params
    assert (tmp_path / "ethogram.png").is_file()
