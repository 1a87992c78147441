"""Artifacts of a training run, laid out as the ecosystem's own training apps leave theirs.

``/experiments/{project id}_{project name}/{task id}_MVD/`` with ``experiment_info.json``, by which
the pickers of the platform and our Infer app find a model.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from mouse_ar.core.actions import ActionSet
from mouse_ar.data.files import place_file, write_json, write_text
from mouse_ar.data.project_meta import merge_meta
from mouse_ar.sly.connection import Connection
from mouse_ar.sly.report import REPORT_FOLDER
from mouse_ar.sly.team_files import list_files
from mouse_ar.training.config import TrainConfig

__all__ = [
    "EXPERIMENTS_FOLDER",
    "FRAMEWORK",
    "INFO_NAME",
    "Experiment",
    "artifacts_folder",
    "free_artifacts_folder",
    "parse_experiment",
    "write_artifacts",
]

EXPERIMENTS_FOLDER = "/experiments"
FRAMEWORK = "MVD"
INFO_NAME = "experiment_info.json"
_REPORT_NAME = "report.html"
_TASK_TYPE = "action recognition"


@dataclass(frozen=True)
class Experiment:
    """One finished training run in Team Files.

    Args:
        name: as the user called it.
        folder: of its artifacts, ending with "/".
        best: path of the best checkpoint in Team Files.
        model: preset of the network.
        project_id: Training Data that it was trained on.
        task_id: of the app that trained it.
        finished_at: date and time (UTC).
        metrics: of the best checkpoint on ``test``, by name.
    """

    name: str
    folder: str
    best: str
    model: str
    project_id: int
    task_id: int
    finished_at: str
    metrics: Mapping[str, float | None]

    @property
    def title(self) -> str:
        """For lists: name, model, when, and how good."""
        score = self.metrics.get("bout F1")
        quality = "not evaluated" if score is None else f"bout F1 {score:.3f}"
        return f"{self.name} · {self.model} · {quality} · {self.finished_at[:16]}"


def artifacts_folder(*, project_id: int, project_name: str, task_id: int) -> str:
    """Folder of a run in Team Files; ends with "/"."""
    # A slash would make a folder, and control characters break the listing.
    name = re.sub(r"[/\\\x00-\x1f]+", "_", project_name).strip() or "project"
    return f"{EXPERIMENTS_FOLDER}/{project_id}_{name}/{task_id}_{FRAMEWORK}/"


def write_artifacts(
    folder: Path,
    *,
    run: Path,
    evaluation: Path | None,
    name: str,
    remote: str,
    config: TrainConfig,
    actions: ActionSet,
    project_id: int,
    task_id: int,
    metrics: Mapping[str, float | None],
    app_state: Mapping[str, Any],
) -> dict[str, Any]:
    """Lay out everything that a run leaves, ready to be uploaded.

    Args:
        folder: where to; what is there is replaced.
        run: folder of the training run.
        evaluation: folder of its evaluation, if it was evaluated; ``report.html`` is the page and
            ``visualizations/`` the same for the platform.
        name: of the experiment.
        remote: folder in Team Files, of :func:`artifacts_folder`.
        config: settings of the training.
        actions: classes.
        project_id: Training Data.
        task_id: of the app.
        metrics: of the best checkpoint on ``test``.
        app_state: what was chosen in the app.

    Returns:
        The content of ``experiment_info.json``, for the task's output.
    """
    shutil.rmtree(folder, ignore_errors=True)
    checkpoints = sorted(p for p in (run / "checkpoints").iterdir() if not p.name.startswith("."))
    for path in checkpoints:
        place_file(path, folder / "checkpoints" / path.name)
    for log in ("events.jsonl", "train.log"):
        if (run / log).is_file():
            place_file(run / log, folder / "logs" / log)
    if evaluation is not None:
        for path in sorted(p for p in evaluation.rglob("*") if p.is_file()):
            place_file(path, folder / "evaluation" / path.relative_to(evaluation))
        for name_of in (_REPORT_NAME, REPORT_FOLDER):
            if (folder / "evaluation" / name_of).exists():
                (folder / "evaluation" / name_of).rename(folder / name_of)
    write_text(folder / "hyperparameters.yaml", yaml.safe_dump(config.to_dict(), sort_keys=False))
    write_json(folder / "model_meta.json", merge_meta({}, actions=actions), indent=1)
    write_json(folder / "app_state.json", dict(app_state), indent=1)
    write_text(folder / "open_app.lnk", f"/apps/sessions/{task_id}")
    info = {
        "experiment_name": name,
        "framework_name": FRAMEWORK,
        "model_name": config.model,
        "task_type": _TASK_TYPE,
        "project_id": project_id,
        "task_id": task_id,
        "model_files": {},
        "model_meta": "model_meta.json",
        "checkpoints": [f"checkpoints/{path.name}" for path in checkpoints],
        "best_checkpoint": "best.safetensors",
        "hyperparameters": "hyperparameters.yaml",
        "artifacts_dir": remote,
        "base_checkpoint": Path(config.pretrained).name if config.pretrained else None,
        "app_state": "app_state.json",
        "datetime": datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S"),
        "evaluation_metrics": dict(metrics),
        "primary_metric": "bout F1",
        "logs": {"type": "jsonl", "link": f"{remote}logs/"},
    }
    write_json(folder / INFO_NAME, info, indent=1)
    return info


def parse_experiment(text: str, *, path: str) -> Experiment | None:
    """Read an ``experiment_info.json``; None where it is another framework's.

    Args:
        text: content of the file.
        path: its path in Team Files; the folder is taken from there, since it may have moved.

    Raises:
        ValueError: it is no such file; names it.
    """
    try:
        info = json.loads(text)
        if info["framework_name"] != FRAMEWORK:
            return None
        folder = path.removesuffix(INFO_NAME)
        return Experiment(
            name=str(info["experiment_name"]),
            folder=folder,
            best=f"{folder}checkpoints/{info['best_checkpoint']}",
            model=str(info["model_name"]),
            project_id=int(info["project_id"]),
            task_id=int(info["task_id"]),
            finished_at=str(info.get("datetime") or ""),
            metrics=dict(info.get("evaluation_metrics") or {}),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} describes no experiment: {error}") from error


def free_artifacts_folder(
    connection: Connection, *, team_id: int, project_id: int, project_name: str, task_id: int
) -> str:
    """:func:`artifacts_folder`, with a number where an earlier run of the task has left its own."""
    first = artifacts_folder(project_id=project_id, project_name=project_name, task_id=task_id)
    taken = {file.path for file in list_files(connection, EXPERIMENTS_FOLDER, team_id=team_id)}
    folder, number = first, 1
    while any(path.startswith(folder) for path in taken):
        number += 1
        folder = f"{first.rstrip('/')}_{number}/"
    return folder
