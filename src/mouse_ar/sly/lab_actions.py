"""The actions of a lab that labels others than the built-in ones."""

from __future__ import annotations

import tempfile
from pathlib import Path

from mouse_ar.core.actions import ActionSet
from mouse_ar.data.config_files import load_actions
from mouse_ar.sly.connection import Connection
from mouse_ar.sly.team_files import download_file, find_file

__all__ = ["ACTIONS_FILE", "lab_actions"]

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
