from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mouse_ar.core.types import Bout, Interval
from mouse_ar.data.annotations import VideoAnnotation
from mouse_ar.data.config_files import load_actions
from mouse_ar.data.folder import FolderImport, project_from_folder
from mouse_ar.video.probe import VideoError

ACTIONS = load_actions()


def meta(path: Path) -> Any:
    if path.read_bytes() == b"broken":
        raise VideoError(path, "no video stream")
    return SimpleNamespace(num_frames=20, height=48, width=64)


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    folder = tmp_path / "videos in"
    for name in ("top.mp4", "cageA/m1.mp4", "cageA/day 2/m1.AVI", "night_video/m2.mkv"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    (folder / "notes.txt").write_text("not a video")
    (folder / "cageA" / "old.mpg").write_bytes(b"mpeg")
    (folder / "cageA" / "bad.mp4").write_bytes(b"broken")
    return folder


def add(videos: Path, **options: Any) -> FolderImport:
    return project_from_folder(
        videos, videos.parent / "project", actions=ACTIONS, read_meta=meta, **options
    )


def test_folders_become_datasets(videos: Path) -> None:
    calls: list[tuple[int, int]] = []

    result = add(videos, progress=lambda *done: calls.append(done))

    assert [v.key for v in result.project.videos()] == [
        "cageA/m1.mp4",
        "cageA/day 2/m1.AVI",
        "night_video_/m2.mkv",
        "videos/top.mp4",
    ]
    assert result.project.incomplete() == []
    assert result.project.read(result.added[0]).num_frames == 20
    assert [(p.name, text.split(":")[-1]) for p, text in result.failed] == [
        ("old.mpg", " rewrap it, for example as .mkv"),
        ("bad.mp4", " no video stream"),
    ]
    assert calls[-1] == (5, 5)
    assert result.project.videos()[0].video_path.samefile(videos / "cageA" / "m1.mp4")


def test_calling_again_adds_only_what_is_new(videos: Path) -> None:
    first = add(videos)
    labelled = VideoAnnotation(
        num_frames=20, height=48, width=64, bouts=(Bout(Interval(0, 5), "Self-Grooming"),)
    )
    first.project.write("cageA", "m1.mp4", labelled)
    (videos / "new.mp4").write_bytes(b"new")

    second = add(videos)

    assert [v.key for v in second.added] == ["videos/new.mp4"]
    assert len(second.unchanged) == 4
    assert second.project.read(second.project.video("cageA", "m1.mp4")).bouts == labelled.bouts


def test_a_changed_video_is_reported_not_replaced(videos: Path) -> None:
    add(videos, mode="copy")
    (videos / "top.mp4").write_bytes(b"other content")

    result = add(videos, mode="copy")

    assert [p.name for p, text in result.failed if "other content" in text] == ["top.mp4"]
    assert result.project.video("videos", "top.mp4").video_path.read_bytes() == b"top.mp4"


def test_interrupted_import_is_completed(videos: Path) -> None:
    project = add(videos).project
    video = project.videos()[0]
    video.ann_path.unlink()

    assert [v.key for v in add(videos).added] == [video.key]
    assert project.incomplete() == []


def test_impossible_folders(videos: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="is not a folder"):
        add(tmp_path / "nothing")
    with pytest.raises(ValueError, match="would lie inside"):
        project_from_folder(videos, videos / "project", actions=ACTIONS, read_meta=meta)
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(FileNotFoundError, match="holds no video"):
        add(empty)
