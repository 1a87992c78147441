"""Predictions as tags on the source's own videos, under names that no label has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mouse_ar.data.annotations import ProjectTag, VideoAnnotation
from mouse_ar.sly.annotations import read_raw_annotations, write_annotation
from mouse_ar.sly.errors import RefusedError
from mouse_ar.sly.project import RemoteProject
from mouse_ar.sly.videos import RemoteVideo

__all__ = ["PREDICTED_SUFFIX", "tag_source"]

PREDICTED_SUFFIX = " (predicted)"


def tag_source(project: RemoteProject, video: RemoteVideo, annotation: VideoAnnotation) -> None:
    """Have the bouts of a prediction on a video; those of an earlier prediction make way.

    Nothing else on the video is touched.

    Args:
        project: the source.
        video: of it.
        annotation: the prediction.

    Raises:
        TransferError: it did not work; a repetition goes on after what was done.
    """
    wanted = tuple(
        ProjectTag(f"{bout.action}{PREDICTED_SUFFIX}", bout.interval, round(bout.confidence, 3))
        for bout in annotation.bouts
    )
    keep = {
        _identity(tag.name, tag.interval and tag.interval.inclusive, tag.value) for tag in wanted
    }
    _, held = next(read_raw_annotations(project.connection, [video]))
    for tag in held.get("tags") or []:
        if str(tag["name"]).endswith(PREDICTED_SUFFIX) and _of(tag) not in keep:
            _remove(project, int(tag["id"]), video)
    bare = replace(annotation, bouts=(), ignored=(), video_tags=(), track=None, tags=wanted)
    write_annotation(project, video, bare)


def _of(tag: Mapping[str, Any]) -> tuple[Any, ...]:
    return _identity(tag["name"], tag.get("frameRange"), tag.get("value"))


def _identity(name: str, frames: Any, value: Any) -> tuple[Any, ...]:
    return name, tuple(frames or ()), None if value is None else float(value)


def _remove(project: RemoteProject, tag_id: int, video: RemoteVideo) -> None:
    what = f"removing an earlier prediction from {video.name}"
    try:
        project.connection.call("videos.tags.remove", {"id": tag_id}, what=what)
    except RefusedError as error:
        if error.status != 404:  # gone already
            raise
