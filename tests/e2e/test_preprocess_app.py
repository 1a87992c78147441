"""The Preprocess app as the platform runs it, driven over HTTP, on a double of an instance."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pylibmagic  # noqa: F401
import pytest
import supervisely

from e2e.driver import running_app
from e2e.moving_mouse import true_box
from e2e.preprocess_setting import (
    ACTIONS,
    APP,
    GROOMING,
    META,
    TARGET,
    TWITCH,
    Lab,
    finish,
    make_lab,
    reference,
    to_the_run,
)
from mouse_ar.core.types import Box
from mouse_ar.data.annotations import PROVENANCE_KEY
from mouse_ar.sly.connection import Connection
from mouse_ar.sly.lease import leased
from mouse_ar.sly.project import RemoteProject
from supervisely_double.double import Double, running


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with running(Double(tmp_path / "double")) as double:
        yield make_lab(double, tmp_path / "videos")


def boxes(video: dict[str, Any]) -> dict[int, Box]:
    (mouse,) = video["objects"]
    assert mouse["class"] == "mouse"
    found = {}
    for figure in mouse["figures"]:
        (left, top), (right, bottom) = figure["geometry"]["points"]["exterior"]
        found[figure["frame"]] = Box(left, top, right, bottom)
    return found


def lengths(double: Double, project: int) -> dict[str, int]:
    """Frames of a project's videos by path."""
    return {
        path: double.call("videos.info", {"id": number})["fileMeta"]["framesCount"]
        for path, number in double.videos(project).items()
    }


def check_training_data(lab: Lab) -> dict[str, list[str]]:
    """Every item against the labels and the true boxes; datasets of every source."""
    dump = lab.double.dump(lab.target)
    frames = lengths(lab.double, lab.target)
    where: dict[str, list[str]] = {}
    for path, video in dump["videos"].items():
        stored = video["customData"][PROVENANCE_KEY]
        key, item = stored["entry"]["key"], stored["item"]
        first, last = item["start_frame"], item["end_frame"]
        where.setdefault(key, []).append(path.split("/")[0])
        assert frames[path] == last - first + 1, path
        expected = sorted(
            (action, [max(a, first) - first, min(b, last) - first])
            for action, a, b in lab.labels[key]
            if a <= last and b >= first
        )
        actions = [tag for tag in video["tags"] if tag["name"] in ACTIONS.names]
        assert sorted((tag["name"], tag["frames"]) for tag in actions) == expected, path
        found = boxes(video)
        assert sorted(found) == list(range(last - first + 1)), path
        for frame, box in found.items():
            truth = true_box(first + frame, seed=lab.seeds[key])
            assert box.iou(truth) > 0.5, (path, frame, box, truth)
    return where


@pytest.mark.parametrize("production", [False, True], ids=["development", "production"])
def test_from_labels_to_training_data_and_on(lab: Lab, tmp_path: Path, production: bool) -> None:
    double, environment = lab.double, lab.environment(tmp_path)
    if production:
        environment["TASK_ID"] = str(double.add_task(module=None))
    before = double.dump(lab.project)
    with running_app(APP, tmp_path / "app", environment=environment, production=production) as app:
        app.wait_for_note("input_found", "6 videos, 0.6 min in all; 1 of them without any action.")
        app.wait_for_note("input_found", "Tag “sniffing” in 1 videos is no known action")
        assert [item["label"] for item in app.data("input_datasets")["items"]] == [
            "cohort (3 videos)",
            "cohort → day 2.b (2 videos)",
            "käfig (3 videos)",
            "käfig → 1/2 (1 videos)",
        ]
        rows = [row["items"] for row in app.data("input_actions")["data"]]
        assert rows == [[GROOMING, 5, 5, 9.1, 1.8], [TWITCH, 5, 5, 1.4, 0.3]]
        app.click("input_continue")
        app.click("detector_preview")
        assert len(app.data("detector_gallery")["pictures"]) == 6
        app.click("detector_continue")
        assert "6 of 6 videos are to be processed" in app.notes("plan_found")[0]
        splits = [row["items"][:4] for row in app.data("plan_splits")["data"]]
        assert splits == [["training clips", 4, 3, 3], ["validation", 1, 1, 1], ["test", 1, 1, 1]]
        planned = {row["items"][0]: row["items"][1] for row in app.data("plan_videos")["data"]}
        series = app.data("plan_chart")["series"]
        app.click("plan_continue")
        assert list(double.dump()["projects"].values()) == [before]
        finish(app, "6 videos processed, 0 already up to date, 0 removed, 0 failed.")

        where = check_training_data(lab)
        uses = {"val": "validation", "test": "test"}
        assert {k: uses.get(v[0], "training clips") for k, v in where.items()} == planned
        assert double.dump(lab.project) == before
        assert app.data("output_project")["id"] == lab.target
        made = {row["items"][0]: row["items"][2:] for row in app.data("output_datasets")["data"]}
        clips = sum(made[name][1] for name in ACTIONS.datasets)
        assert clips == sum(point["y"] for point in series[1]["data"])
        assert not list((tmp_path / "app/data/work").rglob("*.mp4"))
        if production:
            (call,) = double.called("tasks.output.set")
            shown = call["output"]["project"]
            assert (shown["id"], shown["title"]) == (lab.target, TARGET)

        app.click("run_change")
        finish(app, "Nothing new: all 6 videos are up to date.")

        lab.add(("käfig",), "late.mp4", [(GROOMING, 8, 30)])
        app.click("input_change")
        app.click("input_continue")
        assert any(
            "Since the last run: 1 new, 6 up to date." in n for n in app.notes("input_found")
        )
        app.click("detector_continue")
        assert "1 of 7 videos are to be processed; 6 are up to date." in app.notes("plan_found")
        app.click("plan_continue")
        uploads = len(double.called("videos.bulk.add"))
        finish(app, "1 videos processed, 6 already up to date")
        late = check_training_data(lab)["käfig/late.mp4"]
        assert len(double.called("videos.bulk.add")) - uploads == len(late)


def test_a_killed_run_is_finished_by_another_process(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUPERVISELY_SKIP_HTTPS_USER_HELPER_CHECK", "true")
    double, environment = lab.double, lab.environment(tmp_path)
    alone = {**environment, "modal.state.autorun": "1"}
    stall = double.fail("videos.download", kinds="stall", count=None, seconds=1.0, skip=7)
    with running_app(APP, tmp_path / "app", environment=alone) as app:
        app.wait(lambda _: len(double.called("videos.custom-data.set")) > 4, what="clips")
        app.kill()
    assert "processed" not in app.log
    stall.count = 0
    with running_app(APP, tmp_path / "app", environment=environment) as app:
        to_the_run(app)
        # The project of a run that is known to be dead is free at once.
        finish(app, "videos processed")
    check_training_data(lab)
    assert double.dump(lab.target) == reference(tmp_path / "reference")


def test_without_a_user_from_a_dataset(lab: Lab, tmp_path: Path) -> None:
    wanted = {
        "modal.state.datasets": '["käfig"]',
        "modal.state.autorun": "true",
        "modal.state.name": "only one cage",
        "modal.state.test_videos": "0",
        "modal.state.max_seconds": "2.5",
    }
    with running_app(APP, tmp_path / "app", environment=lab.environment(tmp_path, **wanted)) as app:
        assert app.ended(120) == 0, app.log[-3000:]
    found = {p.name: p.id for p in lab.double.state.projects.values()}
    videos = lab.double.dump(found["only one cage"])["videos"].values()
    assert {v["customData"][PROVENANCE_KEY]["entry"]["split"] for v in videos} == {"train"}
    assert max(lengths(lab.double, found["only one cage"]).values()) <= 25


def test_what_cannot_be_used_is_said_and_nothing_is_written(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUPERVISELY_SKIP_HTTPS_USER_HELPER_CHECK", "true")
    double = lab.double
    images = {"name": "pictures", "workspaceId": Double.workspace, "type": "images"}
    pictures = int(double.call("projects.add", images)["id"])
    empty = double.add_project("empty", meta=META)
    bare = double.add_project("bare", meta=META)
    double.add_video(double.add_dataset(bare, "d"), tmp_path / "videos/0.mp4", name="x.mp4")
    before = double.dump()
    with running_app(APP, tmp_path / "app", environment=lab.environment(tmp_path)) as app:
        app.wait_for_note("input_found", "6 videos")
        app.click("input_project_refresh")
        offered = {item["label"] for item in app.data("input_project")["items"]}
        assert offered == {"mice", "empty", "bare"}
        for project, complaint in (
            (pictures, "expected a project of type 'videos', got 'images'"),
            (empty, "There are no videos."),
            (bare, "No action is labelled."),
        ):
            app.set("input_project", value=str(project))
            app.click("input_continue")
            assert complaint in app.notes("input_note")[0]
            assert app.state("steps")["active_step"] == 1
        app.set("input_project", value=str(lab.project))
        app.click("input_continue")
        app.click("detector_continue")
        for widget, value, complaint in (
            ("plan_target", "bare", "holds no Training Data. Choose another name"),
            ("plan_target", "pictures", "expected a project of type 'videos'"),
            ("plan_target", "mice", "needs a project of its own"),
            ("plan_test", "many", "Test videos are a number such as 5"),
            ("plan_test", "6", "test_videos=6 is impossible with 6 videos"),
            ("plan_max_seconds", 1, "0 < min_seconds <= max_seconds, got 2.0 and 1.0"),
        ):
            was = app.state(widget)["value"]
            app.set(widget, value=value)
            app.click("plan_continue")
            assert complaint in app.notes("plan_note")[0]
            app.set(widget, value=was)
        assert double.dump() == before
        app.click("plan_continue")
        with Connection(supervisely.Api(double.url, double.token)) as connection:
            target = RemoteProject.get_or_create(connection, TARGET, workspace_id=Double.workspace)
            with leased(target, settle_seconds=0):
                app.click("run_start")
                app.wait_for_note("run_outcome", "is being written by")
                assert double.videos(target.id) == {}
        finish(app, "6 videos processed")


def test_without_a_token_the_page_says_so(tmp_path: Path) -> None:
    with running_app(APP, tmp_path, environment={"API_TOKEN": ""}) as app:
        assert "Not set: API_TOKEN" in app.notes("launch_error")[0]


def test_a_detector_that_is_not_there_leaves_no_project(lab: Lab, tmp_path: Path) -> None:
    before = lab.double.dump()
    wanted = {"modal.state.autorun": "1", "modal.state.detector": "session:4711"}
    with running_app(APP, tmp_path / "app", environment=lab.environment(tmp_path, **wanted)) as app:
        assert app.ended(120) == 1, app.log[-3000:]
    assert "There is no session 4711" in app.log
    assert lab.double.dump() == before


def test_a_stopped_run_goes_on_where_it_was(lab: Lab, tmp_path: Path) -> None:
    stall = lab.double.fail("videos.download", kinds="stall", count=None, seconds=1.0, skip=7)
    with running_app(APP, tmp_path / "app", environment=lab.environment(tmp_path)) as app:
        to_the_run(app)
        app.click("run_start")
        app.wait(lambda _: len(lab.double.called("videos.custom-data.set")) > 2, what="clips")
        app.click("run_stop")
        app.wait_for_note("run_outcome", "Stopped. What was finished is kept")
        stall.count = 0
        finish(app, "already up to date, 0 removed, 0 failed.")
        assert "6 videos processed" not in app.notes("output_summary")[0]
    check_training_data(lab)


@pytest.mark.slow
def test_two_apps_at_once_do_not_disturb_each_other(lab: Lab, tmp_path: Path) -> None:
    double = lab.double
    stall = double.fail("figures.bulk.add", kinds="stall", count=None, seconds=1.5)
    with (
        running_app(APP, tmp_path / "a", environment=lab.environment(tmp_path / "a")) as first,
        running_app(APP, tmp_path / "b", environment=lab.environment(tmp_path / "b")) as second,
    ):
        to_the_run(first)
        to_the_run(second)
        first.click("run_start")
        first.wait(lambda _: double.called("figures.bulk.add"), what="clips")
        second.click("run_start")
        second.wait_for_note("run_outcome", "is being written by")
        assert "Wait for it" in second.notes("run_outcome")[0]
        assert second.state("steps")["active_step"] == 4
        assert first.data("run_start")["disabled"], "the first is still at work"
        stall.count = 0
        first.wait_for_note("output_summary", "6 videos processed")
        finish(second, "Nothing new: all 6 videos are up to date.")
    check_training_data(lab)
    titles = [v["title"] for body in double.called("videos.bulk.add") for v in body["videos"]]
    assert len(titles) == len(set(titles)) == len(double.videos(lab.target))
