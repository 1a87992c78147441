"""What a project of an instance offers to a training, seen without its videos."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from mouse_ar.data.data_summary import DataSummary, summarise_data
from mouse_ar.data.training_data import open_training_data
from mouse_ar.sly.mirror import mirror_annotations
from mouse_ar.sly.names import dataset_to_local
from mouse_ar.sly.project import RemoteProject

__all__ = ["NoTrainingDataError", "TrainingOverview", "read_overview"]

Progress = Callable[[str, int, int], None]
# The earlier apps kept the class datasets below this one.
_NESTED_TRAIN = "train/"
_MOST_NAMES = 8


class NoTrainingDataError(ValueError):
    """A project that was not made by Preprocess."""


@dataclass(frozen=True)
class TrainingOverview:
    """Counts, warnings and frame rate of a Training Data project.

    Args:
        summary: counts and warnings.
        fps: typical frame rate of the clips.
    """

    summary: DataSummary
    fps: float

    @property
    def clips(self) -> int:
        """Clips to train on."""
        return sum(row[1] for row in self.summary.rows if row[0] not in {"val", "test"})


def read_overview(project: RemoteProject, folder: Path, *, progress: Progress) -> TrainingOverview:
    """Look at a project before anybody waits for a training on it.

    Args:
        project: to look at.
        folder: of the mirror without videos, which is brought up to date.
        progress: called with (what, done, total).

    Raises:
        NoTrainingDataError: it holds nothing to train on; says what to do.
        TransferError: the instance failed.
        ValueError: its content cannot be used.
    """
    names = [dataset_to_local(path) for path in project.datasets()]
    if not any(n.removeprefix(_NESTED_TRAIN) in project.actions.datasets for n in names):
        raise NoTrainingDataError(_advice(project, names))
    videos = mirror_annotations(project, folder, progress=progress).videos
    rates = {key: _fps(video.info) for key, video in videos.items()}
    data = open_training_data(folder, actions=project.actions, fps_of=rates.get)
    if not data.clips:
        raise NoTrainingDataError(_advice(project, names))
    return TrainingOverview(
        summary=summarise_data(data, actions=project.actions),
        fps=median(record.fps for record in data.clips),
    )


def _advice(project: RemoteProject, names: list[str]) -> str:
    shown = ", ".join(names[:_MOST_NAMES]) + (", …" if len(names) > _MOST_NAMES else "")
    return (
        f"{project.title} holds no Training Data: expected clips in the datasets "
        f"{', '.join(project.actions.datasets)}, got {shown or 'no dataset at all'}. Run the app "
        "“Preprocess for Mouse Action Recognition” on your labelled videos and start this app "
        "from the menu of the project that it makes."
    )


def _fps(info: Mapping[str, object]) -> float | None:
    """Frame rate as the instance knows it; good enough for a table."""
    meta = info.get("fileMeta")
    if not isinstance(meta, Mapping) or not meta.get("duration") or not meta.get("framesCount"):
        return None
    return float(meta["framesCount"]) / float(meta["duration"])
