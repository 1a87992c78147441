"""Team Files."""

from __future__ import annotations

import io
import mimetypes
import tarfile
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from fastapi.responses import Response

from supervisely_double.clock import now
from supervisely_double.constants import USER
from supervisely_double.endpoints.videos import blob_response
from supervisely_double.errors import ApiError, demand
from supervisely_double.model import Json, StoredFile
from supervisely_double.registry import Call, endpoint

if TYPE_CHECKING:
    from supervisely_double.double import Double


def file_json(double: Double, stored: StoredFile) -> Json:
    storage_path = f"/double/storage/{double.blobs.path(stored.blob).name}"
    kind = mimetypes.guess_type(stored.path)[0] or "application/octet-stream"
    extension = PurePosixPath(stored.path).suffix.lstrip(".")
    return {
        **stored.stamps(),
        "teamId": stored.team_id,
        "userId": USER,
        "name": PurePosixPath(stored.path).name,
        "path": stored.path,
        "hash": stored.blob,
        "storagePath": storage_path,
        "fullStorageUrl": f"{double.url}{storage_path}",
        "meta": {"size": stored.size, "mime": kind, "ext": extension},
        "type": "file",
        "isDir": False,
    }


def put_file(double: Double, team_id: int, path: str, blob: str) -> StoredFile:
    """Store a file; one with the same path is replaced and keeps its id."""
    double.state.check_team(team_id)
    demand(path.startswith("/") and not path.endswith("/"), f"Not the path of a file: {path!r}")
    demand(".." not in path.split("/") and "//" not in path, f"Not the path of a file: {path!r}")
    size = double.blobs.size(blob)
    with double.state.lock:
        for stored in double.state.files_at(team_id, path):
            if stored.path == path:
                stored.blob, stored.size, stored.updated = blob, size, now()
                return stored
        stored = StoredFile(team_id=team_id, path=path, blob=blob, size=size)
        double.state.files[stored.id] = stored
        return stored


def _listing(double: Double, call: Call) -> tuple[list[Json], list[str]]:
    """Files at a prefix and, when not recursive, the folders right below it."""
    team_id, path = call.integer("teamId"), call.text("path")
    double.state.check_team(team_id)
    found, folders = [], set()
    for stored in double.state.files_at(team_id, path):
        below = stored.path[len(path) :].split("/")
        if len(below) > 1:
            folders.add(path + below[0])
        if len(below) == 1 or call.get("recursive", True):
            found.append(file_json(double, stored))
    return found, sorted(folders)


def _folder_json(call: Call, path: str) -> Json:
    name = PurePosixPath(path).name
    return {"teamId": call.integer("teamId"), "name": name, "path": path, "isDir": True}


@endpoint("file-storage.list")
def list_(double: Double, call: Call) -> Any:
    # api.file.list, list2, listdir, exists, get_info_by_path
    found, folders = _listing(double, call)
    if call.get("recursive", True):
        return found
    return [*(_folder_json(call, folder) for folder in folders), *found]


@endpoint("file-storage.v2.list")
def list_v2(double: Double, call: Call) -> Any:
    # api.storage.list; TeamFilesSelector
    found, folders = _listing(double, call)
    entities: list[Json] = []
    if call.get("folders", True) and not call.get("recursive", True):
        entities += [{**_folder_json(call, f"{f}/"), "type": "folder"} for f in folders]
    if call.get("files", True):
        entities += found
    start, limit = int(call.get("continuationToken") or 0), call.get("limit") or double.page_size
    more = start + limit < len(entities)
    token = str(start + limit) if more else None
    return {"entities": entities[start : start + limit], "continuationToken": token}


@endpoint("file-storage.info")
def info(double: Double, call: Call) -> Any:
    # api.file.get_info_by_id
    if call.integer("id") not in double.state.files:
        raise ApiError(404, f"There is no file with id {call.integer('id')}")
    return file_json(double, double.state.files[call.integer("id")])


@endpoint("file-storage.bulk.upload", locked=False)
def bulk_upload(double: Double, call: Call) -> Any:
    # api.file.upload, upload_bulk, upload_directory: name, path (folder) and file repeat
    demand(call.parts and len(call.parts) % 3 == 0, "Parts are not name, path, file, ...")
    answer = []
    for name, folder, file in zip(*[iter(call.parts)] * 3, strict=True):
        kinds = (name.name, folder.name, file.name)
        demand(kinds == ("name", "path", "file"), f"Parts are not name, path, file: {kinds}")
        demand(file.path, "The part 'file' is no file")
        blob = double.blobs.put(file.path)
        stored = put_file(double, call.team(), folder.value + name.value, blob)
        answer.append(file_json(double, stored))
    return answer


@endpoint("file-storage.upload", locked=False)
def upload(double: Double, call: Call) -> Any:
    # api.file.upload_async, upload_bulk_fast: the body is the file
    demand(call.body and "path" in call.query, "A raw body and path=... are needed")
    assert call.body is not None
    blob = double.blobs.put(call.body)
    return file_json(double, put_file(double, call.team(), call.query["path"], blob))


@endpoint("file-storage.download", locked=False)
def download(double: Double, call: Call) -> Any:
    # api.file.download, download_async; of a folder download_directory expects a tar
    team_id, path = call.integer("teamId"), call.text("path")
    stored = list(double.state.files_at(team_id, path))
    if path.endswith("/") and stored:
        return Response(_tar(double, path, stored), media_type="application/x-tar")
    for file in stored:
        if file.path == path:
            return blob_response(double, file.blob)
    raise ApiError(404, f"There is no file {path!r}")


def _tar(double: Double, folder: str, stored: list[StoredFile]) -> bytes:
    archive = io.BytesIO()
    top = PurePosixPath(folder)
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for file in stored:
            inside = f"{top.name}/{PurePosixPath(file.path).relative_to(top)}"
            tar.add(double.blobs.path(file.blob), inside)
    return archive.getvalue()


@endpoint("file-storage.remove")
def remove(double: Double, call: Call) -> Any:
    # api.file.remove, remove_file, remove_dir
    _remove(double, call.integer("teamId"), call.text("path"))
    return {"success": True}


@endpoint("file-storage.bulk.remove")
def bulk_remove(double: Double, call: Call) -> Any:
    # api.file.remove_batch
    for path in call.need("paths", list):
        _remove(double, call.integer("teamId"), path)
    return {"success": True}


def _remove(double: Double, team_id: int, path: str) -> None:
    gone = [
        stored
        for stored in double.state.files_at(team_id, path)
        if stored.path == path or stored.path.startswith(path.rstrip("/") + "/")
    ]
    demand(gone, f"There is nothing at {path!r}")
    for stored in gone:
        del double.state.files[stored.id]
