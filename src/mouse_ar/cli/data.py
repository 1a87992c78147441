"""``mouse-ar import-annotations`` and ``preprocess``: from videos and labels to training data."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from mouse_ar.cli.detector import ClassOption, chosen_detector
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
    settings_from,
    yaml_value,
)
from mouse_ar.cli.remote import import_to_project
from mouse_ar.console import ProgressView, out
from mouse_ar.core.actions import ActionSet
from mouse_ar.data.annotations import IGNORED_TAG
from mouse_ar.data.config_files import load_actions
from mouse_ar.data.folder import project_from_folder
from mouse_ar.data.groups import VideoGroups, read_groups
from mouse_ar.data.importers import DEFAULT_POINT_SECONDS, import_annotations
from mouse_ar.data.local_project import LocalProject
from mouse_ar.data.tables import Units
from mouse_ar.pipelines.config import PreprocessConfig
from mouse_ar.pipelines.fleet.paths import require_paths
from mouse_ar.pipelines.fleet.tasks import FleetDetection
from mouse_ar.pipelines.preprocess import preprocess as run_preprocess
from mouse_ar.report.runs import preprocess_text

__all__ = ["import_annotations_command", "preprocess"]


def import_annotations_command(
    videos: Annotated[
        Path,
        typer.Argument(help="Project, or a plain folder of videos. Not with --project-id."),
    ],
    tables: Annotated[
        list[Path] | None, typer.Argument(help="CSV tables: BORIS exports or plain.")
    ] = None,
    project: Annotated[
        Path | None, typer.Option(help="Where to make the project, for a plain folder.")
    ] = None,
    project_id: Annotated[
        int | None,
        typer.Option(help="Import into this project of a Supervisely instance instead."),
    ] = None,
    actions: ActionsOption = None,
    ignore_label: Annotated[
        list[str] | None,
        typer.Option(help="Label to leave out of training and scoring, like uncertain."),
    ] = None,
    point_seconds: Annotated[
        float, typer.Option(help="Length given to a point event that has no end.")
    ] = DEFAULT_POINT_SECONDS,
    units: Annotated[
        Units, typer.Option(help="What start and end hold, where their columns do not say.")
    ] = "auto",
) -> None:
    """Turn CSV tables of labels into tags of a project."""
    action_set = load_actions(actions)
    labels = [IGNORED_TAG, *(ignore_label or [])]
    left_out = 0
    if project_id is not None:
        if project is not None:
            raise typer.BadParameter("give --project or --project-id, not both.")
        target = f"{project_id} of the instance"
        report = import_to_project(
            project_id,
            [videos, *(tables or [])],
            actions=action_set,
            ignore_labels=labels,
            point_seconds=point_seconds,
            units=units,
        )
    else:
        if not tables:
            raise typer.BadParameter("expected one CSV table or more after the videos, got none.")
        folder, left_out = _project_for(videos, project, action_set)
        target = str(folder)
        opened = LocalProject.create(folder, actions=action_set)
        with ProgressView() as view:
            report = import_annotations(
                opened,
                tables,
                ignore_labels=labels,
                point_seconds=point_seconds,
                units=units,
                progress=lambda done, total: view("importing", done, total),
            )
    out.print(report.to_text(), markup=False)
    out.print(f"project: {target}", markup=False)
    # Single rows that do not fit are for the user to read; a whole table or video is a failure.
    if left_out or any(problem.line == 0 for problem in report.problems):
        raise typer.Exit(1)


def preprocess(
    project: Annotated[Path, typer.Argument(help="Input Project in Supervisely video format.")],
    data: Annotated[Path, typer.Argument(help="Training Data project; created or continued.")],
    config: ConfigOption = None,
    actions: ActionsOption = None,
    overrides: SetOption = None,
    test_videos: Annotated[
        str | None, typer.Option(help="Test videos: a number (3) or a share (0.2).")
    ] = None,
    groups: Annotated[
        Path | None,
        typer.Option(
            help="CSV with columns file, group: groups are never split. A column split with train, "
            "val or test (or nothing) says what a video is used for."
        ),
    ] = None,
    detector: Annotated[
        str | None, typer.Option(help="What finds the mouse: as for detect.")
    ] = None,
    detector_class: ClassOption = None,
    device: DeviceOption = None,
    remove_deleted: Annotated[
        bool, typer.Option(help="Remove the clips of videos that are no longer in the input.")
    ] = False,
    ray: RayOption = None,
    ray_cpus: RayCpusOption = 1.0,
    ray_memory: RayMemoryOption = 0.0,
) -> None:
    """Detect the mouse, cut clips, balance idle, split by video. Only what is new."""
    action_set = load_actions(actions)
    values = settings_from(config, overrides)
    if test_videos is not None:
        values["test_videos"] = yaml_value("--test-videos", test_videos)
    given = {"detector": detector, "detector_class": detector_class}
    values |= {name: value for name, value in given.items() if value is not None}
    settings = PreprocessConfig.from_dict(values)
    source = LocalProject.open(project, actions=action_set)
    table = read_groups(groups, source.videos()) if groups else VideoGroups({}, {})
    for note in table.notes:
        out.print(f"Note: {note}", markup=False)
    find = settings.detector
    if ray:
        find = detector_for_many(find, option="--ray")
        # Only a model in the tasks themselves has use for a GPU.
        device = device if detector_files(find) else "cpu"
    finding = partial(
        chosen_detector,
        find,
        class_name=settings.detector_class,
        confidence=settings.detector_confidence,
        images=settings.detector_images,
    )
    with (
        chosen_fleet(ray, cpus=ray_cpus, memory_gb=ray_memory, device=device) as fleet,
        finding(device=fleet.device_here if fleet else device) as finder,
        ProgressView() as view,
    ):
        if fleet is not None:
            videos = [video.video_path.absolute() for video in source.videos()]
            require_paths(fleet, [*videos, *detector_files(find)])
        report = run_preprocess(
            source.path.absolute() if fleet else source.path,
            data,
            actions=action_set,
            config=settings,
            detector=finder,
            groups=table.groups,
            splits=table.splits,
            remove_deleted=remove_deleted,
            progress=view,
            fleet=FleetDetection(fleet, finding, finder.fingerprint) if fleet else None,
        )
    out.print(preprocess_text(report), markup=False)
    if report.failures:
        raise typer.Exit(1)


def _project_for(videos: Path, project: Path | None, actions: ActionSet) -> tuple[Path, int]:
    """The project to import into, and how many videos could not be taken into it."""
    if (videos / "meta.json").is_file():
        return videos, 0
    if project is None:
        raise typer.BadParameter(
            f"{videos} is a plain folder, not a project: say where to make one with --project DIR."
        )
    made = project_from_folder(videos, project, actions=actions)
    for path, cause in made.failed:
        out.print(f"left out {path}: {cause}", markup=False)
    return project, len(made.failed)
