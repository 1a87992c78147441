"""The command line ``mouse-ar``: the pipelines on local projects."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from mouse_ar.cli.data import import_annotations_command, preprocess
from mouse_ar.cli.decode import decode
from mouse_ar.cli.detectors import convert_detector, list_sessions
from mouse_ar.cli.evaluation import evaluate
from mouse_ar.cli.model import train
from mouse_ar.cli.models import models
from mouse_ar.cli.options import ConfigOption, settings_from
from mouse_ar.cli.remote import pull, push
from mouse_ar.cli.results import compare, export_boris, workbook
from mouse_ar.cli.review import review_queue_command
from mouse_ar.cli.serve import serve_detector
from mouse_ar.cli.videos import detect, infer
from mouse_ar.console import out
from mouse_ar.demo import DemoConfig, run_demo
from mouse_ar.detection.errors import DetectorUnavailableError
from mouse_ar.mvd import CheckpointError
from mouse_ar.pipelines.fleet.needs import FleetError
from mouse_ar.pipelines.store import BusyError
from mouse_ar.sly.errors import TransferError
from mouse_ar.training.launch import TrainingFailedError
from mouse_ar.training.state import ResumeError
from mouse_ar.video.probe import VideoError

__all__ = ["app", "main"]

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Finds self-grooming and head/body-twitch bouts in long videos of laboratory mice.",
)

# What users can put right; anything else is a fault of the program and shows its traceback.
_EXPECTED = (
    ValueError,
    OSError,
    FloatingPointError,
    VideoError,
    CheckpointError,
    BusyError,
    ResumeError,
    DetectorUnavailableError,
    FleetError,
    TrainingFailedError,
    TransferError,
)

app.command("import-annotations")(import_annotations_command)
for command in (preprocess, train, evaluate, infer, decode, detect, pull, push):
    app.command()(command)
app.command()(workbook)
app.command()(compare)
app.command("export-boris")(export_boris)
app.command("review-queue")(review_queue_command)
app.add_typer(models, name="models")
app.command("serve-detector")(serve_detector)
app.command("convert-detector")(convert_detector)
app.command("list-sessions")(list_sessions)


@app.command()
def demo(
    output: Annotated[Path, typer.Option("--out", help="Folder of everything it makes.")] = Path(
        "demo"
    ),
    seed: Annotated[int, typer.Option(help="Drives the videos and the training.")] = 0,
    config: ConfigOption = None,
    show: Annotated[
        bool, typer.Option("--open/--no-open", help="Open its page; only when run in a terminal.")
    ] = True,
) -> None:
    """Make videos of synthetic mice, train on them, and annotate held-out ones."""
    run_demo(output, seed=seed, config=DemoConfig.from_dict(settings_from(config, None)))
    if show and sys.stdout.isatty():
        typer.launch(str(output / f"seed{seed}" / "index.html"))


def main() -> None:
    """Run the command line; expected errors become one clear line and exit code 1."""
    try:
        app()
    except _EXPECTED as error:
        out.print(f"[bold red]Error:[/] {type(error).__name__}: ", end="")
        out.print(str(error), markup=False)
        sys.exit(1)
