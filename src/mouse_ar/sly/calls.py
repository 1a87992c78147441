"""Calls of the SDK with an end to them, and errors that say what was going on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from mouse_ar.detection.errors import DetectorUnavailableError

__all__ = ["within"]

Result = TypeVar("Result")


def within(seconds: float, call: Callable[[], Result], *, what: str) -> Result:
    """The result of a call of the SDK, which has no time-outs and retries for minutes.

    Args:
        seconds: longest time to wait; the call itself is left behind on its thread.
        call: one call of the SDK.
        what: what it does, for errors: "reading session 12".

    Raises:
        DetectorUnavailableError: when it failed or took too long.
    """
    results: list[Result] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(call())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if results:
        return results[0]
    cause = f"no answer within {seconds:.0f} s"
    if errors:
        text = " ".join(str(errors[0]).split())[:400]
        cause = f"{type(errors[0]).__name__}: {text}"
    raise DetectorUnavailableError(
        f"Supervisely: {what} failed ({cause}). Finished videos are kept; once that is put right, "
        "a new start continues after them."
    ) from (errors[0] if errors else None)
