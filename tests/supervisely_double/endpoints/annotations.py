"""Whole annotations, as they are downloaded."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

from supervisely_double.constants import LOGIN
from supervisely_double.endpoints.figures import figure_json
from supervisely_double.endpoints.objects import object_json
from supervisely_double.endpoints.tags import tag_json
from supervisely_double.errors import demand
from supervisely_double.model import Json, Video
from supervisely_double.registry import Call, endpoint

if TYPE_CHECKING:
    from supervisely_double.double import Double


def annotation_json(double: Double, video: Video) -> Json:
    """Ids, no keys: VideoAnnotation.from_json needs a KeyIdMap to connect figures to objects."""
    state, meta = double.state, double.blobs.video_meta(video.blob)
    project = state.project_of(video)
    objects = [
        {
            **object_json(double, entity),
            "classTitle": state.definition(project, "classes", entity.class_id)["title"],
            "labelerLogin": LOGIN,
        }
        for entity in state.objects_of(video.id)
    ]
    figures = sorted(state.figures_of(video.id), key=lambda figure: (figure.frame, figure.id))
    return {
        "videoId": video.id,
        "videoName": video.name,
        "datasetId": video.dataset_id,
        "createdAt": video.created,
        "updatedAt": video.updated,
        "description": "",
        "size": {"height": meta["height"], "width": meta["width"]},
        "framesCount": meta["framesCount"],
        "tags": [tag_json(double, tag) for tag in state.tags_of(video.id)],
        "objects": objects,
        "frames": [
            {"index": frame, "figures": [figure_json(double, figure) for figure in group]}
            for frame, group in groupby(figures, key=lambda figure: figure.frame)
        ],
    }


@endpoint("videos.annotations.bulk.info")
def bulk_info(double: Double, call: Call) -> Any:
    # api.video.annotation.download, download_bulk, download_bulk_async
    videos = [double.state.video(video_id) for video_id in call.need("videoIds", list)]
    dataset = call.get("datasetId")
    for video in videos:
        own = dataset in (None, video.dataset_id)
        demand(own, f"Video {video.id} is not in dataset {dataset}")
    return [annotation_json(double, video) for video in videos]
