"""The common parts of the apps, driven over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from e2e.driver import REPO, AppDriver, AppError, running_app
from supervisely_double.double import Double, running

SAMPLE = REPO / "tests/e2e/sample_app"


@pytest.fixture
def app(tmp_path: Path) -> Iterator[AppDriver]:
    with running_app(SAMPLE, tmp_path) as driver:
        yield driver


def to_the_run(app: AppDriver, todo: str) -> None:
    app.set("input_todo", value=todo)
    app.click("input_continue")
    app.click("detector_continue")
    assert app.state("steps")["active_step"] == 3


def locked(app: AppDriver, name: str) -> bool:
    return app.state(f"{name}_card")["disabled"]["disabled"]


def test_all_steps_and_a_run(app: AppDriver) -> None:
    assert locked(app, "detector")
    app.click("input_continue")
    assert app.notes("input_note") == ["Enter what the run is to do."]

    app.set("input_todo", value="warn")
    app.click("input_continue")
    assert not locked(app, "detector")
    assert app.notes("input_note") == ["The run is to do this: warn"]
    with pytest.raises(AppError, match="hidden"):
        app.click("input_continue")

    app.set("detector_kind", call="value_changed", value="session")
    app.click("detector_continue")
    assert locked(app, "run")
    app.click("detector_session_refresh")
    assert app.state("detector_session")["value"] == "4321"
    app.set("detector_confidence", value=0.6)
    app.click("detector_preview")
    pictures = app.data("detector_gallery")["pictures"]
    assert len(pictures) == 3
    picture = httpx.get(f"{app.url}/{pictures[0]['url']}", trust_env=False)
    assert picture.headers["content-type"] == "image/png"
    app.click("detector_continue")
    assert not locked(app, "run")

    app.click("run_start")
    app.click("detector_change")
    assert locked(app, "run") is False, "nothing can be changed while it runs"
    app.wait_for_note("run_outcome", "2 videos done")
    assert app.notes("run_warnings") == ["cage_<2>.mp4: 2 tags lie past its last frame."]
    rows = app.data("run_progress")["rows"]
    assert [row["title"] for row in rows] == ["Finding the mouse", "Cutting clips"]
    assert rows[0]["percent"] == 100
    assert app.data("run_table")["total"] == 2
    assert [series["name"] for series in app.data("run_chart")["series"]] == ["before", "after"]
    app.click("detector_change")
    assert locked(app, "run")


def test_a_failing_run_a_stopped_one_and_an_app_that_is_ended(app: AppDriver) -> None:
    to_the_run(app, "fail")
    app.click("run_start")
    app.wait_for_note("run_outcome", "its header is damaged")
    assert "Traceback" in app.log

    app.click("input_change")
    to_the_run(app, "slow")
    app.click("run_start")
    app.wait(lambda a: not a.data("run_stop")["hide"], what="the stop button")
    app.click("run_stop")
    app.wait_for_note("run_outcome", "Stopped.")

    app.click("run_start")
    app.wait(lambda a: a.data("run_progress")["rows"], what="progress")
    app.terminate()
    assert "cut off" not in app.log
    assert "The run was stopped" in app.log


def test_closing_the_app_stops_its_run(app: AppDriver) -> None:
    to_the_run(app, "slow")
    app.click("run_start")
    app.wait(lambda a: a.data("run_progress")["rows"], what="progress")
    assert app.close() is not None
    assert "cut off" not in app.log, "the run ends before the app does"
    assert "The run was stopped" in app.log


def test_a_preview_that_fails_says_so_in_its_place(app: AppDriver) -> None:
    app.set("input_todo", value="x")
    app.click("input_continue")
    app.set("detector_kind", call="value_changed", value="other")
    app.set("detector_address", value="/broken.pth")
    app.click("detector_preview")
    assert app.notes("detector_preview_note") == [
        "There is no checkpoint broken.pth on this computer."
    ]


def test_a_run_without_a_user(tmp_path: Path) -> None:
    environment = {"modal.state.autorun": "1", "modal.state.todo": "quick"}
    with running_app(SAMPLE, tmp_path, environment=environment) as app:
        app.wait_for_note("run_outcome", "2 videos done")
        assert app.state("steps")["active_step"] == 3


def test_on_the_platform_the_page_is_kept_with_the_task(tmp_path: Path) -> None:
    with running(Double(tmp_path / "double")) as double:
        environment = {**double.environment(), "TASK_ID": str(double.add_task(module=None))}
        with running_app(SAMPLE, tmp_path / "app", environment=environment, production=True) as app:
            to_the_run(app, "quick")
            app.click("run_start")
            app.wait_for_note("run_outcome", "2 videos done")
            app.wait(
                lambda _: "2 videos done" in str(double.called("tasks.app-v2.data.set")),
                what="data",
            )
        assert any("offline-sessions" in path for path in double.files("/"))


def test_a_page_that_is_never_stored_does_not_keep_the_task(tmp_path: Path) -> None:
    with running(Double(tmp_path / "double")) as double:
        double.fail("file-storage.bulk.upload", kinds="status", count=1)
        environment = {**double.environment(), "TASK_ID": str(double.add_task(module=None))}
        with running_app(SAMPLE, tmp_path / "app", environment=environment, production=True) as app:
            app.wait(lambda a: "Retrying" in a.log, what="the SDK's second try")
            assert app.close() == 0
        assert "it is cut off" in app.log


def test_an_app_that_does_not_start_shows_its_log(tmp_path: Path) -> None:
    environment = {"CONTEXT_PROJECTID": "many"}
    with (
        pytest.raises(AppError, match=r"CONTEXT_PROJECTID is a whole number.*'many'"),
        running_app(SAMPLE, tmp_path, environment=environment),
    ):
        pass
