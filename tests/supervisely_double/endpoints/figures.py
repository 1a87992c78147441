"""Figures: one geometry of one object in one frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from supervisely_double.clock import now
from supervisely_double.constants import LOGIN, MAX_FIGURES
from supervisely_double.endpoints.videos import check_frame
from supervisely_double.errors import demand
from supervisely_double.listing import paged
from supervisely_double.model import Figure, Json, Video
from supervisely_double.registry import Call, endpoint

if TYPE_CHECKING:
    from supervisely_double.double import Double

_EXTRA = ("trackId", "nnCreated", "nnUpdated", "priority", "customData", "smartToolInput")


def figure_json(double: Double, figure: Figure) -> Json:
    video = double.state.video(figure.video_id)
    dataset = double.state.dataset(video.dataset_id)
    return {
        **figure.stamps(),
        "classId": double.state.object(figure.object_id).class_id,
        "entityId": video.id,
        "objectId": figure.object_id,
        "projectId": dataset.project_id,
        "datasetId": dataset.id,
        "frameIndex": figure.frame,
        "geometryType": figure.geometry_type,
        "geometry": figure.geometry,
        "geometryMeta": {"bbox": _bbox(figure.geometry)},
        "labelerLogin": LOGIN,
        "tags": [],
        "meta": {"frame": figure.frame},
        "area": None,
        **figure.extra,
    }


def _bbox(geometry: Json) -> list[float]:
    """Top, left, bottom, right."""
    xs, ys = zip(*geometry["points"]["exterior"], strict=True)
    return [min(ys), min(xs), max(ys), max(xs)]


def _check_geometry(double: Double, video: Video, kind: str, geometry: Any) -> None:
    points = geometry.get("points", {}).get("exterior") if isinstance(geometry, dict) else None
    demand(isinstance(points, list) and points, f"Only geometries with points: {geometry!r}")
    assert isinstance(points, list)
    meta = double.blobs.video_meta(video.blob)
    width, height = meta["width"], meta["height"]
    for x, y in points:
        inside = 0 <= x <= width - 1 and 0 <= y <= height - 1
        demand(inside, f"Point {x}, {y} is outside of the image of {width} x {height}")
    if kind == "rectangle":
        (left, top), (right, bottom) = points
        demand(left <= right and top <= bottom, f"Rectangle {points} has no inside")


def _make(double: Double, video: Video, sent: Json) -> Figure:
    entity = double.state.object(sent.get("objectId"))
    demand(entity.video_id == video.id, f"Object {entity.id} is not of video {video.id}")
    project = double.state.project_of(video)
    shape = double.state.definition(project, "classes", entity.class_id)["shape"]
    kind = sent.get("geometryType")
    demand(shape in ("any", kind), f"A class of shape {shape} takes no {kind}")
    frame = (sent.get("meta") or {}).get("frame")
    check_frame(double, video, frame)
    _check_geometry(double, video, str(kind), sent.get("geometry"))
    return Figure(
        video_id=video.id,
        object_id=entity.id,
        frame=int(frame),
        geometry_type=str(kind),
        geometry=sent["geometry"],
        extra={name: sent[name] for name in _EXTRA if name in sent},
    )


@endpoint("figures.bulk.add")
def bulk_add(double: Double, call: Call) -> Any:
    # api.video.figure.append_bulk, create, create_bulk
    video, sent = double.state.video(call.integer("entityId")), call.items("figures")
    few = len(sent) <= MAX_FIGURES
    demand(few, f"{len(sent)} figures in one request: {MAX_FIGURES} are allowed")
    added = [_make(double, video, item) for item in sent]
    double.state.figures |= {figure.id: figure for figure in added}
    return [{"id": figure.id} for figure in added]


@endpoint("figures.info")
def info(double: Double, call: Call) -> Any:
    # api.video.figure.get_info_by_id
    return figure_json(double, double.state.figure(call.integer("id")))


@endpoint("figures.list")
def list_(double: Double, call: Call) -> Any:
    # api.video.figure.download, get_by_ids
    dataset = double.state.dataset(call.integer("datasetId"))
    videos = {video.id for video in double.state.videos_of(dataset.id)}
    found = [f for f in double.state.figures.values() if f.video_id in videos]
    return paged(double, call, [figure_json(double, figure) for figure in found])


@endpoint("figures.editInfo")
def edit_info(double: Double, call: Call) -> Any:
    # api.video.figure.update
    figure = double.state.figure(call.integer("id"))
    video, geometry = double.state.video(figure.video_id), call.need("geometry", dict)
    _check_geometry(double, video, figure.geometry_type, geometry)
    figure.geometry, figure.updated = geometry, now()
    figure.extra |= {name: call.data[name] for name in _EXTRA if name in call.data}
    return figure_json(double, figure)


@endpoint("figures.bulk.remove")
def bulk_remove(double: Double, call: Call) -> Any:
    # api.video.figure.remove, remove_batch
    figures = [double.state.figure(figure_id) for figure_id in call.need("figureIds", list)]
    for figure in figures:
        del double.state.figures[figure.id]
    return {"success": True}
