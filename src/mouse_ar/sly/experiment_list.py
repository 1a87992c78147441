"""Models that a team has trained, found in its Team Files."""

from __future__ import annotations

import tempfile
from pathlib import Path

from mouse_ar.sly.connection import Connection
from mouse_ar.sly.experiments import EXPERIMENTS_FOLDER, INFO_NAME, Experiment, parse_experiment
from mouse_ar.sly.team_files import TeamFile, download_file, list_files

__all__ = ["list_experiments"]

# /experiments/{project}/{task}/experiment_info.json; deeper ones belong to something else.
_DEPTH = 4


def list_experiments(connection: Connection, *, team_id: int) -> tuple[list[Experiment], list[str]]:
    """The finished trainings of our network whose best checkpoint is there, newest first.

    Returns:
        The experiments, and what is wrong with those that cannot be used.

    Raises:
        TransferError: the instance failed.
    """
    files = list_files(connection, EXPERIMENTS_FOLDER, team_id=team_id)
    paths = {file.path for file in files}
    found, problems = [], []
    with tempfile.TemporaryDirectory(prefix="mouse-ar-") as folder:
        for number, file in enumerate(filter(_describes_one, files)):
            place = Path(folder) / f"{number}.json"
            download_file(connection, file.path, place, team_id=team_id)
            try:
                experiment = parse_experiment(place.read_text(encoding="utf-8"), path=file.path)
            except ValueError as error:  # also what is no text
                problems.append(f"{file.path} cannot be read: {error}")
                continue
            if experiment is None:
                continue
            if experiment.best not in paths:
                problems.append(f"{experiment.name}: its checkpoint {experiment.best} is missing.")
                continue
            found.append(experiment)
    return sorted(found, key=lambda e: (e.finished_at, e.task_id), reverse=True), problems


def _describes_one(file: TeamFile) -> bool:
    return file.path.endswith(f"/{INFO_NAME}") and file.path.count("/") == _DEPTH
