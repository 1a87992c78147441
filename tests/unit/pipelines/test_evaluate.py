"""Evaluation on full-length videos with the model that reads colours."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import tiny
from colour_model import predictor
from mouse_ar.core.metrics import VideoPair, evaluate
from mouse_ar.core.types import Box, Ethogram, Track
from mouse_ar.data.training_data import VideoRecord
from mouse_ar.pipelines.engine import Engine
from mouse_ar.pipelines.evaluate import evaluate_videos
from mouse_ar.pipelines.job import ScoringJob
from mouse_ar.pipelines.tracks import Tracker
from mouse_ar.report.tables import evaluation_table, markdown_table
from tiny import ACTIONS, GROOMING, TWITCH

LABELS = [(GROOMING, 10, 40), (TWITCH, 60, 63)]


def record(path: Path, labels: list[tuple[str, int, int]]) -> VideoRecord:
    return VideoRecord(
        key=f"test/{path.name}",
        dataset="test",
        path=path,
        source=path.name,
        width=tiny.SIDE,
        height=tiny.SIDE,
        ethogram=Ethogram(num_frames=tiny.NUM_FRAMES, fps=tiny.FPS, bouts=tiny.bouts(labels)),
        track=Track.from_boxes(tiny.NUM_FRAMES, {}),
    )


def test_videos_without_boxes_are_scored_as_inference_would(tmp_path: Path) -> None:
    bare = record(tiny.write_video(tmp_path / "a.mp4", LABELS), LABELS)
    detector = tiny.BoxDetector()
    for _ in range(2):
        tracker = Tracker(detector=detector, detect_every=4, folder=tmp_path / "tracks")
        result = evaluate_videos([bare], predictor=predictor(), tracker=tracker)
        assert [bout.action for bout in result.predicted[bare.key].bouts] == [GROOMING, TWITCH]
        looked, detector.frames = detector.frames, 0
    assert looked == 0  # the second time the track is known

    blind = Tracker(detector=tiny.BoxDetector(found=False), detect_every=4, folder=tmp_path / "no")
    result = evaluate_videos([bare], predictor=predictor(), tracker=blind)
    assert result.predicted[bare.key].bouts == ()

    boxes = {frame: Box(12, 8, 52, 56) for frame in range(tiny.NUM_FRAMES)}
    boxed = replace(bare, track=Track.from_boxes(tiny.NUM_FRAMES, boxes))
    result = evaluate_videos([boxed], predictor=predictor(), tracker=blind)
    assert result.predicted[bare.key].bouts  # stored boxes are not doubted


def test_model_that_sees_the_truth_finds_every_bout(tmp_path: Path) -> None:
    path = tiny.write_video(tmp_path / "a.mp4", LABELS)
    seen: list[str] = []
    result = evaluate_videos(
        [record(path, LABELS)],
        predictor=predictor(),
        progress=lambda what, done, total: seen.append(what),
    )
    assert result.evaluation.macro_bout_f1 == 1.0
    for action in ACTIONS.names:
        assert result.evaluation.pooled[action].bouts.f1 == 1.0
    assert result.evaluation.pooled[GROOMING].frames.f1 > 0.9
    assert set(result.scores) == set(result.predicted) == {"test/a.mp4"}
    assert seen[-1] == "classifying 1/1 test/a.mp4"


class Backwards:
    """Does the last video first."""

    def run(self, jobs: Iterable[ScoringJob], **options: Any) -> Iterator[Any]:
        model = predictor()
        engine = Engine(model.model, device=model.device, precision="fp32", batch_size=16)
        yield from reversed(list(engine.run(jobs)))


def test_the_order_in_which_videos_are_done_does_not_show(tmp_path: Path) -> None:
    records = [record(tiny.write_video(tmp_path / f"{n}.mp4", LABELS), LABELS) for n in "abc"]
    records[1].path.unlink()
    told: list[tuple[str, int, int]] = []
    here = evaluate_videos(records, predictor=predictor())
    away = evaluate_videos(
        records,
        predictor=predictor(),
        pool=Backwards(),  # type: ignore[arg-type]
        progress=lambda *what: told.append(what),
    )
    assert away.to_dict() == here.to_dict()
    for name in ("predicted", "scores", "timestamps_seconds"):
        assert (
            list(getattr(away, name)) == list(getattr(here, name)) == ["test/a.mp4", "test/c.mp4"]
        )
    assert told[-1] == ("evaluating videos", 3, 3)


def test_wrong_labels_cost_score(tmp_path: Path) -> None:
    path = tiny.write_video(tmp_path / "a.mp4", LABELS)
    moved = [(GROOMING, 45, 79), (TWITCH, 5, 8)]
    result = evaluate_videos([record(path, moved)], predictor=predictor())
    assert result.evaluation.macro_bout_f1 == 0.0


def test_no_videos_are_told() -> None:
    with pytest.raises(ValueError, match="No videos to evaluate on"):
        evaluate_videos([], predictor=predictor())


def test_perfect_predictions_give_one_everywhere_in_the_table(tmp_path: Path) -> None:
    truth = record(tmp_path / "a.mp4", LABELS).ethogram
    table = evaluation_table(evaluate({"a": VideoPair(truth, truth, ())}, actions=ACTIONS))
    lines = [line for line in table.splitlines() if line.startswith(("| a ", "| **all**"))]
    assert len(lines) == 4
    assert all(line.count("1.000") == 6 for line in lines)
    assert "mean over actions: 1.000" in table


def test_values_that_do_not_exist_are_dashes(tmp_path: Path) -> None:
    nothing = record(tmp_path / "a.mp4", []).ethogram
    table = evaluation_table(evaluate({"a": VideoPair(nothing, nothing, ())}, actions=ACTIONS))
    assert "nan" not in table.lower()
    assert "–" in table


def test_columns_are_aligned() -> None:
    lines = markdown_table(("a", "long name"), [["1", "2"], ["a much longer cell", ""]]).split("\n")
    assert len({len(line) for line in lines}) == 1
    assert set(lines[1]) == {"|", "-"}
