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
from colour_model import predictor
from mouse_ar.detection.protocol import Detector
from mouse_ar.pipelines.predictor import Predictor
from mouse_ar.video.probe import VideoMeta


def load(*, device: torch.device, precision: str | None = None) -> Predictor:
    return predictor(device=device, precision=precision or "fp32")


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
