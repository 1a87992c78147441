"""What an instance holds, in a form that is equal for equal runs: no ids, no times, sorted."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from supervisely_double.local import dataset_path, video_path
from supervisely_double.model import Json, Project, Tag, Video

if TYPE_CHECKING:
    from supervisely_double.double import Double

_LONG_NUMBER = re.compile(r"\d{9,}")
_META_IDS = frozenset({"id", "classes"})


def dump_instance(double: Double) -> Json:
    """All projects by workspace and name, and Team Files by path with their hashes."""
    state = double.state
    projects = {
        f"{state.workspaces[project.workspace_id][0]}/{project.name}": dump_project(
            double, project.id
        )
        for project in state.projects.values()
    }
    files = {f"{state.teams[file.team_id]}:{file.path}": file.blob for file in state.files.values()}
    return {"projects": dict(sorted(projects.items())), "files": dict(sorted(files.items()))}


def dump_project(double: Double, project_id: int) -> Json:
    """Meta, custom data and, by path, datasets and videos."""
    state = double.state
    project, names = state.project(project_id), _names(double)
    videos = {video_path(double, v): v for v in state.project_videos(project_id)}
    datasets = {dataset_path(double, d.id): d for d in state.datasets_of(project_id)}
    return {
        "type": project.type,
        "description": project.description,
        "customData": _named(project.custom_data, names),
        "classes": _without_ids(project.classes),
        "tags": _without_ids(project.tags),
        "datasets": {
            path: {"description": d.description, "customData": _named(d.custom_data, names)}
            for path, d in sorted(datasets.items())
        },
        "videos": {
            path: _video(double, project, video, names) for path, video in sorted(videos.items())
        },
    }


def _video(double: Double, project: Project, video: Video, names: dict[str, str]) -> Json:
    state = double.state
    objects = []
    for entity in state.objects_of(video.id):
        figures = [f for f in state.figures_of(video.id) if f.object_id == entity.id]
        objects.append(
            {
                "class": state.definition(project, "classes", entity.class_id)["title"],
                "tags": _tags(double, project, state.tags_of(video.id, object_id=entity.id)),
                "figures": _ordered(
                    {"frame": f.frame, "type": f.geometry_type, "geometry": f.geometry}
                    for f in figures
                ),
            }
        )
    return {
        "hash": video.blob,
        "linked": video.link is not None,
        "meta": video.meta,
        "customData": _named(video.custom_data, names),
        "tags": _tags(double, project, state.tags_of(video.id)),
        "objects": _ordered(objects),
    }


def _tags(double: Double, project: Project, tags: list[Tag]) -> list[Json]:
    return _ordered(
        {
            "name": double.state.definition(project, "tags", tag.tag_id)["name"],
            "frames": tag.frame_range,
            "value": tag.value,
        }
        for tag in tags
    )


def _ordered(items: Any) -> list[Json]:
    return sorted(items, key=lambda item: json.dumps(item, sort_keys=True))


def _without_ids(definitions: list[Json]) -> list[Json]:
    kept = [{k: v for k, v in d.items() if k not in _META_IDS} for d in definitions]
    return _ordered(kept)


def _names(double: Double) -> dict[str, str]:
    """What an id stands for: custom data may mention it."""
    state = double.state
    projects = {str(p.id): f"<project {p.name}>" for p in state.projects.values()}
    datasets = {
        str(d.id): f"<dataset {state.projects[d.project_id].name}/{dataset_path(double, d.id)}>"
        for d in state.datasets.values()
    }
    videos = {
        str(v.id): f"<video {state.project_of(v).name}/{video_path(double, v)}>"
        for v in state.videos.values()
    }
    return {**projects, **datasets, **videos, **{str(task): "<task>" for task in double.tasks}}


def _named(value: Any, names: dict[str, str]) -> Any:
    """The value with every known id in it replaced by its name."""
    if isinstance(value, dict):
        return {_named(key, names): _named(item, names) for key, item in value.items()}
    if isinstance(value, list):
        return [_named(item, names) for item in value]
    if isinstance(value, bool | float) or value is None:
        return value
    if isinstance(value, int):
        return names.get(str(value), value)
    return _LONG_NUMBER.sub(lambda match: names.get(match[0], match[0]), str(value))
