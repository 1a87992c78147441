"""``mouse-ar infer`` and ``detect``: what happens in videos, and where the mouse is."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
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
from mouse_ar.cli.fleet import (
    RayCpusOption,
    RayMemoryOption,
    RayOption,
    chosen_fleet,
    detector_files,
    detector_for_many,
)
from mouse_ar.cli.models_folder import ModelsOption, chosen_files
from mouse_ar.cli.options import (
    ActionsOption,
    BinMinutesOption,
    ConfigOption,
    DeviceOption,
    SetOption,
    numbers_from,
)
from mouse_ar.console import InferView, ProgressView, out
from mouse_ar.data.config_files import load_actions
from mouse_ar.detection.tracking import DETECT_EVERY, MAX_DETECT_EVERY
from mouse_ar.pipelines.detect import detect as run_detect
from mouse_ar.pipelines.fleet.paths import require_paths
from mouse_ar.pipelines.fleet.tasks import FleetWorkers, load_for_fleet
from mouse_ar.pipelines.infer import infer as run_infer
from mouse_ar.pipelines.inputs import find_videos
from mouse_ar.pipelines.meter import Meter
from mouse_ar.pipelines.precision import PRECISIONS
from mouse_ar.pipelines.predictor import load_predictor, pick_device
from mouse_ar.pipelines.store import refuse_overlap
from mouse_ar.pipelines.workers import Scorers, Workers
from mouse_ar.report.ethogram import plot_ethograms
from mouse_ar.report.runs import detect_text, infer_text

__all__ = ["detect", "infer"]

EveryOption = Annotated[
    int,
    typer.Option(
        min=1,
        max=MAX_DETECT_EVERY,
        help="Frames between detections; closer where the mouse moves fast.",
    ),
]


def infer(
    source: Annotated[Path, typer.Argument(help="Video, folder of videos, or project.")],
    output: Annotated[Path, typer.Argument(help="Folder of the results.")],
    checkpoint: Annotated[Path | None, typer.Option(help="Trained model (.safetensors).")] = None,
    models: ModelsOption = None,
    config: ConfigOption = None,
    overrides: SetOption = None,
    device: DeviceOption = None,
    overlay: Annotated[bool, typer.Option(help="Also draw the bouts into the videos.")] = False,
    bin_minutes: BinMinutesOption = None,
    detector: DetectorOption | None = None,
    detector_class: ClassOption = None,
    detector_confidence: ConfidenceOption = CONFIDENCE,
    detector_images: ImagesOption = "jpeg",
    detect_every: EveryOption = DETECT_EVERY,
    batch_size: Annotated[int, typer.Option(min=1, help="Windows per forward pass.")] = 16,
    devices: Annotated[
        str | None, typer.Option(help="Several of them, one process each: cuda:0,cuda:1.")
    ] = None,
    precision: Annotated[
        str | None,
        typer.Option(
            help=f"{', '.join(PRECISIONS)}. By default bf16 on a GPU and fp32 on the CPU, where "
            "auto allows bf16 if it is faster."
        ),
    ] = None,
    compiled: Annotated[
        bool,
        typer.Option(
            "--compile",
            help="Compile the model at the start (torch.compile): up to a minute, which pays for "
            "hours of video on a GPU. Wants a C++ compiler.",
        ),
    ] = False,
    ray: RayOption = None,
    ray_cpus: RayCpusOption = 1.0,
    ray_memory: RayMemoryOption = 0.0,
) -> None:
    """Annotate videos: a project with predicted tags, tables, per-frame scores."""
    checkpoint, detector = chosen_files(checkpoint, detector, models=models)
    names = [name.strip() for name in (devices or "").split(",") if name.strip()]
    if names and (device or ray):
        raise ValueError("Give one of --device (also with --ray) and --devices, not both.")
    if ray:
        source, output, checkpoint = source.absolute(), output.absolute(), checkpoint.absolute()
        if compiled:
            raise ValueError("--compile pays on one computer only: leave it out with --ray.")
    if names or ray:
        detector = detector_for_many(detector, option="--devices" if names else "--ray")
    loading = partial(load_predictor, checkpoint, overrides=numbers_from(config, overrides))
    finding = partial(
        chosen_detector,
        detector,
        class_name=detector_class,
        confidence=detector_confidence,
        images=detector_images,
    )
    workers: Scorers | None = None
    with ExitStack() as stack:
        fleet = stack.enter_context(
            chosen_fleet(ray, cpus=ray_cpus, memory_gb=ray_memory, device=device)
        )
        if fleet is None:
            device = device or (names[0] if names else None)
            loading = partial(loading, precision=precision, compiled=compiled)
            predictor = loading(device=pick_device(device))
            finder = stack.enter_context(finding(device=device))
            if names:
                # What was chosen here, so that all compute what the results say.
                loading = partial(loading, precision=predictor.precision)
                workers = Workers(names, predictor=loading, detector=finding)
        else:
            refuse_overlap(source, output)
            files = [video.path for video in find_videos(source)]
            files += [checkpoint, *detector_files(detector)]
            require_paths(fleet, files, output=output)
            predictor = load_for_fleet(fleet, loading, precision=precision)
            finder = stack.enter_context(finding(device=fleet.device_here))
            workers = FleetWorkers(fleet, loading, predictor, finding, finder.fingerprint)
        meter = Meter()
        view = stack.enter_context(InferView(meter))
        report = run_infer(
            source,
            output,
            predictor=predictor,
            detector=finder,
            detect_every=detect_every,
            batch_size=batch_size,
            overlay=overlay,
            bin_minutes=bin_minutes,
            progress=view,
            meter=meter,
            workers=workers,
        )
    out.print(view.summary(), markup=False)
    if report.tabulated:
        plot_ethograms(
            output / "ethogram.png",
            predicted={result.key: result.ethogram for result in report.tabulated},
            actions=predictor.actions,
        )
    out.print(infer_text(report), markup=False)
    if report.failures:
        raise typer.Exit(1)


def detect(
    source: Annotated[Path, typer.Argument(help="Video, folder of videos, or project.")],
    output: Annotated[Path, typer.Argument(help="Folder of the results.")],
    detector: DetectorOption = "background",
    detector_class: ClassOption = None,
    detector_confidence: ConfidenceOption = CONFIDENCE,
    detector_images: ImagesOption = "jpeg",
    detect_every: EveryOption = DETECT_EVERY,
    actions: ActionsOption = None,
    device: DeviceOption = None,
    overlay: Annotated[bool, typer.Option(help="Also draw the boxes into the videos.")] = True,
) -> None:
    """Find the mouse in every frame: a project with its boxes, and overlays to look at."""
    with (
        chosen_detector(
            detector,
            class_name=detector_class,
            confidence=detector_confidence,
            images=detector_images,
            device=device,
        ) as finder,
        ProgressView() as view,
    ):
        report = run_detect(
            source,
            output,
            detector=finder,
            actions=load_actions(actions),
            detect_every=detect_every,
            overlay=overlay,
            progress=view,
        )
    out.print(detect_text(report), markup=False)
    if report.failures:
        raise typer.Exit(1)
