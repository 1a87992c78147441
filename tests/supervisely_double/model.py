"""What an instance holds; JSON as the SDK reads it is made in the endpoints."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from supervisely_double.clock import new_id, now

Json = dict[str, Any]


@dataclass(kw_only=True)
class Entity:
    id: int = field(default_factory=new_id)
    created: str = field(default_factory=now)
    updated: str = field(default_factory=now)

    def stamps(self) -> Json:
        return {"id": self.id, "createdAt": self.created, "updatedAt": self.updated}


@dataclass(kw_only=True)
class Project(Entity):
    name: str
    workspace_id: int
    type: str
    description: str = ""
    readme: str = ""
    custom_data: Json = field(default_factory=dict)
    settings: Json = field(default_factory=dict)
    classes: list[Json] = field(default_factory=list)
    tags: list[Json] = field(default_factory=list)


@dataclass(kw_only=True)
class Dataset(Entity):
    name: str
    project_id: int
    parent_id: int | None
    description: str = ""
    custom_data: Json = field(default_factory=dict)


@dataclass(kw_only=True)
class Video(Entity):
    name: str
    dataset_id: int
    blob: str  # hash of the content, of a linked video too
    link: str | None = None
    meta: Json = field(default_factory=dict)
    custom_data: Json = field(default_factory=dict)


@dataclass(kw_only=True)
class Tag(Entity):
    """A tag on a video or, with ``object_id``, on one of its objects."""

    video_id: int
    tag_id: int
    object_id: int | None = None
    value: Any = None
    frame_range: list[int] | None = None
    is_finished: bool = True
    non_final_value: bool = False


@dataclass(kw_only=True)
class VideoObject(Entity):
    video_id: int
    class_id: int


@dataclass(kw_only=True)
class Figure(Entity):
    video_id: int
    object_id: int
    frame: int
    geometry_type: str
    geometry: Json
    extra: Json = field(default_factory=dict)  # trackId, nnCreated, ...


@dataclass(kw_only=True)
class StoredFile(Entity):
    team_id: int
    path: str
    blob: str
    size: int
