"""``mouse-ar review-queue``: what a person should look at."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mouse_ar.cli.options import ActionsOption
from mouse_ar.cli.results import ResultsArgument, opened
from mouse_ar.console import out
from mouse_ar.core.decoding_params import DecodingParams
from mouse_ar.data.local_project import LocalProject
from mouse_ar.mvd import read_checkpoint_info
from mouse_ar.pipelines.review import review_queue, tag_queue, write_queue

__all__ = ["review_queue_command"]


def review_queue_command(
    results: ResultsArgument,
    output: Annotated[Path, typer.Option("--out", help="The queue as a table (.csv).")],
    labels: Annotated[
        Path | None,
        typer.Option(help="Project with labels of the same videos, to find mistakes in them."),
    ] = None,
    top: Annotated[int | None, typer.Option(min=1, help="Entries at most; all by default.")] = None,
    tags: Annotated[
        bool, typer.Option("--tags", help="Also put them into the results' project, as tags.")
    ] = False,
    checkpoint: Annotated[
        Path | None,
        typer.Option(help="Take the decoding from this model, where the results do not hold it."),
    ] = None,
    actions: ActionsOption = None,
) -> None:
    """Bouts most worth a human look: doubtful ones, and labels that the model contradicts."""
    found = opened(results, actions)
    decoding = None
    if checkpoint is not None:
        decoding = DecodingParams.from_dict(read_checkpoint_info(checkpoint).decoding)
    project = None
    if labels is not None:
        project = LocalProject.open(labels, actions=found.actions, with_files=False)
    queue = review_queue(found, decoding=decoding, labels=project, top=top)
    write_queue(output, queue)
    for note in queue.notes:
        out.print(f"Note: {note}", markup=False)
    out.print(
        f"{len(queue.entries)} of {queue.in_all} parts in {output}: {queue.seconds / 60:.1f} "
        "minutes of video to look at.",
        markup=False,
    )
    if tags:
        out.print(f"{tag_queue(found, queue)} tags 'review' in {found.project.path}", markup=False)
