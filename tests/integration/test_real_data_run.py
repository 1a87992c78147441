"""Import, preprocess, train, evaluate and infer on real rodent video, by the commands users type.

A part of what ``benchmarks/real_data.py`` runs: about eighty clips of rats from all three recording
dates, a mouse in a cylinder at 120 fps, and files that are odd or broken.
"""

from __future__ import annotations

import csv
import importlib.util
import json
import sys
from collections import defaultdict
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from typer.testing import CliRunner

from mouse_ar.cli import app
from mouse_ar.core.types import Interval
from mouse_ar.data.local_project import LocalProject
from mouse_ar.pipelines.results import load_scores
from mouse_ar.video.probe import probe

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]

HELD_OUT = "date_6_22"
CYLINDER = "mouse_cylinder/camL_31500.mp4"
FIELD = "openfield_top/m3v1mp4.mp4"
PER_GROUP_AND_LABEL = 9
TO_ANNOTATE = (
    "edge/dlc_vid2_200px_h264.mov",
    "edge/dlc_vid_h264_avi_nonmonotonic_pts.avi",
    "edge/empty_chamber_no_mouse.wmv",
    "edge/m3v1mp4short_31frames_yuv444.mp4",
    "bottom_view_bsoid/mjpeg_avi/group6_example_4.avi",
    "bottom_view_bsoid/hstacked/face_groom_hstacked.mp4",
)
BROKEN = "edge/broken.mp4"


def command(*words: object, code: int = 0) -> str:
    """Run ``mouse-ar`` in this process and return what it printed."""
    result = CliRunner().invoke(app, [str(word) for word in words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return " ".join(result.output.split())


@pytest.fixture(scope="module")
def script(repo: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("real_data", repo / "benchmarks" / "real_data.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


class Run:
    """What the commands left behind, for the tests to look at."""

    def __init__(self, script: ModuleType, data: Path, folder: Path) -> None:
        self.script, self.folder = script, folder
        self.output: dict[str, str] = {}
        self.project, self.data = folder / "project", folder / "data"
        self.checkpoint = folder / "run" / "checkpoints" / "best.safetensors"
        videos = script.read_videos(data)
        self.videos = [*some_rats(videos), videos[CYLINDER], videos[FIELD]]
        # The open field is one long idle video: to train on, it would stand for nearly all idle.
        self.test = [v for v in self.videos if v.fold == HELD_OUT or v.file in (CYLINDER, FIELD)]
        script.stage(data, folder, self.videos)
        self.groups = script.write_groups(folder / "groups.csv", self.videos, test=self.test)
        whole = (data / CYLINDER).read_bytes()
        for file in TO_ANNOTATE:
            script.place_file(data / file, folder / "to_annotate" / file)
        for broken in (folder / "videos" / BROKEN, folder / "to_annotate" / BROKEN):
            broken.parent.mkdir(parents=True, exist_ok=True)
            broken.write_bytes(whole[:5000])

    def import_annotations(self) -> str:
        return command(
            "import-annotations", self.folder / "videos", self.folder / "labels.csv",
            "--project", self.project, code=1,
        )  # fmt: skip

    def preprocess(self) -> str:
        sets = [word for s in self.script.PREPROCESS for word in ("--set", s)]
        return command(
            "preprocess", self.project, self.data, "--groups", self.groups, "--test-videos", 0,
            *sets,
        )  # fmt: skip

    def train(self) -> str:
        sets = [word for s in (*self.script.TRAIN, "epochs=10") for word in ("--set", s)]
        return command("train", self.data, self.folder / "run", "--device", "cpu", *sets)

    def evaluate(self) -> str:
        return command(
            "evaluate", self.data, "--checkpoint", self.checkpoint, "--out", self.folder / "test",
            "--device", "cpu",
        )  # fmt: skip

    def infer(self, *options: str) -> str:
        return command(
            "infer", self.folder / "to_annotate", self.folder / "predictions",
            "--checkpoint", self.checkpoint, "--device", "cpu", *options, code=1,
        )  # fmt: skip

    def json(self, *parts: str) -> dict[str, Any]:
        return dict(json.loads(self.folder.joinpath(*parts).read_text()))


def some_rats(videos: dict[str, Any]) -> list[Any]:
    """Up to nine clips of each label in each recording day of either cage."""
    by_group = defaultdict(list)
    for video in videos.values():
        if video.fold and video.label:
            by_group[video.group, video.label].append(video)
    return [video for clips in by_group.values() for video in clips[:PER_GROUP_AND_LABEL]]


@pytest.fixture(scope="module")
def run(script: ModuleType, shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Everything once: the tests below ask what came of it."""
    run = Run(script, shared_data, tmp_path_factory.mktemp("real"))
    for name in ("import_annotations", "preprocess", "train", "evaluate"):
        run.output[name] = getattr(run, name)()
    run.output["infer"] = run.infer("--overlay")
    return run


def test_import_takes_every_row_and_names_the_broken_file(run: Run) -> None:
    output = run.output["import_annotations"]
    assert f"left out {run.folder / 'videos' / BROKEN}" in output
    project = LocalProject.open(run.project)
    assert {v.key for v in project.videos()} == {v.file for v in run.videos}
    for video in run.videos:
        annotation = project.read(project.video(*video.file.rsplit("/", 1)))
        bouts = sorted(i for i, name in video.labels if name == "Self-Grooming")
        assert [b.interval for b in annotation.bouts] == bouts
        # Idle is what nothing is said of; all that is neither must be marked.
        marked = {i for i, name in video.labels if name == "uncertain"}
        assert marked <= set(annotation.ignored)


def test_groups_are_never_split(run: Run) -> None:
    group = {video.file: video.group for video in run.videos}
    splits = defaultdict(set)
    for entry in run.json("data", ".mouse_ar", "manifest.json")["videos"]:
        splits[group[entry["key"]]].add(entry["split"])
    assert len(splits) == len(set(group.values()))
    assert all(len(found) == 1 for found in splits.values())
    held = {video.group for video in run.test}
    assert {name for name, found in splits.items() if found == {"test"}} == held


def test_clips_are_made_of_training_videos_alone(run: Run) -> None:
    project = LocalProject.open(run.data)
    clips = [v for v in project.videos() if v.dataset != "test"]
    made_of = {project.read(clip).provenance["entry"]["key"] for clip in clips}
    assert {clip.dataset for clip in clips} == {"Self-Grooming", "idle"}
    assert made_of <= {v.file for v in run.videos} - {v.file for v in run.test}
    assert len(clips) >= 50


def test_every_test_frame_is_scored(run: Run) -> None:
    for video in run.test:
        score_T = run.script.grooming_scores(run.folder, video)
        assert len(score_T) == probe(run.folder / "videos" / video.file).num_frames
        assert np.all((score_T >= 0) & (score_T <= 1))


def test_uncertain_frames_are_not_scored(run: Run) -> None:
    (cylinder,) = (v for v in run.test if v.file == CYLINDER)
    results = run.json("test", "evaluation.json")["per_video"]
    (result,) = (r for name, r in results.items() if "camL" in name)
    labelled = sum(i.length for i, name in cylinder.labels if name != "uncertain")
    seconds = labelled / probe(run.folder / "videos" / CYLINDER).fps
    assert result["Self-Grooming"]["scored_seconds"] == pytest.approx(seconds, abs=0.02)
    assert result["Self-Grooming"]["true_count"] == 5


def test_training_clips_are_learnt(run: Run) -> None:
    lines = (run.folder / "run" / "events.jsonl").read_text().splitlines()
    losses = [e["loss"] for e in map(json.loads, lines) if e["event"] == "epoch"]
    assert len(losses) == 10
    assert losses[-1] < 0.5 * losses[0]


def test_grooming_is_told_from_rearing_on_a_date_never_seen(run: Run) -> None:
    """A floor against breakage, not a figure: one split of few clips says little of a model."""
    rats = [video for video in run.test if video.fold == HELD_OUT]
    scores = [run.script.grooming_scores(run.folder, video).mean() for video in rats]
    truth = [video.label == "Self-Grooming" for video in rats]
    assert roc_auc_score(truth, scores) > 0.7


def test_infer_scores_every_frame_and_names_the_broken_file(run: Run) -> None:
    folder = run.folder / "predictions"
    assert "broken.mp4" in run.output["infer"]
    assert list(run.json("predictions", "run.json")["failures"]) == [BROKEN]
    project = LocalProject.open(folder / "project")
    assert {v.key for v in project.videos()} == set(TO_ANNOTATE)
    for path in sorted((folder / "scores").iterdir()):
        scores, times_T, header = load_scores(path)
        frames = probe(run.folder / "to_annotate" / header["video"]).num_frames
        assert scores.num_frames == len(times_T) == frames
        overlay = folder / "overlays" / f"{path.stem}.mp4"
        assert probe(overlay).num_frames == frames
    with (folder / "summary.csv").open(newline="") as file:
        assert {row["video"] for row in csv.DictReader(file)} == set(TO_ANNOTATE)


def test_an_empty_chamber_has_no_mouse_and_no_bouts(run: Run) -> None:
    project = LocalProject.open(run.folder / "predictions" / "project")
    annotation = project.read(project.video("edge", "empty_chamber_no_mouse.wmv"))
    assert annotation.track is None
    assert annotation.bouts == ()


def test_second_runs_do_nothing(run: Run) -> None:
    def state() -> dict[str, int]:
        kept = {".mkv", ".mp4", ".npz", ".safetensors"}
        files = [p for p in run.folder.rglob("*") if p.suffix in kept]
        return {str(p): p.stat().st_mtime_ns for p in files}

    before = state()
    assert "already" in run.import_annotations()
    assert f"Nothing new: all {len(run.videos)} videos are up to date." in run.preprocess()
    assert "epoch 10/10" not in run.train()
    assert f"({len(TO_ANNOTATE)} from an earlier run)" in run.infer()
    assert state() == before


def test_bouts_lie_inside_their_videos(run: Run) -> None:
    with (run.folder / "predictions" / "bouts.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            frames = probe(run.folder / "to_annotate" / row["video"]).num_frames
            bout = Interval.from_inclusive(int(row["start_frame"]), int(row["end_frame"]))
            assert 0 <= bout.start < bout.stop <= frames
