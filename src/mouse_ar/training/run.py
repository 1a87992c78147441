"""One training run on a local Training Data project, with its event log on disk."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml
from filelock import FileLock, Timeout

from mouse_ar.core.actions import ActionSet
from mouse_ar.data.files import write_text
from mouse_ar.data.training_data import TrainingData, open_training_data
from mouse_ar.pipelines.store import BusyError
from mouse_ar.training.config import TrainConfig
from mouse_ar.training.distributed import Team
from mouse_ar.training.loop import Emit, Trainer, TrainResult
from mouse_ar.training.preflight import ensure_trainable
from mouse_ar.training.tensorboard import TensorBoardLog

__all__ = ["train"]


def train(
    data: Path,
    output: Path,
    *,
    config: TrainConfig,
    actions: ActionSet,
    device: torch.device,
    emit: Emit,
    should_stop: Callable[[], bool] = lambda: False,
    team: Team | None = None,
) -> TrainResult:
    """Train, or go on with an interrupted run; every process of it calls this.

    Writes ``checkpoints/best.safetensors``, ``checkpoints/last.pt`` (to resume from),
    ``events.jsonl``, ``tensorboard/`` and ``hyperparameters.yaml`` below ``output``.

    Args:
        data: Training Data project.
        output: folder of the run.
        config: settings.
        actions: classes.
        device: where to train.
        emit: receives every event that is also logged.
        should_stop: see :class:`~mouse_ar.training.loop.Trainer`.
        team: the processes of the run, one by default.

    Raises:
        FileNotFoundError: no project at ``data``.
        ValueError: nothing to train on.
        ResumeError: ``output`` holds a run with other settings or data.
        BusyError: another training is writing to ``output``.
    """
    training_data = open_training_data(data, actions=actions)
    if not training_data.clips:
        raise ValueError(
            f"{data} holds no training clips, only val or test videos: expected datasets "
            f"{list(actions.datasets)}. Run `mouse-ar preprocess` first."
        )
    team = team or Team()
    trained = _Run(training_data, output, config=config, actions=actions, device=device, team=team)
    if not team.leads:
        team.wait()
        return trained(_nothing, should_stop)
    output.mkdir(parents=True, exist_ok=True)
    try:
        held = FileLock(output / ".lock", timeout=0).acquire()
    except Timeout as error:
        raise BusyError(
            f"Another training is writing to {output}. Wait for it, or choose another folder; "
            "nothing was changed."
        ) from error
    with held, _event_log(output) as log:

        def both(event: dict[str, Any]) -> None:
            log(event)
            emit(event)

        ensure_trainable(
            training_data,
            config=config,
            actions=actions,
            output=output,
            emit=both,
            world_size=team.world_size,
        )
        team.wait()
        result = trained(both, should_stop)
        settings = yaml.safe_dump(config.to_dict(), sort_keys=False)
        write_text(output / "hyperparameters.yaml", settings)
    return result


@dataclass(frozen=True)
class _Run:
    """What all processes of a run do alike."""

    data: TrainingData
    output: Path
    config: TrainConfig
    actions: ActionSet
    device: torch.device
    team: Team

    def __call__(self, emit: Emit, should_stop: Callable[[], bool]) -> TrainResult:
        trainer = Trainer(
            self.data,
            config=self.config,
            actions=self.actions,
            output=self.output,
            device=self.device,
            emit=emit,
            should_stop=should_stop,
            team=self.team,
        )
        return trainer.run()


@contextmanager
def _event_log(output: Path) -> Iterator[Emit]:
    """What writes events to ``events.jsonl`` and TensorBoard."""
    path = output / "events.jsonl"
    # A run that was killed may have left half a line.
    torn = path.is_file() and path.read_bytes()[-1:] not in (b"", b"\n")
    board = TensorBoardLog(output / "tensorboard")
    with path.open("a", encoding="utf-8") as file, closing(board):
        if torn:
            file.write("\n")

        def write(event: dict[str, Any]) -> None:
            file.write(json.dumps(event) + "\n")
            file.flush()
            board(event)

        yield write


def _nothing(event: dict[str, Any]) -> None:
    pass
