"""``mouse-ar detect`` with every kind of detector that runs here, and the service as a process."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import httpx
import numpy as np
import pytest
from typer.testing import CliRunner

from doubles.servers import free_port
from mouse_ar.cli import app
from mouse_ar.core.types import Bout, Interval
from mouse_ar.data.config_files import load_actions
from mouse_ar.data.local_project import LocalProject
from mouse_ar.detection.choice import open_detector
from mouse_ar.synthetic import GROOMING, SyntheticConfig, write_dataset
from mouse_ar.video.reader import open_video
from tiny_rtdetr import write_checkpoint

CONFIG = SyntheticConfig(num_videos=2, seconds_per_video=4, seed=3)
# Random weights give low scores.
LOW = 0.02


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> LocalProject:
    return write_dataset(CONFIG, tmp_path_factory.mktemp("videos") / "input")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"rtdetrv2:{write_checkpoint(tmp_path_factory.mktemp('model'))}"


@pytest.fixture(scope="module")
def service(model: str) -> Iterator[str]:
    """``mouse-ar serve-detector`` as a process of its own."""
    port = free_port()
    command = [sys.executable, "-m", "mouse_ar.cli", "serve-detector", "--model", model]
    options = ["--port", str(port), "--token", "secret", "--confidence", str(LOW)]
    with subprocess.Popen([*command, *options, "--device", "cpu"]) as process:
        url = f"http://127.0.0.1:{port}"
        try:
            for _ in range(300):
                assert process.poll() is None
                try:
                    httpx.get(f"{url}/health").raise_for_status()
                    break
                except httpx.HTTPError:
                    time.sleep(0.2)
            yield url
        finally:
            process.terminate()


def detect(*words: str | Path, **env: str) -> Any:
    return CliRunner().invoke(app, ["detect", *map(str, words)], env=env)


def test_background_boxes_as_a_project_and_overlays(videos: LocalProject, tmp_path: Path) -> None:
    done = detect(videos.path, tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert done.output.count("mouse in 100.0% of the frames") == 2
    project = LocalProject.open(tmp_path / "out/project", actions=load_actions(None))
    for video in project.videos():
        annotation = project.read(video)
        assert annotation.track is not None
        assert annotation.track.present_T.all()
        assert not annotation.bouts
    assert len(project.videos()) == 2
    overlays = sorted((tmp_path / "out/overlays").glob("*.mp4"))
    assert len(overlays) == 2
    with av.open(str(overlays[0])) as container:
        assert sum(1 for _ in container.decode(video=0)) == CONFIG.num_frames


def test_a_second_run_does_nothing_anew(
    videos: LocalProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOUSE_AR_CACHE", str(tmp_path / "cache"))
    assert detect(videos.path, tmp_path / "out").exit_code == 0
    files = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    made = [path for path in files if path.suffix in {".npz", ".mp4"} or path.parent.name == "ann"]
    assert len(made) == 2 * 4
    assert detect(videos.path, tmp_path / "out").exit_code == 0
    assert {path: path.stat().st_mtime_ns for path in made} == {p: files[p] for p in made}


def test_what_a_person_changed_is_left_alone(videos: LocalProject, tmp_path: Path) -> None:
    assert detect(videos.path, tmp_path / "out", "--no-overlay").exit_code == 0
    project = LocalProject.open(tmp_path / "out/project", actions=load_actions(None))
    changed, other = project.videos()
    annotation = project.read(changed)
    bouts = (Bout(Interval(10, 20), GROOMING),)
    project.write(changed.dataset, changed.name, replace(annotation, bouts=bouts))
    before = changed.ann_path.read_bytes(), other.ann_path.read_bytes()
    again = detect(videos.path, tmp_path / "out", "--no-overlay", "--detect-every", "2")
    assert again.exit_code == 0
    assert f"{changed.key}: was changed" in " ".join(again.output.split())
    assert changed.ann_path.read_bytes() == before[0]
    assert other.ann_path.read_bytes() != before[1], "detected more closely"


def test_over_http_with_png_as_in_process(videos: LocalProject, model: str, service: str) -> None:
    with open_video(videos.videos()[0].video_path) as reader:
        frames = reader.get_batch(np.arange(0, 80, 10))
    here = open_detector(model, confidence=LOW, device="cpu")
    there = open_detector(service, confidence=LOW, token="secret", image_format="png")
    expected = here.detect(frames)
    assert sum(map(len, expected)) > 0
    assert there.detect(frames) == expected


@pytest.mark.parametrize("token", ["secret", "wrong"])
def test_served_detector_on_the_command_line(
    videos: LocalProject, service: str, tmp_path: Path, token: str
) -> None:
    options = ["--detector", service, "--detector-confidence", str(LOW), "--no-overlay"]
    done = detect(videos.path, tmp_path / "out", *options, MOUSE_AR_TOKEN=token)
    if token == "secret":
        assert done.exit_code == 0, done.output
        assert "mouse in" in done.output
    else:
        assert done.exception is not None
        assert "token" in str(done.exception)


def test_one_bad_video_is_listed(videos: LocalProject, tmp_path: Path) -> None:
    folder = tmp_path / "mixed"
    folder.mkdir()
    good = videos.videos()[0].video_path
    (folder / "good.mp4").write_bytes(good.read_bytes())
    (folder / "bad.mp4").write_bytes(b"no video")
    done = detect(folder, tmp_path / "out", "--no-overlay")
    assert done.exit_code == 1
    assert "FAILED" in done.output
    assert "bad.mp4" in done.output
    assert "good.mp4: mouse in 100.0%" in done.output


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ("yolo:x", "expected one of"),
        ("rtdetrv2:nowhere.pth", "nowhere.pth"),
        ("http://127.0.0.1:9", "127.0.0.1:9"),
        ("session:7", "SERVER_ADDRESS"),
    ],
)
def test_detectors_that_are_not_there(
    videos: LocalProject, tmp_path: Path, choice: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SERVER_ADDRESS", "API_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    done = detect(videos.path, tmp_path / "out", "--detector", choice)
    assert done.exit_code == 1
    assert message in str(done.exception)


def test_a_converted_detector_needs_nothing_beside_it(model: str, tmp_path: Path) -> None:
    source, target = model.partition(":")[2], tmp_path / "mouse.safetensors"
    done = CliRunner().invoke(app, ["convert-detector", source, str(target)])
    assert done.exit_code == 0, done.output
    assert "classes: mouse" in done.output
    frames = np.random.default_rng(0).integers(0, 256, (2, 60, 80, 3), dtype=np.uint8)
    both = [
        open_detector(choice, confidence=LOW, device="cpu")
        for choice in (model, f"rtdetrv2:{target}")
    ]
    assert both[0].detect(frames) == both[1].detect(frames)
    assert CliRunner().invoke(app, ["convert-detector", source, "x.pth"]).exit_code == 2
