"""The detector that was picked on a page, opened for a while."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath

from mouse_ar.detection.choice import open_detector
from mouse_ar.detection.protocol import Detector
from mouse_ar.detection.remote import RemoteDetector
from mouse_ar.sly.connection import Connection
from mouse_ar.sly.sessions import Sessions
from mouse_ar.sly.team_files import download_file, list_files
from mouse_ar.sly.ui.launch import AppContext
from mouse_ar.sly.ui.picked_detector import PickedDetector

__all__ = ["opened_detector"]

# What lies beside a checkpoint and says what it is.
_SETTINGS = (".yml", ".yaml", ".json")


@contextmanager
def opened_detector(
    picked: PickedDetector,
    *,
    context: AppContext,
    connection: Connection,
    team_id: int,
    workspace_id: int,
    folder: Path,
) -> Iterator[Detector]:
    """Open a detector; what was started or connected for it is given up in the end.

    Args:
        picked: on the page.
        context: of the app.
        connection: to its instance.
        team_id: whose Team Files hold a checkpoint.
        workspace_id: where a checkpoint is deployed, on the computer ``AGENT_ID`` if it is set.
        folder: for a checkpoint that runs in this app.

    Raises:
        DetectorSetupError: there is no such detector.
        DetectorUnavailableError: it does not answer.
    """
    agent = os.environ.get("AGENT_ID", "")
    options = {"agent_id": int(agent)} if agent.isdecimal() else {}

    def download(path: str) -> Path:
        return _download(connection, path, folder=folder, team_id=team_id)

    with ExitStack() as stack:
        sessions = stack.enter_context(Sessions(context.api, workspace_id=workspace_id, **options))
        line = picked.local_choice(download)
        detector = open_detector(line, sessions=sessions, **picked.options)
        if isinstance(detector, RemoteDetector):
            stack.enter_context(detector)
        yield detector


def _download(connection: Connection, path: str, *, folder: Path, team_id: int) -> Path:
    """A checkpoint of Team Files with the settings that lie beside it."""
    place = str(PurePosixPath(path).parent)
    beside = [
        file.path
        for file in list_files(connection, place, team_id=team_id)
        if file.path.endswith(_SETTINGS) and str(PurePosixPath(file.path).parent) == place
    ]
    for name in [*beside, path]:
        download_file(connection, name, folder / PurePosixPath(name).name, team_id=team_id)
    return folder / PurePosixPath(path).name
