"""``mouse-ar train`` and ``evaluate``."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from mouse_ar.cli.detector import (
    CONFIDENCE,
    ClassOption,
    ConfidenceOption,
    DetectorOption,
    ImagesOption,
    chosen_detector,
)
from mouse_ar.cli.folds import FoldsOption, run_folds
from mouse_ar.cli.models import with_local_weights
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
from mouse_ar.data.local_project import LocalProject
from mouse_ar.data.training_data import open_training_data
from mouse_ar.detection.tracking import DETECT_EVERY
from mouse_ar.pipelines.evaluate import evaluate_videos
from mouse_ar.pipelines.predictor import load_predictor, pick_device
from mouse_ar.pipelines.tracks import Tracker
from mouse_ar.report.evaluation import evaluation_page, write_evaluation
from mouse_ar.report.runs import evaluate_text
from mouse_ar.training.config import TrainConfig
from mouse_ar.training.launch import TrainingFailedError, TrainingProcess, Workers
from mouse_ar.training.loop import TrainResult

__all__ = ["evaluate", "train"]


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


def evaluate(
    data: Annotated[Path, typer.Argument(help="Training Data project with test videos.")],
    checkpoint: Annotated[Path, typer.Option(help="Trained model (.safetensors).")],
    output: Annotated[Path, typer.Option("--out", help="Folder of the results.")],
    split: Annotated[str, typer.Option(help="test or val.")] = "test",
    config: ConfigOption = None,
    overrides: SetOption = None,
    device: DeviceOption = None,
    detector: DetectorOption = "background",
    detector_class: ClassOption = None,
    detector_confidence: ConfidenceOption = CONFIDENCE,
    detector_images: ImagesOption = "jpeg",
) -> None:
    """Frame- and bout-level precision, recall and F1 on full-length videos.

    The detector is used for videos without stored boxes only.
    """
    predictor = load_predictor(
        checkpoint, device=pick_device(device), overrides=numbers_from(config, overrides)
    )
    training_data = open_training_data(data, actions=predictor.actions)
    if split not in {"test", "val"}:
        raise typer.BadParameter(f"--split must be test or val, got {split!r}.")
    records = training_data.test if split == "test" else training_data.val
    with ExitStack() as stack:
        tracker = None
        if not all(record.track.present_T.any() for record in records):
            finder = stack.enter_context(
                chosen_detector(
                    detector,
                    class_name=detector_class,
                    confidence=detector_confidence,
                    images=detector_images,
                    device=device,
                )
            )
            tracker = Tracker(detector=finder, detect_every=DETECT_EVERY)
        view = stack.enter_context(ProgressView())
        result = evaluate_videos(records, predictor=predictor, tracker=tracker, progress=view)
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
