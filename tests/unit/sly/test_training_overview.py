from __future__ import annotations

from pathlib import Path

import pytest

import tiny
from mouse_ar.data.local_project import LocalProject
from mouse_ar.sly.connection import Connection
from mouse_ar.sly.project import RemoteProject
from mouse_ar.sly.training_overview import NoTrainingDataError, read_overview
from supervisely_double import Double


def overview(connection: Connection, project: int, folder: Path):
    opened = RemoteProject.open(connection, project, actions=tiny.ACTIONS)
    return read_overview(opened, folder, progress=lambda what, done, total: None)


@pytest.mark.parametrize("nested", ["", "train/"])
def test_clips_of_earlier_apps_are_counted_without_their_videos(
    double: Double, connection: Connection, tmp_path: Path, nested: str
) -> None:
    local = LocalProject.create(tmp_path / "local", actions=tiny.ACTIONS)
    tiny.add_video(local, "a.mp4", [(tiny.GROOMING, 5, 20)], dataset=f"{nested}Self-Grooming")
    tiny.add_video(local, "b.mp4", [], dataset="test")
    project = double.add_project("old", folder=tmp_path / "local")
    found = overview(connection, project, tmp_path / "mirror")
    rows = {row[0]: row for row in found.summary.rows}
    assert rows["Self-Grooming"][1:] == (1, 1, 8.0, {tiny.GROOMING: 1})
    assert (found.clips, found.fps, rows["test"][1]) == (1, 10.0, 1)
    assert not list((tmp_path / "mirror").rglob("*.mp4"))
    assert not double.called("videos.download")


@pytest.mark.parametrize("dataset", ["cohort/day", "test"])
def test_other_projects_are_told_apart(
    double: Double, connection: Connection, tmp_path: Path, dataset: str
) -> None:
    local = LocalProject.create(tmp_path / "local", actions=tiny.ACTIONS)
    tiny.add_video(local, "a.mp4", [(tiny.GROOMING, 5, 20)], dataset=dataset)
    project = double.add_project("labels", folder=tmp_path / "local")
    with pytest.raises(NoTrainingDataError, match=f"'labels'.*got {dataset.split('/')[0]}.*Prepro"):
        overview(connection, project, tmp_path / "mirror")
