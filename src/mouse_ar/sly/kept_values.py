"""What costs a download to find out, kept in Team Files for the runs to come."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mouse_ar.data.files import read_json, write_json
from mouse_ar.sly.connection import Connection
from mouse_ar.sly.team_files import download_file, find_file
from mouse_ar.sly.team_uploads import upload_file

__all__ = ["KeptValues"]


class KeptValues:
    """Values by name in a JSON file of Team Files.

    Args:
        connection: to the instance.
        path: in Team Files.
        local: where the file is kept here.
        team_id: whose files.
    """

    def __init__(self, connection: Connection, path: str, local: Path, *, team_id: int) -> None:
        self._connection, self._path, self._local = connection, path, local
        self._team_id = team_id
        self.values: dict[str, Any] = {}
        self._stored: dict[str, Any] = {}

    def fetch(self) -> None:
        """Get what earlier runs have found; a damaged file only costs time."""
        if find_file(self._connection, self._path, team_id=self._team_id) is None:
            return
        download_file(self._connection, self._path, self._local, team_id=self._team_id)
        try:
            found = dict(read_json(self._local))
        except (ValueError, TypeError):
            return
        self.values |= found
        self._stored = dict(self.values)

    def store(self) -> None:
        """Keep what this run has found."""
        if self.values != self._stored:
            write_json(self._local, self.values)
            upload_file(self._connection, self._local, self._path, team_id=self._team_id)
            self._stored = dict(self.values)
