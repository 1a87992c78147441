"""A training run as a process of its own: ``python -m mouse_ar.training.child SPEC.json``.

Its events go to ``events.jsonl`` of the run. SIGTERM, SIGINT or the end of the process that
started it make it stop with a checkpoint.
"""

from __future__ import annotations

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
from mouse_ar.training.config import TrainConfig
from mouse_ar.training.run import train

__all__ = ["main"]


def main(spec_path: Path) -> None:
    """Run what a spec describes; see :class:`~mouse_ar.training.launch.TrainingProcess`."""
    spec = json.loads(spec_path.read_text(encoding="utf-8"))
    train(
        Path(spec["data"]),
        Path(spec["output"]),
        config=TrainConfig.from_dict(spec["config"]),
        actions=ActionSet.from_dict(spec["actions"]),
        device=torch.device(spec["device"]),
        emit=_nothing,
        restart=spec["restart"],
        should_stop=_stop_wish(spec["parent"]),
    )


def _stop_wish(parent: int) -> Callable[[], bool]:
    """Whether to stop: on a signal, or when the parent is gone.

    Its number comes from itself: it may have ended while this process was still importing.
    """
    wish = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: wish.set())
    return lambda: wish.is_set() or os.getppid() != parent


def _nothing(event: dict[str, Any]) -> None:
    pass


if __name__ == "__main__":
    main(Path(sys.argv[1]))
