"""``mouse-ar train``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mouse_ar.cli.folds import FoldsOption, run_folds
from mouse_ar.cli.models import with_local_weights
from mouse_ar.cli.options import (
    ActionsOption,
    ConfigOption,
    DeviceOption,
    SetOption,
    settings_from,
)
from mouse_ar.console import TrainView, out
from mouse_ar.data.config_files import load_actions
from mouse_ar.data.local_project import LocalProject
from mouse_ar.pipelines.predictor import pick_device
from mouse_ar.training.config import TrainConfig
from mouse_ar.training.launch import TrainingFailedError, TrainingProcess, Workers
from mouse_ar.training.loop import TrainResult

__all__ = ["train"]


def train(
    data: Annotated[Path, typer.Argument(help="Training Data project.")],
    run: Annotated[Path, typer.Argument(help="Folder of the run; an interrupted one continues.")],
    config: ConfigOption = None,
    actions: ActionsOption = None,
    overrides: SetOption = None,
    device: DeviceOption = None,
    restart: Annotated[
        bool, typer.Option(help="Set an earlier run in this folder aside (to earlier/).")
    ] = False,
    folds: FoldsOption = 0,
    processes: Annotated[
        int | None,
        typer.Option(
            help="Processes on this computer: one per GPU, and one on the CPU, if not set."
        ),
    ] = None,
    nnodes: Annotated[int, typer.Option(help="Computers that train together.", min=1)] = 1,
    node_rank: Annotated[
        int, typer.Option(help="Number of this computer; 0 writes the checkpoints.", min=0)
    ] = 0,
    rdzv_endpoint: Annotated[
        str | None, typer.Option(help="HOST:PORT of computer 0, where the computers meet.")
    ] = None,
) -> None:
    """Train a model; the best checkpoint is RUN/checkpoints/best.safetensors."""
    settings = with_local_weights(TrainConfig.from_dict(settings_from(config, overrides)))
    LocalProject.open(data)  # a mistyped name shall not cost the run that --restart sets aside
    action_set, on = load_actions(actions), pick_device((device or "").split(",")[0] or None)
    workers = Workers(
        device=device or on.type,
        processes=processes,
        nodes=nnodes,
        node_rank=node_rank,
        rendezvous=rdzv_endpoint,
    )

    def train_one(its_data: Path, its_run: Path) -> TrainResult:
        process = TrainingProcess(
            its_data,
            its_run,
            config=settings,
            actions=action_set,
            workers=workers,
            restart=restart and not folds,
        )
        try:
            with TrainView() as view:
                return process.mirror(view)
        except TrainingFailedError as error:
            if "\n" in error.details:
                out.print(error.details, markup=False)
            raise

    if folds:
        run_folds(
            data,
            run,
            folds=folds,
            config=settings,
            actions=action_set,
            device=on,
            train=train_one,
            restart=restart,
        )
        return
    result = train_one(data, run)
    if result.stopped:
        out.print("Stopped; the same command continues.")
    out.print(f"best epoch {result.best_epoch + 1}, validation score {result.best_score:.3f}")
    out.print(f"checkpoint: {result.checkpoint}", markup=False)
