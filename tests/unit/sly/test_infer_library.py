"""What the Infer app asks of an instance before it runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from colour_checkpoint import write_colour_checkpoint
from e2e.infer_setting import CHECKPOINT, EXPERIMENT, dataset, experiment, fill
from mouse_ar.mvd import CheckpointError, read_checkpoint_info
from mouse_ar.sly.connection import Connection
from mouse_ar.sly.experiment_list import list_experiments
from mouse_ar.sly.experiments import parse_experiment
from mouse_ar.sly.infer_task import earlier_predictions, fetch_checkpoint, predictions_name
from mouse_ar.sly.model_facts import model_facts, model_line
from mouse_ar.sly.overview import read_overview
from mouse_ar.sly.project import RemoteProject
from supervisely_double import Double


def test_overview_of_nested_datasets(
    double: Double, connection: Connection, tmp_path: Path
) -> None:
    project = RemoteProject.open(connection, fill(double, tmp_path))
    dataset(double, project.id, ("cohort a/b",))
    overview = read_overview(project)
    assert [d.title for d in overview.datasets] == [
        "cohort a",
        "cohort a → Käfig 1.2",
        "cohort a/b",
        "cohort b",
    ]
    assert len(overview.within(())) == 3
    assert len(overview.within(["cohort a"])) == 2
    assert overview.within(["cohort a%2Fb"]) == {}
    nested = overview.find("cohort a/Käfig 1.2")
    assert nested is not None
    assert overview.find(str(nested.id)) == nested
    assert overview.find("cohort") is None
    assert sum(v.duration_seconds for v in overview.videos.values()) == pytest.approx(24, abs=1)


def test_experiments_are_listed_newest_first_and_bad_ones_told(
    double: Double, connection: Connection, tmp_path: Path
) -> None:
    fill(double, tmp_path)
    newer = "/experiments/5_mice/12_MVD/"
    double.add_file(f"{newer}checkpoints/best.safetensors", b"x")
    later = {**experiment(), "experiment_name": "later", "datetime": "2026-05-01 00:00:00"}
    double.add_file(f"{newer}experiment_info.json", json.dumps(later).encode())
    double.add_file("/experiments/5_mice/1_MVD/experiment_info.json", b"\xff")
    double.add_file("/experiments/5_mice/2_MVD/experiment_info.json", json.dumps(later).encode())
    found, problems = list_experiments(connection, team_id=double.team)
    assert [e.name for e in found] == ["later", "all cages"]
    assert len(problems) == 2
    assert "/experiments/5_mice/1_MVD/" in problems[0]
    assert "is missing" in problems[1]


def test_predictions_are_found_only_where_a_run_may_write(
    double: Double, connection: Connection, tmp_path: Path
) -> None:
    source = RemoteProject.open(connection, fill(double, tmp_path))
    name = predictions_name(source)
    assert earlier_predictions(source, name) is None
    double.add_project(name)
    found = earlier_predictions(source, name)
    assert found is not None
    assert read_overview(source).annotated(found, among=list(read_overview(source).videos)) == 0
    double.add_video(dataset(double, found.project.id, ("d",)), tmp_path / "0.mp4", name="a.mp4")
    with pytest.raises(ValueError, match="holds no predictions"):
        earlier_predictions(source, name)
    with pytest.raises(ValueError, match="with another name"):
        earlier_predictions(source, source.name)
    with pytest.raises(ValueError, match="a name"):
        earlier_predictions(source, " ")


def test_a_model_is_fetched_and_described(
    double: Double, connection: Connection, tmp_path: Path
) -> None:
    fill(double, tmp_path)
    info = fetch_checkpoint(connection, CHECKPOINT, tmp_path / "m", team_id=double.team)
    described = parse_experiment(json.dumps(experiment()), path=f"{EXPERIMENT}experiment_info.json")
    facts = model_facts(info, path=CHECKPOINT, experiment=described)
    assert facts["Window"] == "4 frames, one after the other: 0.40 s at 10 frames/s"
    assert facts["Score on test videos"] == "bout F1 0.812, frame F1 0.900"
    assert model_line(info, path=CHECKPOINT).startswith(f"{CHECKPOINT}: MVD vit_tiny, finds Self")
    double.add_file("/notes.txt", b"not a model")
    with pytest.raises(CheckpointError, match=r"/notes\.txt") as caught:
        fetch_checkpoint(connection, "/notes.txt", tmp_path / "m", team_id=double.team)
    assert str(tmp_path) not in str(caught.value)
    with pytest.raises(FileNotFoundError, match=r"There is no /none\.safetensors"):
        fetch_checkpoint(connection, "/none.safetensors", tmp_path / "m", team_id=double.team)


def test_a_model_without_records_is_described_too(tmp_path: Path) -> None:
    path = write_colour_checkpoint(tmp_path / "m.safetensors", metadata={})
    facts = model_facts(read_checkpoint_info(path), path="/m.safetensors")
    assert facts["Network"] == "MVD vit_tiny, 32 × 32 pixels"
    assert facts["Score on validation videos"] == "not recorded"
