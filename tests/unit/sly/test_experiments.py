"""Artifacts of a training run: found again by the SDK and by us."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import tiny
from mouse_ar.sly.experiments import artifacts_folder, parse_experiment, write_artifacts
from tiny import ACTIONS

REMOTE = "/experiments/12_mice_and men/34_MVD/"


@pytest.fixture
def made(tmp_path: Path) -> Path:
    run, evaluation = tmp_path / "run", tmp_path / "evaluation"
    for path in (
        run / "checkpoints/best.safetensors",
        run / "checkpoints/last.pt",
        run / "events.jsonl",
        evaluation / "evaluation.json",
        evaluation / "report.html",
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(path.name)
    write_artifacts(
        tmp_path / "made",
        run=run,
        evaluation=evaluation,
        name="first try",
        remote=REMOTE,
        config=tiny.TRAIN,
        actions=ACTIONS,
        project_id=12,
        task_id=34,
        metrics={"bout F1": 0.9},
        app_state={"epochs": 2},
    )
    return tmp_path / "made"


def test_folder_has_no_slash_of_the_projects_name() -> None:
    assert artifacts_folder(project_id=12, project_name="mice/and men", task_id=34) == REMOTE


def test_everything_is_there(made: Path) -> None:
    files = {path.relative_to(made).as_posix() for path in made.rglob("*") if path.is_file()}
    assert files == {
        "app_state.json",
        "checkpoints/best.safetensors",
        "checkpoints/last.pt",
        "evaluation/evaluation.json",
        "experiment_info.json",
        "hyperparameters.yaml",
        "logs/events.jsonl",
        "model_meta.json",
        "open_app.lnk",
        "report.html",
    }


def test_the_sdk_and_we_read_it(made: Path) -> None:
    import pylibmagic  # noqa: F401
    from supervisely import ProjectMeta
    from supervisely.nn.experiments import ExperimentInfo

    text = (made / "experiment_info.json").read_text()
    info = ExperimentInfo(**json.loads(text))
    assert info.best_checkpoint == "best.safetensors"
    assert "checkpoints/best.safetensors" in info.checkpoints
    assert info.artifacts_dir == REMOTE
    meta = ProjectMeta.from_json(json.loads((made / "model_meta.json").read_text()))
    assert {tag.name for tag in meta.tag_metas} >= set(ACTIONS.names)

    experiment = parse_experiment(text, path="/experiments/moved/34_MVD/experiment_info.json")
    assert experiment is not None
    assert experiment.best == "/experiments/moved/34_MVD/checkpoints/best.safetensors"
    assert experiment.title.startswith("first try · vit_tiny · bout F1 0.900 · 20")


def test_others_are_told_apart() -> None:
    path = "/experiments/a/experiment_info.json"
    assert parse_experiment('{"framework_name": "RT-DETRv2"}', path=path) is None
    for text in ("", "[]", '{"framework_name": "MVD"}'):
        with pytest.raises(ValueError, match=path):
            parse_experiment(text, path=path)
