"""Annotations as the JSON that Supervisely reads.

Every key is derived from the content, so writing the same annotation twice gives the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from mouse_ar.core.types import Track
from mouse_ar.data.annotations import IGNORED_TAG, MOUSE_CLASS, ProjectTag, VideoAnnotation
from mouse_ar.data.boxes import box_to_geometry

__all__ = ["annotation_to_json", "bout_tags", "tags_to_json"]

_NAMESPACE = uuid5(NAMESPACE_URL, "mouse-ar")


def annotation_to_json(
    annotation: VideoAnnotation, *, video_key: str, value_types: Mapping[str, str]
) -> dict[str, Any]:
    """The content of ``ann/<video>.json``.

    Args:
        annotation: what to write; confidences go into tags whose type holds a number.
        video_key: dataset and name of the video; makes the keys unique within a project.
        value_types: value type of each tag in the project's meta.

    Raises:
        ValueError: when a tag's value does not fit its type.
    """
    tags = [*annotation.video_tags, *bout_tags(annotation), *annotation.tags]
    objects, frames = _track_to_json(annotation, video_key)
    return {
        "size": {"height": annotation.height, "width": annotation.width},
        "description": annotation.description,
        "key": _key(video_key, "video"),
        "tags": tags_to_json(tags, video_key=video_key, value_types=value_types),
        "objects": objects,
        "frames": frames,
        "framesCount": annotation.num_frames,
    }


def bout_tags(annotation: VideoAnnotation) -> list[ProjectTag]:
    """Bouts and ignored frames as tags, in time order."""
    bouts = [ProjectTag(b.action, b.interval, b.confidence) for b in sorted(annotation.bouts)]
    return bouts + [ProjectTag(IGNORED_TAG, interval) for interval in sorted(annotation.ignored)]


def tags_to_json(
    tags: Iterable[ProjectTag], *, video_key: str, value_types: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Tags as JSON; a tag given twice in ``tags`` is written once."""
    written: dict[str, dict[str, Any]] = {}
    for tag in tags:
        entry: dict[str, Any] = {"name": tag.name}
        value = _value(tag, value_types[tag.name])
        if value is not None:
            entry["value"] = value
        if tag.interval is not None:
            entry["frameRange"] = list(tag.interval.inclusive)
        key = _key(video_key, "tag", tag.name, entry.get("frameRange"), value)
        written.setdefault(key, {**entry, "key": key})
    return list(written.values())


def _key(*parts: object) -> str:
    return uuid5(_NAMESPACE, json.dumps(parts)).hex


def _value(tag: ProjectTag, value_type: str) -> float | str | None:
    """The value as the tag's type in the project wants it."""
    if value_type == "none":
        return None
    if value_type == "any_number":
        value = 1.0 if tag.value is None else tag.value
        if isinstance(value, int | float):
            return round(value, 4)
    elif isinstance(tag.value, str):
        return tag.value
    raise ValueError(
        f"Tag {tag.name!r} takes values of type {value_type!r} in this project, got "
        f"{tag.value!r}. Rename that tag in the project or write to a new project."
    )


def _track_to_json(
    annotation: VideoAnnotation, video_key: str
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The object ``mouse`` and its figures, one per frame that has a box."""
    if annotation.track is None:
        return [], []
    object_key = _key(video_key, "object", MOUSE_CLASS)
    # Counting up from one key is as unique as hashing every frame, and an hour has 100,000.
    first_key = int(_key(video_key, "figures"), 16)
    frames = []
    for frame, geometry in _geometries(annotation, annotation.track):
        figure = {
            "key": f"{(first_key + frame) % 2**128:032x}",
            "objectKey": object_key,
            "geometryType": "rectangle",
            "geometry": geometry,
        }
        frames.append({"index": frame, "figures": [figure]})
    if not frames:
        return [], []
    return [{"key": object_key, "classTitle": MOUSE_CLASS, "tags": []}], frames


def _geometries(annotation: VideoAnnotation, track: Track) -> Iterator[tuple[int, dict[str, Any]]]:
    for frame in track.present_T.nonzero()[0].tolist():
        box = track.box(frame)
        if box is not None:
            geometry = box_to_geometry(box, height=annotation.height, width=annotation.width)
            if geometry is not None:
                yield frame, geometry
