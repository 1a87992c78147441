"""Preprocessing and inference on the projects of a double, as the apps run them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tiny
from colour_model import predictor
from mouse_ar.pipelines.config import PreprocessConfig
from mouse_ar.pipelines.infer import InferReport
from mouse_ar.pipelines.preprocess import PreprocessReport
from mouse_ar.sly.connection import Connection
from mouse_ar.sly.infer_project import infer_project
from mouse_ar.sly.preprocess_project import preprocess_project
from mouse_ar.sly.project import RemoteProject
from supervisely_double import Double
from tiny import ACTIONS

CONFIG = PreprocessConfig(detect_every=4)


def make_input(double: Double, folder: Path, labels: tiny.Labels = tiny.SEVEN) -> int:
    tiny.write_project(folder, labels)
    return double.add_project("mice", folder=folder)


def run_preprocess(
    connection: Connection, source: int, work: Path, **options: Any
) -> tuple[RemoteProject, PreprocessReport]:
    project = RemoteProject.open(connection, source, actions=ACTIONS)
    target = RemoteProject.get_or_create(
        connection, "mice training data", workspace_id=Double.workspace, actions=ACTIONS
    )
    report = preprocess_project(
        project,
        target,
        team_id=Double.team,
        work=work,
        actions=ACTIONS,
        config=CONFIG,
        detector=tiny.BoxDetector(),
        **options,
    )
    return target, report


def run_infer(
    connection: Connection, source: int, work: Path, **options: Any
) -> tuple[RemoteProject, InferReport]:
    project = RemoteProject.open(connection, source, actions=ACTIONS)
    target = RemoteProject.get_or_create(
        connection, "predictions", workspace_id=Double.workspace, actions=ACTIONS
    )
    settings = {"predictor": predictor(), "detector": tiny.BoxDetector(), "detect_every": 4}
    report = infer_project(
        project, target, team_id=Double.team, work=work, **{**settings, **options}
    )
    return target, report
