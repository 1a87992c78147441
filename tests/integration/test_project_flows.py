"""Preprocess, train and infer on an instance's projects, beside the same on local ones."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

import tiny
from colour_model import predictor
from mouse_ar.core.actions import ActionSet
from mouse_ar.data.config_files import DEFAULT_ACTIONS
from mouse_ar.data.local_project import LocalProject
from mouse_ar.pipelines.infer import infer
from mouse_ar.pipelines.preprocess import preprocess
from mouse_ar.pipelines.tracks import CACHE_VARIABLE
from mouse_ar.sly.connection import Connection
from mouse_ar.sly.lab_actions import ACTIONS_FILE, training_actions
from mouse_ar.sly.predictions import results_folder
from mouse_ar.sly.project import RemoteProject
from mouse_ar.sly.train_project import train_project
from mouse_ar.sly.train_request import TrainRequest
from remote_runs import CONFIG, make_input, run_infer, run_preprocess
from supervisely_double import Double
from tiny import ACTIONS, DATASET, GROOMING


def test_preprocess_gives_what_it_gives_locally(
    double: Double, connection: Connection, tmp_path: Path
) -> None:
    source = make_input(double, tmp_path / "input")
    before = double.dump(source)
    target, report = run_preprocess(connection, source, tmp_path / "work")
    assert report.failures == {}
    assert double.dump(source) == before

    preprocess(
        tmp_path / "input",
        tmp_path / "plain",
        actions=ACTIONS,
        config=CONFIG,
        detector=tiny.BoxDetector(),
    )
    same = double.add_project("plain", folder=tmp_path / "plain")
    made, expected = double.dump(target.id), double.dump(same)
    assert made["datasets"] == expected["datasets"]
    assert not list((tmp_path / "work").rglob("*.mp4"))


def test_a_second_run_elsewhere_does_only_what_is_new(
    double: Double, connection: Connection, tmp_path: Path
) -> None:
    source = make_input(double, tmp_path / "input")
    target, _ = run_preprocess(connection, source, tmp_path / "work")
    before = double.dump(target.id)
    _, second = run_preprocess(connection, source, tmp_path / "work2")
    assert (second.processed, second.unchanged) == ([], 7)
    assert double.dump(target.id) == before

    video = tiny.write_video(tmp_path / "new.mp4", [(GROOMING, 10, 40)], seed=99)
    dataset = double.add_dataset(source, DATASET)
    number = double.add_video(dataset, video, name="new.mp4")
    double.add_tag(number, GROOMING, (10, 39))
    _, third = run_preprocess(connection, source, tmp_path / "work3")
    assert third.processed == [f"{DATASET}/new.mp4"]
    # A lost manifest is rebuilt from the target.
    for path in double.files("/mouse-action-recognition/preprocess/"):
        double.call("file-storage.bulk.remove", {"teamId": Double.team, "paths": [path]})
    before = double.dump(target.id)
    _, fourth = run_preprocess(connection, source, tmp_path / "work4")
    assert (fourth.processed, fourth.unchanged) == ([], 8)
    assert double.dump(target.id) == before


def test_another_project_of_that_name_is_left_alone(
    double: Double, connection: Connection, tmp_path: Path
) -> None:
    source = make_input(double, tmp_path / "input")
    other = double.add_project("mice training data", folder=tmp_path / "input")
    before = double.dump(other)
    with pytest.raises(ValueError, match=r"holds no Training Data\. Choose another name"):
        run_preprocess(connection, source, tmp_path / "work")
    assert double.dump(other) == before


def test_infer_gives_what_it_gives_locally(
    double: Double, connection: Connection, tmp_path: Path
) -> None:
    labels = {name: tiny.SEVEN[name] for name in ("a.mp4", "b.mp4", "g.mp4")}
    source = make_input(double, tmp_path / "input", labels)
    before = double.dump(source)
    target, report = run_infer(connection, source, tmp_path / "work")
    assert report.failures == {}
    assert double.dump(source) == before

    infer(
        tmp_path / "input",
        tmp_path / "plain",
        predictor=predictor(),
        detector=tiny.BoxDetector(),
        detect_every=4,
    )
    same = double.add_project("plain", folder=tmp_path / "plain/project")
    assert double.dump(target.id)["datasets"] == double.dump(same)["datasets"]
    files = double.files(results_folder(target))
    for name in ("bouts.csv", "summary.csv"):
        assert files[results_folder(target) + name] == (tmp_path / "plain" / name).read_bytes()
    assert sum(path.endswith(".npz") for path in files) == 3

    made = double.dump(target.id)
    downloads = len(double.called("videos.download"))
    _, again = run_infer(connection, source, tmp_path / "work2", tag_source=True)
    assert len(again.resumed) == 3
    assert double.dump(target.id) == made
    assert len(double.called("videos.download")) == downloads
    for _ in range(2):
        run_infer(connection, source, tmp_path / "work3", tag_source=True)
    tags = double.annotation(double.videos(source)[f"{DATASET}/a.mp4"])["tags"]
    names = sorted(tag["name"] for tag in tags)
    assert names == sorted([*ACTIONS.names, *(f"{name} (predicted)" for name in ACTIONS.names)])


def test_train_leaves_an_experiment(
    double: Double, connection: Connection, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    source = make_input(double, tmp_path / "input")
    target, _ = run_preprocess(connection, source, tmp_path / "work")
    events: list[str] = []
    stages: set[str] = set()
    # The earlier apps kept no boxes on test videos: the mouse is found as inference would.
    for path, number in double.videos(target.id).items():
        if path.startswith("test/"):
            boxes = [item["id"] for item in double.annotation(number)["objects"]]
            double.call("annotation-objects.bulk.remove", boxes)
    outcome = train_project(
        RemoteProject.open(connection, target.id, actions=ACTIONS),
        TrainRequest(name="first", config=tiny.TRAIN, device="cpu"),
        work=tmp_path / "train",
        actions=ACTIONS,
        team_id=Double.team,
        task_id=77,
        stop=threading.Event(),
        on_event=lambda event: events.append(event["event"]),
        progress=lambda what, done, total: stages.add(what.split()[0]),
    )
    assert not outcome.stopped
    assert "detecting" in stages
    assert events.count("epoch") == tiny.TRAIN.epochs
    files = double.files(outcome.remote)
    info = json.loads(files[outcome.remote + "experiment_info.json"])
    assert info == outcome.experiment
    assert outcome.remote + "checkpoints/best.safetensors" in files
    assert b"Experiment first" in files[outcome.remote + "report.html"]
    assert outcome.report_id is not None
    assert set(outcome.metrics) >= {"bout F1", "frame F1"}
    assert LocalProject.open(tmp_path / "train/data").videos()


def test_training_has_the_actions_of_its_data(
    double: Double, connection: Connection, tmp_path: Path
) -> None:
    source = make_input(double, tmp_path / "input", {"a.mp4": tiny.SEVEN["a.mp4"]})
    target, _ = run_preprocess(connection, source, tmp_path / "work")
    of_lab = ActionSet(ACTIONS.actions[::-1])
    project = RemoteProject.open(connection, source)
    assert training_actions(project, team_id=Double.team) == DEFAULT_ACTIONS
    double.add_file(ACTIONS_FILE, json.dumps(of_lab.to_dict()).encode())
    assert training_actions(project, team_id=Double.team) == of_lab
    assert training_actions(target, team_id=Double.team) == ACTIONS
    target.change_own_data(lambda data: {**data, "actions": {"actions": []}})
    with pytest.raises(ValueError, match="Run Preprocess on its videos again"):
        training_actions(target, team_id=Double.team)
