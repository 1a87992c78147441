"""A task that is started for a while and must not outlive it, however its start goes."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from typing import TYPE_CHECKING

from mouse_ar.detection.errors import DetectorUnavailableError
from mouse_ar.sly.calls import within

if TYPE_CHECKING:
    from supervisely import Api

__all__ = ["OwnTask"]

_LOG = logging.getLogger(__name__)
_STOP_SECONDS = 30.0
# How long the end waits for a start that is still under way; each look costs one request.
_GRACE_SECONDS = 10.0
_LOOK_SECONDS = 1.0
_ALIVE = ["queued", "consumed", "started", "deployed"]


class OwnTask:
    """Starts one app and stops it in the end.

    Also where the start is interrupted, outlasts its time limit and succeeds afterwards, or
    succeeds without its answer coming through.

    Args:
        api: of the instance.
        workspace_id: where it runs.
    """

    def __init__(self, api: Api, *, workspace_id: int) -> None:
        self.name = f"mouse detector {uuid.uuid4().hex[:12]}"  # nobody else's
        self._api = api
        self._workspace_id = workspace_id
        self._lock = threading.Lock()
        self._given_up = False
        self._task_id: int | None = None
        self._called = False
        self._answered = threading.Event()

    def start(self, seconds: float, *, agent_id: int, module_id: int, description: str) -> int:
        """Start the app; the task's number.

        Args:
            seconds: longest time to wait.
            agent_id: computer to run on.
            module_id: the app.
            description: for those who look at the list of tasks.

        Raises:
            DetectorUnavailableError: when it failed or took too long.
        """

        def call() -> int:
            try:
                task = self._api.task.start(
                    agent_id=agent_id,
                    module_id=module_id,
                    workspace_id=self._workspace_id,
                    task_name=self.name,
                    description=description[:255],
                )
                return self._confirmed(int(task["id"]))
            finally:
                self._answered.set()

        self._called = True
        return within(seconds, call, what="starting a session")

    def end(self) -> None:
        """Stop whatever was started; a failure to do so is a warning, not an error."""
        with self._lock:
            self._given_up = True
            task_id = self._task_id
        if task_id is not None:
            self._stop(task_id)
            self._stop_namesakes(but=task_id)  # the SDK sends a request again that seems lost
            return
        until = time.monotonic() + _GRACE_SECONDS
        while self._called:
            answered = self._answered.is_set()
            if self._stop_namesakes() or answered or time.monotonic() > until:
                return
            self._answered.wait(_LOOK_SECONDS)

    def _confirmed(self, task_id: int) -> int:
        with self._lock:
            self._task_id = task_id
            late = self._given_up
        if late:
            self._stop(task_id)
        return task_id

    def _stop_namesakes(self, *, but: int | None = None) -> bool:
        """Stop the tasks of this name; whether there were any."""
        alive = [{"field": "status", "operator": "in", "value": _ALIVE}]
        try:
            tasks = within(
                _STOP_SECONDS,
                lambda: self._api.task.get_list(self._workspace_id, filters=alive),
                what="listing sessions",
            )
        except DetectorUnavailableError as error:
            _LOG.warning("A session named %r may still run, stop it by hand: %s", self.name, error)
            return False
        numbers = [int(t["id"]) for t in tasks if (t.get("meta") or {}).get("name") == self.name]
        for number in numbers:
            if number != but:
                self._stop(number)
        return bool(numbers)

    def _stop(self, task_id: int) -> None:
        for _ in range(2):
            try:
                within(
                    _STOP_SECONDS,
                    lambda: self._api.task.stop(task_id),
                    what=f"stopping session {task_id}",
                )
                return
            except DetectorUnavailableError as error:
                cause = error
        _LOG.warning("Session %d may still run, stop it by hand: %s", task_id, cause)
