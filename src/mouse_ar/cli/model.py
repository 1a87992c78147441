"""``mouse-ar train`` and ``evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mouse_ar.cli.options import (
    ActionsOption,
    ConfigOption,
    DeviceOption,
    SetOption,
    numbers_from,
    settings_from,
)
from mouse_ar.console import ProgressView, TrainView, out
from mouse_ar.data.config_files import load_actions
from mouse_ar.data.training_data import open_training_data
from mouse_ar.pipelines.evaluate import evaluate_videos
from mouse_ar.pipelines.predictor import load_predictor, pick_device
from mouse_ar.report.evaluation import evaluation_page, write_evaluation
from mouse_ar.report.runs import evaluate_text
from mouse_ar.training.config import TrainConfig
from mouse_ar.training.run import train as run_train

__all__ = ["evaluate", "train"]


def train(
    data: Annotated[Path, typer.Argument(help="Training Data project.")],
    run: Annotated[Path, typer.Argument(help="Folder of the run; an interrupted one continues.")],
    config: ConfigOption = None,
    actions: ActionsOption = None,
    overrides: SetOption = None,
    device: DeviceOption = None,
    restart: Annotated[bool, typer.Option(help="Discard an earlier run in this folder.")] = False,
) -> None:
    """Train a model; the best checkpoint is RUN/checkpoints/best.safetensors."""
    settings = TrainConfig.from_dict(settings_from(config, overrides))
    with TrainView() as view:
        result = run_train(
            data,
            run,
            config=settings,
            actions=load_actions(actions),
            device=pick_device(device),
            emit=view,
            restart=restart,
        )
    if result.stopped:
        out.print("Stopped; the same command continues.")
    out.print(f"best epoch {result.best_epoch + 1}, validation score {result.best_score:.3f}")
    out.print(f"checkpoint: {result.checkpoint}", markup=False)


def evaluate(
    data: Annotated[Path, typer.Argument(help="Training Data project with test videos.")],
    checkpoint: Annotated[Path, typer.Option(help="Trained model (.safetensors).")],
    output: Annotated[Path, typer.Option("--out", help="Folder of the results.")],
    split: Annotated[str, typer.Option(help="test or val.")] = "test",
    config: ConfigOption = None,
    overrides: SetOption = None,
    device: DeviceOption = None,
) -> None:
    """Frame- and bout-level precision, recall and F1 on full-length videos."""
    predictor = load_predictor(
        checkpoint, device=pick_device(device), overrides=numbers_from(config, overrides)
    )
    training_data = open_training_data(data, actions=predictor.actions)
    if split not in {"test", "val"}:
        raise typer.BadParameter(f"--split must be test or val, got {split!r}.")
    records = training_data.test if split == "test" else training_data.val
    with ProgressView() as view:
        result = evaluate_videos(records, predictor=predictor, progress=view)
    write_evaluation(
        output,
        result,
        records=records,
        actions=predictor.actions,
        checkpoint_sha256=predictor.sha256,
    )
    evaluation_page(
        output / "evaluation.html",
        result,
        title=f"Evaluation of {checkpoint.name} on {split} videos",
        pictures={"True and predicted bouts": output / "ethogram.png"},
        facts={"checkpoint": checkpoint, "sha256": predictor.sha256},
    )
    text = evaluate_text(result)
    out.print(text, markup=False)
    out.print(f"written to {output}; evaluation.html is a page to read", markup=False)
    if result.failures:
        raise typer.Exit(1)
