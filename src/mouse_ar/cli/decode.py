"""``mouse-ar decode``: bouts from kept scores, with other thresholds, in seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mouse_ar.cli.options import BinMinutesOption, ConfigOption, SetOption, numbers_from
from mouse_ar.console import ProgressView, out
from mouse_ar.core.decoding_params import DecodingParams
from mouse_ar.core.platt import Calibration
from mouse_ar.core.text import markdown_table
from mouse_ar.data.files import sha256_of
from mouse_ar.mvd import read_checkpoint_info
from mouse_ar.pipelines.bout_decoding import Decoding
from mouse_ar.pipelines.redecode import (
    DecodedAgain,
    decode_results,
    decode_scores,
    score_files,
)
from mouse_ar.report.ethogram import plot_ethograms

__all__ = ["decode"]


def decode(
    scores: Annotated[
        Path,
        typer.Option(
            help="Folder that `mouse-ar infer` or `evaluate` wrote, its scores/, or one .npz file."
        ),
    ],
    config: ConfigOption = None,
    overrides: SetOption = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(help="Start from this model's fitted values instead of those last used."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--out", help="Write only tables, there; the results stay as they are."),
    ] = None,
    bin_minutes: BinMinutesOption = None,
) -> None:
    """Make bouts from kept scores again, with other thresholds: no model, no video, seconds.

    Results of `infer` are changed in place: annotations, tables and run.json. Reviewed videos are
    left as they are.
    """
    is_project = (scores / "project" / "meta.json").is_file()
    decoding = _decoding(scores, checkpoint).with_overrides(numbers_from(config, overrides))
    if output is None and not is_project:
        raise ValueError(f"{scores} holds no project to annotate: name a folder with --out.")
    if output is None:
        with ProgressView() as view:
            again = decode_results(
                scores, decoding=decoding, bin_minutes=bin_minutes, progress=view
            )
    else:
        again = decode_scores(
            score_files(scores), output, decoding=decoding, bin_minutes=bin_minutes
        )
    if output is None:  # the picture of the bouts that were there before
        plot_ethograms(
            scores / "ethogram.png",
            predicted={result.key: result.ethogram for result in again.results},
            actions=decoding.actions,
        )
    _tell(again, decoding, where=output or scores, changed=output is None)
    if again.failures:
        raise typer.Exit(1)


def _decoding(scores: Path, checkpoint: Path | None) -> Decoding:
    if checkpoint is not None:
        info = read_checkpoint_info(checkpoint)
        return Decoding(
            info.actions,
            DecodingParams.from_dict(info.decoding),
            Calibration.from_dict(info.metadata.get("calibration", {})),
            checkpoint_sha256=sha256_of(checkpoint),
        )
    folders = (scores, scores.parent, scores.parent.parent)
    for folder in folders if scores.is_file() else folders[:2]:
        if (found := Decoding.of_results(folder)) is not None:
            return found
    raise ValueError(
        f"{scores}: nothing there says how its bouts were made (no run.json with actions and "
        "decoding). Name the model with --checkpoint."
    )


def _tell(again: DecodedAgain, decoding: Decoding, *, where: Path, changed: bool) -> None:
    header = ("action", "bouts before", "bouts now") if changed else ("action", "bouts")
    rows = [
        [name, *([str(again.before[name])] if changed else []), str(again.after[name])]
        for name in decoding.actions.names
    ]
    out.print(markdown_table(header, rows), markup=False)
    if again.reviewed:
        out.print(f"{len(again.reviewed)} reviewed videos were left as they are.")
    for key, cause in sorted(again.failures.items()):
        out.print(f"FAILED: {key}: {cause}", markup=False)
    out.print(f"written to {where}", markup=False)
