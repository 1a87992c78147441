"""``mouse-ar models``: public weights to start a training from."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Table
from rich.text import Text

from mouse_ar.console import out
from mouse_ar.mvd.catalog import CatalogEntry, WeightsCatalog, load_catalog
from mouse_ar.pipelines.weights import (
    Accept,
    catalog_path,
    local_weights,
    resolve_weights,
    weights_folder,
)
from mouse_ar.training.config import TrainConfig

__all__ = ["models", "with_local_weights"]

models = typer.Typer(help="Public weights to start a training from.")

FolderOption = Annotated[
    Path | None,
    typer.Option(help="Of the weights; models/ of the checkout, or the user's cache, by default."),
]
_STOPPED = 130


@models.callback(invoke_without_command=True)
def list_models(context: typer.Context, folder: FolderOption = None) -> None:
    """List public weights, their licence, and which are here."""
    if context.invoked_subcommand is not None:
        return
    catalog, folder = load_catalog(catalog_path()), folder or weights_folder()
    out.print(_table(catalog, folder))
    out.print(catalog.terms, style="bold yellow", markup=False)
    out.print(f"They are kept in {folder}.", markup=False)
    out.print("To fetch: mouse-ar models download NAME")
    out.print("To train: mouse-ar train DATA RUN --set pretrained=NAME (or the path of a file)")
    out.print("Weights without a file:", style="bold")
    for text in dict.fromkeys(entry.obtain for entry in catalog.entries if entry.url is None):
        out.print(text, markup=False)


@models.command("download")
def download_model(
    name: Annotated[str, typer.Argument(help="As `mouse-ar models` lists it.")],
    folder: FolderOption = None,
    accept_licence: Annotated[
        bool, typer.Option("--accept-licence", help="Accept the licence without being asked.")
    ] = False,
) -> None:
    """Download public weights; what has come is kept, and the same command goes on after it."""
    catalog, folder = load_catalog(catalog_path()), folder or weights_folder()
    entry = catalog[name]
    here = local_weights(entry, folder)
    path = _resolved(name, folder=folder, catalog=catalog, accept=_asks(catalog, accept_licence))
    after = local_weights(entry, folder)
    sha256 = "" if after is None else f" (SHA-256 {after.sha256})"
    out.print(f"{'written to' if here is None else 'already there:'} {path}{sha256}", markup=False)
    out.print(f"To train: mouse-ar train DATA RUN --set pretrained={name}", markup=False)


def with_local_weights(config: TrainConfig) -> TrainConfig:
    """Settings whose ``pretrained`` is a file on this disk: the name of public weights will do.

    Raises:
        ValueError: it is neither a file nor such a name.
        DownloadError: the weights cannot be had.
    """
    if not config.pretrained:
        return config
    catalog = load_catalog(catalog_path())
    path = _resolved(
        config.pretrained,
        folder=weights_folder(),
        catalog=catalog,
        accept=_asks(catalog, accepted=False),
    )
    return replace(config, pretrained=str(path))


def _resolved(name: str, *, folder: Path, catalog: WeightsCatalog, accept: Accept) -> Path:
    """See :func:`~mouse_ar.pipelines.weights.resolve_weights`; shows progress in MB and the ETA."""
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=out,
        transient=True,
    )
    task = bar.add_task(f"downloading {name}", total=None, start=False)

    def progress(done: int, total: int) -> None:
        if not bar.live.is_started:
            bar.start()
            bar.start_task(task)
        bar.update(task, completed=done, total=total or None)

    try:
        return resolve_weights(
            name, folder=folder, catalog=catalog, accept=accept, progress=progress
        )
    except KeyboardInterrupt:
        out.print("Stopped; what has come is kept, and the same command goes on after it.")
        raise typer.Exit(_STOPPED) from None
    finally:
        if bar.live.is_started:  # it would print an empty line
            bar.stop()


def _asks(catalog: WeightsCatalog, accepted: bool) -> Accept:
    """Show the licence before a download, and ask where it was not accepted on the command line."""

    def accept(entry: CatalogEntry) -> None:
        out.print(f"{entry.name}: {entry.title}, from {entry.url}", markup=False)
        out.print(catalog.terms, style="bold yellow", markup=False)
        if accepted:
            return
        if not sys.stdin.isatty():
            raise ValueError(
                f"The licence of {entry.name} must be accepted, and nobody is here to ask. Read "
                f"it, then run: mouse-ar models download {entry.name} --accept-licence"
            )
        if not typer.confirm(f"Do you accept {catalog.licence}?"):
            out.print("Nothing was downloaded.")
            raise typer.Exit(1)

    return accept


def _table(catalog: WeightsCatalog, folder: Path) -> Table:
    table = Table()
    for title in ("Name", "Network", "Size", "Licence", "State"):
        table.add_column(title, overflow="fold", no_wrap=title == "Name")
    for entry in catalog.entries:
        here = local_weights(entry, folder)
        size = entry.size if here is None else here.size
        if here is not None:
            state = f"here: {here.path.name}"
        else:
            state = "to download" if entry.url else "no file is published"
        table.add_row(
            Text(entry.name),
            Text(entry.preset),
            "unknown" if size is None else f"{size / 1e6:.1f} MB",
            Text(catalog.licence),
            Text(state, style="green" if here else ""),
        )
    return table
