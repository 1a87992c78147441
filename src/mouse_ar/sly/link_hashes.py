"""Hashes of linked videos, kept in Team Files: an instance knows none, each costs a download."""

from __future__ import annotations

from pathlib import Path

from mouse_ar.data.files import read_json, write_json
from mouse_ar.sly.connection import Connection
from mouse_ar.sly.team_files import download_file, find_file
from mouse_ar.sly.team_uploads import upload_file
from mouse_ar.sly.videos import RemoteVideo

__all__ = ["KeptLinkHashes", "LinkHashes"]


class LinkHashes:
    """SHA-256 of linked videos; one that was linked anew, or elsewhere, is another video.

    A file that is replaced behind its link is noticed when it is fetched the next time, see
    :class:`~mouse_ar.sly.media.RemoteMedia`.
    """

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def get(self, video: RemoteVideo) -> str | None:
        """What is known of a video, hexadecimal."""
        return self._known.get(_name(video))

    def note(self, video: RemoteVideo, sha256: str) -> None:
        """Remember one."""
        self._known[_name(video)] = sha256


class KeptLinkHashes(LinkHashes):
    """Those of earlier runs too.

    Args:
        connection: to the instance.
        path: in Team Files.
        local: where the file is kept here.
        team_id: whose files.
    """

    def __init__(self, connection: Connection, path: str, local: Path, *, team_id: int) -> None:
        super().__init__()
        self._connection, self._path, self._local = connection, path, local
        self._team_id = team_id
        self._stored: dict[str, str] = {}

    def fetch(self) -> None:
        """Get what earlier runs have found; a damaged file only costs time."""
        if find_file(self._connection, self._path, team_id=self._team_id) is None:
            return
        download_file(self._connection, self._path, self._local, team_id=self._team_id)
        try:
            self._known = {str(k): str(v) for k, v in dict(read_json(self._local)).items()}
        except (ValueError, TypeError):
            return
        self._stored = dict(self._known)

    def store(self) -> None:
        """Keep what this run has found."""
        if self._known != self._stored:
            write_json(self._local, self._known)
            upload_file(self._connection, self._local, self._path, team_id=self._team_id)
            self._stored = dict(self._known)


def _name(video: RemoteVideo) -> str:
    return f"{video.id} {video.link}"
