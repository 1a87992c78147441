from __future__ import annotations

import json
from typing import Any

from mouse_ar.sly.connection import Connection
from mouse_ar.sly.experiment_list import list_experiments
from mouse_ar.sly.experiments import free_artifacts_folder
from supervisely_double import Double


def info(name: str, framework: str = "MVD", **changes: Any) -> bytes:
    return json.dumps({
        "experiment_name": name,
        "framework_name": framework,
        "model_name": "vit_tiny",
        "project_id": 1,
        "task_id": 2,
        "best_checkpoint": "best.safetensors",
        "datetime": "2026-01-01 10:00:00",
        **changes,
    }).encode()  # fmt: skip


def test_ours_are_listed_newest_first(double: Double, connection: Connection) -> None:
    double.add_files({
        "/experiments/1_a/2_MVD/experiment_info.json": info("old"),
        "/experiments/1_a/2_MVD/checkpoints/best.safetensors": b"x",
        "/experiments/1_a/3_MVD/experiment_info.json": info("new", datetime="2026-02-01 10:00:00"),
        "/experiments/1_a/3_MVD/checkpoints/best.safetensors": b"x",
        "/experiments/1_a/4_MVD/experiment_info.json": info("without a checkpoint"),
        "/experiments/1_a/5_MVD/experiment_info.json": b"{",
        "/experiments/1_a/6_RT-DETRv2/experiment_info.json": info("other", "RT-DETRv2"),
    })  # fmt: skip
    found, problems = list_experiments(connection, team_id=Double.team)
    assert [experiment.name for experiment in found] == ["new", "old"]
    assert len(problems) == 2


def test_a_second_run_of_a_task_gets_a_folder_of_its_own(
    double: Double, connection: Connection
) -> None:
    def free() -> str:
        return free_artifacts_folder(
            connection, team_id=Double.team, project_id=1, project_name="a", task_id=2
        )

    assert free() == "/experiments/1_a/2_MVD/"
    double.add_files({"/experiments/1_a/2_MVD/experiment_info.json": info("first")})
    assert free() == "/experiments/1_a/2_MVD_2/"
    double.add_files({"/experiments/1_a/2_MVD_2/report.html": b"x"})
    assert free() == "/experiments/1_a/2_MVD_3/"
