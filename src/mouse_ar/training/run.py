"""One training run on a local Training Data project, with its event log on disk."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
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
from mouse_ar.training.loop import Emit, Trainer, TrainResult

__all__ = ["train"]


def train(
    data: Path,
    output: Path,
    *,
    config: TrainConfig,
    actions: ActionSet,
    device: torch.device,
    emit: Emit,
    restart: bool = False,
    should_stop: Callable[[], bool] = lambda: False,
) -> TrainResult:
    """Train, or go on with an interrupted run.

    Writes ``checkpoints/best.safetensors``, ``checkpoints/last.pt`` (to resume from),
    ``events.jsonl`` and ``hyperparameters.yaml`` below ``output``.

    Args:
        data: Training Data project.
        output: folder of the run.
        config: settings.
        actions: classes.
        device: where to train.
        emit: receives every event that is also logged.
        restart: discard an earlier run in ``output`` instead of going on with it.
        should_stop: see :class:`~mouse_ar.training.loop.Trainer`.

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
    output.mkdir(parents=True, exist_ok=True)
    try:
        held = FileLock(output / ".lock", timeout=0).acquire()
    except Timeout as error:
        raise BusyError(
            f"Another training is writing to {output}. Wait for it, or choose another folder; "
            "nothing was changed."
        ) from error
    with held:
        if restart:
            shutil.rmtree(output / "checkpoints", ignore_errors=True)
            (output / "events.jsonl").unlink(missing_ok=True)
        return _train(
            training_data,
            output,
            config=config,
            actions=actions,
            device=device,
            emit=emit,
            should_stop=should_stop,
        )


def _train(
    data: TrainingData,
    output: Path,
    *,
    config: TrainConfig,
    actions: ActionSet,
    device: torch.device,
    emit: Emit,
    should_stop: Callable[[], bool],
) -> TrainResult:
    path = output / "events.jsonl"
    # A run that was killed may have left half a line.
    torn = path.is_file() and path.read_bytes()[-1:] not in (b"", b"\n")
    with path.open("a", encoding="utf-8") as log:
        if torn:
            log.write("\n")

        def both(event: dict[str, Any]) -> None:
            log.write(json.dumps(event) + "\n")
            log.flush()
            emit(event)

        trainer = Trainer(
            data,
            config=config,
            actions=actions,
            output=output,
            device=device,
            emit=both,
            should_stop=should_stop,
        )
        result = trainer.run()
    write_text(output / "hyperparameters.yaml", yaml.safe_dump(config.to_dict(), sort_keys=False))
    return result
