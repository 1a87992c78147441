"""``--models``: a folder in which the model and the detector are looked for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mouse_ar.console import out
from mouse_ar.pipelines.model_files import find_detector, find_model

__all__ = ["ModelsOption", "chosen_files"]

ModelsOption = Annotated[
    Path | None,
    typer.Option(
        "--models",
        help="Folder with the trained model and, if there is one, the RT-DETRv2 detector: "
        "recognised by their content where --checkpoint and --detector do not name them.",
    ),
]


def chosen_files(
    checkpoint: Path | None, detector: str | None, *, models: Path | None
) -> tuple[Path, str]:
    """The model and the detector that a command works with; says what it found in ``models``.

    Raises:
        ModelFilesError: the folder holds no model, or several of a kind.
        typer.BadParameter: neither a model nor a folder is named.
    """
    if checkpoint is None:
        if models is None:
            raise typer.BadParameter("Name the trained model with --checkpoint, or a --models.")
        checkpoint = find_model(models)
        out.print(f"Model: {checkpoint}", markup=False)
    if detector is None and models is not None:
        found = find_detector(models)
        detector = "background" if found is None else f"rtdetrv2:{found}"
        note = " (no RT-DETRv2 checkpoint in that folder)" if found is None else ""
        out.print(f"Detector: {detector}{note}", markup=False)
    return checkpoint, detector or "background"
