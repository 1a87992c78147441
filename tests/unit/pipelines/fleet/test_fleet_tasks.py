"""What runs on a cluster, run here: the same results, and errors where they belong."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

import tiny
from colour_model import predictor
from mouse_ar.detection.protocol import Detector
from mouse_ar.pipelines.config import PreprocessConfig
from mouse_ar.pipelines.fleet import tasks
from mouse_ar.pipelines.fleet.needs import FleetError, TaskNeeds
from mouse_ar.pipelines.fleet.tasks import FleetDetection, FleetWorkers, load_for_fleet
from mouse_ar.pipelines.infer import infer
from mouse_ar.pipelines.predictor import Predictor
from mouse_ar.pipelines.preprocess import preprocess
from mouse_ar.video.probe import VideoMeta
from tiny import ACTIONS, GROOMING

LABELS = [(GROOMING, 10, 40)]


class Here:
    """A fleet that is this process: work and answers travel as they would, in reverse order."""

    needs = TaskNeeds(cpus=3)
    at_once = 2

    def __init__(self, device: str = "cpu") -> None:
        self.device = device
        self.lost: set[str] = set()

    def run(self, task: Any, items: Iterable[Any], *, work: Any, most: Any = None) -> Iterator[Any]:
        for item in reversed(list(items)):
            if getattr(item, "key", item) in self.lost:
                yield item, OSError("lost")
                continue
            answer = task(pickle.loads(pickle.dumps(work(item))))
            yield item, pickle.loads(pickle.dumps(answer))

    def ask(self, task: Any) -> Any:
        return "bf16"


class Picky(tiny.BoxDetector):
    """Fails on one video."""

    def prepare(self, path: Path, *, meta: VideoMeta | None = None) -> None:
        if path.name == "c.mp4":
            raise ValueError("no background")


def load(*, device: torch.device, precision: str | None = None) -> Predictor:
    return predictor(device=device, precision=precision or "fp32")


def load_another(*, device: torch.device, precision: str | None = None) -> Predictor:
    return predictor(sha256="1" * 64)


@contextmanager
def picky(*, device: str) -> Iterator[Detector]:
    yield Picky()


@pytest.fixture(autouse=True)
def as_on_another_computer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    threads: list[int] = []
    monkeypatch.setenv("MOUSE_AR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(torch, "set_num_threads", threads.append)
    tasks._opened.cache_clear()
    return threads


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    for name in "abcd":
        tiny.write_video(tmp_path / f"videos/{name}.mp4", LABELS)
    return tmp_path / "videos"


def workers(fleet: Any, *, loading: Any = load, fingerprint: str | None = None) -> FleetWorkers:
    known = fingerprint or Picky().fingerprint
    return FleetWorkers(fleet, loading, predictor(), picky, known)


def test_inference_gives_what_it_gives_here(
    videos: Path, tmp_path: Path, as_on_another_computer: list[int]
) -> None:
    fleet = Here()
    fleet.lost = {"videos/d.mp4"}
    kept = Picky()
    report = infer(
        videos,
        tmp_path / "fleet",
        predictor=predictor(),
        detector=kept,
        workers=workers(fleet),
    )
    assert report.failures == {"videos/c.mp4": "no background", "videos/d.mp4": "lost"}
    assert as_on_another_computer == [3]
    assert kept.frames == 0
    for name in "cd":
        (videos / f"{name}.mp4").unlink()
    infer(videos, tmp_path / "plain", predictor=predictor(), detector=kept)
    assert kept.frames == 0  # the tracks were kept by the run, too
    scores = [tiny.snapshot(tmp_path / name / "scores") for name in ("fleet", "plain")]
    assert len(scores[0]) == 2
    assert scores[0] == scores[1]


@pytest.mark.parametrize(
    ("changes", "what"), [({"loading": load_another}, "model"), ({"fingerprint": "x"}, "detector")]
)
def test_another_model_or_detector_there_ends_the_run(
    videos: Path, tmp_path: Path, changes: dict[str, Any], what: str
) -> None:
    fleet: Any = Here()
    with pytest.raises(FleetError, match=f"the {what} is another one there"):
        infer(
            videos,
            tmp_path / "out",
            predictor=predictor(),
            detector=Picky(),
            workers=workers(fleet, **changes),
        )


def test_detection_gives_what_it_gives_here_and_is_not_done_twice(tmp_path: Path) -> None:
    tiny.write_project(tmp_path / "input")
    fleet: Any = Here()
    kept = Picky()
    on_fleet = FleetDetection(fleet, picky, kept.fingerprint)
    config = PreprocessConfig(detect_every=4)

    def run(target: str) -> Any:
        return preprocess(
            tmp_path / "input",
            tmp_path / target,
            actions=ACTIONS,
            config=config,
            detector=kept,
            fleet=on_fleet,
        )

    assert run("first").failures == {f"{tiny.DATASET}/c.mp4": "no background"}
    tasks._opened.cache_clear()
    fleet.lost = {f"{tiny.DATASET}/{name}.mp4" for name in "abdefg"}
    # Asked for again, these would be failures.
    assert run("second").failures == {f"{tiny.DATASET}/c.mp4": "no background"}
    assert kept.frames == 0


@pytest.mark.parametrize(("device", "precision"), [("cuda", "bf16"), ("cpu", "fp32")])
def test_results_note_the_number_format_of_the_cluster(device: str, precision: str) -> None:
    fleet: Any = Here(device)
    loaded = load_for_fleet(fleet, load, precision=None)
    assert (loaded.precision, loaded.device.type) == (precision, "cpu")
