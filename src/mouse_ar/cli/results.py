"""``mouse-ar workbook``, ``export-boris`` and ``compare``: what is made of results."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from mouse_ar.cli.options import ActionsOption
from mouse_ar.console import out
from mouse_ar.core.comparison import MEASURES
from mouse_ar.data.boris_export import BorisVideo, write_boris_project, write_boris_table
from mouse_ar.data.config_files import load_actions
from mouse_ar.data.treatments import read_treatments
from mouse_ar.pipelines.comparison import compare_results
from mouse_ar.pipelines.results_folder import ResultsFolder, open_results
from mouse_ar.report.comparison import comparison_text, write_comparison
from mouse_ar.report.workbook import write_workbook

__all__ = ["ResultsArgument", "compare", "export_boris", "opened", "told", "workbook"]

ResultsArgument = Annotated[Path, typer.Argument(help="Folder that `mouse-ar infer` wrote.")]


def opened(results: Path, actions: Path | None) -> ResultsFolder:
    """The results, with the actions of the option where it is given."""
    return open_results(results, actions=load_actions(actions) if actions else None)


def told(results: ResultsFolder) -> None:
    """Say which videos are not in what was written, and end with a code that says so too."""
    for key, cause in sorted(results.failures.items()):
        out.print(f"FAILED: {key}: {cause}", markup=False)
    if results.failures:
        raise typer.Exit(1)


def workbook(
    results: ResultsArgument,
    output: Annotated[Path, typer.Option("--out", help="The workbook (.xlsx).")],
    bin_minutes: Annotated[
        float, typer.Option(min=1 / 60, help="Length of the time bins in the sheet Bins.")
    ] = 5.0,
    actions: ActionsOption = None,
) -> None:
    """One workbook of all results: counts, durations, latencies, bouts and time bins."""
    found = opened(results, actions)
    write_workbook(output, found, bin_minutes=bin_minutes)
    out.print(f"{len(found.results)} videos: {output}", markup=False)
    told(found)


def export_boris(
    results: ResultsArgument,
    output: Annotated[
        Path,
        typer.Option(
            "--out",
            help="A BORIS project (.boris), or a table of aggregated events (.csv, .tsv).",
        ),
    ],
    actions: ActionsOption = None,
) -> None:
    """The bouts for BORIS: a project with an observation per video, or a table."""
    if output.suffix.lower() not in {".boris", ".csv", ".tsv"}:
        raise ValueError(f"{output}: expected a name that ends in .boris, .csv or .tsv.")
    found = opened(results, actions)
    videos = [
        BorisVideo(
            key=video.key,
            path=found.video(video.key).video_path,
            ethogram=video.ethogram,
            edges_seconds=video.edges_seconds,
            description="checked by a person" if video.reviewed else "predicted, not checked",
        )
        for video in found.videos
    ]
    now = datetime.now()
    if output.suffix.lower() == ".boris":
        name = results.resolve().name
        write_boris_project(output, videos, actions=found.actions, name=name, date=now)
    else:
        write_boris_table(output, videos, actions=found.actions, date=now)
    out.print(f"{len(videos)} videos: {output}", markup=False)
    told(found)


def compare(
    results: ResultsArgument,
    groups: Annotated[
        Path,
        typer.Option(help="CSV with columns video (or animal), group and, if wanted, animal."),
    ],
    output: Annotated[Path, typer.Option("--out", help="Folder of the tables and the picture.")],
    primary: Annotated[
        str, typer.Option(help=f"The one measure that is tested: {', '.join(MEASURES)}.")
    ] = "bouts_per_hour",
    control: Annotated[
        str | None, typer.Option(help="Name of the control group, where it does not say so.")
    ] = None,
    treatment: Annotated[
        str | None, typer.Option(help="Name of the other, where there are more than two.")
    ] = None,
    actions: ActionsOption = None,
) -> None:
    """Treatment against control: a value per animal, effect sizes, intervals and one test."""
    found = opened(results, actions)
    if found.failures:
        raise ValueError(
            "These videos could not be read, and a comparison without them would mislead: "
            + "; ".join(f"{key}: {cause}" for key, cause in sorted(found.failures.items()))
        )
    videos = [found.video(key) for key in sorted(found.results)]
    table = read_treatments(groups, videos, control=control, treatment=treatment)
    comparison = compare_results(found, table, primary=primary)
    write_comparison(output, comparison)
    out.print(comparison_text(comparison), markup=False)
    out.print(f"Tables and picture: {output}", markup=False)
