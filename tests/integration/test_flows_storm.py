"""Five in a hundred requests fail, in every way: the results are those of a calm day."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pylibmagic  # noqa: F401
import pytest
import supervisely

import tiny
from mouse_ar.sly.connection import Connection, Limits
from mouse_ar.sly.errors import TransferError
from mouse_ar.sly.project import RemoteProject
from mouse_ar.sly.train_project import train_project
from mouse_ar.sly.train_request import TrainRequest
from remote_runs import make_input, run_infer, run_preprocess
from supervisely_double import Double, running
from tiny import ACTIONS

KINDS = "status cut lost cut_body short_body truncated wrong_bytes html"
SOME = {name: tiny.SEVEN[name] for name in ("a.mp4", "b.mp4", "g.mp4")}
PATIENT = Limits(attempts=8, first_pause_seconds=0.01, longest_pause_seconds=0.05)


def everything(double: Double, folder: Path, *, storm: bool) -> list[Any]:
    """Preprocess, train and infer; what the instance holds afterwards."""
    source = make_input(double, folder / "input", SOME)
    if storm:
        double.fail("*", kinds=KINDS, rate=0.05, seed=3)
    with Connection(supervisely.Api(double.url, double.token), limits=PATIENT) as connection:
        target, report = run_preprocess(connection, source, folder / "pre")
        assert report.failures == {}
        train_project(
            RemoteProject.open(connection, target.id, actions=ACTIONS),
            TrainRequest(name="first", config=replace(tiny.TRAIN, batch_size=4), device="cpu"),
            work=folder / "train",
            actions=ACTIONS,
            team_id=Double.team,
            task_id=1,
            stop=threading.Event(),
            on_event=lambda event: None,
            progress=lambda what, done, total: None,
        )
        predictions, inferred = run_infer(connection, source, folder / "infer", tag_source=True)
        assert inferred.failures == {}
    double.faults.clear()
    # Their folders have the projects' numbers in their names; the others tell the time.
    steady = {
        path.rpartition("/")[2]: content
        for path, content in double.files().items()
        if path.endswith(("bouts.csv", "summary.csv", "best.safetensors", "hyperparameters.yaml"))
    }
    assert len(steady) == 4
    return [double.dump(source), double.dump(target.id), double.dump(predictions.id), steady]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUPERVISELY_SKIP_HTTPS_USER_HELPER_CHECK", "true")
    monkeypatch.setattr("mouse_ar.sly.lease._SETTLE_SECONDS", 0.01)


@pytest.mark.slow
def test_a_storm_changes_nothing(tmp_path: Path) -> None:
    results = []
    for storm in (False, True):
        folder = tmp_path / f"storm {storm}"
        with running(Double(folder / "double")) as double:
            results.append(everything(double, folder, storm=storm))
    calm, stormy = results
    for one, other in zip(calm, stormy, strict=True):
        assert one == other


def test_an_instance_that_is_gone_ends_the_run_and_a_further_one_goes_on(tmp_path: Path) -> None:
    with (
        running(Double(tmp_path / "double")) as double,
        Connection(supervisely.Api(double.url, double.token), limits=PATIENT) as connection,
    ):
        source = make_input(double, tmp_path / "input", SOME)

        def down_after_one(what: str, done: int, total: int) -> None:
            if what.startswith("video 2/"):
                double.down()

        with pytest.raises(TransferError, match="What is finished is kept"):
            run_preprocess(connection, source, tmp_path / "work", progress=down_after_one)
        double.up()
        target, report = run_preprocess(connection, source, tmp_path / "work2")
        assert (len(report.processed), report.unchanged) == (2, 1)
        made = double.dump(target.id)
    with (
        running(Double(tmp_path / "calm")) as double,
        Connection(supervisely.Api(double.url, double.token), limits=PATIENT) as connection,
    ):
        source = make_input(double, tmp_path / "calm input", SOME)
        target, _ = run_preprocess(connection, source, tmp_path / "calm work")
        assert double.dump(target.id) == made
