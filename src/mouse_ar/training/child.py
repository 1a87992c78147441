"""One process of a training run: ``torchrun … -m mouse_ar.training.child SPEC.json``.

The leading process writes the events to ``events.jsonl`` of the run. A file ``stop`` in its folder,
or the end of the process that started it, makes the run stop with a checkpoint, and so do SIGTERM
and SIGINT to torchrun, which gives its processes half a minute.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from mouse_ar.core.actions import ActionSet
from mouse_ar.data.files import write_json
from mouse_ar.training.config import TrainConfig
from mouse_ar.training.distributed import open_team
from mouse_ar.training.run import train
from mouse_ar.training.run_folder import ERRORS, STARTER, STOP, is_held

__all__ = ["main"]

_PR_SET_PDEATHSIG = 1  # prctl(2)


def main(spec_path: Path) -> None:
    """Run what a spec describes; see :class:`~mouse_ar.training.launch.TrainingProcess`."""
    spec = json.loads(spec_path.read_text(encoding="utf-8"))
    output = Path(spec["output"])
    _end_with_torchrun()
    wish = _stop_wish(output)
    try:
        device = _device(spec["device"])
        with open_team(device) as team:
            train(
                Path(spec["data"]),
                output,
                config=TrainConfig.from_dict(spec["config"]),
                actions=ActionSet.from_dict(spec["actions"]),
                device=device,
                emit=_nothing,
                should_stop=wish,
                team=team,
            )
    except Exception as error:
        # torchrun's own report names no cause, and its log holds those of all processes.
        rank = os.environ.get("RANK", "0")
        text = f"{type(error).__name__}: {error}"
        write_json(output / ERRORS / f"{rank}.json", {"error": text})
        raise


def _end_with_torchrun() -> None:
    """Where torchrun is killed nobody would end its processes; Linux can."""
    if sys.platform == "linux":
        parent = os.getppid()
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it was gone already
            os.kill(os.getpid(), signal.SIGKILL)


def _device(name: str) -> torch.device:
    """The device of this process: on CUDA the one of its number on this computer."""
    if name == "cpu":
        return torch.device("cpu")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))


def _stop_wish(output: Path) -> Callable[[], bool]:
    """Whether to stop: on a signal, where a file says so, or when the starter is gone."""
    wish = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: wish.set())

    def wished() -> bool:
        return wish.is_set() or (output / STOP).exists() or not is_held(output / STARTER)

    return wished


def _nothing(event: dict[str, Any]) -> None:
    pass


if __name__ == "__main__":
    main(Path(sys.argv[1]))
