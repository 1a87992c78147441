"""The end of an app's process: nothing that is left running may keep a task that is over."""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
from typing import Any

__all__ = ["end_with", "end_within"]

_LOG = logging.getLogger(__name__)
_GRACE_SECONDS = 20.0
_exit_code = 0


def end_with(code: int) -> None:
    """The exit code of the process, instead of the server's 0.

    Args:
        code: of the process.
    """
    global _exit_code
    _exit_code = code
    atexit.register(os._exit, code)


def end_within(app: Any, seconds: float = _GRACE_SECONDS) -> None:
    """End the process for certain once its server has shut down.

    The SDK stores the app's page on a thread that the process waits for at its end, and where
    that upload fails once it is repeated with a body that is read up already: the instance
    waits for the rest, the SDK for an answer, and the task would never end.

    Args:
        app: of :func:`~.launch.build_app`.
        seconds: for the threads to come to their end.
    """

    def cut_off() -> None:
        time.sleep(seconds)
        _LOG.warning("Something of the SDK goes on after the end of the app; it is cut off.")
        os._exit(_exit_code)

    def begin() -> None:
        # Of no account where the process ends by itself: it does not wait for daemons.
        threading.Thread(target=cut_off, name="end-of-process", daemon=True).start()

    app.get_server().router.on_shutdown.append(begin)
