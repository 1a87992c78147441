"""How often the classes and tags of a project are used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from supervisely_double.meta import NAME_FIELDS
from supervisely_double.model import Json, Project
from supervisely_double.registry import Call, endpoint

if TYPE_CHECKING:
    from supervisely_double.double import Double

# Pairs of (id of a class or tag, id of the dataset where it is used).
_Uses = Iterable[tuple[int, int]]


@endpoint("projects.stats")
def stats(double: Double, call: Call) -> Any:
    # api.project.get_stats; TagsTable, ClassesTable
    state = double.state
    project = state.project(call.integer("id"))
    dataset_of = {video.id: video.dataset_id for video in state.project_videos(project.id)}
    tags = [tag for tag in state.tags.values() if tag.video_id in dataset_of]
    objects = [entity for entity in state.objects.values() if entity.video_id in dataset_of]
    used = {(entity.class_id, entity.video_id) for entity in objects}
    on_videos = [(t.tag_id, dataset_of[t.video_id]) for t in tags if t.object_id is None]
    on_objects = [(t.tag_id, dataset_of[t.video_id]) for t in tags if t.object_id is not None]
    of_objects = [(entity.class_id, dataset_of[entity.video_id]) for entity in objects]
    of_videos = [(class_id, dataset_of[video]) for class_id, video in used]
    return {
        "imageTags": {"items": _counted(double, project, "tags", on_videos)},
        "objectTags": {"items": _counted(double, project, "tags", on_objects)},
        "images": {
            "total": {"imagesInDataset": len(dataset_of)},
            "objectClasses": _counted(double, project, "classes", of_videos),
        },
        "objects": {"items": _counted(double, project, "classes", of_objects)},
    }


def _counted(double: Double, project: Project, kind: str, uses: _Uses) -> list[Json]:
    counts = Counter(uses)
    datasets = double.state.datasets_of(project.id)
    label = "tagMeta" if kind == "tags" else "objectClass"
    items = []
    for known in getattr(project, kind):
        by_dataset = {d.id: counts[known["id"], d.id] for d in datasets}
        items.append(
            {
                label: {"id": known["id"], "name": known[NAME_FIELDS[kind]]},
                "total": sum(by_dataset.values()),
                "datasets": [{"id": i, "count": count} for i, count in by_dataset.items()],
            }
        )
    return items
