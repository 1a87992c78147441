"""The actions of a lab that labels others than the built-in ones."""

from __future__ import annotations

import tempfile
from pathlib import Path

from mouse_ar.core.actions import ActionSet
from mouse_ar.data.config_files import load_actions
from mouse_ar.sly.connection import Connection
from mouse_ar.sly.project import RemoteProject
from mouse_ar.sly.team_files import download_file, find_file

__all__ = ["ACTIONS_FIELD", "ACTIONS_FILE", "lab_actions", "training_actions"]

# Under our key in the custom data of Training Data.
ACTIONS_FIELD = "actions"
ACTIONS_FILE = "/mouse-action-recognition/actions.yaml"


def lab_actions(connection: Connection, *, team_id: int) -> ActionSet:
    """The actions of :data:`ACTIONS_FILE` in Team Files, or the built-in ones without it.

    Raises:
        ValueError: the file's content is wrong; the message names it.
        TransferError: the instance failed.
    """
    if find_file(connection, ACTIONS_FILE, team_id=team_id) is None:
        return load_actions()
    with tempfile.TemporaryDirectory() as folder:
        local = Path(folder) / "actions.yaml"
        download_file(connection, ACTIONS_FILE, local, team_id=team_id)
        try:
            return load_actions(local)
        except ValueError as error:
            raise ValueError(f"{ACTIONS_FILE} in Team Files: {error}") from error


def training_actions(project: RemoteProject, *, team_id: int) -> ActionSet:
    """The actions that Training Data was made with, whatever the lab labels by now.

    Projects that do not say so, such as those of the earlier apps, are taken for the lab's.

    Args:
        project: Training Data.
        team_id: whose :func:`lab_actions` count where the project does not say.

    Raises:
        ValueError: what the project or the lab's file says is wrong.
        TransferError: the instance failed.
    """
    stored = project.own_data().get(ACTIONS_FIELD)
    if stored is None:
        return lab_actions(project.connection, team_id=team_id)
    try:
        return ActionSet.from_dict(stored)
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(
            f"The actions in the custom data of {project.title} cannot be read ({error}). Run "
            "Preprocess on its videos again: it writes them anew."
        ) from error
