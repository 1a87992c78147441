"""Detector sessions on a Supervisely instance: list them, connect to one, deploy one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from mouse_ar.detection.choice import DetectorChoice
from mouse_ar.detection.errors import (
    DetectorRefusedError,
    DetectorSetupError,
    DetectorUnavailableError,
)
from mouse_ar.detection.remote import RemoteDetector
from mouse_ar.detection.served_model import ServedModel
from mouse_ar.detection.transport import ServiceConnection, TransientError
from mouse_ar.detection.wire import WireError
from mouse_ar.sly.calls import within
from mouse_ar.sly.instance import open_api

if TYPE_CHECKING:
    from supervisely import Api

__all__ = [
    "FRAMEWORK",
    "RUNNING",
    "DetectorSession",
    "Sessions",
    "connect",
    "list_sessions",
    "open_sessions",
    "session_url",
]

FRAMEWORK = "RT-DETRv2"
RUNNING = ("started", "deployed")
CALL_SECONDS = 60.0
_PROBE_SECONDS = 10.0


@dataclass(frozen=True)
class DetectorSession:
    """A running session that can be connected to.

    Args:
        task_id: its number.
        name: its name.
        workspace_id: where it runs.
        model: the deployed model.
        classes: what it finds.
    """

    task_id: int
    name: str
    workspace_id: int
    model: str
    classes: tuple[str, ...]


def list_sessions(
    api: Api, *, team_id: int, workspace_id: int | None = None
) -> list[DetectorSession]:
    """Sessions of Serve RT-DETRv2 with a model ready, newest first.

    ``api.nn.list_deployed_models`` fails when the app is not installed, and waits for minutes for
    every session that has no model yet; here such sessions are left out after one short question.

    Raises:
        DetectorUnavailableError: when the instance does not answer.
    """
    modules = within(CALL_SECONDS, lambda: _serving_apps(api), what="listing the serving apps")
    if workspace_id is None:
        spaces = within(
            CALL_SECONDS, lambda: api.workspace.get_list(team_id), what="listing workspaces"
        )
        workspaces = [space.id for space in spaces]
    else:
        workspaces = [workspace_id]
    running = [{"field": "status", "operator": "in", "value": list(RUNNING)}]
    found = []
    for workspace in workspaces if modules else []:
        tasks = within(
            CALL_SECONDS,
            partial(api.task.get_list, workspace, filters=running),
            what="listing sessions",
        )
        for task in tasks:
            if ((task.get("meta") or {}).get("app") or {}).get("moduleId") in modules:
                found += _ready(api, task, workspace)
    return sorted(found, key=lambda session: -session.task_id)


def connect(api: Api, task_id: int, **options: Any) -> RemoteDetector:
    """A detector that asks a running session.

    Args:
        api: of the instance.
        task_id: number of the session.
        options: of :class:`~mouse_ar.detection.remote.RemoteDetector`.

    Raises:
        DetectorSetupError: when there is no such session, or it does not run.
        DetectorUnavailableError: when it does not answer.
    """
    task = within(
        CALL_SECONDS, lambda: api.task.get_info_by_id(task_id), what=f"reading session {task_id}"
    )
    if task is None:
        raise DetectorSetupError(f"There is no session {task_id} on {api.server_address}.")
    if task.get("status") not in RUNNING:
        raise DetectorSetupError(
            f"Session {task_id} does not run (status: {task.get('status')}): start it, or "
            "choose another one."
        )
    url = session_url(api, task)
    if url is None:
        raise DetectorSetupError(f"Session {task_id} is no app that can be asked over HTTP.")
    name = f"session {task_id} on {api.server_address}"
    return RemoteDetector(url, **{"token": api.token, "name": name, **options})


def session_url(api: Api, task: Mapping[str, Any]) -> str | None:
    """Where a session answers; None while it has no address yet."""
    token = (task.get("meta") or {}).get("sessionToken")
    return f"{api.server_address}/net/{token}" if token else None


class Sessions:
    """Opens the choices ``session:`` and ``deploy:``; what it deployed is stopped with it.

    Args:
        api: of the instance.
        deploy_options: of :func:`~mouse_ar.sly.deployment.deployed`, such as ``agent_id``.
    """

    def __init__(self, api: Api, **deploy_options: Any) -> None:
        self._api = api
        self._deploy_options = deploy_options
        self._opened = ExitStack()

    def __call__(self, choice: DetectorChoice, **options: Any) -> RemoteDetector:
        """Open a detector; see :class:`~mouse_ar.detection.choice.SessionOpener`."""
        from mouse_ar.sly.deployment import deployed

        if choice.kind == "session":
            return self._opened.enter_context(connect(self._api, int(choice.value), **options))
        if "workspace_id" not in self._deploy_options:
            raise DetectorSetupError(
                f"deploy:{choice.value} needs a workspace to run in: set WORKSPACE_ID."
            )
        return self._opened.enter_context(
            deployed(self._api, choice.value, **self._deploy_options, **options)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._opened.__exit__(kind, error, trace)


def open_sessions() -> Sessions:
    """Sessions of the instance and workspace that the environment names, as the SDK has it.

    ``WORKSPACE_ID`` is where checkpoints are deployed, on the computer ``AGENT_ID`` if it is set.

    Raises:
        ValueError: the instance is not named, or a number is none.
    """
    numbers = {
        option: _number(name, value)
        for option, name in (("workspace_id", "WORKSPACE_ID"), ("agent_id", "AGENT_ID"))
        if (value := os.environ.get(name))
    }
    return Sessions(open_api(), **numbers)


def _number(name: str, text: str) -> int:
    if not (text.isascii() and text.strip().isdigit()):
        raise ValueError(f"{name} is the number that Supervisely shows, like 12345; got {text!r}.")
    return int(text)


def _serving_apps(api: Api) -> set[int]:
    try:
        modules = api.app.get_list_ecosystem_modules(
            categories=["serve", f"framework:{FRAMEWORK}"], categories_operation="and"
        )
    except KeyError:  # what the SDK raises for an empty list
        return set()
    return {int(module["id"]) for module in modules}


def _ready(api: Api, task: Mapping[str, Any], workspace_id: int) -> list[DetectorSession]:
    """The session, if it answers and has a model."""
    url = session_url(api, task)
    if url is None:
        return []
    connection = ServiceConnection(url, token=api.token, timeout_seconds=_PROBE_SECONDS, retries=0)
    try:
        model = ServedModel.ask(connection.once, address=url)
    except (TransientError, DetectorUnavailableError, DetectorRefusedError, WireError):
        return []
    finally:
        connection.close()
    name = str(task["meta"].get("name") or "")
    return [DetectorSession(int(task["id"]), name, workspace_id, model.title, model.classes)]
