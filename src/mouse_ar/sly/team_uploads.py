"""Files to Team Files: what is there is replaced, never doubled."""

from __future__ import annotations

import mimetypes
from pathlib import Path, PurePosixPath
from typing import Any

from mouse_ar.detection.exchange import TransientError
from mouse_ar.sly.connection import Connection
from mouse_ar.sly.streams import ByteProgress, hash_of, upload
from mouse_ar.sly.team_files import (
    Progress,
    TeamFile,
    Total,
    file_path,
    find_file,
    folder_path,
    list_files,
    remove_files,
)

__all__ = ["upload_file", "upload_folder"]


def upload_file(
    connection: Connection,
    source: Path,
    target: str,
    *,
    team_id: int,
    progress: ByteProgress | None = None,
) -> TeamFile:
    """Have a file at a path: one with this content stays, another is replaced.

    Args:
        connection: to the instance.
        source: the file.
        target: its path in Team Files.
        team_id: whose files.
        progress: called with the bytes sent.

    Raises:
        TransferError: it did not work.
    """
    present = find_file(connection, target, team_id=team_id)
    return _have(connection, source, target, present, team_id=team_id, progress=progress)


def upload_folder(
    connection: Connection,
    source: Path,
    target: str,
    *,
    team_id: int,
    remove_others: bool = False,
    progress: Progress | None = None,
) -> list[TeamFile]:
    """Have all files of a folder, hidden ones left out, below a path; see :func:`upload_file`.

    Unlike the SDK, it never makes a second folder ``…_000`` beside one that is there.

    Args:
        connection: to the instance.
        source: the folder.
        target: its path in Team Files.
        team_id: whose files.
        remove_others: remove files there that ``source`` does not have.
        progress: called with (bytes done, bytes in all).

    Raises:
        NotADirectoryError: there is no such folder.
        TransferError: it did not work; a repetition goes on after what was done.
    """
    if not source.is_dir():
        raise NotADirectoryError(f"{source} is no folder.")
    top = folder_path(target)
    paths = {top + p.relative_to(source).as_posix(): p for p in _visible_files(source)}
    present = {file.path: file for file in list_files(connection, top, team_id=team_id)}
    tell = Total([path.stat().st_size for path in paths.values()], progress)
    files = []
    for where, path in paths.items():
        files.append(
            _have(
                connection,
                path,
                where,
                present.get(where),
                team_id=team_id,
                progress=tell.next(path.stat().st_size),
            )
        )
    if remove_others and (others := sorted(set(present) - set(paths))):
        remove_files(connection, others, team_id=team_id)
    return files


def _have(
    connection: Connection,
    source: Path,
    target: str,
    present: TeamFile | None,
    *,
    team_id: int,
    progress: ByteProgress | None,
) -> TeamFile:
    where, digest, size = file_path(target), hash_of(source), source.stat().st_size
    if present is not None and (present.hash, present.size) == (digest, size):
        if progress is not None:
            progress(size)
        return present

    # An instance replaces a file of that path. It is not removed before: a run that ends in
    # between would have lost it. One that keeps the old file and puts the new one elsewhere gets
    # the old one removed only then.
    def check(answer: Any) -> TeamFile:
        file = TeamFile.from_json(answer[0])
        if file.path != where:
            remove_files(connection, [file.path, where], team_id=team_id)
            raise TransientError(f"expected it at {where}, the instance put it at {file.path}")
        if file.hash not in (None, digest) or file.size not in (None, size):
            remove_files(connection, [where], team_id=team_id)
            raise TransientError(f"expected {size} bytes of hash {digest}, got {file}")
        return file

    def there() -> TeamFile | None:
        file = find_file(connection, where, team_id=team_id)
        done = file is not None and (file.hash, file.size) == (digest, size)
        return file if done else None

    name = PurePosixPath(where).name
    made = upload(
        connection,
        "file-storage.bulk.upload",
        source,
        field="file",
        file_name=name,
        mime=mimetypes.guess_type(name)[0] or "application/octet-stream",
        what=f"uploading {where}",
        check=check,
        recover=there,
        fields={"name": name, "path": f"{where[: -len(name)]}"},
        params={"teamId": team_id},
        progress=progress,
    )
    assert isinstance(made, TeamFile)
    return made


def _visible_files(folder: Path) -> list[Path]:
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]
