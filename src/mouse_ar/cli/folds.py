"""``mouse-ar train --folds``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import torch
import typer

from mouse_ar.console import ProgressView, out
from mouse_ar.core.actions import ActionSet
from mouse_ar.report.folds import folds_page, folds_text
from mouse_ar.training.config import TrainConfig
from mouse_ar.training.folds import TrainFold, cross_validate

__all__ = ["FoldsOption", "run_folds"]

FoldsOption = Annotated[
    int,
    typer.Option(
        "--folds",
        help="Cross-validate instead: train so many models, each without the clips of some source "
        "videos (or groups), and report mean and spread on those. Leaves no model of all data: "
        "train that afterwards, without this option.",
    ),
]


def run_folds(
    data: Path,
    output: Path,
    *,
    folds: int,
    config: TrainConfig,
    actions: ActionSet,
    device: torch.device,
    train: TrainFold,
    restart: bool = False,
) -> None:
    """Cross-validate and show the figures; the rest is in ``folds.json`` and ``folds.html``.

    Args:
        data: Training Data project.
        output: folder of it all.
        folds: how many.
        config: settings of every fold.
        actions: classes.
        device: where the held-out clips are scored.
        train: trains one fold; shows its own progress.
        restart: discard an earlier cross-validation in ``output``.
    """
    result = cross_validate(
        data,
        output,
        folds=folds,
        config=config,
        actions=actions,
        device=device,
        train=train,
        restart=restart,
        tell=out.print,
        watch=ProgressView,
    )
    if result.stopped:
        out.print("Stopped; the same command continues.")
    out.print(folds_text(result.document), markup=False)
    folds_page(output / "folds.html", result.document)
    out.print(f"written to {output}; folds.html is a page to read", markup=False)
