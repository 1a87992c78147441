"""Videos of an instance: what it knows of them, their bytes, and their removal.

Getting videos there is in ``video_upload.py``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mouse_ar.sly.connection import Connection, Json
from mouse_ar.sly.errors import RefusedError
from mouse_ar.sly.streams import ByteProgress, download

__all__ = [
    "RemoteVideo",
    "download_video",
    "find_video",
    "list_videos",
    "remove_videos",
    "set_custom_data",
]

_REMOVALS_PER_REQUEST = 50
# An instance may send the time of every frame: a megabyte for an hour of video.
_VIDEOS_PER_PAGE = 100
_BULKY = {"framesToTimecodes", "streams"}


@dataclass(frozen=True)
class RemoteVideo:
    """What an instance knows of a video; names as in the SDK's VideoInfo.

    Args:
        id: its number.
        name: its name, which may hold any character.
        dataset_id: number of its dataset.
        project_id: number of its project.
        hash: SHA-256 in base64; None for a linked video.
        link: where a linked video lies.
        size: bytes, where known.
        frames_count: number of frames.
        frame_height: in pixels.
        frame_width: in pixels.
        custom_data: what is stored beside it.
        info: all else as the instance sent it, without the times of the frames.
    """

    id: int
    name: str
    dataset_id: int
    project_id: int
    hash: str | None
    link: str | None
    size: int | None
    frames_count: int
    frame_height: int
    frame_width: int
    custom_data: Mapping[str, Any] = field(repr=False)
    info: Mapping[str, Any] = field(repr=False, compare=False)

    @property
    def duration_seconds(self) -> float:
        """Its length, as far as the instance knows it; 0 where it does not."""
        return float((self.info.get("fileMeta") or {}).get("duration") or 0.0)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> RemoteVideo:
        """Read an entry of ``videos.list`` or the like."""
        meta = data.get("fileMeta") or {}
        return cls(
            id=int(data["id"]),
            name=str(data["name"]),
            dataset_id=int(data["datasetId"]),
            project_id=int(data["projectId"]),
            hash=data.get("hash") or None,
            link=data.get("link") or None,
            size=int(meta["size"]) if meta.get("size") else None,
            frames_count=int(meta.get("framesCount") or 0),
            frame_height=int(meta.get("height") or 0),
            frame_width=int(meta.get("width") or 0),
            custom_data=dict(data.get("customData") or {}),
            info={**data, "fileMeta": {k: v for k, v in meta.items() if k not in _BULKY}},
        )


def list_videos(connection: Connection, *, project_id: int) -> list[RemoteVideo]:
    """All videos of a project, in all its datasets."""
    payload: Json = {"projectId": project_id, "filter": [], "forceMetadataForLinks": True}
    what = f"listing the videos of project {project_id}"
    found = connection.pages("videos.list", payload, what=what, per_page=_VIDEOS_PER_PAGE)
    return [RemoteVideo.from_json(entry) for entry in found]


def find_video(connection: Connection, name: str, *, dataset_id: int) -> RemoteVideo | None:
    """The video of that name in a dataset, or None."""
    only = [{"field": "name", "operator": "=", "value": name}]
    payload: Json = {"datasetId": dataset_id, "filter": only, "forceMetadataForLinks": True}
    found = connection.pages("videos.list", payload, what=f"looking for {name}")
    return RemoteVideo.from_json(found[0]) if found else None


def download_video(
    connection: Connection,
    video: RemoteVideo,
    path: Path,
    *,
    progress: ByteProgress | None = None,
) -> str:
    """Download a video to a file that appears only when it is whole and right.

    Args:
        connection: to the instance.
        video: what to download; the hash tells whether it is right, for a linked video the
            length or the checksum that come with it.
        path: where to.
        progress: called with the bytes so far.

    Returns:
        Hash of the file, SHA-256 in base64.

    Raises:
        TransferError: it did not work, or gave other bytes than expected.
    """
    return download(
        connection,
        "videos.download",
        {"id": video.id},
        path,
        what=f"downloading {video.name}",
        size=video.size if video.hash else None,
        hash=video.hash,
        progress=progress,
    )


def remove_videos(connection: Connection, videos: Iterable[RemoteVideo]) -> None:
    """Remove videos with their annotations; those that are gone already are no error."""
    by_dataset: dict[int, list[RemoteVideo]] = {}
    for video in {video.id: video for video in videos}.values():
        by_dataset.setdefault(video.dataset_id, []).append(video)
    for group in by_dataset.values():
        for start in range(0, len(group), _REMOVALS_PER_REQUEST):
            part = group[start : start + _REMOVALS_PER_REQUEST]
            try:
                _remove(connection, part)
            except RefusedError as error:
                if error.ends_run:
                    raise
                # One that is gone makes the instance refuse all.
                for video in part:
                    if _exists(connection, video):
                        _remove(connection, [video])


def set_custom_data(
    connection: Connection, video: RemoteVideo, custom_data: Mapping[str, Any]
) -> RemoteVideo:
    """Merge values into a video's custom data; nothing is sent when they are there already."""
    if {**video.custom_data, **custom_data} == video.custom_data:
        return video
    what = f"storing the custom data of {video.name}"
    answer = connection.call("videos.info", {"id": video.id}, what=what)
    current = RemoteVideo.from_json(answer)
    merged = {**current.custom_data, **custom_data}
    if merged == current.custom_data:
        return current
    payload = {"id": video.id, "customData": merged}
    connection.call("videos.custom-data.set", payload, what=what)
    return RemoteVideo.from_json({**answer, "customData": merged})


def _remove(connection: Connection, videos: Iterable[RemoteVideo]) -> None:
    ids = [video.id for video in videos]
    connection.call("images.bulk.remove", {"imageIds": ids}, what=f"removing {len(ids)} videos")


def _exists(connection: Connection, video: RemoteVideo) -> bool:
    try:
        connection.call("videos.info", {"id": video.id}, what=f"looking for {video.name}")
    except RefusedError as error:
        if error.status != 404:
            raise
        return False
    return True
