"""Tags, objects and figures, by the real SDK; what does not fit is refused."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from requests.exceptions import HTTPError

from supervisely_double import Double
from supervisely_double.fixtures import GROOMING, META, MOUSE, TWITCH, write_clip


@pytest.fixture
def video(double: Double, clip: Path) -> int:
    project = double.add_project("mice", meta=META)
    return double.add_video(double.add_dataset(project, "day"), clip)


@pytest.fixture
def meta(sly: ModuleType, api: Any, double: Double, video: int) -> Any:
    project = api.video.get_info_by_id(video).project_id
    return sly.ProjectMeta.from_json(api.project.get_meta(project))


def annotation(sly: ModuleType, meta: Any, *, frames: int, boxes: int) -> Any:
    """Two tags and an object with a box in the first frames."""
    mouse = sly.VideoObject(meta.get_obj_class(MOUSE))
    frame_list = [
        sly.Frame(i, figures=[sly.VideoFigure(mouse, sly.Rectangle(1, 2, 20 + i % 20, 30), i)])
        for i in range(boxes)
    ]
    tags = [
        sly.VideoTag(meta.get_tag_meta(GROOMING), frame_range=[2, 5]),
        sly.VideoTag(meta.get_tag_meta(TWITCH), value=0.5, frame_range=[0, frames - 1]),
    ]
    return sly.VideoAnnotation(
        (48, 64),
        frames,
        sly.VideoObjectCollection([mouse]),
        sly.FrameCollection(frame_list),
        sly.VideoTagCollection(tags),
    )


def test_an_annotation_comes_back(
    api: Any, sly: ModuleType, double: Double, meta: Any, tmp_path: Path
) -> None:
    clip = write_clip(tmp_path / "long.mp4", frames=250)
    dataset = next(iter(double.state.datasets))
    video = double.add_video(dataset, clip)
    sent = annotation(sly, meta, frames=250, boxes=250)
    api.video.annotation.append(video, sent)
    assert [len(c["figures"]) for c in double.called("figures.bulk.add")] == [100, 100, 50]
    raw = api.video.annotation.download(video)
    keys = sly.KeyIdMap()
    back = sly.VideoAnnotation.from_json(raw, meta, keys)
    assert [(t.name, t.value, t.frame_range) for t in back.tags] == [
        (GROOMING, None, [2, 5]),
        (TWITCH, 0.5, [0, 249]),
    ]
    assert len(back.figures) == 250
    assert back.figures[7].geometry.to_json() == sent.figures[7].geometry.to_json()
    (bulk,) = asyncio.run(api.video.annotation.download_bulk_async([video]))
    assert bulk == raw == double.annotation(video)
    copy = double.add_video(dataset, clip, name="copy.mp4")
    api.video.annotation.copy_batch([video], [copy])
    contents = double.dump()["projects"]["lab/mice"]["videos"]
    assert contents["day/copy.mp4"] == contents["day/long.mp4"]
    api.video.annotation.append(video, sent)  # as with the real one, there twice
    assert len(double.annotation(video)["tags"]) == 4
    figures = api.video.figure.download(dataset, [copy])[copy]
    assert len(figures) == 250
    assert figures[0].frame_index == 0
    api.video.object.remove_batch([raw["objects"][0]["id"]])
    assert len(double.annotation(video)["frames"][3]["figures"]) == 1


def test_single_tags(api: Any, sly: ModuleType, double: Double, video: int, meta: Any) -> None:
    tag = sly.VideoTag(meta.get_tag_meta(GROOMING), frame_range=[1, 19])
    tag_id = api.video.tag.add(video, tag)
    assert [t["id"] for t in api.video.get_info_by_id(video).tags] == [tag_id]
    api.video.tag.update_frame_range(tag_id, [3, 4])
    number = api.video.tag.add_tag(meta.get_tag_meta(TWITCH).sly_id, video, 0.25, [0, 3])["id"]
    api.video.tag.update_value(number, 1)
    tags = double.annotation(video)["tags"]
    assert [(t["frameRange"], t.get("value")) for t in tags] == [([3, 4], None), ([0, 3], 1)]
    api.video.tag.remove_from_video(tag_id)
    assert [t["id"] for t in double.annotation(video)["tags"]] == [number]
    with pytest.raises(HTTPError, match=r"400 .*use the tags .* which the new meta lacks"):
        api.project.update_meta(api.video.get_info_by_id(video).project_id, sly.ProjectMeta())


@pytest.mark.parametrize(
    ("name", "value", "frames", "text"),
    [
        (GROOMING, None, [5, 20], "frame range .* has 20 frames"),
        (GROOMING, None, [5, 4], "frame range"),
        (GROOMING, None, [-1, 4], "frame range"),
        (GROOMING, 1.0, [0, 4], "takes none, got 1.0"),
        (TWITCH, "much", [0, 4], "takes any_number, got 'much'"),
        (TWITCH, None, [0, 4], "takes any_number, got None"),
    ],
)
def test_tags_that_do_not_fit_are_refused(
    api: Any, video: int, meta: Any, name: str, value: Any, frames: list[int], text: str
) -> None:
    with pytest.raises(HTTPError, match=rf"400 .*{text}"):
        api.video.tag.add_tag(meta.get_tag_meta(name).sly_id, video, value, frames)


def test_figures_that_do_not_fit_are_refused(
    api: Any, double: Double, video: int, meta: Any, clip: Path
) -> None:
    dataset = next(iter(double.state.datasets))
    other = double.add_video(dataset, clip, name="other.mp4")
    mouse = meta.get_obj_class(MOUSE).sly_id
    data = {"datasetId": dataset, "annotationObjects": [{"classId": mouse, "entityId": video}]}
    entity = double.call("annotation-objects.bulk.add", data)[0]["id"]

    def box(right: int = 63, *, kind: str = "rectangle") -> tuple[dict[str, Any], str]:
        return {"points": {"exterior": [[0, 0], [right, 47]], "interior": []}}, kind

    create = api.video.figure.create
    assert create(video, entity, 19, *box())
    refused: list[tuple[Any, str]] = [
        (lambda: create(video, entity, 20, *box()), "has 20 frames"),
        (lambda: create(video, entity, 0, *box(64)), "outside of the image of 64 x 48"),
        (lambda: create(other, entity, 0, *box()), "not of video"),
        (lambda: create(video, entity, 0, *box(kind="point")), "takes no point"),
        (lambda: create(video, 5, 0, *box()), "no object with id 5"),
    ]
    for call, text in refused:
        with pytest.raises(HTTPError, match=rf"400 .*{text}"):
            call()
    figure = {"objectId": entity, "geometryType": "rectangle", "geometry": box()[0]}
    many = [{**figure, "meta": {"frame": 0}}] * 101
    with pytest.raises(HTTPError, match=r"101 figures in one request: 100 are allowed"):
        api.video.figure.create_bulk(many, entity_id=video)
    assert len(double.state.figures) == 1
