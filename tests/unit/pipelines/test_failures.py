"""One video's failure, whatever library it comes from, is told of that video and ends no run."""

from __future__ import annotations

from pathlib import Path

import av
import cv2
import pytest

import tiny
from colour_model import predictor
from mouse_ar.core.splitting import Split
from mouse_ar.data.training_data import open_training_data
from mouse_ar.pipelines.config import PreprocessConfig
from mouse_ar.pipelines.evaluate import evaluate_videos
from mouse_ar.pipelines.infer import infer
from mouse_ar.pipelines.preprocess import preprocess
from mouse_ar.report.runs import evaluate_text
from mouse_ar.video.probe import VideoError, VideoMeta, probe
from tiny import ACTIONS, DATASET

ERRORS = [
    cv2.error("bad picture"),
    av.FFmpegError(1, "bad picture"),
    av.InvalidDataError(1, "bad picture"),
    OSError("bad picture"),
    VideoError("b.mp4", "bad picture"),
    ValueError("bad picture"),
]
each_error = pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
TWO = {name: tiny.SEVEN[name] for name in ("a.mp4", "b.mp4")}
CONFIG = PreprocessConfig(detect_every=10, test_videos=0)
ALL_TEST = {f"{DATASET}/{name}": Split.TEST for name in TWO}


class FailsOnB(tiny.BoxDetector):
    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def prepare(self, path: Path, *, meta: VideoMeta | None = None) -> None:
        if path.name == "b.mp4":
            raise self.error


@pytest.fixture(autouse=True)
def _nothing_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tracks of the same videos that other tests have left would spare the detector."""
    monkeypatch.setenv("MOUSE_AR_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write_project(tmp_path_factory.mktemp("failures") / "input", TWO).path


def make_test_data(source: Path, target: Path) -> None:
    preprocess(
        source,
        target,
        actions=ACTIONS,
        config=CONFIG,
        detector=tiny.BoxDetector(),
        splits=ALL_TEST,
    )


@each_error
def test_preprocess_goes_on(source: Path, tmp_path: Path, error: Exception) -> None:
    report = preprocess(
        source,
        tmp_path / "data",
        actions=ACTIONS,
        config=CONFIG,
        detector=FailsOnB(error),
        splits=ALL_TEST,
    )
    assert report.processed == [f"{DATASET}/a.mp4"]
    assert list(report.failures) == [f"{DATASET}/b.mp4"]
    assert "bad picture" in report.failures[f"{DATASET}/b.mp4"]


@each_error
def test_infer_goes_on(source: Path, tmp_path: Path, error: Exception) -> None:
    report = infer(source, tmp_path / "out", predictor=predictor(), detector=FailsOnB(error))
    assert [result.key for result in report.results] == [f"{DATASET}/a.mp4"]
    assert "bad picture" in report.failures[f"{DATASET}/b.mp4"]


@each_error
def test_evaluate_goes_on(
    source: Path, tmp_path: Path, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_test_data(source, tmp_path / "data")
    first, second = open_training_data(tmp_path / "data", actions=ACTIONS).test

    def fails_on_second(path: Path) -> VideoMeta:
        if path == second.path:
            raise error
        return probe(path)

    monkeypatch.setattr("mouse_ar.pipelines.evaluate.probe", fails_on_second)
    result = evaluate_videos([second, first], predictor=predictor())

    assert list(result.scores) == list(result.predicted) == [first.key]
    assert list(result.evaluation.per_video) == [first.key]
    assert "bad picture" in result.failures[second.key]
    assert f"FAILED: {second.key}: " in evaluate_text(result)


def test_evaluation_of_nothing_but_failures_has_no_figures(source: Path, tmp_path: Path) -> None:
    make_test_data(source, tmp_path / "data")
    records = open_training_data(tmp_path / "data", actions=ACTIONS).test
    for record in records:
        record.path.unlink()

    result = evaluate_videos(records, predictor=predictor())

    assert len(result.failures) == 2
    assert result.evaluation.macro_bout_f1 is None
    assert "does not exist" in evaluate_text(result)
