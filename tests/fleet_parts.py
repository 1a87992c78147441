"""What the tests' tasks work with on a cluster, whose processes import it from here."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import ray
import torch

import tiny
from colour_model import ColourModel, predictor
from mouse_ar.detection.protocol import Detector
from mouse_ar.pipelines.engine import Engine
from mouse_ar.pipelines.predictor import Predictor
from mouse_ar.video.probe import VideoMeta


def load(*, device: torch.device, precision: str | None = None) -> Predictor:
    return predictor(device=device, precision=precision or "fp32")


class Stopping(ColourModel):
    """Counts the windows of each process on the board, and is held up at the fifth batch."""

    def __init__(self, board: Path) -> None:
        super().__init__()
        self._board, self._batches = board, 0

    def forward(self, pixels_NCTHW: torch.Tensor) -> torch.Tensor:
        self._batches += 1
        while self._batches == 5 and (self._board / "hold").exists():
            (self._board / f"held-{os.getpid()}").touch()
            time.sleep(0.05)
        logits = super().forward(pixels_NCTHW)
        (self._board / f"windows-{os.getpid()}").write_text(str(self.windows))
        return logits


def load_stopping(*, device: torch.device, precision: str | None = None, board: Path) -> Predictor:
    """Its process keeps what is done of long videos at once, and not every minute."""
    defaults = Engine.__init__.__kwdefaults__
    assert "save_seconds" in defaults
    defaults["save_seconds"] = 0.0
    return predictor(model=Stopping(board))


class Watched(tiny.BoxDetector):
    """Notes on a board which computer and process it is at, and does as it finds there.

    ``hold-NODE`` holds it up, ``die-VIDEO`` ends its process, and ``once-VIDEO`` does so once.
    """

    def __init__(self, board: Path) -> None:
        super().__init__()
        self._board = board

    def prepare(self, path: Path, *, meta: VideoMeta | None = None) -> None:
        node = ray.get_runtime_context().get_node_id()
        (self._board / f"began-{path.name}-{node}-{os.getpid()}").touch()
        while (self._board / f"hold-{node}").exists():
            time.sleep(0.05)
        if (once := self._board / f"once-{path.name}").exists():
            once.unlink()
            os._exit(9)
        if (self._board / f"die-{path.name}").exists():
            os._exit(9)
        if (self._board / f"fail-{path.name}").exists():
            raise ValueError("no background")


@contextmanager
def watched(*, device: str, board: Path) -> Iterator[Detector]:
    yield Watched(board)
