"""Start a training run as a process of its own and follow it.

A dashboard only mirrors the run: neither its threads nor its crashes touch the training, and a
new dashboard finds all events of the run on disk.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock

from mouse_ar.core.actions import ActionSet
from mouse_ar.data.files import write_json
from mouse_ar.pipelines.store import BusyError
from mouse_ar.training.config import TrainConfig
from mouse_ar.training.loop import TrainResult
from mouse_ar.training.run_folder import (
    ERRORS,
    STARTER,
    STOP,
    events_from,
    is_busy,
    set_aside,
)

__all__ = ["TrainingFailedError", "TrainingProcess", "Workers"]

_LOG_TAIL = 4000
_POLL_SECONDS = 0.2
_DYING_SECONDS = 10.0
_EXIT_CODE = re.compile(r"exitcode\s*:\s*(-?\d+)")


class TrainingFailedError(RuntimeError):
    """A training process that ended with an error.

    Args:
        text: what happened, in a line.
        details: all that the process said of it.
    """

    def __init__(self, text: str, *, details: str = "") -> None:
        super().__init__(text)
        self.details = details


@dataclass(frozen=True)
class Workers:
    """The processes of a run and where they are.

    Args:
        device: ``cpu``, ``cuda`` (all GPUs of this computer), or some, like ``cuda:0,cuda:2``.
        processes: on this computer; one per GPU, and one on the CPU, by default.
        nodes: computers of the run; each starts the same command.
        node_rank: number of this computer; 0 keeps the checkpoints.
        rendezvous: ``HOST:PORT`` of computer 0, where all meet.
    """

    device: str = "cpu"
    processes: int | None = None
    nodes: int = 1
    node_rank: int = 0
    rendezvous: str | None = None

    def __post_init__(self) -> None:
        if self.nodes > 1 and not self.rendezvous:
            raise ValueError(
                f"{self.nodes} nodes have to meet somewhere: give HOST:PORT of node 0, the same "
                "on every node."
            )
        if not 0 <= self.node_rank < self.nodes:
            raise ValueError(f"node_rank must be within 0..{self.nodes - 1}, got {self.node_rank}.")
        if self.device != "cpu" and self.processes not in (None, len(self.gpus)):
            raise ValueError(
                f"A process per GPU: got {self.processes} processes for {self.device!r}."
            )

    @property
    def gpus(self) -> list[int]:
        """Numbers of the GPUs."""
        if self.device == "cpu":
            return []
        if self.device == "cuda":
            return list(range(torch.cuda.device_count()))
        return [int(name.strip().removeprefix("cuda:")) for name in self.device.split(",")]

    def command(self) -> list[str]:
        """torchrun with its options; the module follows."""
        number = self.processes or max(1, len(self.gpus))
        options = ["--nproc-per-node", str(number), "--max-restarts", "0"]
        if self.nodes == 1:
            options += ["--standalone"]
        else:
            options += ["--nnodes", str(self.nodes), "--node-rank", str(self.node_rank)]
            options += ["--rdzv-backend", "c10d", "--rdzv-id", "mouse-ar"]
            options += ["--rdzv-endpoint", str(self.rendezvous)]
        return [sys.executable, "-m", "torch.distributed.run", *options]

    def environment(self) -> dict[str, str]:
        """This process's environment; the child must find the same code, and its GPUs."""
        source = str(Path(__file__).resolve().parents[2])
        paths = [source, *filter(None, [os.environ.get("PYTHONPATH")])]
        found = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
        if self.gpus:
            visible = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
            names = [visible[gpu] if visible != [""] else str(gpu) for gpu in self.gpus]
            found["CUDA_VISIBLE_DEVICES"] = ",".join(names)
        return found


class TrainingProcess:
    """One training run, as processes of its own that torchrun starts.

    Args:
        data: Training Data project.
        output: folder of the run; an interrupted run in it is continued.
        config: settings.
        actions: classes.
        workers: where to train.
        restart: set an earlier run in ``output`` aside instead.

    Raises:
        BusyError: another training is writing to ``output``.
    """

    def __init__(
        self,
        data: Path,
        output: Path,
        *,
        config: TrainConfig,
        actions: ActionSet,
        workers: Workers,
        restart: bool = False,
    ) -> None:
        output.mkdir(parents=True, exist_ok=True)
        if is_busy(output):
            raise BusyError(
                f"Another training is writing to {output}. Wait for it, or choose another folder; "
                "nothing was changed."
            )
        self.output = output
        self._log_path = output / "train.log"
        if restart:
            set_aside(output)
        self._position = _size(output / "events.jsonl")
        # It is let go when this process ends, however it ends: then the run stops.
        self._alive = FileLock(output / STARTER, timeout=0)
        self._alive.acquire()
        (output / STOP).unlink(missing_ok=True)
        shutil.rmtree(output / ERRORS, ignore_errors=True)
        spec = {
            "data": str(data),
            "output": str(output),
            "config": config.to_dict(),
            "actions": actions.to_dict(),
            "device": workers.device,
        }
        write_json(output / "spec.json", spec, indent=1)
        command = [*workers.command(), "-m", "mouse_ar.training.child", str(output / "spec.json")]
        with self._log_path.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=workers.environment(),
                # Ctrl-C in a terminal is for the starter, who then asks the run to stop.
                start_new_session=True,
            )

    @property
    def running(self) -> bool:
        """Whether the process is still there."""
        return self._process.poll() is None

    def events(self) -> list[dict[str, Any]]:
        """Events since the last call, or since the start."""
        events, self._position = events_from(self.output / "events.jsonl", self._position)
        return events

    def stop(self) -> None:
        """Ask the run to stop with a checkpoint; does not wait for it."""
        (self.output / STOP).touch()

    def wait(self, seconds: float) -> bool:
        """Wait for the end of the process, so long at most; whether it has ended."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        self._alive.release()
        return True

    def kill(self) -> None:
        """End all processes at once; the run can be continued from its last saved state."""
        self._process.kill()
        self._process.wait()
        # Its processes die with it, but not in the same moment.
        until = time.monotonic() + _DYING_SECONDS
        while is_busy(self.output) and time.monotonic() < until:
            time.sleep(0.02)
        self._alive.release()

    def check(self) -> None:
        """Tell why the run ended, unless it ended well or still runs.

        Raises:
            TrainingFailedError: with the signal that ended it, if one did, and the last line of
                its log; the whole is in ``train.log``.
        """
        code = self._process.poll()
        if not code:
            return
        details = self._cause(code)
        raise TrainingFailedError(
            f"Training failed: {details.splitlines()[-1]} (the whole message is in "
            f"{self._log_path}). What was trained so far is kept; the same run continues after its "
            "last saved state.",
            details=details,
        )

    def _cause(self, code: int) -> str:
        """What the first process that failed said, or how it ended."""
        errors = sorted(
            (self.output / ERRORS).glob("*.json"), key=lambda path: path.stat().st_mtime
        )
        ended = [int(number) for number in _EXIT_CODE.findall(self.log())]
        by_signal = [number for number in (*ended, code) if number < 0]
        # A process that is killed says nothing, and the others then say that it is gone.
        if by_signal:
            return f"a process of it was ended by {_signal_name(-by_signal[0])}"
        if errors:
            return str(json.loads(errors[0].read_text(encoding="utf-8"))["error"])
        lines = [line for line in self.log().splitlines() if line.strip()]
        return lines[-1] if lines else f"code {code}"

    def mirror(self, on_event: Callable[[dict[str, Any]], None]) -> TrainResult:
        """Pass events on until the run ends; Ctrl-C stops it, a second one ends it at once.

        Raises:
            TrainingFailedError: it ended with an error.
            KeyboardInterrupt: it was ended at once.
        """
        last: dict[str, Any] = {}
        asked = False
        while True:
            running = self.running
            try:
                for event in self.events():
                    on_event(event)
                    if event["event"] in ("end", "stopped"):
                        last = event
                if not running:
                    break
                self.wait(_POLL_SECONDS)
            except KeyboardInterrupt:
                if asked:
                    self.kill()
                    raise
                asked = True
                self.stop()
        self.check()
        return TrainResult(
            self.output / "checkpoints" / "best.safetensors",
            last["best_epoch"],
            last["score"],
            stopped=last["event"] == "stopped",
        )

    def log(self) -> str:
        """The end of what the process has written."""
        with self._log_path.open("rb") as file:
            file.seek(max(0, _size(self._log_path) - _LOG_TAIL))
            return file.read().decode("utf-8", errors="replace")


def _signal_name(number: int) -> str:
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = "a signal"
    return f"{name} (signal {number}{': out of memory?' if name == 'SIGKILL' else ''})"


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
