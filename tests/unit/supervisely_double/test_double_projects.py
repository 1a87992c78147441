"""Projects, datasets and videos, by the real SDK."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from requests.exceptions import HTTPError

from supervisely_double import TEAM, WORKSPACE, Double, running
from supervisely_double.fixtures import GROOMING, META, MOUSE, TWITCH, write_clip


def test_projects_are_created_found_and_edited(api: Any, sly: ModuleType, double: Double) -> None:
    project = api.project.get_or_create(WORKSPACE, "mice", type=sly.ProjectType.VIDEOS)
    assert (project.type, project.team_id, project.items_count) == ("videos", TEAM, 0)
    again = api.project.get_or_create(WORKSPACE, "mice", type=sly.ProjectType.VIDEOS)
    assert again.id == project.id
    assert api.project.get_info_by_id(project.id).name == "mice"
    assert api.project.get_info_by_id(1) is None
    assert [p.name for p in api.project.get_list(WORKSPACE)] == ["mice"]
    assert [p.name for p in api.project.get_list(team_id=TEAM)] == ["mice"]
    api.project.update_custom_data(project.id, {"a": 1})
    api.project.update_custom_data(project.id, {"b": 2})
    assert api.project.get_custom_data(project.id) == {"b": 2}
    renamed = api.project.edit_info(project.id, name="rats", description="of the lab")
    assert (renamed.name, renamed.description) == ("rats", "of the lab")
    copy = api.project.create(WORKSPACE, "rats", change_name_if_conflict=True)
    assert (copy.name, copy.type) == ("rats_001", "images")
    with pytest.raises(HTTPError, match=r"400 .* has a project 'rats' already"):
        api.project.create(WORKSPACE, "rats")
    api.project.remove(copy.id)
    assert api.project.get_info_by_id(copy.id) is None


def test_a_meta_keeps_its_ids_and_what_is_used(api: Any, sly: ModuleType, double: Double) -> None:
    project = double.add_project("mice", meta=META)
    meta = sly.ProjectMeta.from_json(api.project.get_meta(project))
    ids = {tag.name: tag.sly_id for tag in meta.tag_metas}
    more = meta.add_tag_meta(sly.TagMeta("reviewed", sly.TagValueType.NONE))
    updated = api.project.update_meta(project, more)
    assert {name: updated.get_tag_meta(name).sly_id for name in ids} == ids
    assert updated.get_tag_meta("reviewed").sly_id
    assert set(api.object_class.get_name_to_id_map(project)) == {MOUSE}
    assert set(api.video.tag.get_name_to_id_map(project)) == {GROOMING, TWITCH, "reviewed"}


def test_datasets_nest(api: Any, double: Double) -> None:
    project = double.add_project("mice")
    first = api.dataset.get_or_create(project, "cohort")
    day = api.dataset.get_or_create(project, "day", parent_id=first.id)
    assert api.dataset.get_or_create(project, "day", parent_id=first.id).id == day.id
    deep = double.add_dataset(project, "cohort/day/cage")
    api.dataset.create(project, "other")
    assert [d.name for d in api.dataset.get_list(project)] == ["cohort", "other"]
    assert len(api.dataset.get_list(project, recursive=True)) == 4
    tree = [(parents, d.name) for parents, d in api.dataset.tree(project)]
    assert tree == [
        ([], "cohort"),
        (["cohort"], "day"),
        (["cohort", "day"], "cage"),
        ([], "other"),
    ]
    assert [d.id for d in api.dataset.get_nested(project, first.id)] == [day.id, deep]
    api.dataset.update_custom_data(day.id, {"of": "day"})
    assert api.dataset.get_info_by_id(day.id).custom_data == {"of": "day"}
    with pytest.raises(HTTPError, match=r"400 .* is a dataset 'other' already"):
        api.dataset.create(project, "other")
    api.dataset.remove(first.id)
    assert [d.name for d in api.dataset.get_list(project, recursive=True)] == ["other"]


def test_a_video_goes_up_and_comes_down(
    api: Any, sly: ModuleType, double: Double, clip: Path, tmp_path: Path
) -> None:
    dataset = double.add_dataset(double.add_project("mice"), "day")
    video = api.video.upload_path(dataset, "a.mp4", str(clip))
    assert video.hash == sly.fs.get_file_hash(str(clip))
    assert (video.frames_count, video.frame_width, video.frame_height) == (20, 64, 48)
    assert len(video.frames_to_timecodes) == 20
    assert video.file_meta["duration"] == pytest.approx(0.8)
    api.video.download_path(video.id, str(tmp_path / "sync.mp4"))
    asyncio.run(api.video.download_path_async(video.id, str(tmp_path / "async.mp4")))
    assert (tmp_path / "sync.mp4").read_bytes() == clip.read_bytes()
    assert (tmp_path / "async.mp4").read_bytes() == clip.read_bytes()
    path = str(tmp_path / "part.mp4")
    asyncio.run(api.video.download_path_async(video.id, path, range_start=100, range_end=199))
    assert Path(path).read_bytes() == clip.read_bytes()[100:200]
    # The second time the content is known and only an entry is added.
    again = api.video.upload_path(dataset, "a.mp4", str(clip))
    assert again.name == "a_01.mp4"
    assert len(double.called("videos.bulk.upload")) == 1
    with pytest.raises(KeyError):  # the server renames it, the SDK looks for the old name
        api.video.upload_hash(dataset, "a.mp4", video.hash)
    assert [v.name for v in api.video.get_list(dataset)] == ["a.mp4", "a_01.mp4", "a_02.mp4"]
    api.video.remove_batch([again.id])
    assert api.video.get_info_by_id(again.id) is None
    assert len(api.project.get_list(WORKSPACE)) == 1
    assert api.video.rename(video.id, "b.mp4").name == "b.mp4"


def test_what_is_no_video_is_refused(api: Any, double: Double, tmp_path: Path, clip: Path) -> None:
    dataset = double.add_dataset(double.add_project("mice"), "day")
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(RuntimeError, match=r"Unable to upload videos"):
        api.video.upload_path(dataset, "text.mp4", str(tmp_path / "text.mp4"))
    video = api.video.upload_path(dataset, "a.mp4", str(clip))
    refused = [
        ({"title": "a.txt", "hash": video.hash}, "Not the name of a video"),
        ({"title": "a.mp4", "hash": "x"}, "no content with hash"),
        ({"title": "a.mp4", "link": "s3://x"}, "Nothing can be read"),
    ]
    for item, text in refused:
        with pytest.raises(HTTPError, match=rf"400 .*{text}"):
            api.post("videos.bulk.add", {"datasetId": dataset, "videos": [item]})
    images = api.project.create(WORKSPACE, "pictures")
    with pytest.raises(HTTPError, match=r"project of images takes no videos"):
        api.video.upload_hash(double.add_dataset(images.id, "day"), "a.mp4", video.hash)


def test_linked_videos_are_copied_by_their_link(api: Any, double: Double, clip: Path) -> None:
    project = double.add_project("mice")
    day, other = double.add_dataset(project, "day"), double.add_dataset(project, "other")
    linked = double.add_video(day, clip, link="s3://bucket/mouse.mp4")
    held = double.add_video(day, clip, name="held.mp4", custom_data={"cage": 3})
    info = api.video.get_info_by_id(linked)
    assert (info.link, info.hash) == ("s3://bucket/mouse.mp4", None)
    copies = api.video.upload_ids(other, ["x.mp4", "y.mp4"], [linked, held])
    assert [copy.link for copy in copies] == ["s3://bucket/mouse.mp4", None]
    assert copies[1].hash
    assert api.video.get_info_by_id(held).custom_data == {"cage": 3}
    assert api.video.update_custom_data(held, {"cage": 4})["customData"] == {"cage": 4}


def test_frames(api: Any, double: Double, clip: Path) -> None:
    video = double.add_video(double.add_dataset(double.add_project("mice"), "day"), clip)
    assert api.video.frame.download_np(video, 3).shape == (48, 64, 3)
    frames = api.video.frame.download_nps(video, [2, 19, 3])
    assert (frames[2] == api.video.frame.download_np(video, 3)).all()
    with pytest.raises(HTTPError, match=r"400 .*has 20 frames"):
        api.video.frame.download_np(video, 20)


def test_long_lists_come_in_pages(
    sly: ModuleType, tmp_path: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUPERVISELY_SKIP_HTTPS_USER_HELPER_CHECK", "true")
    with running(Double(tmp_path)) as double:
        api = sly.Api(double.url, double.token)
        project = double.add_project("mice")
        dataset, other = double.add_dataset(project, "day"), double.add_dataset(project, "night")
        blob = double.blobs.put(clip)
        names = [f"{number:03d}.mp4" for number in range(501)]
        videos = [{"title": name, "hash": blob} for name in names]
        double.call("videos.bulk.add", {"datasetId": dataset, "videos": videos})
        double.add_video(other, clip)
        listed = api.video.get_list(dataset)
        assert [video.name for video in listed] == names
        assert [call.get("page") for call in double.called("videos.list")] == [None, 2]
        assert len(api.video.get_list(project_id=project)) == 502
        batches = list(api.video.get_list_generator(dataset, batch_size=200))
        assert [len(batch) for batch in batches] == [200, 200, 101]
        ids = [listed[500].id, listed[0].id]
        assert [v.id for v in api.video.get_info_by_id_batch(ids)] == ids
        wanted = [{"field": "name", "operator": "in", "value": ["007.mp4", "x"]}]
        assert [v.name for v in api.video.get_list(dataset, filters=wanted)] == ["007.mp4"]


def test_a_local_project_and_its_dump(api: Any, double: Double, tmp_path: Path) -> None:
    project = double.add_project("mice", meta=META)
    for seed, path in enumerate(("cohort/day", "night")):
        clip = write_clip(tmp_path / f"{seed}.mp4", seed=seed)
        video = double.add_video(double.add_dataset(project, path), clip)
        double.add_tag(video, GROOMING, (2, 5))
        double.call("videos.custom-data.set", {"id": video, "customData": {"from": [video]}})
    dump = double.dump(project)
    assert list(dump["videos"]) == ["cohort/day/0.mp4", "night/1.mp4"]
    content = dump["videos"]["night/1.mp4"]
    assert content["tags"] == [{"name": GROOMING, "frames": [2, 5], "value": None}]
    assert content["customData"] == {"from": ["<video mice/night/1.mp4>"]}
    with running(Double(tmp_path / "other")) as other:
        copy = other.add_project("mice", meta=META)
        for seed, path in ((1, "night"), (0, "cohort/day")):
            video = other.add_video(other.add_dataset(copy, path), tmp_path / f"{seed}.mp4")
            other.add_tag(video, GROOMING, (2, 5))
            other.call("videos.custom-data.set", {"id": video, "customData": {"from": [video]}})
        assert other.dump(copy) == dump
