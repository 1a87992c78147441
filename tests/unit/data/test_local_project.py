from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest

from mouse_ar.core.types import Bout, Box, Interval, Track
from mouse_ar.data.annotations import ProjectTag, VideoAnnotation
from mouse_ar.data.config_files import load_actions
from mouse_ar.data.local_project import LocalProject

ACTIONS = load_actions()
GROOMING, TWITCH = ACTIONS.names
EMPTY = VideoAnnotation(num_frames=20, height=48, width=64)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source.mp4"
    path.write_bytes(b"pixels")
    return path


@pytest.fixture
def project(tmp_path: Path) -> LocalProject:
    return LocalProject.create(tmp_path / "project", actions=ACTIONS)


def tree(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


def test_layout_of_nested_datasets(project: LocalProject, source: Path) -> None:
    for dataset in ("b", "a/c/d", "a"):
        project.add_video(dataset, "x.mp4", source)
        project.write(dataset, "x.mp4", EMPTY)

    assert [v.key for v in project.videos()] == ["a/x.mp4", "a/c/d/x.mp4", "b/x.mp4"]
    assert set(tree(project.path)) == {
        "meta.json",
        "key_id_map.json",
        *("a/video/x.mp4", "a/ann/x.mp4.json", "b/video/x.mp4", "b/ann/x.mp4.json"),
        *("a/datasets/c/datasets/d/video/x.mp4", "a/datasets/c/datasets/d/ann/x.mp4.json"),
    }
    assert project.datasets() == ["a", "a/c", "a/c/d", "b"]
    assert LocalProject.open(project.path).videos() == project.videos()


def test_writing_again_gives_identical_bytes(project: LocalProject, source: Path) -> None:
    annotation = VideoAnnotation(
        num_frames=20,
        height=48,
        width=64,
        bouts=(Bout(Interval(0, 5), GROOMING), Bout(Interval(7, 8), TWITCH)),
        track=Track.from_boxes(20, {f: Box(f, f, f + 9, f + 9) for f in range(20)}),
        provenance={"source": "s.mp4", "hash": "00ff"},
    )
    project.add_video("a", "x.mp4", source)
    project.write("a", "x.mp4", annotation)
    first = tree(project.path)

    again = LocalProject.create(project.path, actions=ACTIONS)
    again.write("a", "x.mp4", again.read(again.videos()[0]))

    assert tree(project.path) == first


def test_keys_differ_between_videos(project: LocalProject) -> None:
    bouts = (Bout(Interval(0, 5), GROOMING),)
    annotation = VideoAnnotation(num_frames=20, height=48, width=64, bouts=bouts)
    paths = [project.write(d, "x.mp4", annotation).ann_path for d in ("a", "b")]

    first, second = (json.loads(p.read_text()) for p in paths)

    assert first["key"] != second["key"]
    assert first["tags"][0]["key"] != second["tags"][0]["key"]


def test_provenance_keeps_other_custom_data(project: LocalProject, source: Path) -> None:
    video = project.add_video("a", "x.mp4", source)
    video.info_path.parent.mkdir()
    video.info_path.write_text(json.dumps({"id": 7, "hash": "h", "custom_data": {"lab": 1}}))

    project.write("a", "x.mp4", EMPTY, provenance={"source": "s.mp4"})

    annotation = project.read(video)
    assert annotation.provenance == {"source": "s.mp4"}
    assert annotation.custom_data == {"lab": 1, "mouse_ar": {"source": "s.mp4"}}
    info = json.loads(video.info_path.read_text())
    assert (info["id"], info["hash"], info["frames_count"]) == (7, "h", 20)


def test_custom_data_folder_of_exports_is_read(project: LocalProject) -> None:
    video = project.write("a", "x.mp4", EMPTY)
    video.exported_custom_data_path.parent.mkdir()
    video.exported_custom_data_path.write_text('{"mouse_ar": {"source": "s.mp4"}}')

    assert project.read(video).provenance == {"source": "s.mp4"}


def test_interrupted_videos_are_listed_not_returned(project: LocalProject, source: Path) -> None:
    project.add_video("a", "no_annotation.mp4", source)
    project.write("a", "no_video.mp4", EMPTY)
    (project.path / "a" / "video" / ".half.mp4.tmp").write_bytes(b"pi")
    (project.path / "a" / "video" / "notes.txt").write_text("not a video")

    assert project.videos() == []
    assert [(v.name, text.split(" file ")[0]) for v, text in project.incomplete()] == [
        ("no_annotation.mp4", "a/no_annotation.mp4: no annotation"),
        ("no_video.mp4", "a/no_video.mp4: no video"),
    ]


def test_remove_takes_every_file_and_empty_datasets(project: LocalProject, source: Path) -> None:
    before = tree(project.path)
    for dataset in ("a/b", "a/c"):
        project.add_video(dataset, "x.mp4", source)
        project.write(dataset, "x.mp4", EMPTY, provenance={"n": 1})

    project.remove("a/b", "x.mp4")
    assert [v.key for v in project.videos()] == ["a/c/x.mp4"]
    assert not (project.path / "a" / "datasets" / "b").exists()
    project.remove("a/c", "x.mp4")
    project.remove("a/c", "x.mp4")

    assert tree(project.path) == before
    assert source.read_bytes() == b"pixels"


def test_existing_meta_is_extended_not_replaced(tmp_path: Path) -> None:
    theirs = {
        "classes": [{"title": "rat", "shape": "polygon", "color": "#FF0000", "id": 3}],
        "tags": [{"name": GROOMING, "value_type": "none", "color": "#00FF00", "id": 9}],
        "projectType": "videos",
        "projectSettings": {"multiView": {"enabled": False}},
    }
    (tmp_path / "meta.json").write_text(json.dumps(theirs))

    meta = LocalProject.create(tmp_path, actions=ACTIONS).meta

    assert meta["classes"][0] == theirs["classes"][0]
    assert meta["tags"][0] == theirs["tags"][0]
    assert meta["projectSettings"] == theirs["projectSettings"]
    assert [c["title"] for c in meta["classes"]] == ["rat", "mouse"]
    assert [t["name"] for t in meta["tags"]] == [GROOMING, TWITCH, "uncertain", "reviewed"]
    assert json.loads((tmp_path / "meta.json").read_text()) == meta


def test_labels_and_predictions_do_not_mix(project: LocalProject, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="value type 'none', expected 'any_number'"):
        LocalProject.create(project.path, actions=ACTIONS, confidence=True)
    predictions = LocalProject.create(tmp_path / "p", actions=ACTIONS, confidence=True)
    with pytest.raises(ValueError, match="value type 'any_number', expected 'none'"):
        LocalProject.create(predictions.path, actions=ACTIONS, confidence=False)
    assert LocalProject.create(predictions.path, actions=ACTIONS, confidence=None).meta


def test_mouse_class_of_another_shape_is_refused(tmp_path: Path) -> None:
    (tmp_path / "meta.json").write_text('{"classes": [{"title": "mouse", "shape": "bitmap"}]}')

    with pytest.raises(ValueError, match="shape 'bitmap' in this project, expected 'rectangle'"):
        LocalProject.create(tmp_path, actions=ACTIONS)


def test_opening_changes_nothing_and_explains_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="there is no such folder"):
        LocalProject.open(tmp_path / "nothing")
    with pytest.raises(FileNotFoundError, match="import a plain folder"):
        LocalProject.open(tmp_path)
    inner = tmp_path / "42_mice"
    inner.mkdir()
    (inner / "meta.json").write_text('{"classes": [], "tags": []}')
    with pytest.raises(FileNotFoundError, match="42_mice has; open that folder"):
        LocalProject.open(tmp_path)
    assert LocalProject.open(inner).videos() == []
    assert tree(inner) == {"meta.json": b'{"classes": [], "tags": []}'}
    (inner / "meta.json").write_text('{"projectType": "images"}')
    with pytest.raises(ValueError, match="expected a project of type 'videos', got 'images'"):
        LocalProject.open(inner)


def test_create_does_not_touch_foreign_folders(tmp_path: Path) -> None:
    (tmp_path / "thesis.docx").write_text("important")

    with pytest.raises(FileExistsError, match="no Supervisely project"):
        LocalProject.create(tmp_path, actions=ACTIONS)
    assert set(tree(tmp_path)) == {"thesis.docx"}


@pytest.mark.parametrize(
    ("dataset", "name"),
    [("", "x.mp4"), ("a//b", "x.mp4"), ("..", "x.mp4"), ("a", "b/x.mp4"), ("a", ""), ("a/.", "x")],
)
def test_names_cannot_leave_the_project(project: LocalProject, dataset: str, name: str) -> None:
    with pytest.raises(ValueError, match="cannot be written"):
        project.write(dataset, name, EMPTY)


def test_only_video_files_are_added(project: LocalProject, source: Path) -> None:
    with pytest.raises(ValueError, match="expected a file ending in"):
        project.add_video("a", "x.txt", source)
    with pytest.raises(FileNotFoundError, match="does not exist"):
        project.add_video("a", "x.mp4", source.with_name("gone.mp4"))


def test_unreadable_annotation_names_the_file(project: LocalProject) -> None:
    video = project.write("a", "x.mp4", EMPTY)
    for text in ("{", '{"size": {}}', '{"size": {"height": 4, "width": 4}, "framesCount": 3, '
                 '"frames": [{"figures": [{}]}]}'):  # fmt: skip
        video.ann_path.write_text(text)
        with pytest.raises(ValueError, match=r"x\.mp4\.json"):
            project.read(video)


def test_tags_the_project_lacks_are_added_to_its_meta(project: LocalProject) -> None:
    tags = (ProjectTag("rearing", Interval(0, 2)), ProjectTag("score", Interval(0, 2), 2.5))
    notes = (ProjectTag("strain", value="C57BL/6"),)
    annotation = VideoAnnotation(num_frames=9, height=4, width=4, tags=tags, video_tags=notes)

    video = project.write("a", "x.mp4", annotation)

    types = {t["name"]: t["value_type"] for t in project.meta["tags"]}
    assert types["rearing"] == "none"
    assert types["score"] == "any_number"
    assert types["strain"] == "any_string"
    assert project.read(video).tags == tags
    assert project.read(video).video_tags == notes


def test_tags_of_one_name_are_replaced_and_the_rest_stays(project: LocalProject) -> None:
    whole, first = ProjectTag("review"), ProjectTag("review", Interval(0, 5))
    second, other = ProjectTag("review", Interval(5, 9)), ProjectTag("rearing", Interval(2, 4))
    video = project.write("a", "x.mp4", EMPTY)
    assert project.add_tags(video, [whole, first, other]) == 3

    assert project.add_tags(video, [second, first], replacing="review") == 1

    tags = project.read(video)
    assert set(tags.tags) == {other, second, first}
    assert tags.video_tags == (whole,)
    before = video.ann_path.read_bytes()
    assert project.add_tags(video, [second, first], replacing="review") == 0
    assert video.ann_path.read_bytes() == before
    project.add_tags(video, [], replacing="review")
    assert project.read(video).tags == (other,)


def test_ten_thousand_boxes_are_fast(project: LocalProject) -> None:
    boxes_T4 = np.tile(np.array([10, 10, 40, 40], dtype=np.float32), (10_000, 1))
    track = Track(boxes_T4=boxes_T4, observed_T=np.ones(10_000, dtype=bool))
    annotation = VideoAnnotation(num_frames=10_000, height=48, width=64, track=track)

    start = time.process_time()
    video = project.write("a", "x.mp4", annotation)
    written = project.read(video)
    seconds = time.process_time() - start

    assert written.track is not None
    np.testing.assert_array_equal(written.track.boxes_T4, boxes_T4)
    assert seconds < 3.0  # about 0.5 s
