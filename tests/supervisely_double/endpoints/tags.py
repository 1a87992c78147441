"""Tags on videos and on objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from supervisely_double.clock import now
from supervisely_double.constants import LOGIN
from supervisely_double.errors import demand
from supervisely_double.meta import check_value
from supervisely_double.model import Json, Tag, Video
from supervisely_double.registry import Call, endpoint

if TYPE_CHECKING:
    from supervisely_double.double import Double


def tag_json(double: Double, tag: Tag) -> Json:
    project = double.state.project_of(double.state.video(tag.video_id))
    answer = {
        **tag.stamps(),
        "tagId": tag.tag_id,
        "name": double.state.definition(project, "tags", tag.tag_id)["name"],
        "entityId": tag.video_id,
        "labelerLogin": LOGIN,
        "isFinished": tag.is_finished,
        "nonFinalValue": tag.non_final_value,
    }
    if tag.object_id is not None:
        answer["objectId"] = tag.object_id
    if tag.frame_range is not None:
        answer["frameRange"] = tag.frame_range
    return answer if tag.value is None else {**answer, "value": tag.value}


def make_tag(double: Double, video: Video, sent: Json, *, object_id: int | None = None) -> Tag:
    """A checked tag, not yet stored."""
    project = double.state.project_of(video)
    known = double.state.definition(project, "tags", sent.get("tagId"))
    name = sent.get("name", known["name"])
    demand(name == known["name"], f"Tag {known['id']} is {known['name']!r}, not {name!r}")
    wrong = "imagesOnly" if object_id is not None else "objectsOnly"
    demand(known["applicable_type"] != wrong, f"Tag {name!r} is for {known['applicable_type']}")
    check_value(known, sent.get("value"))
    check_range(double, video, known, sent.get("frameRange"))
    return Tag(
        video_id=video.id,
        tag_id=known["id"],
        object_id=object_id,
        value=sent.get("value"),
        frame_range=sent.get("frameRange"),
        is_finished=sent.get("isFinished", True),
        non_final_value=sent.get("nonFinalValue", False),
    )


def check_range(double: Double, video: Video, known: Json, frame_range: Any) -> None:
    """Inside the video, not reversed, and there or not as the tag's target says."""
    name, target = known["name"], known["target_type"]
    if frame_range is None:
        demand(target != "framesOnly", f"Tag {name!r} needs a frame range")
        return
    demand(target != "entitiesOnly", f"Tag {name!r} takes no frame range")
    count = double.blobs.video_meta(video.blob)["framesCount"]
    whole = isinstance(frame_range, list) and [type(frame) for frame in frame_range] == [int, int]
    inside = whole and 0 <= frame_range[0] <= frame_range[1] < count
    demand(inside, f"Tag {name!r}: frame range {frame_range}, {video.name!r} has {count} frames")


def _store(double: Double, tags: list[Tag]) -> list[Json]:
    double.state.tags |= {tag.id: tag for tag in tags}
    return [tag_json(double, tag) for tag in tags]


@endpoint("videos.tags.bulk.add")
def bulk_add(double: Double, call: Call) -> Any:
    # api.video.tag.append_to_entity (of api.video.annotation.append)
    video = double.state.video(call.integer("videoId"))
    return _store(double, [make_tag(double, video, sent) for sent in call.items("tags")])


@endpoint("videos.tags.add")
def add(double: Double, call: Call) -> Any:
    # api.video.tag.add, add_tag
    video = double.state.video(call.integer("videoId"))
    return _store(double, [make_tag(double, video, call.data)])[0]


@endpoint("tags.entities.bulk.add")
def entities_add(double: Double, call: Call) -> Any:
    # api.video.tag.add_to_entities_json
    project = double.state.project(call.integer("projectId"))
    tags = []
    for sent in call.items("tags"):
        video = double.state.video(sent.get("entityId"))
        own = double.state.project_of(video).id == project.id
        demand(own, f"Video {video.id} is not in project {project.id}")
        tags.append(make_tag(double, video, sent))
    return _store(double, tags)


def _object_tag(double: Double, sent: Json) -> Tag:
    on = double.state.object(sent.get("objectId"))
    return make_tag(double, double.state.video(on.video_id), sent, object_id=on.id)


@endpoint("annotation-objects.tags.bulk.add")
def object_bulk_add(double: Double, call: Call) -> Any:
    # api.video.tag.append_to_objects, add_to_objects
    project = double.state.project(call.integer("projectId"))
    tags = [_object_tag(double, sent) for sent in call.items("tags")]
    for tag in tags:
        own = double.state.project_of(double.state.video(tag.video_id)).id == project.id
        demand(own, f"Object {tag.object_id} is not in project {project.id}")
    return _store(double, tags)


@endpoint("annotation-objects.tags.add")
def object_add(double: Double, call: Call) -> Any:
    # api.video.object.tag.add
    return _store(double, [_object_tag(double, call.data)])[0]


def _register_changes(prefix: str, *, on_object: bool) -> None:
    """Removal and edits are the same for tags on videos and on objects."""

    @endpoint(f"{prefix}.remove")
    def remove(double: Double, call: Call) -> Any:
        # api.video.tag.remove_from_video, api.video.object.tag.remove
        tag = double.state.tag(call.integer("id"), on_object=on_object)
        del double.state.tags[tag.id]
        return {"success": True}

    @endpoint(f"{prefix}.update")
    def update(double: Double, call: Call) -> Any:
        # api.video.tag.update_frame_range, api.video.object.tag.update_frame_range
        tag, known, video = _open(double, call)
        check_range(double, video, known, call.need("frameRange", list))
        tag.frame_range, tag.updated = call.data["frameRange"], now()
        return tag_json(double, tag)

    @endpoint(f"{prefix}.update-value")
    def update_value(double: Double, call: Call) -> Any:
        # api.video.tag.update_value, api.video.object.tag.update_value
        tag, known, _ = _open(double, call)
        check_value(known, call.get("value"))
        tag.value, tag.updated = call.get("value"), now()
        return tag_json(double, tag)

    def _open(double: Double, call: Call) -> tuple[Tag, Json, Video]:
        tag = double.state.tag(call.integer("id"), on_object=on_object)
        video = double.state.video(tag.video_id)
        project = double.state.project_of(video)
        return tag, double.state.definition(project, "tags", tag.tag_id), video


_register_changes("videos.tags", on_object=False)
_register_changes("annotation-objects.tags", on_object=True)
