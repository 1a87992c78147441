"""Annotation objects: what figures of several frames have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from supervisely_double.constants import USER
from supervisely_double.endpoints.tags import tag_json
from supervisely_double.errors import demand
from supervisely_double.listing import paged
from supervisely_double.model import Json, VideoObject
from supervisely_double.registry import Call, endpoint

if TYPE_CHECKING:
    from supervisely_double.double import Double


def object_json(double: Double, entity: VideoObject) -> Json:
    video = double.state.video(entity.video_id)
    tags = double.state.tags_of(video.id, object_id=entity.id)
    return {
        **entity.stamps(),
        "description": "",
        "datasetId": video.dataset_id,
        "classId": entity.class_id,
        "entityId": video.id,
        "tags": [tag_json(double, tag) for tag in tags],
        "meta": {},
        "createdBy": USER,
    }


@endpoint("annotation-objects.bulk.add")
def bulk_add(double: Double, call: Call) -> Any:
    # api.video.object.append_bulk
    dataset = double.state.dataset(call.integer("datasetId"))
    project = double.state.project(dataset.project_id)
    added = []
    for item in call.items("annotationObjects"):
        video = double.state.video(item.get("entityId"))
        demand(video.dataset_id == dataset.id, f"Video {video.id} is not in dataset {dataset.id}")
        known = double.state.definition(project, "classes", item.get("classId"))
        added.append(VideoObject(video_id=video.id, class_id=known["id"]))
    double.state.objects |= {entity.id: entity for entity in added}
    return [{"id": entity.id} for entity in added]


@endpoint("annotation-objects.info")
def info(double: Double, call: Call) -> Any:
    # api.video.object.get_info_by_id
    return object_json(double, double.state.object(call.integer("id")))


@endpoint("annotation-objects.list")
def list_(double: Double, call: Call) -> Any:
    # api.video.object.get_list
    dataset = double.state.dataset(call.integer("datasetId"))
    videos = double.state.videos_of(dataset.id)
    found = [o for video in videos for o in double.state.objects_of(video.id)]
    return paged(double, call, [object_json(double, entity) for entity in found])


@endpoint("annotation-objects.bulk.remove")
def bulk_remove(double: Double, call: Call) -> Any:
    # api.video.object.remove_batch: the body is the list; figures go with their object
    demand(isinstance(call.data, list), "Expected a list of ids")
    objects = [double.state.object(object_id) for object_id in call.data]
    for entity in objects:
        double.state.remove_object(entity.id)
    return {"success": True}
