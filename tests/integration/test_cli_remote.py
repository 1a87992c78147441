"""pull, push and import-annotations --project-id, against the double of an instance."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from mouse_ar import cli
from mouse_ar.core.types import Interval
from mouse_ar.data.local_project import LocalProject
from mouse_ar.sly import lease
from mouse_ar.sly.limits import Limits
from supervisely_double import Double, running
from tiny import ACTIONS, GROOMING, TWITCH, add_video

Command = Callable[..., tuple[int, str]]
LABELS = {"a.mp4": [(GROOMING, 10, 40), (TWITCH, 60, 63)], "b.mp4": [(TWITCH, 5, 8)]}


@pytest.fixture
def instance(sly: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Double]:
    monkeypatch.setattr(lease, "_SETTLE_SECONDS", 0)
    monkeypatch.setattr(Limits.__init__, "__defaults__", _impatient())
    with running(Double(tmp_path / "instance")) as double:
        for name, value in double.environment().items():
            monkeypatch.setenv(name, value)
        yield double


def _impatient() -> tuple[float, ...]:
    fast = Limits(attempts=2, first_pause_seconds=0.01)
    return tuple(getattr(fast, name) for name in Limits.__dataclass_fields__)


@pytest.fixture
def command(
    instance: Double, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    def run(*arguments: object) -> tuple[int, str]:
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["mouse-ar", *map(str, arguments)])
        code = 0
        try:
            cli.main()
        except SystemExit as end:
            code = int(end.code or 0)
        said = capsys.readouterr()
        return code, said.out + said.err

    return run


@pytest.fixture
def local(tmp_path: Path) -> LocalProject:
    project = LocalProject.create(tmp_path / "mice", actions=ACTIONS)
    for dataset in ("day 1", "day 2/dark"):
        for name, labels in LABELS.items():
            add_video(project, name, labels, dataset=dataset)
    return project


def test_there_and_back(
    command: Command, instance: Double, local: LocalProject, tmp_path: Path
) -> None:
    code, said = command("push", local.path, "--name", "mäuse")
    assert code == 0, said
    assert "uploading (kB)" in said
    assert "4 videos, 4 new" in said
    (project_id,) = instance.state.projects
    assert f"Project 'mäuse' (number {project_id})" in said

    code, said = command("push", local.path)
    assert code == 0, said
    assert "4 videos, 0 new, 0 files sent; 0 tags and boxes added, 0 stale" in said

    copy = tmp_path / "copy"
    code, said = command("pull", project_id, copy, "--dataset", "day 2", "--annotations-only")
    assert code == 0, said
    assert "2 videos; new or changed: 0 files" in said
    code, said = command("pull", project_id, copy)
    assert code == 0, said
    assert "downloading (kB)" in said
    mirror = LocalProject.open(copy, actions=ACTIONS)
    assert [v.key for v in mirror.videos()] == [v.key for v in local.videos()]
    for one, other in zip(mirror.videos(), local.videos(), strict=True):
        assert mirror.read(one).bouts == local.read(other).bouts
        assert one.video_path.read_bytes() == other.video_path.read_bytes()


def test_labels_reach_the_instance(
    command: Command, instance: Double, local: LocalProject, tmp_path: Path
) -> None:
    assert command("push", local.path)[0] == 0
    (project_id,) = instance.state.projects
    frames, seconds = tmp_path / "frames.csv", tmp_path / "seconds.csv"
    frames.write_text(
        "video,action,start_frame,end_frame\n"
        "day 1/a.mp4,grooming,45,50\n"
        "day 1/a.mp4,self-grooming,10,39\n"  # is there
        "dark/b.mp4,uncertain,0,3\n"
        "a.mp4,grooming,1,2\n"  # which of the two?
        "day 1/a.mp4,dancing,1,2\n"
    )
    seconds.write_text("video,action,start_seconds,end_seconds\nday 2/dark/b.mp4,twitch,2.0,2.3\n")

    code, said = command("import-annotations", "--project-id", project_id, frames, seconds)

    here_code, here = command("import-annotations", local.path, frames, seconds)
    assert code == here_code == 0, said
    assert said.splitlines()[:-1] == here.splitlines()[:-1]
    assert said.splitlines()[-1] == f"project: {project_id} of the instance"
    assert "6 events: 3 tags added in 2 videos, 1 were there already" in said
    videos = instance.videos(project_id)
    added = [
        (tag["name"], tag["frameRange"])
        for tag in instance.annotation(videos["day 2/dark/b.mp4"])["tags"]
    ]
    assert sorted(added) == [(TWITCH, [5, 7]), (TWITCH, [20, 22]), ("uncertain", [0, 3])]
    instance.log.clear()
    code, said = command("import-annotations", "--project-id", project_id, frames, seconds)
    assert code == 0
    assert "0 tags added in 0 videos, 4 were there already" in said
    assert not instance.called("videos.tags.bulk.add")
    code, said = command("pull", project_id, tmp_path / "copy")
    copy = LocalProject.open(tmp_path / "copy", actions=ACTIONS)
    bouts = copy.read(copy.video("day 1", "a.mp4")).bouts
    assert Interval(45, 51) in {bout.interval for bout in bouts}


def lines(said: str) -> int:
    return len([line for line in said.splitlines() if line.strip()])


def test_mistakes_are_told_in_one_line(
    command: Command,
    instance: Double,
    local: LocalProject,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    code, said = command("pull", 12, tmp_path / "copy")
    assert (code, lines(said)) == (1, 1)
    assert "Error: RefusedError: Supervisely: opening project 12 failed (HTTP 404" in said
    assert not (tmp_path / "copy").exists()
    code, said = command("push", tmp_path / "none")
    assert (code, lines(said)) == (1, 1)
    assert "is no Supervisely project" in said
    assert command("push", local.path, "--name", "x", "--project-id", 3)[0] == 2
    assert command("import-annotations", local.path)[0] == 2
    instance.down()
    code, said = command("push", local.path)
    assert (code, lines(said)) == (1, 1)
    assert "TransferError: Supervisely: looking for project 'mice'" in said
    assert "a new start goes on after it" in said
    monkeypatch.delenv("API_TOKEN")
    code, said = command("pull", 12, tmp_path / "copy")
    assert (code, "Not set: API_TOKEN" in said) == (1, True)
