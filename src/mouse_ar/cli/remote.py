"""``mouse-ar pull`` and ``push``: projects of a Supervisely instance and their local mirrors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from mouse_ar.cli.options import ActionsOption
from mouse_ar.console import ProgressView, out
from mouse_ar.core.actions import ActionSet
from mouse_ar.data.config_files import load_actions
from mouse_ar.data.importers import ImportReport, import_annotations
from mouse_ar.data.tables import Units
from mouse_ar.sly.connection import Connection

__all__ = ["import_to_project", "pull", "push"]


@contextmanager
def instance() -> Iterator[Connection]:
    """The instance that the environment names."""
    # The SDK takes seconds to import.
    from mouse_ar.sly.instance import open_api

    with Connection(open_api()) as connection:
        yield connection


def pull(
    project_id: Annotated[int, typer.Argument(help="Number of the project on the instance.")],
    folder: Annotated[Path, typer.Argument(help="Where its mirror is; created or continued.")],
    actions: ActionsOption = None,
    dataset: Annotated[
        list[str] | None, typer.Option(help="Only this dataset, like cohort1/day2; repeatable.")
    ] = None,
    annotations_only: Annotated[
        bool, typer.Option("--annotations-only", help="Leave the video files out.")
    ] = False,
    prune: Annotated[
        bool, typer.Option("--prune", help="Remove videos that are gone from the instance.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Give up what was changed here.")
    ] = False,
) -> None:
    """Bring a Supervisely project into a folder. Only what is new or changed."""
    from mouse_ar.sly.pull import pull as run_pull

    with instance() as connection, ProgressView() as view:
        report = run_pull(
            connection,
            project_id,
            folder,
            actions=load_actions(actions),
            datasets=dataset,
            annotations_only=annotations_only,
            prune=prune,
            overwrite=overwrite,
            progress=view,
        )
    out.print(report.to_text(), markup=False)
    if report.failures or report.changed_here:
        raise typer.Exit(1)


def push(
    folder: Annotated[Path, typer.Argument(help="Project in Supervisely video format.")],
    name: Annotated[
        str | None, typer.Option(help="Name of the project there; the folder's by default.")
    ] = None,
    project_id: Annotated[
        int | None, typer.Option(help="Number of an existing project instead.")
    ] = None,
    workspace_id: Annotated[
        int | None, typer.Option(envvar="WORKSPACE_ID", help="Where a project is looked for.")
    ] = None,
    actions: ActionsOption = None,
    replace: Annotated[
        bool,
        typer.Option("--replace", help="Remove action tags and mouse boxes that are not here."),
    ] = False,
) -> None:
    """Bring a local project to a Supervisely instance. Only what is missing there."""
    from mouse_ar.sly.push import push as run_push

    if project_id is not None and name is not None:
        raise typer.BadParameter("give --name or --project-id, not both.")
    with instance() as connection, ProgressView() as view:
        report = run_push(
            connection,
            folder,
            workspace_id=workspace_id,
            name=name,
            project_id=project_id,
            actions=load_actions(actions),
            replace=replace,
            progress=view,
        )
    out.print(report.to_text(), markup=False)
    if report.failures:
        raise typer.Exit(1)


def import_to_project(
    project_id: int,
    tables: list[Path],
    *,
    actions: ActionSet,
    ignore_labels: list[str],
    point_seconds: float,
    units: Units,
) -> ImportReport:
    """Import tables into a project on the instance; see ``import-annotations``."""
    from mouse_ar.sly.labels import LabelTarget
    from mouse_ar.sly.lease import leased
    from mouse_ar.sly.project import RemoteProject

    with instance() as connection:
        project = RemoteProject.open(connection, project_id, actions=actions)
        with leased(project) as lease, ProgressView() as view:
            target = LabelTarget(project, lease)
            return import_annotations(
                target,
                tables,
                ignore_labels=ignore_labels,
                point_seconds=point_seconds,
                units=units,
                read_timing=target.timing,
                progress=lambda done, total: view("importing", done, total),
            )
