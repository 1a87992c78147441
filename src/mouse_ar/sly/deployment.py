"""Deploy a detector's checkpoint from Team Files for as long as it is needed.

``api.nn.deploy`` would do the first half, but it leaves the session running whenever something
fails on the way, gives a checkpoint a minute to load before it loads it again, and takes another
checkpoint of the experiment where the one named does not exist.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mouse_ar.detection.errors import (
    DetectorRefusedError,
    DetectorSetupError,
    DetectorUnavailableError,
)
from mouse_ar.detection.remote import RemoteDetector
from mouse_ar.detection.transport import ServiceConnection, TransientError
from mouse_ar.sly.calls import within
from mouse_ar.sly.own_task import OwnTask
from mouse_ar.sly.sessions import CALL_SECONDS, connect, session_url

if TYPE_CHECKING:
    from supervisely import Api

__all__ = ["deployed"]

_LOG = logging.getLogger(__name__)
_POLL_SECONDS = 1.0
_STEPS = ("starting the session", "loading the checkpoint", "ready")
_OVER = {"error", "finished", "stopped", "terminating"}

Progress = Callable[[str, int, int], None]


@contextmanager
def deployed(
    api: Api,
    team_files_path: str,
    *,
    workspace_id: int,
    agent_id: int | None = None,
    device: str | None = None,
    ready_seconds: float = 900.0,
    progress: Progress | None = None,
    **options: Any,
) -> Iterator[RemoteDetector]:
    """A session with a checkpoint of a training experiment, stopped in the end whatever happens.

    Args:
        api: of the instance.
        team_files_path: ``/experiments/…/checkpoints/NAME.pth``.
        workspace_id: where the session runs; its team holds the checkpoint.
        agent_id: computer to run on; the one with the most free GPU memory by default.
        device: ``cuda:0``, ``cpu``; a GPU if there is one by default.
        ready_seconds: longest time until the model is ready.
        progress: called with (what, steps done, steps in all).
        options: of :class:`~mouse_ar.detection.remote.RemoteDetector`.

    Raises:
        DetectorSetupError: when there is no such checkpoint, app or agent.
        DetectorUnavailableError: when the model does not get ready, or the instance fails.
    """
    tell = progress or (lambda *_: None)
    plan = within(
        CALL_SECONDS,
        lambda: _plan(api, team_files_path, workspace_id=workspace_id, agent_id=agent_id),
        what=f"looking for {team_files_path}",
    )
    if isinstance(plan, DetectorSetupError):
        raise plan
    agent, module_id, params = plan
    until = time.monotonic() + ready_seconds
    tell(_STEPS[0], 0, len(_STEPS) - 1)
    task = OwnTask(api, workspace_id=workspace_id)
    try:
        task_id = task.start(
            CALL_SECONDS,
            agent_id=agent,
            module_id=module_id,
            description=f"Serves {team_files_path} for mouse-ar",
        )
        connection = _started(api, task_id, until=until)
        try:
            tell(_STEPS[1], 1, len(_STEPS) - 1)
            _load(
                connection,
                {**params, "device": device},
                until=until,
                check=lambda: _living(api, task_id),
            )
        finally:
            connection.close()
        with connect(api, task_id, **options) as detector:
            tell(_STEPS[2], 2, len(_STEPS) - 1)
            yield detector
    finally:
        task.end()


def _plan(
    api: Api, path: str, *, workspace_id: int, agent_id: int | None
) -> tuple[int, int, dict[str, Any]] | DetectorSetupError:
    """Agent, app and parameters of the deployment; the user's mistakes are returned."""
    from supervisely.api.nn.deploy_api import DeployApi
    from supervisely.api.nn.utils import find_agent

    artifacts, slash, name = path.partition("/checkpoints/")
    if not path.startswith("/experiments/") or not slash or "/" in name:
        return DetectorSetupError(
            "Expected a checkpoint of a training experiment in Team Files, like "
            f"/experiments/…/checkpoints/best.pth; got {path!r}."
        )
    workspace = api.workspace.get_info_by_id(workspace_id)
    if workspace is None:
        return DetectorSetupError(f"There is no workspace {workspace_id}.")
    team_id = workspace.team_id
    if not api.file.exists(team_id, path):
        return DetectorSetupError(f"There is no {path} in the files of team {team_id}.")
    try:
        # The only place that knows what a serving app wants to be told.
        module_id, _, params = DeployApi(api)._deploy_params_v2(team_id, artifacts, name, None)
        agent = find_agent(api, team_id) if agent_id is None else agent_id
    except (ValueError, KeyError, TypeError) as error:
        return DetectorSetupError(f"{path} cannot be deployed: {error}")
    if agent is None:
        return DetectorSetupError(f"Team {team_id} has no agent with a GPU that runs: name one.")
    if params["model_files"]["checkpoint"] != path:
        return DetectorSetupError(f"The experiment of {path} does not list that checkpoint.")
    return agent, module_id, params


def _started(api: Api, task_id: int, *, until: float) -> ServiceConnection:
    """A connection to the app of a session, once it runs."""
    while True:
        url = session_url(api, _living(api, task_id))
        if url is not None:
            connection = ServiceConnection(
                url,
                token=api.token,
                name=f"session {task_id}",
                timeout_seconds=max(1.0, until - time.monotonic()),
                retries=0,
            )
            if _answers(connection, "is_running"):
                return connection
            connection.close()
        _pause(until, f"session {task_id} did not start in time")


def _living(api: Api, task_id: int) -> Mapping[str, Any]:
    """What the instance says of a session.

    Raises:
        DetectorUnavailableError: when it has ended.
    """
    what = f"reading session {task_id}"
    task = within(CALL_SECONDS, lambda: api.task.get_info_by_id(task_id), what=what) or {}
    status = task.get("status")
    if status in _OVER:
        raise DetectorUnavailableError(
            f"Session {task_id} ended while it started (status: {status}): see its log."
        )
    return task


def _load(
    connection: ServiceConnection,
    params: Mapping[str, Any],
    *,
    until: float,
    check: Callable[[], object],
) -> None:
    """Load the checkpoint; ``check`` raises when the session has ended."""
    payload = {"state": {"deploy_params": dict(params), "model_name": None}}
    with ThreadPoolExecutor(1) as pool:
        request = pool.submit(connection.once, "deploy_from_api", payload=payload)
        try:
            while not wait([request], _POLL_SECONDS).done:
                check()
        except BaseException:
            connection.close()  # ends the request, which would be waited for
            raise
    try:
        request.result()
    except DetectorRefusedError as error:
        raise DetectorUnavailableError(str(error)) from None
    except TransientError as error:
        if error.status == 500:
            raise connection.unavailable(
                f"it could not load the checkpoint ({error}); its log says why"
            ) from None
        # A gateway gives up on the request sooner than the app on the checkpoint.
        _LOG.info("waiting for the checkpoint after: %s", error)
    while not _answers(connection, "is_ready"):
        check()
        _pause(until, f"{connection.name} did not load the checkpoint in time")


def _answers(connection: ServiceConnection, method: str) -> bool:
    try:
        connection.once(method)
    except (TransientError, DetectorUnavailableError, DetectorRefusedError):
        return False
    return True


def _pause(until: float, late: str) -> None:
    if time.monotonic() > until:
        raise DetectorUnavailableError(f"Detector {late}; its log says why.")
    time.sleep(_POLL_SECONDS)
