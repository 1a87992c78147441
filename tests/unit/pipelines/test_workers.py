"""One process per device: the same results, and a process that dies takes one video with it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

import tiny
from colour_model import predictor
from mouse_ar.detection.protocol import Detector
from mouse_ar.pipelines.infer import infer
from mouse_ar.pipelines.meter import Meter
from mouse_ar.pipelines.predictor import Predictor
from mouse_ar.pipelines.workers import Workers
from mouse_ar.video.probe import VideoMeta
from tiny import GROOMING

LABELS = [(GROOMING, 10, 40)]


def load(*, device: torch.device) -> Predictor:
    return predictor(device=device)


def load_nothing(*, device: torch.device) -> Predictor:
    raise FileNotFoundError("no such model")


class Dying(tiny.BoxDetector):
    """Ends its process at one of the videos."""

    def prepare(self, path: Path, *, meta: VideoMeta | None = None) -> None:
        if path.name == "b.mp4":
            os._exit(9)
        if path.name == "c.mp4":
            raise ValueError("no background")


@contextmanager
def boxes(*, device: str) -> Iterator[Detector]:
    yield tiny.BoxDetector()


@contextmanager
def dying(*, device: str) -> Iterator[Detector]:
    yield Dying()


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOUSE_AR_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    for name in "abcd":
        tiny.write_video(tmp_path / f"videos/{name}.mp4", LABELS)
    return tmp_path / "videos"


@pytest.mark.slow
def test_two_processes_give_what_one_gives(videos: Path, tmp_path: Path) -> None:
    told: list[str] = []
    meter = Meter()
    report = infer(
        videos,
        tmp_path / "two",
        predictor=predictor(),
        detector=tiny.BoxDetector(),
        workers=Workers(("cpu", "cpu"), predictor=load, detector=boxes),
        progress=lambda what, done, total: told.append(what),
        meter=meter,
    )
    assert report.failures == {}
    infer(videos, tmp_path / "one", predictor=predictor(), detector=tiny.BoxDetector())
    same = [tiny.snapshot(tmp_path / name, exclude=[".mouse_ar"]) for name in ("one", "two")]
    assert same[0] == same[1]
    assert "classifying 2/4 videos/b.mp4" in told
    assert meter.share_done == 1
    assert meter.shares()["decode"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("devices", [("cpu",), ("cpu", "cpu")])
def test_a_process_that_dies_takes_one_video_with_it(
    videos: Path, tmp_path: Path, devices: tuple[str, ...]
) -> None:
    report = infer(
        videos,
        tmp_path / "out",
        predictor=predictor(),
        detector=tiny.BoxDetector(),
        workers=Workers(devices, predictor=load, detector=dying),
    )
    assert "The process of cpu ended with code 9" in report.failures["videos/b.mp4"]
    assert report.failures["videos/c.mp4"] == "no background"
    assert [result.key for result in report.results] == ["videos/a.mp4", "videos/d.mp4"]


@pytest.mark.slow
def test_what_keeps_a_process_from_starting_ends_the_run(videos: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no such model"):
        infer(
            videos,
            tmp_path / "out",
            predictor=predictor(),
            detector=tiny.BoxDetector(),
            workers=Workers(("cpu",), predictor=load_nothing, detector=boxes),
        )


def test_no_devices_are_refused() -> None:
    with pytest.raises(ValueError, match="Name at least one device"):
        Workers((), predictor=load, detector=boxes)
