"""Local projects in Supervisely format, and other content, into a double.

Everything goes through the endpoints, so that it is checked as if it came from a client.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mouse_ar.data.project_layout import list_datasets, list_items, read_custom_data
from supervisely_double.constants import MAX_FIGURES
from supervisely_double.meta import NAME_FIELDS
from supervisely_double.model import Json, Project, Video

if TYPE_CHECKING:
    from supervisely_double.double import Double


def fill_project(double: Double, project_id: int, folder: Path) -> None:
    """Put in a local project: its meta, datasets, videos, annotations and custom data."""
    meta = json.loads((folder / "meta.json").read_text())
    double.call("projects.meta.update", {"id": project_id, "meta": meta})
    for dataset in sorted(list_datasets(folder)):
        dataset_at(double, project_id, dataset)
    for video in list_items(folder):
        double.add_video(
            dataset_at(double, project_id, video.dataset),
            video.video_path,
            annotation=json.loads(video.ann_path.read_text()),
            custom_data=read_custom_data(video),
        )


def dataset_at(double: Double, project_id: int, path: str) -> int:
    parent: int | None = None
    for name in path.split("/"):
        found = [
            dataset.id
            for dataset in double.state.datasets_of(project_id)
            if (dataset.parent_id, dataset.name) == (parent, name)
        ]
        if not found:
            data = {"projectId": project_id, "name": name, "parentId": parent}
            found = [int(double.call("datasets.add", data)["id"])]
        parent = found[0]
    assert parent is not None
    return parent


def dataset_path(double: Double, dataset_id: int) -> str:
    dataset = double.state.dataset(dataset_id)
    if dataset.parent_id is None:
        return dataset.name
    return f"{dataset_path(double, dataset.parent_id)}/{dataset.name}"


def video_path(double: Double, video: Video) -> str:
    return f"{dataset_path(double, video.dataset_id)}/{video.name}"


def _id_of(project: Project, kind: str, name: str) -> int:
    for known in getattr(project, kind):
        if known[NAME_FIELDS[kind]] == name:
            return int(known["id"])
    raise KeyError(f"Project {project.name!r} has none of its {kind} named {name!r}")


def _sent_tag(project: Project, tag: Json) -> Json:
    kept = ("name", "value", "frameRange", "isFinished", "nonFinalValue")
    sent = {name: tag[name] for name in kept if name in tag}
    return {**sent, "tagId": _id_of(project, "tags", tag["name"])}


def add_tag(
    double: Double, video_id: int, name: str, *, frames: tuple[int, int] | None, value: Any
) -> int:
    tag: Json = {"name": name}
    if frames is not None:
        tag["frameRange"] = list(frames)
    if value is not None:
        tag["value"] = value
    sent = _sent_tag(double.state.project_of(double.state.video(video_id)), tag)
    return int(double.call("videos.tags.add", {"videoId": video_id, **sent})["id"])


def annotate(double: Double, video_id: int, annotation: Json) -> None:
    """Tags, objects and figures of an annotation as projects on disk have it."""
    video = double.state.video(video_id)
    project = double.state.project_of(video)
    tags = [_sent_tag(project, tag) for tag in annotation["tags"]]
    double.call("videos.tags.bulk.add", {"videoId": video_id, "tags": tags})
    objects = annotation["objects"]
    items = [
        {"classId": _id_of(project, "classes", item["classTitle"]), "entityId": video_id}
        for item in objects
    ]
    data = {"datasetId": video.dataset_id, "annotationObjects": items}
    added = double.call("annotation-objects.bulk.add", data)
    ids = {item["key"]: new["id"] for item, new in zip(objects, added, strict=True)}
    object_tags = [
        {**_sent_tag(project, tag), "objectId": ids[item["key"]]}
        for item in objects
        for tag in item.get("tags", [])
    ]
    double.call("annotation-objects.tags.bulk.add", {"projectId": project.id, "tags": object_tags})
    figures = [
        {**figure, "objectId": ids[figure["objectKey"]], "meta": {"frame": frame["index"]}}
        for frame in annotation["frames"]
        for figure in frame["figures"]
    ]
    for start in range(0, len(figures), MAX_FIGURES):
        batch = figures[start : start + MAX_FIGURES]
        double.call("figures.bulk.add", {"entityId": video_id, "figures": batch})
