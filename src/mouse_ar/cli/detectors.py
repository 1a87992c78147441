"""``mouse-ar convert-detector`` and ``list-sessions``: detectors at hand."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mouse_ar.console import out

__all__ = ["convert_detector", "list_sessions"]


def convert_detector(
    source: Annotated[Path, typer.Argument(help="RT-DETRv2 checkpoint, or its folder.")],
    target: Annotated[Path, typer.Argument(help="File to write (.safetensors).")],
    config: Annotated[
        Path | None, typer.Option(help="The training's model_config.yml, if not beside it.")
    ] = None,
) -> None:
    """Write a detector as one safetensors file that needs nothing beside it."""
    # transformers take seconds to import.
    from mouse_ar.detection.rtdetr import DetectorOptions, load_rtdetrv2, save_rtdetrv2

    if target.suffix != ".safetensors":
        raise typer.BadParameter(f"{target}: expected a name that ends in .safetensors.")
    detector = load_rtdetrv2(source, config, options=DetectorOptions(device="cpu"))
    save_rtdetrv2(target, detector)
    out.print(f"classes: {', '.join(detector.class_names)}", markup=False)
    out.print(f"written to {target}", markup=False)


def list_sessions(
    team_id: Annotated[int, typer.Option(envvar="TEAM_ID", help="Supervisely team.")],
) -> None:
    """Show the Supervisely sessions of Serve RT-DETRv2 that can be used as --detector."""
    # The SDK takes seconds to import.
    from mouse_ar.sly.instance import open_api
    from mouse_ar.sly.sessions import list_sessions as sessions_of

    sessions = sessions_of(open_api(), team_id=team_id)
    for session in sessions:
        out.print(
            f"session:{session.task_id}  {session.name}  {session.model}  "
            f"classes: {', '.join(session.classes)}",
            markup=False,
        )
    if not sessions:
        out.print(f"No session of Serve RT-DETRv2 with a model runs in team {team_id}.")
