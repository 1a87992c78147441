"""An instance that is gone for good in mid-run: a clear error, and no loss when it is back."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import tiny
from e2e import infer_setting, preprocess_setting, train_setting
from e2e.driver import AppDriver, running_app
from mouse_ar.sly.limits import PATIENCE_VARIABLE
from supervisely_double.double import Double, running
from tiny import NUM_FRAMES

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

# Of the end of a run that waits a second for an instance: what it still tries included.
ENDS_SECONDS = 150.0


@dataclass
class Scene:
    """An app and an instance for it.

    Args:
        double: the instance.
        start: starts the app: by hand, or in production and without a user.
        prepare: goes through the steps to the last one.
        done: part of the outcome of a run that came to its end.
        fatal: endpoints whose request takes the instance down, and how many are let pass first.
        result: what the instance holds in the end, without ids and times.
        repeated: what was done more than once.
    """

    double: Double
    start: Callable[..., AbstractContextManager[AppDriver]]
    prepare: Callable[[AppDriver], None]
    done: str
    fatal: list[tuple[str, int]]
    result: Callable[[], Any]
    repeated: Callable[[], list[str]]


def sent(double: Double, endpoint: str) -> list[Any]:
    """Bodies of the requests that were carried out."""
    return [r.data for r in double.log.records if r.endpoint == endpoint and r.status == 200]


def added_twice(double: Double) -> list[str]:
    """Videos that were put in a dataset again."""
    bodies = sent(double, "videos.bulk.add")
    added = Counter((body["datasetId"], v["title"]) for body in bodies for v in body["videos"])
    return [title for (_, title), count in added.items() if count > 1]


@contextmanager
def preprocess(folder: Path) -> Iterator[Scene]:
    with running(Double(folder / "double")) as double:
        lab = preprocess_setting.make_lab(double, folder / "videos")

        def start(**more: str) -> AbstractContextManager[AppDriver]:
            environment = lab.environment(folder, **more)
            production = "TASK_ID" in more
            return running_app(
                preprocess_setting.APP, folder / "app", environment=environment,
                production=production,
            )  # fmt: skip

        yield Scene(
            double,
            start,
            preprocess_setting.to_the_run,
            "already up to date, 0 removed, 0 failed",
            [("videos.bulk.add", 6), ("figures.bulk.add", 3)],
            lambda: double.dump(lab.target),
            lambda: added_twice(double),
        )


@contextmanager
def train(folder: Path) -> Iterator[Scene]:
    data = tiny.write_training_data(folder)
    with running(Double(folder / "double")) as double:
        project = double.add_project("mice", folder=data)

        def start(**more: str) -> AbstractContextManager[AppDriver]:
            alone = train_setting.autorun() if "TASK_ID" in more else {}
            environment = {**train_setting.environment(double, project, **alone), **more}
            return running_app(
                train_setting.APP, folder / "app", environment=environment, production=bool(alone)
            )

        def repeated() -> list[str]:
            (events,) = (folder / "app").rglob("runs/*/run/events.jsonl")
            lines = [json.loads(line) for line in events.read_text().splitlines()]
            epochs = Counter(e["epoch"] for e in lines if e["event"] == "epoch")
            assert len(epochs) == train_setting.TINY["epochs"]
            runs = {path.split("/")[3] for path in train_setting.artifacts(double)}
            assert len(runs) == 1, "one experiment"
            return [f"epoch {epoch}" for epoch, count in epochs.items() if count > 1]

        yield Scene(
            double,
            start,
            train_setting.to_the_run,
            "The best checkpoint",
            [("videos.download", 5), ("file-storage.bulk.upload", 2)],
            partial(train_setting.weights, double),
            repeated,
        )


@contextmanager
def infer(folder: Path) -> Iterator[Scene]:
    with infer_setting.infer_setting(folder) as setting:
        double = setting.double
        session = double.add_task(setting.detector_url)

        def start(**more: str) -> AbstractContextManager[AppDriver]:
            given = {"modal.state.detector": f"session:{session}", **more}
            given["modal.state.checkpoint"] = infer_setting.CHECKPOINT
            return setting.app(production="TASK_ID" in more, **given)

        def prepare(app: AppDriver) -> None:
            for step in ("videos", "model", "detector", "thresholds"):
                app.click(f"{step}_continue")

        def repeated() -> list[str]:
            frames = setting.detector.frames
            again = [] if frames <= len(infer_setting.VIDEOS) * NUM_FRAMES else ["f"]
            return [*again, *added_twice(double)]

        yield Scene(
            double,
            start,
            prepare,
            "from an earlier run",
            [("figures.bulk.add", 1), ("net/inference_batch", 1)],
            setting.dump,
            repeated,
        )


SCENES = {"preprocess": preprocess, "train": train, "infer": infer}


@pytest.fixture(params=SCENES, scope="module")
def scene_of(request: pytest.FixtureRequest) -> Any:
    return SCENES[request.param]


@pytest.fixture(scope="module")
def undisturbed(scene_of: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What the instance holds after a run on a calm day."""
    with scene_of(tmp_path_factory.mktemp("calm")) as scene, scene.start() as app:
        scene.prepare(app)
        app.click("run_start")
        app.wait(lambda a: a.notes("run_outcome") and not a.data("run_start")["disabled"],
                 what="the end", seconds=120)  # fmt: skip
        return scene.result()


def wait_for_error(app: AppDriver, server: str) -> None:
    app.wait_for_note("run_outcome", server, seconds=ENDS_SECONDS)
    (told,) = app.notes("run_outcome")
    assert re.search(r"(What is finished is|Finished videos are) kept; .* a new start", told)
    app.wait(lambda a: not a.data("run_start")["disabled"], what="the button")


def test_a_page_tells_and_a_new_start_goes_on(
    scene_of: Any, undisturbed: Any, tmp_path: Path
) -> None:
    with scene_of(tmp_path) as scene:
        double = scene.double
        with scene.start(**{PATIENCE_VARIABLE: "1"}) as app:
            scene.prepare(app)
            for endpoints, skip in scene.fatal:
                double.fail(endpoints, kinds="down", count=1, skip=skip)
                app.click("run_start")
                wait_for_error(app, double.url)
                double.up()
            app.click("run_start")
            app.wait_for_note("run_outcome", scene.done, seconds=120)
        assert scene.result() == undisturbed
        assert scene.repeated() == []


def test_without_a_user_the_task_fails_and_the_next_goes_on(
    scene_of: Any, undisturbed: Any, tmp_path: Path
) -> None:
    with scene_of(tmp_path) as scene:
        double = scene.double
        task = str(double.add_task(module=None))
        alone = {PATIENCE_VARIABLE: "1", "modal.state.autorun": "1", "TASK_ID": task}
        endpoints, skip = scene.fatal[-1]
        double.fail(endpoints, kinds="down", count=1, skip=skip)
        with scene.start(**alone) as app:
            app.wait(lambda _: double.connections.down, what="the outage", seconds=100)
            assert app.ended(ENDS_SECONDS) == 1, app.log[-3000:]
        assert double.url in app.log
        double.up()
        with scene.start(**alone) as app:
            assert app.ended(120) == 0, app.log[-3000:]
        assert scene.result() == undisturbed
        assert scene.repeated() == []
