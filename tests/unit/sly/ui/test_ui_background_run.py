from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from supervisely.app import DataJson
from supervisely.app.widgets import Button

from mouse_ar.sly.ui.background_run import BackgroundRun, RunControl, RunOutcome
from mouse_ar.sly.ui.progress_panel import ProgressPanel, Stage, time_text


def shown(widget_id: str) -> list[tuple[str, str]]:
    return [(note["severity"], note["text"]) for note in DataJson()[widget_id]["notes"]]


def run_to_end(work: Any, **options: Any) -> BackgroundRun:
    run = BackgroundRun("job", work=work, **options)
    assert run.start()
    assert run.wait(20)
    return run


def test_a_run_to_its_end() -> None:
    states: list[tuple[str, str]] = []

    def work(control: RunControl) -> RunOutcome:
        control.progress("detecting a.mp4", 5, 10)
        return RunOutcome("2 videos done.")

    run = run_to_end(
        work,
        stages={"detecting": Stage("Finding the mouse", "frames")},
        on_state=lambda state, message: states.append((state, message)),
    )
    assert run.state == "done"
    assert states == [("running", ""), ("done", "2 videos done.")]
    assert shown("job_outcome") == [("success", "2 videos done.")]
    row = DataJson()["job_progress"]["rows"][0]
    assert row["title"] == "Finding the mouse"
    assert row["detail"] == "a.mp4"
    assert row["percent"] == 50
    assert row["info"] == "5 of 10 frames"


def test_warnings_are_listed() -> None:
    run = run_to_end(lambda _: RunOutcome("1 of 2 videos done.", ["a.mp4: no frames"]))
    assert run.state == "warned"
    assert shown("job_outcome") == [("warning", "1 of 2 videos done.")]
    assert shown("job_warnings") == [("warning", "a.mp4: no frames")]


def test_a_failure_says_what_happened_without_a_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def work(_: RunControl) -> RunOutcome:
        raise ValueError("There is no room on the disk.")

    run = run_to_end(work)
    assert run.state == "failed"
    assert shown("job_outcome") == [("error", "There is no room on the disk.")]
    assert "Traceback" in caplog.text
    assert not DataJson()["job_start"]["disabled"], "it can be started again"


@pytest.mark.parametrize("error", [SystemExit(3), MemoryError()])
def test_even_what_is_no_exception_ends_the_run(error: BaseException) -> None:
    def work(_: RunControl) -> RunOutcome:
        raise error

    run = run_to_end(work)
    assert run.state == "failed"
    assert shown("job_outcome")[0][1]


def test_stop_ends_it_at_the_next_report() -> None:
    began = threading.Event()

    def work(control: RunControl) -> RunOutcome:
        for number in range(10_000):
            try:
                control.progress("classifying a.mp4", number, 10_000)
            except Exception:
                pytest.fail("a pipeline that lists failures must not swallow a stop")
            began.set()
            time.sleep(0.01)
        return RunOutcome("unexpected")

    run = BackgroundRun("job", work=work)
    run.start()
    assert began.wait(10)
    run.stop()
    assert run.wait(10)
    assert run.state == "stopped"
    assert "Stopped" in shown("job_outcome")[0][1]
    assert run.start(), "a stopped run starts anew"
    run.stop()
    assert run.wait(10)


def test_a_second_start_is_refused_while_it_runs() -> None:
    go_on = threading.Event()
    calls: list[int] = []

    def work(_: RunControl) -> RunOutcome:
        calls.append(1)
        go_on.wait(10)
        return RunOutcome("done")

    run = BackgroundRun("job", work=work)
    threads = [threading.Thread(target=run.start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert run.running
    assert not run.start()
    go_on.set()
    assert run.wait(10)
    assert calls == [1]


def test_another_button_starts_other_work_unless_one_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun, go_on = threading.Event(), threading.Event()
    more = Button("More", widget_id="job_more", show_loading=False)
    handlers: list[Callable[[], None]] = []
    monkeypatch.setattr(more, "click", handlers.append)
    complaints = ["Not yet."]

    def other(_: RunControl) -> RunOutcome:
        begun.set()
        go_on.wait(20)
        return RunOutcome("The other work.")

    run = BackgroundRun("job", work=lambda _: RunOutcome("The work."))
    run.starts_with(more, work=other, check=lambda: complaints.pop() if complaints else None)
    (press,) = handlers
    press()
    assert shown("job_outcome") == [("error", "Not yet.")]
    press()
    assert begun.wait(20)
    assert DataJson()["job_start"]["disabled"]
    assert DataJson()["job_more"]["disabled"]
    assert not run.start()
    go_on.set()
    assert run.wait(20)
    assert shown("job_outcome") == [("success", "The other work.")]
    assert not DataJson()["job_more"]["disabled"]
    assert run.start()
    assert run.wait(20)
    assert shown("job_outcome") == [("success", "The work.")]


def test_a_missing_setting_is_named_and_nothing_starts() -> None:
    run = BackgroundRun("job", work=lambda _: RunOutcome("no"), check=lambda: "Choose a project.")
    run._clicked_start()
    assert shown("job_outcome") == [("error", "Choose a project.")]
    assert run.state == "idle"


def test_closing_the_app_stops_the_run() -> None:
    callbacks: list[Any] = []

    class App:
        def call_before_shutdown(self, callback: Any) -> None:
            callbacks.append(callback)

        def get_server(self) -> Any:
            return SimpleNamespace(router=SimpleNamespace(on_shutdown=callbacks))

    def work(control: RunControl) -> RunOutcome:
        control.stop.wait(20)
        control.check()
        return RunOutcome("no")

    run = BackgroundRun("job", work=work)
    run.stop_with(App())
    run.start()
    assert callbacks[0].__name__, "the SDK logs it"
    for callback in callbacks:
        callback()
    assert run.state == "stopped"


def test_a_status_that_cannot_be_set_does_not_end_the_run() -> None:
    def on_state(*_: str) -> None:
        raise ConnectionError("the instance is away")

    assert run_to_end(lambda _: RunOutcome("fine"), on_state=on_state).state == "done"


def test_many_reports_cost_next_to_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    panel = ProgressPanel("panel")
    sent: list[float] = []
    monkeypatch.setattr(panel, "publish", lambda: sent.append(time.monotonic()))
    panel.start()
    began = time.process_time()
    for number in range(50_000):
        panel.report(f"video {number}", number, 50_000)
    assert time.process_time() - began < 5
    panel.stop()
    assert len(sent) <= 2 + 2 * (sent[-1] - sent[0]) + 1


def test_rate_and_remaining_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("mouse_ar.sly.ui.progress_panel.time.monotonic", lambda: now[0])
    panel = ProgressPanel("panel", stages={"cutting": Stage("Cutting clips", "frames")})
    panel.report("reading a.mp4", 0, 0)
    panel.report("cutting a.mp4", 100, 1000)
    now[0] += 10
    panel.report("cutting a.mp4", 200, 1000)
    rows = panel.get_json_data()["rows"]
    assert [row["title"] for row in rows] == ["Cutting clips", "Reading"]
    assert rows[0]["info"] == "200 of 1,000 frames · 10.0 frames/s · 1 min 20 s left"
    panel.report("cutting b.mp4", 0, 50)
    assert panel.get_json_data()["rows"][0]["info"] == "0 of 50 frames", "the next video"
    now[0] += 5
    panel.report("cutting b.mp4", 50, 50)
    row = panel.get_json_data()["rows"][0]
    assert (row["status"], row["percent"]) == ("success", 100)
    assert "left" not in row["info"]


def test_durations_as_people_say_them() -> None:
    assert [time_text(s) for s in (0.2, 59, 200, 7500)] == [
        "0 s", "59 s", "3 min 20 s", "2 h 5 min",
    ]  # fmt: skip


def test_bytes_are_shown_in_megabytes() -> None:
    panel = ProgressPanel("panel", stages={"fetching": Stage("Fetching", "MB", 1_000_000)})
    panel.report("fetching a.mp4", 1_900_000, 2_500_000)
    assert panel.get_json_data()["rows"][0]["info"] == "1 of 3 MB"
    panel.report("fetching a.mp4", 2_500_000, 2_500_000)
    assert panel.get_json_data()["rows"][0]["info"] == "3 of 3 MB"
