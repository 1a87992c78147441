"""Videos to an instance: from files, or from another of its datasets."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mouse_ar.detection.exchange import TransientError
from mouse_ar.sly.connection import Connection, Json
from mouse_ar.sly.disk import check_space
from mouse_ar.sly.errors import RefusedError, TransferError
from mouse_ar.sly.streams import ByteProgress, hash_of, upload
from mouse_ar.sly.videos import (
    RemoteVideo,
    download_video,
    find_video,
    remove_videos,
    set_custom_data,
)

__all__ = ["copy_video", "known_hashes", "upload_video"]

_HASHES_PER_REQUEST = 900


def known_hashes(connection: Connection, hashes: Iterable[str]) -> set[str]:
    """Those of the hashes whose content the instance has already."""
    wanted, known = sorted(set(hashes)), set()
    for start in range(0, len(wanted), _HASHES_PER_REQUEST):
        part = wanted[start : start + _HASHES_PER_REQUEST]
        known |= set(connection.call("images.internal.hashes.list", part, what="comparing hashes"))
    return known


def upload_video(
    connection: Connection,
    path: Path,
    *,
    dataset_id: int,
    name: str,
    hash: str | None = None,
    present: RemoteVideo | None = None,
    replace: bool = False,
    custom_data: Mapping[str, Any] | None = None,
    progress: ByteProgress | None = None,
) -> RemoteVideo:
    """Have a video in a dataset; its bytes are sent only if the instance does not know them.

    Args:
        connection: to the instance.
        path: the file.
        dataset_id: number of the dataset.
        name: its name there.
        hash: SHA-256 of the file in base64, if known.
        present: the video of that name there, if known; it is looked for otherwise.
        replace: whether a video of that name with other content is removed first, with its
            annotations.
        custom_data: merged into what is stored beside the video.
        progress: called with the bytes sent.

    Returns:
        The video; one of that name and content that was there already is kept.

    Raises:
        FileExistsError: the name is taken by another video, and ``replace`` is off.
        TransferError: it did not work.
    """
    digest = hash or hash_of(path)
    video = present or find_video(connection, name, dataset_id=dataset_id)
    if video is not None and video.hash != digest:
        if not replace:
            raise FileExistsError(
                f"{name}: the dataset has another video of that name (number {video.id}, hash "
                f"{video.hash}), expected {digest} as of {path}. Rename one of them, or ask to "
                "replace it."
            )
        remove_videos(connection, [video])
        video = None
    if video is None:
        if digest not in known_hashes(connection, [digest]):
            _send(connection, path, name=name, hash=digest, progress=progress)
        stream = _stream_index(connection, digest, name=name)
        item = {"title": name, "hash": digest, "meta": {"videoStreamIndex": stream}}
        video = _add(connection, item, dataset_id=dataset_id)
    if progress is not None:
        progress(path.stat().st_size)
    return set_custom_data(connection, video, custom_data) if custom_data else video


def copy_video(
    connection: Connection,
    video: RemoteVideo,
    *,
    dataset_id: int,
    name: str | None = None,
    custom_data: Mapping[str, Any] | None = None,
    folder: Path | None = None,
) -> RemoteVideo:
    """Have a video of the instance in another dataset, without moving bytes where possible.

    Args:
        connection: to the instance.
        video: the source; annotations are not copied.
        dataset_id: number of the target dataset.
        name: its name there; the same by default.
        custom_data: merged into what is stored beside the copy.
        folder: where the file is kept for a while if the instance refuses to copy; a temporary
            one by default.

    Raises:
        FileExistsError: the name is taken by another video.
        NoSpaceError: it must go through this computer, which has no space for it.
        TransferError: it did not work.
    """
    name = name or video.name
    present = find_video(connection, name, dataset_id=dataset_id)
    if present is not None:
        if (present.hash, present.link) != (video.hash, video.link):
            raise FileExistsError(
                f"{name}: the dataset has another video of that name (number {present.id})."
            )
    else:
        content = {"link": video.link} if video.link else {"hash": video.hash}
        item = {"title": name, **content, "meta": dict(video.info.get("meta") or {})}
        try:
            present = _add(connection, item, dataset_id=dataset_id)
        except RefusedError as error:
            if error.ends_run:
                raise
            present = _copy_through_here(
                connection, video, dataset_id=dataset_id, name=name, folder=folder
            )
    return set_custom_data(connection, present, custom_data) if custom_data else present


def _send(
    connection: Connection, path: Path, *, name: str, hash: str, progress: ByteProgress | None
) -> None:
    """Send the bytes of a video."""

    def check(answer: Any) -> bool:
        got = [item.get("hash") for item in answer or []]
        if got == [None]:
            text = "; ".join(str(e.get("message")) for e in answer[0].get("errors") or [])
            raise RefusedError(f"uploading {name}", text or "it took no file", status=400)
        if got != [hash]:
            raise TransientError(f"{path}: the instance got other bytes: hash {got}, not {hash}")
        return True

    upload(
        connection,
        "videos.bulk.upload",
        path,
        field="0-file",
        file_name="0",
        mime="video/*",
        what=f"uploading {name}",
        check=check,
        recover=lambda: hash in known_hashes(connection, [hash]) or None,
        progress=progress,
    )


def _stream_index(connection: Connection, hash: str, *, name: str) -> int:
    """Which of a file's streams is the video: the first, as everywhere here."""
    what = f"reading the streams of {name}"
    answer = connection.call("import-storage.internal.meta.list", {"hashes": [hash]}, what=what)
    streams = ((answer or [{}])[0].get("meta") or {}).get("streams") or []
    found = [int(s["index"]) for s in streams if s.get("codecType") == "video"]
    if not found:
        raise RefusedError(what, "the instance finds no video in it", status=400)
    return found[0]


def _add(connection: Connection, item: Json, *, dataset_id: int) -> RemoteVideo:
    """Add an item whose content the instance has, once."""
    name = item["title"]

    def there() -> RemoteVideo | None:
        found = find_video(connection, name, dataset_id=dataset_id)
        return found if found and _holds(found, item) else None

    def added() -> RemoteVideo:
        payload = {"datasetId": dataset_id, "videos": [item], "forceMetadataForLinks": True}
        answer = connection.once("videos.bulk.add", payload, what=f"adding {name}")
        video = RemoteVideo.from_json(answer[0])
        if video.name != name or not _holds(video, item):
            # A request that seemed lost came in late and took the name, or another program did.
            remove_videos(connection, [video])
            first = there()
            if first is None:
                raise TransferError(f"adding {name}", f"the instance made {video.name!r} of it")
            return first
        return video

    return connection.retry(added, what=f"adding {name}", recover=there)


def _holds(video: RemoteVideo, item: Json) -> bool:
    return bool(video.link == item["link"] if "link" in item else video.hash == item["hash"])


def _copy_through_here(
    connection: Connection,
    video: RemoteVideo,
    *,
    dataset_id: int,
    name: str,
    folder: Path | None,
) -> RemoteVideo:
    """Download and upload a video that the instance does not copy itself."""
    with tempfile.TemporaryDirectory(dir=folder, prefix=".copy-") as temporary:
        check_space(Path(temporary), video.size or 0, what=f"copying {video.name}")
        path = Path(temporary) / f"video{Path(video.name).suffix}"
        digest = download_video(connection, video, path)
        return upload_video(connection, path, dataset_id=dataset_id, name=name, hash=digest)
