"""Weights that a training of the app starts from: public ones, or a file in Team Files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from mouse_ar.pipelines.weights import PublicWeights, resolve_weights
from mouse_ar.sly.batch import sized
from mouse_ar.sly.project import RemoteProject
from mouse_ar.sly.team_files import download_file
from mouse_ar.training.config import TrainConfig

__all__ = ["origin_of", "with_local_weights"]

Progress = Callable[[str, int, int], None]


def with_local_weights(
    project: RemoteProject,
    config: TrainConfig,
    work: Path,
    *,
    public: PublicWeights | None,
    team_id: int,
    progress: Progress,
) -> TrainConfig:
    """The settings with the weights to start from on this disk.

    Args:
        project: whose instance has the Team Files.
        config: settings; ``pretrained`` is a path in Team Files or the name of public weights.
        work: folder of the run.
        public: what it may name; None for no public weights.
        team_id: whose Team Files.
        progress: called with (what, done, total) in units that the text names.

    Raises:
        DownloadError: public weights cannot be had.
        FileNotFoundError: there is no such file in Team Files.
        TransferError: the instance failed.
        ValueError: the weights that are here are not those that came.
    """
    name = config.pretrained
    if name is None:
        return config
    if public is not None and public.catalog.find(name):
        path = resolve_weights(
            name,
            folder=public.folder,
            catalog=public.catalog,
            progress=lambda done, total: progress(*sized(f"weights {name}", done, total)),
        )
    else:
        path = work / "weights" / Path(name).name
        download_file(
            project.connection,
            name,
            path,
            team_id=team_id,
            progress=lambda done: progress(*sized("weights from Team Files", done)),
        )
    return replace(config, pretrained=str(path))


def origin_of(config: TrainConfig, public: PublicWeights | None) -> str:
    """What the report says of the weights: those of others bring their licence along."""
    name = config.pretrained
    if name is None:
        return "none"
    if public is None or public.catalog.find(name) is None:
        return name
    limit = ", not for commercial use" if public.catalog.non_commercial else ""
    return f"{name} ({public.catalog.licence}{limit}; so is this model)"
