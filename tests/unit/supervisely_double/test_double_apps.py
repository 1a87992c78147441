"""What apps and the command line need of a double."""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

from doubles.servers import free_port
from supervisely_double import TEAM, WORKSPACE, Double
from supervisely_double.fixtures import GROOMING, META, MOUSE, TWITCH, write_clip


def test_widgets_can_be_made(
    api: Any, sly: ModuleType, double: Double, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project_id = double.add_project("mice", meta=META)
    dataset_id = double.add_dataset(project_id, "cohort/day")
    video = api.video.get_info_by_id(double.add_video(dataset_id, clip))
    for name, value in double.environment().items():
        monkeypatch.setenv(name, value)
    widgets = importlib.import_module("supervisely.app.widgets")
    project = api.project.get_info_by_id(project_id)
    file = api.file.get_info_by_id(double.add_file("/models/best.pth", b"weights"))
    widgets.ProjectThumbnail(project)
    widgets.DatasetThumbnail(project, api.dataset.get_info_by_id(dataset_id))
    widgets.VideoThumbnail(video)
    tree = widgets.SelectDatasetTree(
        project_id=project_id, multiselect=True, select_all_datasets=True
    )
    assert dataset_id in tree.get_selected_ids()
    widgets.SelectAppSession(team_id=TEAM, tags=["deployed_nn"])
    widgets.TeamFilesSelector(team_id=TEAM)
    for thumbnail in (widgets.FileThumbnail, widgets.FolderThumbnail, widgets.ReportThumbnail):
        thumbnail(file)
    widgets.TagsTable(project_id=project_id)
    widgets.ClassesTable(project_id=project_id)
    widgets.DestinationProject(workspace_id=WORKSPACE, project_type=sly.ProjectType.VIDEOS)
    widgets.AgentSelector(team_id=TEAM)
    widgets.TaskLogs(task_id=double.add_task(module=None))
    assert all(r.status == 200 for r in double.log.records)


def test_an_exported_project_goes_in_as_it_came_out(
    api: Any, sly: ModuleType, double: Double, clip: Path, tmp_path: Path
) -> None:
    project = double.add_project("mice", meta=META)
    video = double.add_video(
        double.add_dataset(project, "cohort/day"), clip, custom_data={"cage": 3}
    )
    double.add_tag(video, GROOMING, (1, 3))
    double.add_tag(video, TWITCH, value=0.5)
    meta = sly.ProjectMeta.from_json(api.project.get_meta(project))
    tags = sly.VideoTagCollection([sly.VideoTag(meta.get_tag_meta(GROOMING))])
    mouse = sly.VideoObject(meta.get_obj_class(MOUSE), tags)
    frame = sly.Frame(4, [sly.VideoFigure(mouse, sly.Rectangle(1, 2, 30, 40), 4)])
    objects = sly.VideoObjectCollection([mouse])
    sent = sly.VideoAnnotation((48, 64), 20, objects, sly.FrameCollection([frame]))
    api.video.annotation.append(video, sent)
    sly.download(api, project, str(tmp_path / "export"), save_video_info=True)
    copy = double.add_project("copy", folder=tmp_path / "export")
    assert double.dump(copy) == double.dump(project)
    stats = api.project.get_stats(copy)
    assert [item["total"] for item in stats["objects"]["items"]] == [1]
    assert [item["total"] for item in stats["imageTags"]["items"]] == [1, 1]


def test_what_the_sdk_resumes_is_a_byte_short(
    api: Any, double: Double, clip: Path, tmp_path: Path
) -> None:
    """A fault of the SDK that transfers have to live with."""
    video = double.add_video(double.add_dataset(double.add_project("mice"), "day"), clip)
    double.fail("videos.download", kinds="cut_body", count=1)
    path = tmp_path / "resumed.mp4"
    with pytest.raises(RuntimeError, match=r"does not match the expected hash"):
        asyncio.run(api.video.download_path_async(video, str(path), chunk_size=1000))
    assert path.stat().st_size == clip.stat().st_size - 1


def test_of_a_linked_copy_nothing_is_known_until_asked(
    api: Any, double: Double, clip: Path
) -> None:
    day = double.add_dataset(double.add_project("mice"), "day")
    linked = double.add_video(day, clip, link="s3://bucket/mouse.mp4")
    copy = api.video.upload_ids(day, ["copy.mp4"], [linked])[0]
    assert api.video.get_info_by_id(copy.id, force_metadata_for_links=False).frames_count is None
    assert api.video.get_info_by_id(copy.id).frames_count == 20


def test_it_starts_by_itself(tmp_path: Path, repo: Path) -> None:
    port = free_port()
    command = [sys.executable, "-m", "supervisely_double", "--port", str(port), "--folder"]
    path = os.pathsep.join([str(repo / "tests"), str(repo / "src")])
    process = subprocess.Popen(
        [*command, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "# Ctrl-C ends it.\n")
        shown = [line.strip() for line in lines]
        assert f"export SERVER_ADDRESS=http://127.0.0.1:{port}" in shown
        control = f"http://127.0.0.1:{port + 1}/double"
        assert httpx.get(f"{control}/dump").json() == {"projects": {}, "files": {}}
    finally:
        process.terminate()
        assert process.wait(20) == 0


def test_the_log_has_a_line_for_every_request(double: Double, tmp_path: Path) -> None:
    write_clip(tmp_path / "a.mp4")
    headers = {"x-api-key": double.token}
    url = f"{double.url}/public/api/v3/"
    with (tmp_path / "a.mp4").open("rb") as stream:
        files = {"0-file": ("0", stream, "video/*")}
        httpx.post(f"{url}videos.bulk.upload", files=files, headers=headers)
    double.fail("users.me", status=500)
    httpx.post(f"{url}users.me", json={}, headers=headers)
    until = time.monotonic() + 5
    while len(lines := double.log.path.read_text().splitlines()) < 2 and time.monotonic() < until:
        time.sleep(0.01)
    records = [json.loads(line) for line in lines]
    assert [(r["endpoint"], r["status"], r["fault"], r["data"]) for r in records] == [
        ("videos.bulk.upload", 200, None, [["0-file", "0"]]),
        ("users.me", 500, "status", {}),
    ]
