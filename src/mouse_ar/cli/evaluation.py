"""``mouse-ar evaluate``: a model, a second annotator, or both, against labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
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
from mouse_ar.cli.options import (
    ActionsOption,
    ConfigOption,
    DeviceOption,
    SetOption,
    numbers_from,
)
from mouse_ar.console import ProgressView, out
from mouse_ar.core.actions import ActionSet
from mouse_ar.data.config_files import load_actions
from mouse_ar.data.second_labels import read_second_labels
from mouse_ar.data.tables import Units
from mouse_ar.data.training_data import VideoRecord, open_training_data
from mouse_ar.detection.protocol import Detector
from mouse_ar.detection.tracking import DETECT_EVERY
from mouse_ar.pipelines.bout_decoding import Decoding
from mouse_ar.pipelines.evaluate import (
    BATCH_SIZE,
    EvaluatedVideos,
    beside_human,
    evaluate_videos,
    require_videos,
)
from mouse_ar.pipelines.fleet.cluster import Fleet
from mouse_ar.pipelines.fleet.paths import require_paths
from mouse_ar.pipelines.fleet.tasks import FleetWorkers, load_for_fleet
from mouse_ar.pipelines.meter import Meter
from mouse_ar.pipelines.model_facts import ModelFacts, model_facts
from mouse_ar.pipelines.predictor import Predictor, load_predictor, pick_device
from mouse_ar.pipelines.tracks import Tracker
from mouse_ar.report.evaluation import write_evaluation
from mouse_ar.report.page.html import write_page
from mouse_ar.report.page.sections import report_sections
from mouse_ar.report.runs import evaluate_text

__all__ = ["evaluate"]


def evaluate(
    context: typer.Context,
    data: Annotated[Path, typer.Argument(help="Training Data project with test videos.")],
    output: Annotated[Path, typer.Option("--out", help="Folder of the results.")],
    checkpoint: Annotated[
        Path | None,
        typer.Option(help="Trained model (.safetensors); may be left out with --against."),
    ] = None,
    split: Annotated[str, typer.Option(help="test or val.")] = "test",
    against: Annotated[
        Path | None,
        typer.Option(
            metavar="HUMAN2",
            help="Labels of the same videos by a second person, scored like a model: a project, "
            "or a CSV table as for import-annotations.",
        ),
    ] = None,
    other_label: Annotated[
        list[str] | None,
        typer.Option(help="Label in HUMAN2 that is no action and counts for nothing; repeatable."),
    ] = None,
    units: Annotated[
        Units, typer.Option(help="What start and end hold in a table given to --against.")
    ] = "auto",
    actions: ActionsOption = None,
    config: ConfigOption = None,
    overrides: SetOption = None,
    device: DeviceOption = None,
    detector: DetectorOption = "background",
    detector_class: ClassOption = None,
    detector_confidence: ConfidenceOption = CONFIDENCE,
    detector_images: ImagesOption = "jpeg",
    ray: RayOption = None,
    ray_cpus: RayCpusOption = 1.0,
    ray_memory: RayMemoryOption = 0.0,
) -> None:
    """How good a model is on full-length videos, and a second annotator beside it.

    The detector is used for videos without stored boxes only. A checkpoint brings its actions.
    """
    settings = config or overrides or ray
    _check_options(checkpoint, against, split=split, actions=actions, settings=settings)
    where = _Where(device)
    if ray is not None:
        data, detector = data.absolute(), detector_for_many(detector, option="--ray")
        fleet = chosen_fleet(ray, cpus=ray_cpus, memory_gb=ray_memory, device=device)
        where = _Where(device, context.with_resource(fleet))
    predictor, loading = None, None
    if checkpoint is not None:
        numbers = numbers_from(config, overrides)
        loading = partial(load_predictor, checkpoint.absolute(), overrides=numbers)
        predictor = where.load(loading)
    action_set = predictor.actions if predictor else load_actions(actions)
    training_data = open_training_data(data, actions=action_set)
    records = training_data.test if split == "test" else training_data.val
    require_videos(records)
    second = None
    if against is not None:  # before the model runs: a mistake in it shall not cost that time
        second = read_second_labels(
            against, records, actions=action_set, other_labels=other_label or [], units=units
        )
    result = None
    if checkpoint and predictor and loading:
        if where.fleet is not None:
            files = [record.path for record in records]
            require_paths(where.fleet, [*files, checkpoint, *detector_files(detector)])
        find = partial(
            chosen_detector,
            detector,
            class_name=detector_class,
            confidence=detector_confidence,
            images=detector_images,
        )
        result = _evaluated(records, predictor, find, where=where, loading=loading)
    if second is not None:
        result = beside_human(
            result,
            second,
            records,
            source=str(against),
            actions=action_set,
            decoding=predictor.decoding if predictor else None,
        )
    assert result is not None
    what = "a second annotator" if checkpoint is None else checkpoint.name
    _write(
        output,
        result,
        records,
        actions=action_set,
        title=f"Evaluation of {what} on {split} videos",
        model=model_facts(checkpoint, predictor) if checkpoint and predictor else None,
        facts={"data": data, "split": split} | ({"second annotator": against} if against else {}),
        decoding=predictor.decoder if predictor else None,
    )
    if result.failures:
        raise typer.Exit(1)


def _check_options(
    checkpoint: Path | None,
    against: Path | None,
    *,
    split: str,
    actions: Path | None,
    settings: object,
) -> None:
    if split not in {"test", "val"}:
        raise typer.BadParameter(f"--split must be test or val, got {split!r}.")
    if checkpoint is not None and actions is not None:
        raise typer.BadParameter("a checkpoint brings its actions: leave out --actions.")
    if checkpoint is None and against is None:
        raise typer.BadParameter("expected --checkpoint, --against, or both; got neither.")
    if checkpoint is None and settings:
        raise typer.BadParameter(
            "--set, --config and --ray are settings of a model: give --checkpoint."
        )


@dataclass(frozen=True)
class _Where:
    """Where the model runs: on a device of this computer, or on a cluster."""

    device: str | None
    fleet: Fleet | None = None

    def load(self, loading: Callable[..., Predictor]) -> Predictor:
        """Load the model."""
        if self.fleet is not None:
            return load_for_fleet(self.fleet, loading, precision=None)
        return loading(device=pick_device(self.device))


def _evaluated(
    records: Sequence[VideoRecord],
    predictor: Predictor,
    find: Callable[..., AbstractContextManager[Detector]],
    *,
    where: _Where,
    loading: Callable[..., Predictor],
) -> EvaluatedVideos:
    device = where.fleet.device_here if where.fleet else where.device
    with ExitStack() as stack:
        tracker, fingerprint, pool = None, None, None
        if not all(record.track.present_T.any() for record in records):
            finder = stack.enter_context(find(device=device))
            tracker = Tracker(detector=finder, detect_every=DETECT_EVERY)
            fingerprint = finder.fingerprint
        if where.fleet is not None:
            workers = FleetWorkers(where.fleet, loading, predictor, find, fingerprint)
            pool = workers.pool(detect_every=DETECT_EVERY, batch_size=BATCH_SIZE, meter=Meter())
        view = stack.enter_context(ProgressView())
        return evaluate_videos(
            records, predictor=predictor, tracker=tracker, progress=view, pool=pool
        )


def _write(
    output: Path,
    result: EvaluatedVideos,
    records: Sequence[VideoRecord],
    *,
    actions: ActionSet,
    title: str,
    model: ModelFacts | None,
    facts: Mapping[str, object],
    decoding: Decoding | None,
) -> None:
    write_evaluation(
        output,
        result,
        records=records,
        actions=actions,
        decoding=decoding,
    )
    sections = report_sections(result, records=records, actions=actions, model=model, facts=facts)
    write_page(output / "evaluation.html", sections, title=title)
    out.print(evaluate_text(result), markup=False)
    out.print(f"written to {output}; evaluation.html is a page to read", markup=False)
