"""The human ceiling: a second annotator beside the model."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import tiny
from colour_model import predictor
from mouse_ar.core.metrics import VideoPair, evaluate
from mouse_ar.core.types import ActionScores, Ethogram, Interval, Track
from mouse_ar.data.second_labels import SecondLabels
from mouse_ar.data.training_data import VideoRecord
from mouse_ar.pipelines.evaluate import EvaluatedVideos, beside_human, evaluate_videos
from mouse_ar.pipelines.human import against_human, operating_thresholds
from mouse_ar.report.tables import evaluated_tables
from tiny import ACTIONS, FPS, GROOMING, NUM_FRAMES, SIDE, TWITCH

Labels = list[tuple[str, int, int]]
TRUE: Labels = [(GROOMING, 10, 40), (TWITCH, 60, 63)]


def ethogram(labels: Labels) -> Ethogram:
    return Ethogram(NUM_FRAMES, FPS, tiny.bouts(labels))


def record(key: str, labels: Labels = TRUE, ignored: tuple[Interval, ...] = ()) -> VideoRecord:
    return VideoRecord(
        key=key,
        dataset="test",
        path=Path("no such file"),
        source=key,
        width=SIDE,
        height=SIDE,
        ethogram=ethogram(labels),
        track=Track.from_boxes(NUM_FRAMES, {}),
        ignored=ignored,
    )


def second(videos: dict[str, Labels], **more: object) -> SecondLabels:
    options: dict[str, object] = {"ignored": {}, "missing": (), "notes": ()} | more
    return SecondLabels({key: ethogram(found) for key, found in videos.items()}, **options)  # type: ignore[arg-type]


def result(records: list[VideoRecord], predicted: dict[str, Labels]) -> EvaluatedVideos:
    pairs = {
        r.key: VideoPair(ethogram(predicted[r.key]), r.ethogram, r.ignored)
        for r in records
        if r.key in predicted
    }
    flat = ActionScores(np.full((NUM_FRAMES, 3), 1 / 3, np.float32), ACTIONS.classes, FPS)
    return EvaluatedVideos(
        evaluation=evaluate(pairs, actions=ACTIONS),
        predicted={key: pair.predicted for key, pair in pairs.items()},
        scores=dict.fromkeys(pairs, flat),
        timestamps_seconds={},
    )


def test_both_are_judged_on_the_videos_they_share() -> None:
    records = [record("a"), record("b"), record("c")]
    model = result(records, {"a": TRUE, "b": TRUE})  # c could not be read
    human = second({"a": TRUE[:1], "c": TRUE}, missing=("b",), notes=("a note",))
    found = beside_human(model, human, records, source="x.csv", actions=ACTIONS).against
    assert found is not None
    assert found.model is not None
    assert list(found.predicted) == ["a"]
    assert found.missing == ("b",)
    for judged, f1 in ((found.human, 0.0), (found.model, 1.0)):
        assert list(judged.evaluation.per_video) == list(judged.details.per_video) == ["a"]
        assert judged.evaluation.pooled[GROOMING].bouts.f1 == 1.0
        assert judged.evaluation.pooled[TWITCH].bouts.f1 == f1
    assert found.model.details.actions[GROOMING].curves is not None
    assert found.human.details.actions[GROOMING].curves is None
    assert model.evaluation.per_video.keys() == {"a", "b"}  # the model's own result stays whole


def test_frames_that_either_is_unsure_of_are_left_out_for_both() -> None:
    records = [record("a", ignored=(Interval(0, 5),))]
    model = result(records, {"a": [*TRUE, (TWITCH, 70, 73)]})
    human = second({"a": TRUE}, ignored={"a": (Interval(65, 80),)})
    found = beside_human(model, human, records, source="x", actions=ACTIONS).against
    assert found is not None
    assert found.model is not None
    assert model.evaluation.pooled[TWITCH].bouts.fp == 1
    assert found.model.evaluation.pooled[TWITCH].bouts.fp == 0
    for judged in (found.human, found.model):
        assert judged.evaluation.pooled[TWITCH].scored_seconds == pytest.approx(60 / FPS)


def test_without_a_model_the_second_annotator_is_the_result() -> None:
    records = [record("a"), record("b")]
    human = second({"a": TRUE, "b": TRUE[:1]})
    found = beside_human(None, human, records, source="x", actions=ACTIONS)
    assert found.against is not None
    assert found.against.model is None
    assert found.evaluation is found.against.human.evaluation
    assert found.predicted["b"].bouts == tiny.bouts(TRUE[:1])
    assert found.evaluation.pooled[TWITCH].bouts.recall == 0.5
    written = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert written["against"]["model"] is None
    assert written["against"]["human"]["pooled"] == written["pooled"]


def test_nothing_in_common_is_told() -> None:
    records = [record("a"), record("b")]
    with pytest.raises(ValueError, match="could score none of the 1 videos"):
        against_human(
            second({"a": TRUE}), records, source="x", actions=ACTIONS, predicted={"b": ethogram([])}
        )


def test_tables_show_model_and_annotator_side_by_side() -> None:
    records = [record("a"), record("b")]
    model = result(records, {"a": TRUE, "b": [(GROOMING, 50, 60)]})
    human = second({"a": TRUE, "b": TRUE}, notes=("read as frames",), missing=("c",))
    text = evaluated_tables(beside_human(model, human, records, source="x.csv", actions=ACTIONS))
    for action in ACTIONS.names:
        head = next(line for line in text.splitlines() if line.startswith(f"| {action}  "))
        cells = [cell.strip() for cell in head.strip("|").split("|")]
        assert cells == [action, "model", "second annotator"]
    row = next(line for line in text.splitlines() if line.startswith("| bout F1  "))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[1] == "0.500 [0.000, 1.000]"
    assert cells[2] == "1.000 [1.000, 1.000]"
    assert "on 2 videos, as a prediction" in text
    assert "second annotator 1.000 [1.000, 1.000]" in text
    assert "Not labelled by the second annotator: c." in text
    assert "Note: read as frames" in text
    assert "average precision" not in text  # a person has no score to rank


def test_the_evaluation_of_a_model_has_its_details(tmp_path: Path) -> None:
    paths = {name: tiny.write_video(tmp_path / name, TRUE) for name in ("a.mp4", "b.mp4")}
    records = [replace(record(f"test/{name}"), path=path) for name, path in paths.items()]
    model = predictor()
    found = evaluate_videos(records, predictor=model)
    assert found.details is not None
    assert set(found.details.per_video) == {"test/a.mp4", "test/b.mp4"}
    groom = found.details.actions[GROOMING]
    assert groom.curves is not None
    assert groom.curves.operating is not None
    assert groom.curves.operating.threshold == operating_thresholds(model.decoding)[GROOMING]
    json.dumps(found.to_dict(), allow_nan=False)
    text = evaluated_tables(found)
    assert "| Cohen's kappa of the frames" in text
    assert "nan" not in text.lower()
    assert evaluate_videos(records[:1], predictor=model, details=False).details is None
