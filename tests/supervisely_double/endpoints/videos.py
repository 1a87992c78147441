"""Videos: what they are, their bytes and their frames."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from fastapi.responses import FileResponse, Response

from supervisely_double import media
from supervisely_double.clock import now
from supervisely_double.constants import VIDEO_EXTENSIONS
from supervisely_double.endpoints.tags import tag_json
from supervisely_double.errors import demand
from supervisely_double.listing import paged
from supervisely_double.model import Json, Video
from supervisely_double.registry import Call, endpoint

if TYPE_CHECKING:
    from supervisely_double.double import Double

_BOUNDARY = "double-frames"


def video_json(double: Double, video: Video) -> Json:
    dataset = double.state.dataset(video.dataset_id)
    workspace = double.state.project(dataset.project_id).workspace_id
    linked = video.link is not None
    return {
        **video.stamps(),
        "name": video.name,
        "description": "",
        "hash": None if linked else video.blob,
        "link": video.link,
        "teamId": double.state.workspace_team(workspace),
        "workspaceId": workspace,
        "projectId": dataset.project_id,
        "datasetId": dataset.id,
        "pathOriginal": None if linked else f"/double/storage/{double.blobs.path(video.blob).name}",
        "fileMeta": double.blobs.video_meta(video.blob),
        "tags": [tag_json(double, tag) for tag in double.state.tags_of(video.id)],
        "meta": video.meta,
        "customData": video.custom_data,
        "processingPath": f"1/{video.id}",
    }


@endpoint("videos.info")
def info(double: Double, call: Call) -> Any:
    # api.video.get_info_by_id, get_json_info_by_id
    return video_json(double, double.state.video(call.integer("id")))


@endpoint("videos.list")
def list_(double: Double, call: Call) -> Any:
    # api.video.get_list, get_list_generator, get_info_by_id_batch
    by_dataset = "datasetId" in call.data
    demand(by_dataset != ("projectId" in call.data), "Either datasetId or projectId is needed")
    if by_dataset:
        videos = double.state.videos_of(double.state.dataset(call.integer("datasetId")).id)
    else:
        videos = double.state.project_videos(double.state.project(call.integer("projectId")).id)
    return paged(double, call, [video_json(double, video) for video in videos])


@endpoint("images.editInfo")
def rename(double: Double, call: Call) -> Any:
    # api.video.rename
    video = double.state.video(call.integer("id"))
    video.name, video.updated = check_name(call.text("name")), now()
    return video_json(double, video)


@endpoint("videos.custom-data.set")
def set_custom_data(double: Double, call: Call) -> Any:
    # api.video.update_custom_data: replaces
    video = double.state.video(call.integer("id"))
    video.custom_data, video.updated = call.need("customData", dict), now()
    return video_json(double, video)


@endpoint("images.bulk.remove")
def remove(double: Double, call: Call) -> Any:
    # api.video.remove, remove_batch
    videos = [double.state.video(video_id) for video_id in call.need("imageIds", list)]
    for video in videos:
        double.state.remove_video(video.id)
    return {"success": True}


@endpoint("videos.download")
def download(double: Double, call: Call) -> Any:
    # api.video.download_path, download_path_async (ranges, checksum)
    return blob_response(double, double.state.video(call.integer("id")).blob)


def blob_response(double: Double, blob: str) -> Response:
    """With ranges and length, which the class sees to, and the checksum that the SDK verifies."""
    headers = {"x-content-checksum-sha256": blob}
    kind = "application/octet-stream"
    return FileResponse(double.blobs.path(blob), headers=headers, media_type=kind)


@endpoint("videos.download-frame", locked=False)
def download_frame(double: Double, call: Call) -> Any:
    # api.video.frame.download_np, download_path
    frame = call.integer("frame")
    pictures = _frames(double, call.integer("videoId"), [frame])
    return Response(pictures[frame], media_type="image/png")


@endpoint("videos.bulk.download-frame", locked=False)
def download_frames(double: Double, call: Call) -> Any:
    # api.video.frame.download_nps, download_bytes; api.video.download_frames
    parts = []
    for index, picture in _frames(double, call.get("videoId"), call.need("frames", list)).items():
        head = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{index}"\r\n\r\n'
        parts.append(head.encode() + picture + b"\r\n")
    body = b"".join([*parts, f"--{_BOUNDARY}--\r\n".encode()])
    return Response(body, media_type=f"multipart/form-data; boundary={_BOUNDARY}")


def _frames(double: Double, video_id: Any, indices: list[int]) -> dict[int, bytes]:
    video = double.state.video(video_id)
    for index in indices:
        check_frame(double, video, index)
    return media.frames_png(double.blobs.path(video.blob), indices)


@endpoint("videos.notify-annotation-tool")
def notify(double: Double, call: Call) -> Any:
    # api.video.notify_progress
    return {"stopped": False}


def frames_count(double: Double, video: Video) -> int:
    return int(double.blobs.video_meta(video.blob)["framesCount"])


def check_frame(double: Double, video: Video, frame: Any) -> None:
    count = frames_count(double, video)
    inside = type(frame) is int and 0 <= frame < count
    demand(inside, f"Frame {json.dumps(frame)}: video {video.name!r} has {count} frames")


def check_name(name: Any) -> str:
    fits = isinstance(name, str) and name.lower().endswith(VIDEO_EXTENSIONS)
    demand(fits and "/" not in name, f"Not the name of a video file: {name!r}")
    return str(name)
