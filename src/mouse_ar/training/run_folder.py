"""What lies in the folder of a training run, for whoever starts, follows or shows it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

__all__ = [
    "ERRORS",
    "STARTER",
    "STOP",
    "events_from",
    "is_busy",
    "is_held",
    "read_events",
    "set_aside",
]

# Asks the run to stop; is locked by whoever started it; what its processes failed of.
STOP, STARTER, ERRORS = "stop", ".starter", "errors"
_EARLIER = "earlier"
_TRAINED = ("events.jsonl", "checkpoints", "tensorboard", "hyperparameters.yaml")


def set_aside(run: Path) -> None:
    """Move what was trained in this folder to ``earlier/`` below it, in place of what is there."""
    found = [run / name for name in _TRAINED if (run / name).exists()]
    if not found:
        return
    earlier = run / _EARLIER
    shutil.rmtree(earlier, ignore_errors=True)
    earlier.mkdir()
    for path in found:
        path.rename(earlier / path.name)


def read_events(run: Path) -> Iterator[dict[str, Any]]:
    """All events of a run so far; what a continued run repeats is there once.

    A run that was killed has steps in its log that came after its last saved state, and the run
    that goes on from there writes them again.
    """
    events, _ = events_from(run / "events.jsonl", 0)
    kept: list[dict[str, Any]] = []
    for event in events:
        if event["event"] == "resume":
            kept = [earlier for earlier in kept if _stands(earlier, resumed=event)]
        kept.append(event)
    yield from kept


def _stands(event: dict[str, Any], *, resumed: dict[str, Any]) -> bool:
    """Whether an event is from before the state that a run was continued from."""
    if "step" in event and "step" in resumed and event["event"] == "step":
        return bool(event["step"] <= resumed["step"])
    return bool(event.get("epoch", -1) < resumed["epoch"])


def is_busy(run: Path) -> bool:
    """Whether a training writes to this folder, such as one that has lost its dashboard.

    It notices that, but first it comes to the end of what it is doing and keeps a checkpoint.
    """
    return run.is_dir() and is_held(run / ".lock")


def is_held(path: Path) -> bool:
    """Whether a process holds the lock."""
    try:
        with FileLock(path, timeout=0):
            return False
    except Timeout:
        return True


def events_from(path: Path, position: int) -> tuple[list[dict[str, Any]], int]:
    """Events of the whole lines from a position on, and where they end.

    A line that a killed run left unfinished is skipped.
    """
    if not path.is_file():
        return [], position
    with path.open("rb") as file:
        file.seek(position)
        text = file.read()
    whole = text[: text.rfind(b"\n") + 1]
    events = [event for line in whole.split(b"\n") if (event := _event(line)) is not None]
    return events, position + len(whole)


def _event(line: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) and "event" in value else None
