"""Our projects in the hands of the real SDK, and the SDK's projects in ours."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from mouse_ar.core.types import Bout, Box, Interval, Track
from mouse_ar.data.annotations import ProjectTag, VideoAnnotation
from mouse_ar.data.config_files import load_actions
from mouse_ar.data.local_project import LocalProject

GROOMING, TWITCH = load_actions().names


def annotated(*, confidence: float = 1.0) -> VideoAnnotation:
    """A video with bouts, tags, provenance and a box in every frame up to the picture's edge."""
    boxes = {f: Box(300 + f, 0, 340 + f, 480) for f in range(0, 340)}
    return VideoAnnotation(
        num_frames=400,
        height=480,
        width=640,
        bouts=(
            Bout(Interval(0, 41), GROOMING, confidence),
            Bout(Interval(398, 400), TWITCH, confidence),
        ),
        ignored=(Interval(41, 48),),
        tags=(ProjectTag("rearing", Interval(60, 70)), ProjectTag("score", Interval(1, 2), 3.5)),
        video_tags=(ProjectTag("reviewed"), ProjectTag("strain", value="C57BL/6")),
        track=Track.from_boxes(400, boxes),
        provenance={"source": "cohort1/a.mp4", "interval": [0, 400]},
    )


def write_project(root: Path, *, confidence: bool) -> LocalProject:
    project = LocalProject.create(root / "project", actions=load_actions(), confidence=confidence)
    source = root / "source.mp4"
    source.write_bytes(b"not decoded here")
    annotation = annotated(confidence=0.75 if confidence else 1.0)
    for dataset in ("Self-Grooming", "cohort1/day1/cage2", "cohort1"):
        project.add_video(dataset, "mouse one.mp4", source)
        project.write(dataset, "mouse one.mp4", annotation)
    return project


@pytest.mark.parametrize("confidence", [False, True])
def test_sdk_reads_what_we_write(
    sly: ModuleType, tmp_path: Path, caplog: pytest.LogCaptureFixture, confidence: bool
) -> None:
    ours = write_project(tmp_path, confidence=confidence)

    sly.logger.addHandler(caplog.handler)
    project = sly.VideoProject(str(ours.path), sly.OpenMode.READ)
    sly.logger.removeHandler(caplog.handler)

    # When the SDK cannot read a dataset, it skips it and logs. Threads that other tests left behind
    # may log that they try again.
    here = [r.message for r in caplog.records if r.thread == threading.get_ident()]
    assert here == []
    assert project.total_items == 3
    found = {}
    for dataset in project.datasets:
        for name in dataset:
            path = dataset.get_ann_path(name)
            found[f"{dataset.name}/{name}"] = sly.VideoAnnotation.load_json_file(path, project.meta)
            info = dataset.get_item_info(name)
            assert info.frames_count == 400
            assert info.custom_data["mouse_ar"]["source"] == "cohort1/a.mp4"
    assert sorted(found) == sorted(v.key for v in ours.videos())
    for annotation in found.values():
        annotation.validate_figures_bounds()
        assert (annotation.img_size, annotation.frames_count) == ((480, 640), 400)
        tags = {(t.name, t.frame_range and tuple(t.frame_range), t.value) for t in annotation.tags}
        value = 0.75 if confidence else None
        assert tags == {
            (GROOMING, (0, 40), value),
            (TWITCH, (398, 399), value),
            ("uncertain", (41, 47), None),
            ("rearing", (60, 69), None),
            ("score", (1, 1), 3.5),
            ("reviewed", None, None),
            ("strain", None, "C57BL/6"),
        }
        assert len(annotation.figures) == 340
        last = annotation.frames.get(339).figures[0].geometry.to_bbox()
        assert (last.left, last.right, last.top, last.bottom) == (639, 639, 0, 479)
    keys = [figure.key() for a in found.values() for figure in a.figures]
    assert len(set(keys)) == len(keys)


def test_sdk_round_trip_changes_nothing_we_read(sly: ModuleType, tmp_path: Path) -> None:
    """What the SDK writes back after reading our project reads the same."""
    ours = write_project(tmp_path, confidence=True)
    before = {v.key: ours.read(v) for v in ours.videos()}
    project = sly.VideoProject(str(ours.path), sly.OpenMode.READ)

    project.copy_data(str(tmp_path), "copied", _use_hardlink=True)

    copied = LocalProject.open(tmp_path / "copied")
    assert [v.key for v in copied.videos()] == list(before)
    for video in copied.videos():
        after, first = copied.read(video), before[video.key]
        assert after.bouts == first.bouts
        assert after.ignored == first.ignored
        assert set(after.tags) == set(first.tags)
        assert after.provenance == first.provenance
        assert after.track is not None
        assert first.track is not None
        np.testing.assert_array_equal(after.track.boxes_T4, first.track.boxes_T4)


def sdk_annotation(sly: ModuleType, meta: object) -> object:
    """An annotation as a person makes it: several objects, foreign classes, odd tags."""
    classes = {c.name: c for c in meta.obj_classes}  # type: ignore[attr-defined]
    tag_metas = {t.name: t for t in meta.tag_metas}  # type: ignore[attr-defined]
    mouse, other_mouse = sly.VideoObject(classes["Mouse"]), sly.VideoObject(classes["Mouse"])
    bedding = sly.VideoObject(classes["bedding"])
    frames = [
        sly.Frame(3, figures=[sly.VideoFigure(mouse, sly.Rectangle(10, 20, 29, 59), 3)]),
        sly.Frame(
            7,
            figures=[
                sly.VideoFigure(other_mouse, sly.Rectangle(0, 0, 99, 99), 7),
                sly.VideoFigure(bedding, sly.Rectangle(0, 0, 5, 5), 7),
            ],
        ),
    ]
    tags = [
        sly.VideoTag(tag_metas["self-grooming"], frame_range=(5, 9)),
        sly.VideoTag(tag_metas["twitch"], value=0.5, frame_range=(2, 2)),
        sly.VideoTag(tag_metas["sniffing"], frame_range=(0, 3)),
        sly.VideoTag(tag_metas["self-grooming"], frame_range=(9, 5)),
        sly.VideoTag(tag_metas["self-grooming"], frame_range=(15, 40)),
        sly.VideoTag(tag_metas["quality"], value="good"),
    ]
    return sly.VideoAnnotation(
        (480, 640),
        20,
        sly.VideoObjectCollection([mouse, other_mouse, bedding]),
        sly.FrameCollection(frames),
        sly.VideoTagCollection(tags),
    )


def sdk_project(sly: ModuleType, root: Path) -> Path:
    """A project with nested datasets, made by the SDK."""
    values = sly.TagValueType
    meta = sly.ProjectMeta(
        obj_classes=[
            sly.ObjClass("Mouse", sly.Rectangle),
            sly.ObjClass("bedding", sly.AnyGeometry),
        ],
        tag_metas=[
            sly.TagMeta("self-grooming", values.NONE),
            sly.TagMeta("twitch", values.ANY_NUMBER),
            sly.TagMeta("sniffing", values.NONE),
            sly.TagMeta("quality", values.ONEOF_STRING, possible_values=["good", "bad"]),
        ],
        project_type=str(sly.ProjectType.VIDEOS),
    )
    path = root / "exported"
    project = sly.VideoProject(str(path), sly.OpenMode.CREATE)
    project.set_meta(meta)
    source = root / "clip.mp4"
    source.write_bytes(b"pixels")
    for name, ds_path in (("ds0", None), ("day1", "cohort/datasets/day1"), ("cohort", None)):
        dataset = project.create_dataset(name, ds_path=ds_path)
        dataset.add_item_file(
            "clip.mp4",
            str(source),
            ann=sdk_annotation(sly, meta),
            _validate_item=False,
            item_info={"id": 7, "name": "clip.mp4", "custom_data": {"lab": "A"}},
        )
    return path


def test_we_read_what_the_sdk_writes(sly: ModuleType, tmp_path: Path) -> None:
    project = LocalProject.open(sdk_project(sly, tmp_path))

    assert project.datasets() == ["cohort", "cohort/day1", "ds0"]
    assert [v.key for v in project.videos()] == [
        "cohort/clip.mp4",
        "cohort/day1/clip.mp4",
        "ds0/clip.mp4",
    ]
    annotation = project.read(project.videos()[1])
    assert annotation.bouts == (
        Bout(Interval(2, 3), TWITCH, 0.5),
        Bout(Interval(5, 10), GROOMING),
        Bout(Interval(15, 20), GROOMING),
    )
    assert annotation.unknown_tags == ("sniffing",)
    assert annotation.video_tags == (ProjectTag("quality", value="good"),)
    assert annotation.custom_data == {"lab": "A"}
    assert annotation.track is not None
    assert annotation.track.box(3) == Box(20, 10, 60, 30)
    assert annotation.track.box(7) == Box(0, 0, 100, 100)
    assert annotation.track.present_T.sum() == 2
    text = "\n".join(annotation.problems)
    assert "[9, 5]: the end lies before the start; skipped" in text
    assert "[15, 40]: the video has 20 frames; cut to [15, 19]" in text
    assert "figures of class 'bedding'" in text


def test_adding_tags_keeps_what_other_people_made(sly: ModuleType, tmp_path: Path) -> None:
    path = sdk_project(sly, tmp_path)
    project = LocalProject.open(path)
    video = project.videos()[0]
    before = json.loads(video.ann_path.read_text())

    assert project.add_tags(video, [ProjectTag(GROOMING, Interval(11, 13))]) == 1
    assert project.add_tags(video, [ProjectTag(GROOMING, Interval(11, 13))]) == 0

    after = json.loads(video.ann_path.read_text())
    assert after["objects"] == before["objects"]
    assert after["frames"] == before["frames"]
    assert after["tags"][:-1] == before["tags"]
    theirs = sly.VideoProject(str(path), sly.OpenMode.READ)
    assert {c.name for c in theirs.meta.obj_classes} == {"Mouse", "bedding", "mouse"}
    assert {"self-grooming", "sniffing", "quality", GROOMING} <= {
        t.name for t in theirs.meta.tag_metas
    }
    read = sly.VideoAnnotation.load_json_file(str(video.ann_path), theirs.meta)
    assert [t.frame_range for t in read.tags if t.name == GROOMING] == [[11, 12]]
