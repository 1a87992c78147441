"""Annotations of an instance's videos, read and written.

The one place where the instance's form (inclusive frame ranges, ids, figures of 100 a request)
and the library's meet; the JSON itself is that of local projects (``data/annotations.py`` reads
it, ``data/annotation_json.py`` writes it), so what is true of files is true of the instance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid5

from mouse_ar.core.actions import ActionSet
from mouse_ar.data.annotation_json import annotation_to_json, bout_tags
from mouse_ar.data.annotations import VideoAnnotation, parse_annotation
from mouse_ar.sly.annotation_diff import Wanted
from mouse_ar.sly.annotation_writer import AnnotationWriter, Written
from mouse_ar.sly.connection import Connection, Json
from mouse_ar.sly.errors import RefusedError
from mouse_ar.sly.videos import RemoteVideo

if TYPE_CHECKING:
    from mouse_ar.sly.project import RemoteProject

__all__ = [
    "Written",
    "local_annotation",
    "read_annotation",
    "read_annotations",
    "read_raw_annotations",
    "same_content",
    "write_annotation",
    "write_raw_annotation",
]

_NAMESPACE = uuid5(NAMESPACE_URL, "mouse-ar/instance")
_VIDEOS_PER_REQUEST = 50
# A figure takes some 300 bytes of JSON.
_FRAMES_PER_REQUEST = 100_000
# What only the instance can say something with.
_IDS = {"id", "tagId", "classId", "objectId", "entityId", "datasetId", "projectId", "videoId"} | {
    "imageId", "area", "geometryMeta", "frameIndex", "meta", "createdBy",
}  # fmt: skip

Progress = Callable[[int, int], None]


def read_raw_annotations(
    connection: Connection,
    videos: Iterable[RemoteVideo],
    *,
    refused: Callable[[RemoteVideo, RefusedError], None] | None = None,
) -> Iterator[tuple[RemoteVideo, Json]]:
    """Annotations as the instance sends them, in requests of bearable size.

    Args:
        connection: to the instance.
        videos: the videos, of any datasets.
        refused: called with a video that the instance refuses, as one that was removed
            meanwhile, which is then left out; without it, the error is raised.

    Raises:
        TransferError: they cannot be read.
    """
    for batch in _batches(videos):
        try:
            yield from _read_batch(connection, batch)
        except RefusedError as error:
            if refused is None or error.ends_run:
                raise
            if len(batch) == 1:
                refused(batch[0], error)
                continue
            for video in batch:  # one that is gone makes the instance refuse all
                yield from read_raw_annotations(connection, [video], refused=refused)


def read_annotations(
    connection: Connection, videos: Sequence[RemoteVideo], *, actions: ActionSet
) -> Iterator[tuple[RemoteVideo, VideoAnnotation]]:
    """Annotations as the library's type, each with its video.

    Args:
        connection: to the instance.
        videos: the videos, of any datasets.
        actions: the actions to look for; aliases and letter case are tolerated.

    Raises:
        TransferError: they cannot be read.
        ValueError: one is unusable; the message names the video.
    """
    for video, data in read_raw_annotations(connection, videos):
        try:
            annotation = parse_annotation(data, actions=actions, custom_data=video.custom_data)
        except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            raise ValueError(f"{video.name} (number {video.id}): {error}") from error
        yield video, annotation


def read_annotation(
    connection: Connection, video: RemoteVideo, *, actions: ActionSet
) -> VideoAnnotation:
    """The annotation of one video; see :func:`read_annotations`."""
    return next(read_annotations(connection, [video], actions=actions))[1]


def write_annotation(
    project: RemoteProject,
    video: RemoteVideo,
    annotation: VideoAnnotation,
    *,
    replace: bool = False,
    progress: Progress | None = None,
) -> Written:
    """Have an annotation on the instance: what is there stays, what is missing is added.

    Tags and classes that the project lacks are added to its meta. A tag carries its confidence
    where the project's tag of that name takes a number.

    Args:
        project: of the video.
        video: the video.
        annotation: what to write; its custom data and provenance are not part of this.
        replace: remove action tags and mouse boxes that are not in ``annotation``. Other tags
            and classes are never touched.
        progress: called with (tags and figures done, tags and figures in all).

    Raises:
        ValueError: a tag's value does not fit its type in the project.
        TransferError: it did not work; what is written stays and a repetition goes on after it.
    """
    project.add_tags_to_meta([*bout_tags(annotation), *annotation.tags, *annotation.video_tags])
    data = annotation_to_json(
        annotation, video_key=str(video.id), value_types=project.value_types()
    )
    return write_raw_annotation(project, video, data, replace=replace, progress=progress)


def write_raw_annotation(
    project: RemoteProject,
    video: RemoteVideo,
    data: Mapping[str, Any],
    *,
    replace: bool = False,
    progress: Progress | None = None,
) -> Written:
    """:func:`write_annotation` for the content of an ``ann/<video>.json``.

    Raises:
        ValueError: it has a tag or a class that the project does not know.
        TransferError: see :func:`write_annotation`.
    """
    size = _size_of(video, data)
    wanted = Wanted.from_json(data, size=size)
    writer = AnnotationWriter(project, video, wanted, replace=replace, progress=progress)
    return writer.write()


def same_content(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two annotations in JSON say the same, whatever their ids and keys."""
    return _content(one) == _content(other)


def local_annotation(data: Mapping[str, Any]) -> Json:
    """An instance's annotation as the content of an ``ann/<video>.json``.

    Keys are made of the ids: the same annotation gives the same bytes, and the SDK can tell
    which figure belongs to which object without a map of ids.
    """
    objects = [_local(item, "object") for item in data.get("objects") or []]
    frames = [
        {"index": frame["index"], "figures": [_local_figure(f) for f in frame["figures"]]}
        for frame in data.get("frames") or []
    ]
    return {
        "size": data["size"],
        "description": data.get("description") or "",
        "key": _key("video", data["videoId"]),
        "tags": [_local(tag, "tag") for tag in data.get("tags") or []],
        "objects": objects,
        "frames": frames,
        "framesCount": data["framesCount"],
    }


def _size_of(video: RemoteVideo, data: Mapping[str, Any]) -> tuple[int, int] | None:
    """Height and width; an instance that has not looked into a linked video says 0."""
    own = data.get("size") or {}
    for height, width in (
        (video.frame_height, video.frame_width),
        (own.get("height") or 0, own.get("width") or 0),
    ):
        if height > 0 and width > 0:
            return int(height), int(width)
    return None


def _content(data: Mapping[str, Any]) -> tuple[Any, ...]:
    wanted = Wanted.from_json(data, size=None)
    objects = sorted(
        (item.class_title, sorted(map(repr, item.tags)), sorted(map(repr, item.figures)))
        for item in wanted.objects
    )
    return set(wanted.tags), objects


def _local(item: Mapping[str, Any], kind: str) -> Json:
    kept = {name: value for name, value in item.items() if name not in _IDS and value is not None}
    if "tags" in kept:
        kept["tags"] = [_local(tag, "tag") for tag in kept["tags"]]
    return {**kept, "key": _key(kind, item["id"])}


def _local_figure(figure: Mapping[str, Any]) -> Json:
    return {**_local(figure, "figure"), "objectKey": _key("object", figure["objectId"])}


def _key(kind: str, number: int) -> str:
    return uuid5(_NAMESPACE, f"{kind}:{number}").hex


def _read_batch(
    connection: Connection, batch: Sequence[RemoteVideo]
) -> list[tuple[RemoteVideo, Json]]:
    payload = {"datasetId": batch[0].dataset_id, "videoIds": [video.id for video in batch]}
    what = f"reading the annotations of {batch[0].name}"
    what += f" and {len(batch) - 1} more" if len(batch) > 1 else ""
    answer = connection.call("videos.annotations.bulk.info", payload, what=what)
    by_id = {int(annotation["videoId"]): annotation for annotation in answer}
    if missing := [video.name for video in batch if video.id not in by_id]:
        raise RefusedError(what, f"it left out {', '.join(missing[:3])}", status=404)
    return [(video, by_id[video.id]) for video in batch]


def _batches(videos: Iterable[RemoteVideo]) -> Iterator[list[RemoteVideo]]:
    """Videos of one dataset each, not too many frames together."""
    batch: list[RemoteVideo] = []
    frames = 0
    for video in sorted(videos, key=lambda v: v.dataset_id):
        full = len(batch) >= _VIDEOS_PER_REQUEST or frames >= _FRAMES_PER_REQUEST
        if batch and (full or batch[0].dataset_id != video.dataset_id):
            yield batch
            batch, frames = [], 0
        batch.append(video)
        frames += video.frames_count
    if batch:
        yield batch
