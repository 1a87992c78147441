"""Tasks that are lost are started again, but not for ever."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from mouse_ar.pipelines.fleet.needs import FleetError
from mouse_ar.pipelines.fleet.under_way import Ended, UnderWay

errors = pytest.importorskip("ray").exceptions

LOST = errors.WorkerCrashedError()
PAUSES = (0.02, 0.05)


class SomeRay:
    """Tasks end with what they are told to, the next one each time."""

    exceptions = errors

    def __init__(self, outcomes: dict[str, list[Any]]) -> None:
        self._outcomes = outcomes
        self.started: list[str] = []
        self.cancelled: list[Any] = []

    def start(self, work: str) -> tuple[str, int]:
        self.started.append(work)
        return work, len(self.started)

    def wait(self, refs: list[Any], *, timeout: float) -> tuple[list[Any], list[Any]]:
        ready = [ref for ref in refs if self._outcomes[ref[0]]]
        return ready[:1], []

    def get(self, ref: Any) -> Any:
        outcome = self._outcomes[ref[0]].pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def cancel(self, ref: Any, *, force: bool) -> None:
        assert force
        self.cancelled.append(ref[0])


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mouse_ar.pipelines.fleet.under_way._PAUSES_SECONDS", PAUSES)


def ends(ray: SomeRay, *items: str) -> list[Ended[str]]:
    tasks: UnderWay[str] = UnderWay(ray, ray.start)
    for item in items:
        tasks.add(item, item)
    found = []
    while len(tasks):
        if (ended := tasks.next_end(timeout_seconds=0.01)) is not None:
            found.append(ended)
    return found


def test_what_is_lost_is_started_again_and_others_do_not_wait(
    caplog: pytest.LogCaptureFixture,
) -> None:
    ray = SomeRay({"a.mp4": [LOST, LOST, "boxes"], "b.mp4": ["more"]})
    with caplog.at_level(logging.WARNING):
        found = ends(ray, "a.mp4", "b.mp4")
    assert found == [Ended("b.mp4", "more"), Ended("a.mp4", "boxes")]
    assert ray.started == ["a.mp4", "b.mp4", "a.mp4", "a.mp4"]
    assert "a.mp4: its process or computer was lost (WorkerCrashedError: " in caplog.text
    assert "for the 2. time of 2" in caplog.text


def test_what_is_lost_each_time_is_a_failure_of_its_video() -> None:
    ray = SomeRay({"a.mp4": [LOST] * 3})
    (ended,) = ends(ray, "a.mp4")
    assert isinstance(ended.answer, OSError)
    assert "was lost 3 times, at last with WorkerCrashedError" in str(ended.answer)
    assert len(ray.started) == 3


def test_an_error_of_the_task_itself_ends_the_run() -> None:
    raised = errors.RayTaskError("task", "", FleetError("on lab-2: no such model"))
    with pytest.raises(FleetError, match="A task failed: on lab-2: no such model"):
        ends(SomeRay({"a": [raised]}), "a")


def test_a_task_that_the_cluster_refuses_ends_the_run() -> None:
    refused = errors.TaskUnschedulableError("no room")
    with pytest.raises(FleetError, match="The cluster does not do a task"):
        ends(SomeRay({"a": [refused]}), "a")


def test_the_end_cancels_what_runs_and_starts_nothing_again() -> None:
    ray = SomeRay({"lost": [LOST], "running": []})
    tasks: UnderWay[str] = UnderWay(ray, ray.start)
    tasks.add("lost", "lost")
    assert tasks.next_end(timeout_seconds=0.01) is None
    tasks.add("running", "running")
    assert len(tasks) == 2
    tasks.end()
    assert len(tasks) == 0
    assert ray.cancelled == ["running"]
    assert ray.started == ["lost", "running"]
