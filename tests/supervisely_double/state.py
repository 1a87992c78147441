"""Everything an instance holds, and the ways through it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any, TypeVar

from supervisely_double.constants import TEAM, WORKSPACE
from supervisely_double.errors import ApiError, demand
from supervisely_double.model import (
    Dataset,
    Entity,
    Figure,
    Json,
    Project,
    StoredFile,
    Tag,
    Video,
    VideoObject,
)

E = TypeVar("E", bound=Entity)


def _find(table: dict[int, E], entity_id: Any, kind: str) -> E:
    demand(type(entity_id) is int, f"Id of a {kind}: expected a whole number, got {entity_id!r}")
    if entity_id not in table:
        raise ApiError(404, f"There is no {kind} with id {entity_id}")
    return table[entity_id]


class State:
    """Tables by id. Who changes them holds ``lock``."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.teams: dict[int, str] = {TEAM: "lab"}
        self.workspaces: dict[int, tuple[str, int]] = {WORKSPACE: ("lab", TEAM)}
        self.projects: dict[int, Project] = {}
        self.datasets: dict[int, Dataset] = {}
        self.videos: dict[int, Video] = {}
        self.objects: dict[int, VideoObject] = {}
        self.figures: dict[int, Figure] = {}
        self.tags: dict[int, Tag] = {}
        self.files: dict[int, StoredFile] = {}
        self.links: dict[str, str] = {}  # address -> hash of what is there

    def project(self, project_id: Any) -> Project:
        return _find(self.projects, project_id, "project")

    def dataset(self, dataset_id: Any) -> Dataset:
        return _find(self.datasets, dataset_id, "dataset")

    def video(self, video_id: Any) -> Video:
        return _find(self.videos, video_id, "video")

    def object(self, object_id: Any) -> VideoObject:
        return _find(self.objects, object_id, "object")

    def figure(self, figure_id: Any) -> Figure:
        return _find(self.figures, figure_id, "figure")

    def tag(self, tag_id: Any, *, on_object: bool) -> Tag:
        tag = _find(self.tags, tag_id, "tag")
        kind = "object" if on_object else "video"
        demand((tag.object_id is not None) == on_object, f"Tag {tag_id} is not on a {kind}")
        return tag

    def workspace_team(self, workspace_id: Any) -> int:
        if workspace_id not in self.workspaces:
            raise ApiError(404, f"There is no workspace with id {workspace_id!r}")
        return self.workspaces[workspace_id][1]

    def check_team(self, team_id: Any) -> None:
        if team_id not in self.teams:
            raise ApiError(404, f"There is no team with id {team_id!r}")

    def project_of(self, video: Video) -> Project:
        return self.project(self.dataset(video.dataset_id).project_id)

    def datasets_of(self, project_id: int) -> list[Dataset]:
        return [d for d in self.datasets.values() if d.project_id == project_id]

    def children(self, dataset_id: int) -> list[Dataset]:
        return [d for d in self.datasets.values() if d.parent_id == dataset_id]

    def videos_of(self, dataset_id: int) -> list[Video]:
        return [v for v in self.videos.values() if v.dataset_id == dataset_id]

    def project_videos(self, project_id: int) -> list[Video]:
        datasets = {d.id for d in self.datasets_of(project_id)}
        return [v for v in self.videos.values() if v.dataset_id in datasets]

    def tags_of(self, video_id: int, *, object_id: int | None = None) -> list[Tag]:
        found = (t for t in self.tags.values() if t.video_id == video_id)
        return [t for t in found if t.object_id == object_id]

    def objects_of(self, video_id: int) -> list[VideoObject]:
        return [o for o in self.objects.values() if o.video_id == video_id]

    def figures_of(self, video_id: int) -> list[Figure]:
        return [f for f in self.figures.values() if f.video_id == video_id]

    def definition(self, project: Project, kind: str, entity_id: Any) -> Json:
        """A class or tag of the project's meta; ``kind`` is ``classes`` or ``tags``."""
        for known in getattr(project, kind):
            if known["id"] == entity_id:
                return dict(known)
        raise ApiError(400, f"Project {project.id} has none of its {kind} with id {entity_id!r}")

    def files_at(self, team_id: int, prefix: str = "/") -> Iterator[StoredFile]:
        for stored in sorted(self.files.values(), key=lambda f: f.path):
            if stored.team_id == team_id and stored.path.startswith(prefix):
                yield stored

    def remove_object(self, object_id: int) -> None:
        del self.objects[object_id]
        self.figures = {i: f for i, f in self.figures.items() if f.object_id != object_id}
        self.tags = {i: t for i, t in self.tags.items() if t.object_id != object_id}

    def remove_video(self, video_id: int) -> None:
        del self.videos[video_id]
        self.objects = {i: o for i, o in self.objects.items() if o.video_id != video_id}
        self.figures = {i: f for i, f in self.figures.items() if f.video_id != video_id}
        self.tags = {i: t for i, t in self.tags.items() if t.video_id != video_id}

    def remove_dataset(self, dataset_id: int) -> None:
        for child in self.children(dataset_id):
            self.remove_dataset(child.id)
        for video in self.videos_of(dataset_id):
            self.remove_video(video.id)
        del self.datasets[dataset_id]

    def remove_project(self, project_id: int) -> None:
        for dataset in self.datasets_of(project_id):
            if dataset.id in self.datasets:
                self.remove_dataset(dataset.id)
        del self.projects[project_id]
