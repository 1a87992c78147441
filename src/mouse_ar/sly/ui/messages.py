"""Errors as the user reads them: what went wrong, never a traceback."""

from __future__ import annotations

import logging

from mouse_ar.detection.errors import DetectorSetupError, DetectorUnavailableError

__all__ = ["explain"]

_LOG = logging.getLogger(__name__)
# Written for the user to read; whatever else comes is a defect, and its words may say nothing.
_PLAIN = (
    DetectorSetupError,
    DetectorUnavailableError,
    ValueError,
    OSError,
    RuntimeError,
    TimeoutError,
)
_LONGEST = 1500


def explain(error: BaseException, *, doing: str) -> str:
    """What the user is told of an error; the log gets all of it.

    Args:
        error: what was raised.
        doing: what was being done, for the log and for errors without words: "Listing sessions".
    """
    _LOG.error("%s failed", doing, exc_info=error)
    text = str(error).strip()
    if isinstance(error, MemoryError):
        return f"{doing} ran out of memory. Choose a smaller batch or a computer with more memory."
    if isinstance(error, _PLAIN) and text:
        return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} …"
    name = type(error).__name__
    return f"{doing} failed unexpectedly ({name}: {text[:300]}). The log of this app has the rest."
