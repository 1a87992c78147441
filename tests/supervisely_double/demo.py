"""An Input Project to play with, and how to open the apps on it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from mouse_ar.synthetic import SyntheticConfig, write_dataset

if TYPE_CHECKING:
    from supervisely_double.double import Double

CONFIG = SyntheticConfig(
    num_videos=6,
    seconds_per_video=20.0,
    grooming_bouts_per_minute=8.0,
    grooming_seconds=(1.5, 4.5),
    twitches_per_minute=18.0,
)
APPS = ("preprocess", "train", "infer")
FIRST_APP_PORT = 8001


def add_demo(double: Double, folder: Path) -> int:
    """Id of a project of short labelled videos; they are drawn once, into the folder."""
    if not folder.is_dir():
        unfinished = folder.with_name(f".{folder.name}")
        shutil.rmtree(unfinished, ignore_errors=True)
        write_dataset(CONFIG, unfinished, dataset="cohort")
        unfinished.rename(folder)
    return double.add_project("Input Project", folder=folder)


def instructions(double: Double, project_id: int | None) -> str:
    """The environment of the apps, and the commands that start them."""
    variables = double.environment()
    if project_id is not None:
        variables["PROJECT_ID"] = str(project_id)
    lines = [f"export {name}={value}" for name, value in variables.items()]
    for number, app in enumerate(APPS):
        port = FIRST_APP_PORT + number
        task = double.add_task(f"http://127.0.0.1:{port}", module=None, name=app)
        start = f"uvicorn main:app --app-dir apps/{app} --port {port} --ws websockets"
        lines.append(f"TASK_ID={task} .venv/bin/{start}")
    control = f"# Control: {double.control_url}/double/... (faults, down, up, requests, dump)"
    return "\n".join(["", *lines, control, f"# Log: {double.log.path}", "# Ctrl-C ends it."])
