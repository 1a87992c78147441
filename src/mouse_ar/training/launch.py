"""Start a training run as a process of its own and follow it.

A dashboard only mirrors the run: neither its threads nor its crashes touch the training, and a
new dashboard finds all events of the run on disk.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from mouse_ar.core.actions import ActionSet
from mouse_ar.data.files import write_json
from mouse_ar.training.config import TrainConfig

__all__ = ["TrainingFailedError", "TrainingProcess", "is_busy", "read_events"]

_LOG_TAIL = 4000


class TrainingFailedError(RuntimeError):
    """A training process that ended with an error."""


class TrainingProcess:
    """One training run in a child process.

    Args:
        data: Training Data project.
        output: folder of the run; an interrupted run in it is continued.
        config: settings.
        actions: classes.
        device: where to train, like ``cpu`` or ``cuda:0``.
        restart: discard an earlier run in ``output`` instead.
    """

    def __init__(
        self,
        data: Path,
        output: Path,
        *,
        config: TrainConfig,
        actions: ActionSet,
        device: str,
        restart: bool = False,
    ) -> None:
        output.mkdir(parents=True, exist_ok=True)
        self.output = output
        self._log_path = output / "train.log"
        self._position = 0 if restart else _size(output / "events.jsonl")
        spec = {
            "data": str(data),
            "output": str(output),
            "config": config.to_dict(),
            "actions": actions.to_dict(),
            "device": device,
            "restart": restart,
            "parent": os.getpid(),
        }
        write_json(output / "spec.json", spec, indent=1)
        with self._log_path.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "mouse_ar.training.child", str(output / "spec.json")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=_environment(),
            )

    @property
    def running(self) -> bool:
        """Whether the process is still there."""
        return self._process.poll() is None

    def events(self) -> list[dict[str, Any]]:
        """Events since the last call, or since the start."""
        events, self._position = _read_from(self.output / "events.jsonl", self._position)
        return events

    def stop(self) -> None:
        """Ask the run to stop with a checkpoint; does not wait for it."""
        if self.running:
            self._process.terminate()

    def wait(self, seconds: float) -> bool:
        """Wait for the end of the process, so long at most; whether it has ended."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def kill(self) -> None:
        """End the process at once; the run can be continued from its last full epoch."""
        self._process.kill()
        self._process.wait()

    def check(self) -> None:
        """Tell why the run ended, unless it ended well or still runs.

        Raises:
            TrainingFailedError: with the signal that ended it, if one did, and the last line of
                its log; the whole is in ``train.log``.
        """
        code = self._process.poll()
        if not code:
            return
        lines = [line for line in self.log().splitlines() if line.strip()]
        cause = lines[-1] if lines else f"code {code}"
        if code < 0:
            last = f"; the last line of its log: {lines[-1]}" if lines else ""
            cause = f"it was ended by {_signal_name(-code)}{last}"
        raise TrainingFailedError(
            f"Training failed: {cause} (the whole message is in {self._log_path}). What was "
            "trained so far is kept; the same run continues after its last full epoch."
        )

    def log(self) -> str:
        """The end of what the process has written."""
        with self._log_path.open("rb") as file:
            file.seek(max(0, _size(self._log_path) - _LOG_TAIL))
            return file.read().decode("utf-8", errors="replace")


def read_events(run: Path) -> Iterator[dict[str, Any]]:
    """All events of a run so far; what a continued run repeats is there once.

    A run that was killed in an epoch has its steps in the log, and the run that goes on with the
    last full epoch writes them again.
    """
    events, _ = _read_from(run / "events.jsonl", 0)
    kept: list[dict[str, Any]] = []
    for event in events:
        if event["event"] == "resume":
            kept = [e for e in kept if e.get("epoch", -1) < event["epoch"]]
        kept.append(event)
    yield from kept


def is_busy(run: Path) -> bool:
    """Whether a training writes to this folder, such as one that has lost its dashboard.

    It notices that, but first it comes to the end of what it is doing and keeps a checkpoint.
    """
    if not run.is_dir():
        return False
    try:
        with FileLock(run / ".lock", timeout=0):
            return False
    except Timeout:
        return True


def _read_from(path: Path, position: int) -> tuple[list[dict[str, Any]], int]:
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


def _signal_name(number: int) -> str:
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = "a signal"
    return f"{name} (signal {number}{': out of memory?' if name == 'SIGKILL' else ''})"


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _environment() -> dict[str, str]:
    """This process's environment; the child must find the same code."""
    source = str(Path(__file__).resolve().parents[2])
    paths = [source, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
