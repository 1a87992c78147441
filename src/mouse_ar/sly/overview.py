"""What a project holds, at a glance: for choosing what to work on, before anything is fetched."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from mouse_ar.data.annotations import PROVENANCE_KEY
from mouse_ar.sly.names import dataset_to_local, name_to_local
from mouse_ar.sly.project import RemoteProject
from mouse_ar.sly.videos import RemoteVideo

__all__ = ["DatasetOverview", "ProjectOverview", "read_overview"]


@dataclass(frozen=True)
class DatasetOverview:
    """One dataset.

    Args:
        path: as mirrors name it, ``parent/child``.
        names: from the top to itself, as the instance shows them.
        id: its number.
    """

    path: str
    names: tuple[str, ...]
    id: int

    @property
    def title(self) -> str:
        """For lists; an arrow, as a name may hold a slash."""
        return " → ".join(self.names)


@dataclass(frozen=True)
class ProjectOverview:
    """The datasets and videos of a project.

    Args:
        project: which one.
        datasets: all, parents before their children.
        videos: all, by their key in a mirror.
    """

    project: RemoteProject
    datasets: tuple[DatasetOverview, ...]
    videos: dict[str, RemoteVideo]

    def within(self, datasets: Collection[str]) -> dict[str, RemoteVideo]:
        """The videos of these datasets and of those that lie in them; all for none."""
        if not datasets:
            return dict(self.videos)
        return {
            key: video
            for key, video in self.videos.items()
            if any(key.startswith(f"{dataset}/") for dataset in datasets)
        }

    def find(self, wanted: str) -> DatasetOverview | None:
        """The dataset of that number, path or title."""
        for dataset in self.datasets:
            if wanted in (str(dataset.id), dataset.path, dataset.title):
                return dataset
        return None

    def annotated(self, predictions: ProjectOverview, *, among: Collection[str]) -> int:
        """How many videos have a prediction already, made of the same file.

        Args:
            predictions: of the project that holds the predictions.
            among: keys of the videos to look at.
        """
        return sum(_predicted_from(predictions.videos.get(key), self.videos[key]) for key in among)


def read_overview(project: RemoteProject) -> ProjectOverview:
    """List the datasets and videos of a project; no annotation is read.

    Raises:
        TransferError: the instance failed.
    """
    datasets = tuple(
        DatasetOverview(dataset_to_local(names), names, number)
        for names, number in project.datasets().items()
    )
    paths = {dataset.id: dataset.path for dataset in datasets}
    videos = {
        f"{paths[video.dataset_id]}/{name_to_local(video.name)}": video
        for video in project.videos()
    }
    return ProjectOverview(project, datasets, dict(sorted(videos.items())))


def _predicted_from(made: RemoteVideo | None, source: RemoteVideo) -> bool:
    if made is None:
        return False
    kind = dict(made.custom_data.get(PROVENANCE_KEY) or {}).get("kind")
    return kind == "prediction" and (made.hash, made.link) == (source.hash, source.link)
