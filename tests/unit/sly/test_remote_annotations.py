from __future__ import annotations

import base64
import copy
import math
import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from mouse_ar.core.types import Bout, Box, Interval, Track
from mouse_ar.data.annotation_json import annotation_to_json
from mouse_ar.data.annotations import ProjectTag, VideoAnnotation
from mouse_ar.data.config_files import load_actions
from mouse_ar.detection.exchange import TransientError
from mouse_ar.sly.annotations import (
    local_annotation,
    read_annotation,
    read_raw_annotations,
    same_content,
    write_annotation,
    write_raw_annotation,
)
from mouse_ar.sly.connection import Connection
from mouse_ar.sly.errors import TransferError
from mouse_ar.sly.project import RemoteProject
from mouse_ar.sly.video_upload import upload_video
from mouse_ar.sly.videos import RemoteVideo
from supervisely_double import Double
from supervisely_double.fixtures import write_clip

ACTIONS = load_actions()
GROOMING, TWITCH = ACTIONS.names
FRAMES = 250
WHOLE = Box(0, 0, 64, 48)


@pytest.fixture(scope="session")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("long") / "long.mp4", frames=FRAMES)


@pytest.fixture
def project(connection: Connection, double: Double) -> RemoteProject:
    project = RemoteProject.open(connection, double.add_project("p"))
    project.add_actions_to_meta(confidence=True)
    return project


@pytest.fixture
def video(project: RemoteProject, long_clip: Path) -> RemoteVideo:
    dataset = project.dataset(["d"])
    return upload_video(project.connection, long_clip, dataset_id=dataset, name="a.mp4")


def annotation(
    bouts: Sequence[Bout] = (Bout(Interval(0, 1), TWITCH, 0.5), Bout(Interval(3, 250), GROOMING)),
    *,
    boxes: int = FRAMES,
    **fields: Any,
) -> VideoAnnotation:
    boxed = {f: Box(f % 30, 2, f % 30 + 20, 40) if f % 7 else WHOLE for f in range(boxes)}
    return VideoAnnotation(
        num_frames=FRAMES,
        height=48,
        width=64,
        bouts=tuple(bouts),
        track=Track.from_boxes(FRAMES, boxed) if boxes else None,
        **fields,
    )


def content(value: VideoAnnotation) -> tuple[Any, ...]:
    boxes = () if value.track is None else value.track.boxes_T4.tobytes()
    return value.bouts, value.ignored, value.tags, value.video_tags, boxes


def read(project: RemoteProject, video: RemoteVideo) -> VideoAnnotation:
    return read_annotation(project.connection, video, actions=ACTIONS)


def test_written_and_read_back(project: RemoteProject, video: RemoteVideo, double: Double) -> None:
    value = annotation(
        ignored=(Interval(7, 9),),
        tags=(ProjectTag("rearing", Interval(249, 250)),),
        video_tags=(ProjectTag("reviewed"), ProjectTag("rater", None, "Åse")),
    )
    told: list[tuple[int, int]] = []

    written = write_annotation(project, video, value, progress=lambda *p: told.append(p))

    back = read(project, video)
    assert content(back) == content(value)
    assert not back.problems
    assert (written.added, written.kept, written.removed) == (6 + FRAMES, 0, 0)
    assert told[0] == (0, 256)
    assert told[-1] == (256, 256)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert [len(p["figures"]) for p in double.called("figures.bulk.add")] == [100, 100, 50]


def test_frame_ranges_are_inclusive_on_the_instance(
    project: RemoteProject, video: RemoteVideo, double: Double
) -> None:
    write_annotation(project, video, annotation(boxes=1))

    stored = double.annotation(video.id)

    assert [(t["frameRange"], t["value"]) for t in stored["tags"]] == [
        ([0, 0], 0.5),
        ([3, 249], 1.0),
    ]
    corners = stored["frames"][0]["figures"][0]["geometry"]["points"]["exterior"]
    assert corners == [[0, 0], [63, 47]]


def test_writing_twice_adds_nothing(
    project: RemoteProject, video: RemoteVideo, double: Double
) -> None:
    write_annotation(project, video, annotation())
    before = double.dump()
    double.log.clear()

    written = write_annotation(project, video, annotation())

    assert (written.added, written.kept, written.removed) == (0, 2 + FRAMES, 0)
    assert double.dump() == before
    assert {r.endpoint for r in double.log.records} == {"videos.annotations.bulk.info"}


def test_replacing_removes_what_is_ours_and_stale(
    project: RemoteProject, video: RemoteVideo
) -> None:
    theirs = (ProjectTag("rearing", Interval(5, 6)),)
    write_annotation(project, video, annotation(tags=theirs, video_tags=(ProjectTag("reviewed"),)))
    value = annotation([Bout(Interval(3, 250), GROOMING, 1.0)], boxes=100)

    kept = write_annotation(project, video, value)
    assert (kept.added, kept.removed) == (0, 0)
    written = write_annotation(project, video, value, replace=True)

    assert written.removed == 1 + FRAMES - 100
    back = read(project, video)
    assert content(back) == content(
        replace(value, tags=theirs, video_tags=(ProjectTag("reviewed"),))
    )


def test_replacing_by_nothing(project: RemoteProject, video: RemoteVideo) -> None:
    write_annotation(project, video, annotation())

    write_annotation(project, video, annotation([], boxes=0), replace=True)

    back = read(project, video)
    assert (back.bouts, back.track) == ((), None)


def test_labels_carry_no_value(connection: Connection, double: Double, long_clip: Path) -> None:
    project = RemoteProject.open(connection, double.add_project("labels"))
    project.add_actions_to_meta(confidence=False)
    dataset = project.dataset(["d"])
    video = upload_video(connection, long_clip, dataset_id=dataset, name="a.mp4")

    write_annotation(project, video, annotation(boxes=0))

    assert all("value" not in tag for tag in double.annotation(video.id)["tags"])
    assert {b.confidence for b in read(project, video).bouts} == {1.0}


KINDS = ["lost", "status", "cut", "cut_body", "truncated", "stall"]


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_twice_whatever_happens(
    project: RemoteProject, video: RemoteVideo, double: Double, kind: str
) -> None:
    """Of every request that adds something the first fails, or seems to."""
    value = annotation(video_tags=(ProjectTag("reviewed"),))
    faults = [
        double.fail(name, kinds=kind, count=1, seconds=0.4)
        for name in (
            "videos.tags.bulk.add",
            "annotation-objects.bulk.add",
            "figures.bulk.add",
            "videos.annotations.bulk.info",
        )
    ]

    written = write_annotation(project, video, value)

    assert [fault.hits for fault in faults] == [1, 1, 1, 1]
    assert written.added == 3 + FRAMES
    stored = double.annotation(video.id)
    assert len(stored["tags"]) == 3
    assert len(stored["objects"]) == 1
    assert sum(len(f["figures"]) for f in stored["frames"]) == FRAMES
    assert content(read(project, video)) == content(value)


def test_a_storm(project: RemoteProject, video: RemoteVideo, double: Double) -> None:
    value = annotation()
    double.fail("*.add *.info", kinds="lost status cut_body truncated", rate=0.4, seed=3)

    write_annotation(project, video, value)

    double.faults.clear()
    assert len(double.annotation(video.id)["tags"]) == 2
    assert content(read(project, video)) == content(value)


def test_a_request_done_after_all_leaves_no_double(
    project: RemoteProject, video: RemoteVideo, double: Double, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first look after a failure does not see yet what the lost request does."""
    from mouse_ar.sly.annotation_writer import AnnotationWriter

    double.fail("figures.bulk.add", kinds="lost", count=1)
    plain = AnnotationWriter._read
    looks = 0

    def late(self: Any) -> Any:
        nonlocal looks
        looks += 1
        held = plain(self)
        if looks == 2:
            for item in held.objects:
                item.figures.clear()
        return held

    monkeypatch.setattr(AnnotationWriter, "_read", late)

    write_annotation(project, video, annotation())

    stored = double.annotation(video.id)
    assert [len(f["figures"]) for f in stored["frames"]] == [1] * FRAMES
    assert len(stored["objects"]) == 1


def _one_box(corners: Sequence[Sequence[float]], **fields: Any) -> dict[str, Any]:
    points = {"exterior": corners, "interior": []}
    figure = {"objectKey": "o", "geometryType": "rectangle", "geometry": {"points": points}}
    return {
        "tags": [],
        "objects": [{"key": "o", "classTitle": "mouse", "tags": []}],
        "frames": [{"index": 0, "figures": [figure]}],
        **fields,
    }


def _stored_as(
    connection: Connection, monkeypatch: pytest.MonkeyPatch, change: Callable[[float], float]
) -> None:
    """The instance keeps coordinates in a form of its own; the first answer is lost."""
    plain = connection.once
    lost = False

    def once(endpoint: str, payload: Any, *, what: str) -> Any:
        nonlocal lost
        if endpoint != "figures.bulk.add":
            return plain(endpoint, payload, what=what)
        payload = copy.deepcopy(payload)
        for figure in payload["figures"]:
            points = figure["geometry"]["points"]
            points["exterior"] = [[change(x) for x in point] for point in points["exterior"]]
        answer = plain(endpoint, payload, what=what)
        if not lost:
            lost = True
            raise TransientError("lost")
        return answer

    monkeypatch.setattr(connection, "once", once)


def _figures(double: Double, video: RemoteVideo) -> int:
    return sum(len(frame["figures"]) for frame in double.annotation(video.id)["frames"])


def test_coordinates_that_the_instance_rounds(
    project: RemoteProject, video: RemoteVideo, double: Double, monkeypatch: pytest.MonkeyPatch
) -> None:
    _stored_as(project.connection, monkeypatch, lambda x: math.floor(x + 0.5))

    for _ in range(3):
        write_raw_annotation(project, video, _one_box([[1.5, 2.2], [10.5, 12]]))

    assert _figures(double, video) == len(double.annotation(video.id)["objects"]) == 1


def test_figures_that_come_back_in_another_form_end_with_an_error(
    project: RemoteProject, video: RemoteVideo, double: Double, monkeypatch: pytest.MonkeyPatch
) -> None:
    _stored_as(project.connection, monkeypatch, lambda x: x + 3)

    with pytest.raises(TransferError, match="returns something else than was sent: rectangle"):
        write_raw_annotation(project, video, _one_box([[1, 2], [10, 12]]))

    assert _figures(double, video) <= 3


@pytest.mark.parametrize("known", [True, False])
def test_boxes_of_a_video_of_unknown_size(
    project: RemoteProject, video: RemoteVideo, double: Double, known: bool
) -> None:
    linked = replace(video, frame_height=0, frame_width=0)
    size = {"size": {"height": 48, "width": 64}} if known else {}
    corner = 99 if known else 47

    write_raw_annotation(project, linked, _one_box([[1, 2], [20, corner]], **size))

    figure = double.annotation(video.id)["frames"][0]["figures"][0]
    assert figure["geometry"]["points"]["exterior"] == [[1, 2], [20, 47]]


def _bitmap(mask: NDArray[np.uint8], origin: tuple[int, int], level: int) -> dict[str, Any]:
    done, png = cv2.imencode(".png", mask, [cv2.IMWRITE_PNG_COMPRESSION, level])
    assert done
    data = base64.b64encode(zlib.compress(png.tobytes(), level)).decode()
    return {"bitmap": {"data": data, "origin": list(origin)}}


def test_bitmaps_are_compared_by_what_they_show() -> None:
    mask = np.zeros((9, 12), np.uint8)
    mask[2:7, 3:8] = 255
    mask[3, 4] = 0
    other = mask.copy()
    other[4, 4] = 0
    sent = _bitmap(mask, (5, 6), 9)
    cropped = _bitmap(mask[2:7, 3:8] // 255, (8, 8), 1)
    assert sent["bitmap"]["data"] != cropped["bitmap"]["data"]

    def with_one(geometry: dict[str, Any]) -> dict[str, Any]:
        value = _one_box([])
        value["frames"][0]["figures"][0] |= {"geometryType": "bitmap", "geometry": geometry}
        return value

    assert same_content(with_one(sent), with_one(cropped))
    assert not same_content(with_one(sent), with_one(_bitmap(other, (5, 6), 9)))
    assert not same_content(with_one(sent), with_one(_bitmap(mask, (5, 7), 9)))
    broken = {"bitmap": {"data": "x", "origin": [0, 0]}}
    assert same_content(with_one(broken), with_one(broken))


def test_after_a_dead_server_the_same_call_goes_on(
    project: RemoteProject, video: RemoteVideo, double: Double
) -> None:
    double.fail("figures.bulk.add", skip=1)
    with pytest.raises(TransferError, match=r"writing the annotation of a\.mp4 failed"):
        write_annotation(project, video, annotation())
    double.faults.clear()
    double.log.clear()

    written = write_annotation(project, video, annotation())

    assert written.kept == 2 + 100
    assert content(read(project, video)) == content(annotation())


def test_objects_and_tags_of_others_are_carried(
    project: RemoteProject, video: RemoteVideo, double: Double
) -> None:
    project.join_meta(
        {
            "classes": [{"title": "cage", "shape": "polygon", "color": "#112233"}],
            "tags": [{"name": "wet", "value_type": "none", "color": "#112233"}],
        }
    )
    data = annotation_to_json(
        annotation(boxes=2), video_key="d/a.mp4", value_types=project.value_types()
    )
    corners = {"points": {"exterior": [[1, 1], [9, 1], [9, 9.5]], "interior": []}}
    polygon = {"geometryType": "polygon", "geometry": corners}
    tag = {"name": "wet", "frameRange": [2, 3]}
    for key in ("c1", "c2"):
        data["objects"].append({"key": key, "classTitle": "cage", "tags": [tag]})
    data["frames"][0]["figures"].append({**polygon, "objectKey": "c1"})
    data["frames"][1]["figures"] += [{**polygon, "objectKey": key} for key in ("c1", "c2")]

    for added in (2 + 2 + 2 + 3, 0):
        assert write_raw_annotation(project, video, data).added == added

    (_, stored), *_ = read_raw_annotations(project.connection, [video])
    assert same_content(stored, data)
    assert same_content(local_annotation(stored), data)
    assert not same_content(stored, {**data, "tags": []})


def test_a_tag_that_the_project_lacks(project: RemoteProject, video: RemoteVideo) -> None:
    data = {
        **annotation_to_json(annotation(boxes=0), video_key="k", value_types=_any()),
        "tags": [],
    }
    data["tags"] = [{"name": "unheard", "frameRange": [0, 1]}]

    with pytest.raises(ValueError, match=r"has no tag 'unheard'; it has .*Add it to the project"):
        write_raw_annotation(project, video, data)


def test_boxes_of_other_programs_are_cut_to_the_picture(
    project: RemoteProject, video: RemoteVideo, double: Double
) -> None:
    data = annotation_to_json(annotation([], boxes=1), video_key="k", value_types=_any())
    figure = data["frames"][0]["figures"][0]
    figure["geometry"] = {"points": {"exterior": [[64, 48], [-3, 2]], "interior": []}}

    for _ in range(2):
        write_raw_annotation(project, video, data)

    (frame,) = double.annotation(video.id)["frames"]
    (stored,) = frame["figures"]
    assert stored["geometry"]["points"]["exterior"] == [[0, 2], [63, 47]]


def test_local_copies_can_be_read_by_the_sdk(
    sly: Any, project: RemoteProject, video: RemoteVideo, api: Any
) -> None:
    write_annotation(project, video, annotation())
    (_, stored), *_ = read_raw_annotations(project.connection, [video])
    local = local_annotation(stored)
    meta = sly.ProjectMeta.from_json(api.project.get_meta(project.id))

    read_back = sly.VideoAnnotation.from_json(local, meta)

    assert len(read_back.figures) == FRAMES
    assert len(read_back.tags) == 2
    assert local_annotation(stored) == local


def _any() -> dict[str, str]:
    return dict.fromkeys((GROOMING, TWITCH), "any_number")
