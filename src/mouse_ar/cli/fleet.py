"""``--ray``: a command's videos on the computers of a Ray cluster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from mouse_ar.console import out
from mouse_ar.detection.choice import DetectorChoice
from mouse_ar.pipelines.fleet.cluster import Fleet, joined
from mouse_ar.pipelines.fleet.needs import TaskNeeds

__all__ = [
    "RayCpusOption",
    "RayMemoryOption",
    "RayOption",
    "chosen_fleet",
    "detector_files",
    "detector_for_many",
]

RayOption = Annotated[
    str | None,
    typer.Option(
        "--ray",
        metavar="ADDRESS",
        help="Work on all computers of a Ray cluster, a video at a time each: auto, or HOST:PORT "
        "of its head (docs/fleet.md).",
    ),
]
RayCpusOption = Annotated[
    float, typer.Option("--ray-cpus", help="With --ray: processor cores for each video.", min=0.1)
]
RayMemoryOption = Annotated[
    float,
    typer.Option("--ray-memory", help="With --ray: GB of memory for each video; 0: any.", min=0.0),
]


@contextmanager
def chosen_fleet(
    address: str | None, *, cpus: float, memory_gb: float, device: str | None
) -> Iterator[Fleet | None]:
    """The cluster that a command was told to use, if it was; says how large it is.

    Args:
        address: of the cluster.
        cpus: cores for each video.
        memory_gb: GB of memory for each video.
        device: of the models: cpu, cuda, or what the cluster has.
    """
    if address is None:
        yield None
        return
    needs = TaskNeeds(cpus=cpus, memory_gb=memory_gb)
    with joined(address, needs=needs, device=device) as fleet:
        out.print(
            f"Cluster: {fleet.computers} computers, {fleet.at_once} videos at a time, each with "
            f"{fleet.needs}",
            markup=False,
        )
        yield fleet


def detector_for_many(choice: str, *, option: str) -> str:
    """The choice as several processes or computers can use it, a path in full.

    Args:
        choice: as the user wrote it.
        option: that asks for several.

    Raises:
        ValueError: each of them would deploy a detector.
    """
    chosen = DetectorChoice.parse(choice)
    if chosen.kind == "deploy":
        raise ValueError(
            f"Every process of {option} would deploy the detector for itself: start it once, and "
            "give it as --detector session:ID."
        )
    if chosen.kind == "rtdetrv2":
        return f"rtdetrv2:{Path(chosen.value).absolute()}"
    return choice


def detector_files(choice: str) -> list[Path]:
    """The files that a detector is read from."""
    chosen = DetectorChoice.parse(choice)
    return [Path(chosen.value)] if chosen.kind == "rtdetrv2" else []
