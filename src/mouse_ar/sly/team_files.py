"""Team Files: a team's folder on an instance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mouse_ar.sly.connection import Connection
from mouse_ar.sly.disk import check_space
from mouse_ar.sly.errors import RefusedError
from mouse_ar.sly.streams import ByteProgress, download, hash_of

__all__ = [
    "TeamFile",
    "download_file",
    "find_file",
    "list_files",
    "remove_files",
]

_PATHS_PER_REQUEST = 100

# Called with (bytes done, bytes in all).
Progress = Callable[[int, int], None]


@dataclass(frozen=True, order=True)
class TeamFile:
    """A file of a team.

    Args:
        path: from the top, like ``/experiments/run/best.pth``.
        size: in bytes; None where the instance does not say.
        hash: SHA-256 in base64; None where it does not say.
        id: its number.
    """

    path: str
    size: int | None
    hash: str | None
    id: int

    @classmethod
    def from_json(cls, data: Any) -> TeamFile:
        """Read an entry of ``file-storage.list``."""
        size = (data.get("meta") or {}).get("size")
        return cls(
            path=str(data["path"]),
            size=None if size is None else int(size),
            hash=data.get("hash") or None,
            id=int(data["id"]),
        )


def list_files(connection: Connection, folder: str, *, team_id: int) -> list[TeamFile]:
    """All files in a folder and those below, sorted; none where there is no such folder."""
    top = folder_path(folder)
    return [file for file in _listed(connection, top, team_id=team_id) if file.path != top]


def find_file(connection: Connection, path: str, *, team_id: int) -> TeamFile | None:
    """The file at a path, or None."""
    found = _listed(connection, file_path(path), team_id=team_id)
    return next((file for file in found if file.path == file_path(path)), None)


def download_file(
    connection: Connection,
    path: str,
    target: Path,
    *,
    team_id: int,
    progress: ByteProgress | None = None,
) -> TeamFile:
    """Download a file; it appears under its name only when it is whole and right.

    A file that is there already with this content is kept.

    Raises:
        FileNotFoundError: there is no such file in Team Files.
        NoSpaceError: the disk is too full.
        TransferError: it did not work.
    """
    file = find_file(connection, path, team_id=team_id)
    if file is None:
        raise FileNotFoundError(f"There is no {path} in the files of team {team_id}.")
    _fetch(connection, file, target, team_id=team_id, progress=progress)
    return file


def remove_files(connection: Connection, paths: Sequence[str], *, team_id: int) -> None:
    """Remove files or folders; those that are gone already are no error."""
    for start in range(0, len(paths), _PATHS_PER_REQUEST):
        batch = [file_path(path) for path in paths[start : start + _PATHS_PER_REQUEST]]
        try:
            payload = {"teamId": team_id, "paths": batch}
            connection.call("file-storage.bulk.remove", payload, what=f"removing {batch[0]}")
        except RefusedError as error:
            if error.ends_run:
                raise
            # One that is gone makes the instance refuse all.
            left = [p for p in batch if _listed(connection, p, team_id=team_id)]
            if len(left) == len(batch):
                raise
            remove_files(connection, left, team_id=team_id)


def _fetch(
    connection: Connection,
    file: TeamFile,
    target: Path,
    *,
    team_id: int,
    progress: ByteProgress | None,
) -> None:
    if _same(target, file):
        if progress is not None:
            progress(file.size or 0)
        return
    check_space(target.parent, file.size or 0, what=f"downloading {file.path}")
    download(
        connection,
        "file-storage.download",
        {"teamId": team_id, "path": file.path},
        target,
        what=f"downloading {file.path}",
        size=file.size,
        hash=file.hash,
        progress=progress,
    )


def _same(path: Path, file: TeamFile) -> bool:
    if file.hash is None or not path.is_file() or path.stat().st_size != file.size:
        return False
    return hash_of(path) == file.hash


def _listed(connection: Connection, prefix: str, *, team_id: int) -> list[TeamFile]:
    payload = {"teamId": team_id, "path": prefix, "recursive": True}
    answer = connection.call("file-storage.list", payload, what=f"listing {prefix}")
    return sorted(TeamFile.from_json(item) for item in answer if not item.get("isDir"))


def file_path(path: str) -> str:
    return path if path.startswith("/") else f"/{path}"


def folder_path(path: str) -> str:
    return file_path(path).rstrip("/") + "/"


class Total:
    """Bytes of several files as one progress."""

    def __init__(self, sizes: Sequence[int], progress: Progress | None) -> None:
        self._total = sum(sizes)
        self._tell = progress or (lambda *_: None)
        self._next = 0

    def next(self, size: int) -> ByteProgress:
        """The progress of the next file."""
        before = self._next
        self._next += size
        return lambda done: self._tell(before + done, self._total)
