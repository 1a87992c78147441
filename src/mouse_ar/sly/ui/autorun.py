"""A run without a user: from the environment to the end of the task."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from mouse_ar.sly.calls import within
from mouse_ar.sly.ui.background_run import BackgroundRun
from mouse_ar.sly.ui.ending import end_with
from mouse_ar.sly.ui.launch import AppContext
from mouse_ar.sly.ui.messages import explain

__all__ = ["run_without_user"]

_LOG = logging.getLogger(__name__)
_TITLE_CHARACTERS = 250
# The SDK would try for minutes, and what failed may be the instance itself.
_TELL_SECONDS = 15.0


def run_without_user(
    app: Any,
    run: BackgroundRun,
    *,
    start: Callable[[], str | None],
    context: AppContext,
    failure: Callable[[], str | None] = lambda: None,
) -> None:
    """Once the app is up: start, wait for the end of the run, and end the task.

    The process ends with 0, or with 1 and an error as the task's output where something failed.

    Args:
        app: of :func:`~.launch.build_app`.
        run: of the app.
        start: completes the steps and starts the run; says why it could not, if so.
        context: of the app.
        failure: says what failed in a run that came to its end, if anything.
    """

    def work() -> None:
        problem = _problem(start, run, failure=failure)
        if problem is not None:
            _LOG.error("The run without a user failed: %s", problem)
            _tell(context, problem)
            end_with(1)
        app.shutdown()

    def begin() -> None:
        threading.Thread(target=work, name="run-without-user", daemon=True).start()

    # Not before: a signal to a server that does not run yet would be lost.
    app.get_server().router.on_startup.append(begin)


def _problem(
    start: Callable[[], str | None], run: BackgroundRun, *, failure: Callable[[], str | None]
) -> str | None:
    try:
        complaint = start()
        if complaint is not None:
            return complaint
        run.wait()
        if run.state in ("failed", "stopped"):
            return " ".join(run.outcome.texts)
        return failure()
    except Exception as error:  # the task must end, whatever happens
        return explain(error, doing="The run without a user")


def _tell(context: AppContext, problem: str) -> None:
    if context.task_id is None:
        return
    put = partial(
        context.api.task.set_output_error,
        context.task_id,
        "The run failed",
        problem[:_TITLE_CHARACTERS],
    )
    try:
        within(_TELL_SECONDS, put, what="setting the error of the task")
    except Exception:  # the log has it all the same
        _LOG.warning("The task's error could not be set", exc_info=True)
