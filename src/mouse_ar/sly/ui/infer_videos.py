"""Step 1 of the Infer app: which videos."""

from __future__ import annotations

import json
from collections.abc import Mapping

from supervisely.app.widgets import Button, Container, Field, Select, Widget

from mouse_ar.sly.connection import Connection
from mouse_ar.sly.infer_task import earlier_predictions, predictions_name
from mouse_ar.sly.overview import ProjectOverview, read_overview
from mouse_ar.sly.project import RemoteProject
from mouse_ar.sly.ui.launch import LaunchError
from mouse_ar.sly.ui.messages import explain
from mouse_ar.sly.ui.project_card import ProjectCard
from mouse_ar.sly.ui.tables import RowsTable
from mouse_ar.sly.ui.widgets import Notes
from mouse_ar.sly.videos import RemoteVideo

__all__ = ["VideosStep", "wanted_datasets"]

_NO_PROJECT = (
    "No project: start this app from the menu (⋮) of a project or a dataset with videos, or set "
    "modal.state.project."
)


def wanted_datasets(text: str | None) -> list[str]:
    """Datasets of ``modal.state.datasets``: a list in JSON, or one number or path.

    Raises:
        LaunchError: when it begins like a list and is none.
    """
    if text is None:
        return []
    if not text.startswith("["):
        return [text]
    try:
        return [str(entry) for entry in json.loads(text)]
    except ValueError as error:
        raise LaunchError(
            f'modal.state.datasets is a list like ["cohort/day 1"], got {text!r} ({error}).'
        ) from error


class VideosStep:
    """Widgets ``videos_project``, ``videos_refresh``, ``videos_datasets`` (select, state ``value``:
    list of dataset ids as text, empty for all), ``videos_table``, ``videos_total``.

    Args:
        connection: to the instance.
        project_id: of the videos; None where the app was started without one.
        datasets: numbers, paths or titles of those to choose at first; all where there are none.
    """

    def __init__(
        self, connection: Connection, *, project_id: int | None, datasets: list[str]
    ) -> None:
        self._connection, self._project_id, self._wanted = connection, project_id, datasets
        self.overview: ProjectOverview | None = None
        self._earlier: ProjectOverview | None = None
        self._problem: str | None = None
        self._card = ProjectCard("videos_project")
        self._datasets = Select(
            items=[],
            multiple=True,
            filterable=True,
            placeholder="All datasets",
            widget_id="videos_datasets",
            width_percent=100,
        )
        self._table = RowsTable(
            "videos_table",
            ["Dataset", "Videos", "Minutes of video", "Annotated already"],
        )
        self._total = Notes("videos_total")
        refresh = Button(
            "Read the project again",
            button_type="text",
            icon="zmdi zmdi-refresh",
            widget_id="videos_refresh",
        )
        refresh.click(self.refresh)
        self._datasets.value_changed(lambda _: self._show_total())
        field = Field(
            self._datasets,
            title="Datasets",
            description="Those that lie in a chosen dataset come with it. Choose none to take all.",
            widget_id="videos_datasets_field",
        )
        self.layout: Widget = Container(
            [self._card, field, self._table.layout, self._total, refresh],
            gap=15,
            widget_id="videos_content",
        )
        self.refresh()

    @property
    def project(self) -> RemoteProject | None:
        """The project of the videos, once it could be read."""
        return self.overview.project if self.overview is not None else None

    @property
    def datasets(self) -> tuple[str, ...]:
        """The chosen datasets, as mirrors name them; none for all."""
        if self.overview is None:
            return ()
        chosen = {str(value) for value in self._datasets.get_value() or []}
        return tuple(d.path for d in self.overview.datasets if str(d.id) in chosen)

    def videos(self) -> Mapping[str, RemoteVideo]:
        """The chosen videos by key."""
        return {} if self.overview is None else self.overview.within(self.datasets)

    def refresh(self) -> None:
        """Read the project anew."""
        try:
            self._problem = self._read()
        except Exception as error:
            self.overview = None
            self._problem = explain(error, doing="Reading the project")
        self._show_total()

    def check(self) -> str | None:
        """What is missing."""
        if self._problem is not None:
            return self._problem
        if not self.videos():
            return "There is no video in the chosen datasets. Choose others."
        return None

    def summary(self) -> str:
        """One line on the choice."""
        assert self.overview is not None
        where = ", ".join(d.title for d in self.overview.datasets if d.path in self.datasets)
        return f"{self._amount()} of “{self.overview.project.name}” ({where or 'all datasets'})."

    def _read(self) -> str | None:
        if self._project_id is None:
            return _NO_PROJECT
        project = RemoteProject.open(self._connection, self._project_id)
        overview = read_overview(project)
        self.overview = overview
        self._read_earlier(project)
        own = {v.dataset_id: 0 for v in overview.videos.values()}
        for video in overview.videos.values():
            own[video.dataset_id] += 1
        chosen = [str(value) for value in self._datasets.get_value() or []] or self._first()
        self._datasets.set([
            Select.Item(str(d.id), f"{d.title} ({len(overview.within([d.path]))} videos)")
            for d in overview.datasets
        ])  # fmt: skip
        self._datasets.set_value(chosen)
        self._table.show(
            [self._row(d.path, d.title, d.id) for d in overview.datasets if d.id in own]
        )
        self._card.show(
            project, f"{len(overview.videos)} videos, {len(overview.datasets)} datasets"
        )
        if not overview.videos:
            return f"{project.title} has no videos. Import some, or choose another project."
        return None

    def _first(self) -> list[str]:
        """Numbers of the datasets that the app was started with."""
        assert self.overview is not None
        found = []
        for wanted in self._wanted:
            dataset = self.overview.find(wanted)
            if dataset is None:
                titles = ", ".join(d.path for d in self.overview.datasets) or "none"
                raise LaunchError(
                    f"{self.overview.project.title} has no dataset {wanted!r}; it has: {titles}."
                )
            found.append(str(dataset.id))
        return found

    def _read_earlier(self, project: RemoteProject) -> None:
        """Predictions under the usual name; it is no mistake if something else is there."""
        try:
            self._earlier = earlier_predictions(project, predictions_name(project))
        except ValueError:
            self._earlier = None

    def _row(self, path: str, title: str, number: int) -> list[str | int | float]:
        assert self.overview is not None
        keys = [k for k, v in self.overview.videos.items() if v.dataset_id == number]
        seconds = sum(self.overview.videos[key].duration_seconds for key in keys)
        return [title, len(keys), seconds / 60, self._annotated(keys)]

    def _annotated(self, keys: list[str]) -> int:
        if self.overview is None or self._earlier is None:
            return 0
        return self.overview.annotated(self._earlier, among=keys)

    def _amount(self) -> str:
        videos = self.videos()
        hours = sum(video.duration_seconds for video in videos.values()) / 3600
        length = f"{hours:.1f} hours" if hours >= 1 else f"{60 * hours:.1f} minutes"
        return f"{len(videos)} {'video' if len(videos) == 1 else 'videos'} ({length})"

    def _show_total(self) -> None:
        if self._problem is not None:
            self._total.set(self._problem, "error")
            return
        done = self._annotated(list(self.videos()))
        text = f"Chosen: {self._amount()}."
        if done and self._earlier is not None:
            text += (
                f" {done} of them {'is' if done == 1 else 'are'} annotated already in "
                f"“{self._earlier.project.name}”; a run with the same model and detector only "
                "applies the thresholds to them again."
            )
        self._total.set(text, "info")
