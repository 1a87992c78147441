"""Sessions of a Supervisely instance: list, connect, deploy; the SDK against the double."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from fastapi import FastAPI, HTTPException

from doubles.bright import BrightDetector, mouse_frames
from doubles.servers import BrightProcess, serving
from mouse_ar.detection.choice import open_detector
from mouse_ar.detection.errors import DetectorSetupError, DetectorUnavailableError
from mouse_ar.detection.remote import RemoteDetector
from mouse_ar.sly import deployment, own_task, sessions
from mouse_ar.sly.deployment import deployed
from mouse_ar.sly.instance import open_api
from mouse_ar.sly.sessions import Sessions, connect, list_sessions, open_sessions
from supervisely_double import AGENT, TEAM, TOKEN, WORKSPACE, ApiError, Double, running

EXPERIMENT = "/experiments/5_mice/9_RT-DETRv2"
CHECKPOINT = f"{EXPERIMENT}/checkpoints/best.pth"
IN_PROCESS = BrightDetector(confidence=0.4, shift=0.5)
FRAMES = mouse_frames(3, seed=0)

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[Double]:
    with running(Double(tmp_path / "instance")) as instance:
        yield instance


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUPERVISELY_SKIP_HTTPS_USER_HELPER_CHECK", "true")
    monkeypatch.setattr(deployment, "_POLL_SECONDS", 0.05)
    monkeypatch.setattr("mouse_ar.detection.transport._MAX_PAUSE_SECONDS", 0.05)


@pytest.fixture
def api(sly: ModuleType, instance: Double) -> Any:
    return sly.Api(instance.url, TOKEN)


def test_lists_what_is_ready_and_connects(
    api: Any, instance: Double, session: BrightProcess
) -> None:
    ready = instance.add_task(session.url, name="mice")
    newer = instance.add_task(session.url)
    instance.add_task(session.url, module=99)  # another app
    instance.add_task(session.url, module=None)
    instance.add_task("http://127.0.0.1:9")  # does not answer
    stopped = instance.add_task(session.url, status="stopped")
    found = list_sessions(api, team_id=TEAM)
    assert [s.task_id for s in found] == [newer, ready]
    assert (found[1].name, found[1].model) == ("mice", "RT-DETRv2-S, best.pth")
    assert found[1].classes == ("mouse",)
    assert list_sessions(api, team_id=TEAM, workspace_id=WORKSPACE) == found
    with connect(api, ready, image_format="png") as detector:
        assert detector.detect(FRAMES) == IN_PROCESS.detect(FRAMES)
    with pytest.raises(
        DetectorSetupError, match=f"Session {stopped} does not run .status: stopped"
    ):
        connect(api, stopped)
    with pytest.raises(DetectorSetupError, match="There is no session 55"):
        connect(api, 55)
    instance.modules.clear()  # the app is not there: the SDK raises KeyError
    assert list_sessions(api, team_id=TEAM) == []


def test_the_instance_is_named_by_the_environment(
    instance: Double, sly: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERVER_ADDRESS", instance.url)
    monkeypatch.delenv("API_TOKEN", raising=False)
    with pytest.raises(ValueError, match="Not set: API_TOKEN"):
        open_api()
    monkeypatch.setenv("API_TOKEN", TOKEN)
    assert list_sessions(open_api(), team_id=TEAM) == []
    monkeypatch.setenv("API_TOKEN", f"{TOKEN}\n")
    assert list_sessions(open_api(), team_id=TEAM) == []
    monkeypatch.setenv("API_TOKEN", f"{TOKEN}\n#")
    with pytest.raises(ValueError, match="A token holds plain ASCII") as caught:
        open_api()
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize("name", ["WORKSPACE_ID", "AGENT_ID"])
@pytest.mark.parametrize("value", ["abc", "-5", "1.5", "²"])
def test_what_is_no_number_is_told_by_name(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=f"{name} is the number .* got '{value}'"):
        open_sessions()


def test_errors_do_not_give_the_session_token_away(api: Any, instance: Double) -> None:
    task_id = instance.add_task("http://127.0.0.1:9")
    with pytest.raises(DetectorUnavailableError, match=f"session {task_id}.*502") as caught:
        connect(api, task_id, retries=1)
    assert "session-token" not in str(caught.value)
    assert TOKEN not in str(caught.value)


def test_an_instance_that_fails_is_waited_for_only_so_long(
    api: Any, instance: Double, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "CALL_SECONDS", 1.0)
    instance.fail("tasks.info", status=503)  # the SDK would try for minutes
    began = time.monotonic()
    with pytest.raises(
        DetectorUnavailableError, match=r"reading session 5 failed .no answer within"
    ):
        connect(api, 5)
    instance.faults.clear()
    instance.fail("tasks.info", status=403)
    with pytest.raises(DetectorUnavailableError, match=r"reading session 5 failed .HTTPError: 403"):
        connect(api, 5)
    assert time.monotonic() - began < 10


class Apps:
    """Starts a session's process when the instance is asked to run the app."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.process = BrightProcess(folder, deployed=False, **settings)

    def run(self, task: dict[str, Any]) -> str:
        self.process.start()
        return self.process.url

    def stop(self, task: dict[str, Any]) -> None:
        self.process.kill()


@pytest.fixture
def apps(tmp_path: Path, instance: Double) -> Iterator[Apps]:
    apps = Apps(tmp_path)
    instance.run, instance.stop = apps.run, apps.stop
    info = {
        "experiment_name": "mice",
        "framework_name": "RT-DETRv2",
        "model_name": "RT-DETRv2-S",
        "task_type": "object detection",
        "project_id": 5,
        "task_id": 9,
        "model_files": {"config": "model_config.yml"},
        "model_meta": "model_meta.json",
        "checkpoints": ["checkpoints/best.pth", "checkpoints/last.pth"],
        "best_checkpoint": "best.pth",
        "hyperparameters": "hyperparameters.yaml",
        "artifacts_dir": f"{EXPERIMENT}/",
    }
    files = {
        f"{EXPERIMENT}/experiment_info.json": json.dumps(info).encode(),
        f"{EXPERIMENT}/model_config.yml": b"",
        CHECKPOINT: b"weights",
        f"{EXPERIMENT}/checkpoints/unlisted.pth": b"weights",
    }
    instance.add_files(files)
    try:
        yield apps
    finally:
        apps.process.kill()


def test_deploys_a_checkpoint_and_stops_the_session(api: Any, instance: Double, apps: Apps) -> None:
    steps: list[tuple[str, int, int]] = []
    with deployed(
        api,
        CHECKPOINT,
        workspace_id=WORKSPACE,
        progress=lambda *step: steps.append(step),
        image_format="png",
    ) as detector:
        assert detector.model.title == "RT-DETRv2-S, best.pth"
        assert detector.detect(FRAMES) == IN_PROCESS.detect(FRAMES)
        assert not instance.called("tasks.stop")
    (stopped,) = instance.called("tasks.stop")
    assert instance.tasks[stopped["id"]]["status"] == "stopped"
    assert steps == [
        ("starting the session", 0, 2),
        ("loading the checkpoint", 1, 2),
        ("ready", 2, 2),
    ]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_a_session_is_stopped_whatever_happens(
    api: Any, instance: Double, apps: Apps, error: type[BaseException]
) -> None:
    def work() -> None:
        with Sessions(api, workspace_id=WORKSPACE, agent_id=AGENT) as opener:
            detector = open_detector(f"deploy:{CHECKPOINT}", sessions=opener, confidence=0.5)
            assert isinstance(detector, RemoteDetector)
            assert detector.confidence == 0.5
            raise error

    with pytest.raises(error):
        work()
    assert len(instance.called("tasks.stop")) == 1


def test_a_checkpoint_that_does_not_load_ends_the_session(
    api: Any, instance: Double, apps: Apps
) -> None:
    apps.process.settings["broken"] = True
    with (
        pytest.raises(DetectorUnavailableError, match=r"load the checkpoint .HTTP 500"),
        deployed(api, CHECKPOINT, workspace_id=WORKSPACE),
    ):
        pass
    assert len(instance.called("tasks.stop")) == 1


def test_an_app_that_never_answers_ends_too(api: Any, instance: Double, apps: Apps) -> None:
    instance.run = lambda task: "http://127.0.0.1:9"
    instance.fail("tasks.stop", status=403)
    with (
        pytest.raises(DetectorUnavailableError, match="did not start in time"),
        deployed(api, CHECKPOINT, workspace_id=WORKSPACE, ready_seconds=0.5),
    ):
        pass
    assert instance.called("tasks.stop")


def test_a_task_that_fails_at_once_is_told_of(api: Any, instance: Double, apps: Apps) -> None:
    instance.run = lambda task: task.update(status="error") or "http://127.0.0.1:9"
    with (
        pytest.raises(DetectorUnavailableError, match=r"ended while it started \(status: error\)"),
        deployed(api, CHECKPOINT, workspace_id=WORKSPACE),
    ):
        pass


@pytest.mark.parametrize("answer_seconds", [0, 5])
def test_a_session_that_dies_while_it_loads_is_told_of(
    api: Any, instance: Double, apps: Apps, answer_seconds: int
) -> None:
    app = FastAPI()
    app.post("/is_running")(lambda: True)

    @app.post("/{method}")
    def gateway(method: str) -> Any:
        if method == "deploy_from_api":
            next(iter(instance.tasks.values()))["status"] = "error"
            time.sleep(answer_seconds)
        raise HTTPException(502)

    with serving(app) as url:
        instance.run = lambda task: url
        began = time.monotonic()
        with (
            pytest.raises(DetectorUnavailableError, match=r"ended while.*status: error"),
            deployed(api, CHECKPOINT, workspace_id=WORKSPACE),
        ):
            pass
        assert time.monotonic() - began < 4


def deploy(api: Any) -> None:
    with deployed(api, CHECKPOINT, workspace_id=WORKSPACE):
        pass


@pytest.mark.parametrize("grace_seconds", [0.2, 10.0])
def test_a_start_that_succeeds_too_late_is_undone(
    api: Any,
    instance: Double,
    apps: Apps,
    monkeypatch: pytest.MonkeyPatch,
    grace_seconds: float,
) -> None:
    monkeypatch.setattr(deployment, "CALL_SECONDS", 0.5)
    monkeypatch.setattr(own_task, "_GRACE_SECONDS", grace_seconds)
    monkeypatch.setattr(own_task, "_LOOK_SECONDS", 0.1)
    instance.run, instance.start_seconds = (lambda task: "http://127.0.0.1:9"), 2.0

    def statuses() -> list[str]:
        return [task["status"] for task in instance.tasks.values()]

    with pytest.raises(DetectorUnavailableError, match=r"session failed .no answer"):
        deploy(api)
    until = time.monotonic() + (10 if grace_seconds < 2 else 0)
    # The call is noted a moment before the task has stopped.
    while statuses() != ["stopped"] and time.monotonic() < until:
        time.sleep(0.05)
    assert statuses() == ["stopped"]


@pytest.fixture
def _ctrl_c() -> Iterator[None]:
    """Ctrl-C interrupts, whatever servers of other tests have made of it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, signal.SIG_DFL if before is None else before)


@pytest.mark.usefixtures("_ctrl_c")
def test_ctrl_c_while_it_starts_leaves_nothing_running(
    api: Any, instance: Double, apps: Apps
) -> None:
    def run(task: dict[str, Any]) -> str:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(2)
        return "http://127.0.0.1:9"

    instance.run = run
    with pytest.raises(KeyboardInterrupt):
        deploy(api)
    assert [task["status"] for task in instance.tasks.values()] == ["stopped"]


def test_a_task_whose_start_is_answered_with_an_error_is_stopped(
    api: Any, instance: Double, apps: Apps
) -> None:
    def run(task: dict[str, Any]) -> str:
        raise ApiError(403, "but it runs")

    instance.run = run
    others = instance.add_task(None, name="mouse detector")
    with pytest.raises(DetectorUnavailableError, match="starting a session failed"):
        deploy(api)
    ours = [task for task in instance.tasks.values() if task["id"] != others]
    assert [task["status"] for task in ours] == ["stopped"]
    assert instance.tasks[others]["status"] == "started"


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/files/best.pth", "Expected a checkpoint of a training experiment"),
        (f"{EXPERIMENT}/checkpoints/none.pth", "There is no .*none.pth in the files of team 7"),
        # The SDK would deploy the last one in the list instead.
        (f"{EXPERIMENT}/checkpoints/unlisted.pth", "does not list that checkpoint"),
    ],
)
def test_nothing_is_started_for_a_wrong_path(
    api: Any, instance: Double, apps: Apps, path: str, message: str
) -> None:
    with (
        pytest.raises(DetectorSetupError, match=message),
        deployed(api, path, workspace_id=WORKSPACE),
    ):
        pass
    with (
        pytest.raises(DetectorSetupError, match="There is no workspace 5"),
        deployed(api, CHECKPOINT, workspace_id=5),
    ):
        pass
    assert not instance.called("tasks.run.app")


def test_a_running_session_by_its_number(
    api: Any, instance: Double, session: BrightProcess
) -> None:
    task_id = instance.add_task(session.url)
    with Sessions(api, workspace_id=WORKSPACE) as opener:
        detector = open_detector(f"session:{task_id}", sessions=opener, image_format="png")
        assert detector.detect(FRAMES) == IN_PROCESS.detect(FRAMES)
    assert not instance.called("tasks.stop")
