"""Step 1 of the Train app: what the project offers to a training."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from supervisely.app.widgets import Button, Container, Widget

from mouse_ar.sly.project import RemoteProject
from mouse_ar.sly.training_overview import TrainingOverview, read_overview
from mouse_ar.sly.ui.links import Links
from mouse_ar.sly.ui.messages import explain
from mouse_ar.sly.ui.progress_panel import ProgressPanel, Stage
from mouse_ar.sly.ui.tables import RowsTable
from mouse_ar.sly.ui.widgets import Notes, set_hidden

__all__ = ["DataStep"]

_COLUMNS = ("Dataset", "Used for", "Videos", "Sources", "Length (s)")
_USES = {"val": "validation", "test": "report"}
_EXPLAINED = (
    "Videos: clips of 2–3 s, whole videos in val and test. Sources: the videos they were made "
    "from. Validation chooses the checkpoint and fits the thresholds; the report judges the result."
)


class DataStep:
    """Reads the project on a thread, so that the page opens at once.

    Widgets: ``data_project`` (links), ``data_reading`` (progress), ``data_table``,
    ``data_warnings`` (notes) and ``data_refresh`` (button).

    Args:
        open_project: opens the project that the app was started on.
        folder: for the annotations of the project.
    """

    def __init__(self, open_project: Callable[[], RemoteProject], *, folder: Path) -> None:
        self._open, self._folder = open_project, folder
        self._project: RemoteProject | None = None
        self._overview: TrainingOverview | None = None
        self._problem: str | None = None
        self._thread: threading.Thread | None = None
        self._links = Links("data_project")
        self._reading = ProgressPanel(
            "data_reading", stages={"annotations": Stage("Reading the annotations", "videos")}
        )
        self._table = RowsTable("data_table", _COLUMNS, digits=1)
        self._warnings = Notes("data_warnings")
        explained = Notes("data_explained", _EXPLAINED)
        refresh = Button(
            "Read the project again",
            button_type="text",
            icon="zmdi zmdi-refresh",
            widget_id="data_refresh",
        )
        refresh.click(self.read_now)
        self.layout: Widget = Container(
            [
                self._links,
                self._reading,
                explained,
                self._table.layout,
                self._warnings,
                refresh,
            ],
            gap=12,
            widget_id="data_content",
        )

    @property
    def project(self) -> RemoteProject:
        """The project, once it has been read.

        Raises:
            ValueError: it could not be.
        """
        if self._project is None:
            raise ValueError(self._problem or "The project has not been read yet.")
        return self._project

    @property
    def fps(self) -> float | None:
        """Typical frame rate of the clips; None while nobody knows."""
        return None if self._overview is None else self._overview.fps

    def start(self) -> None:
        """Read the project on a thread of its own."""
        self._thread = threading.Thread(target=self._read, name="read-project", daemon=True)
        self._thread.start()

    def read_now(self) -> None:
        """Read it again and wait."""
        self.wait()
        self.start()
        self.wait()

    def wait(self) -> None:
        """Wait until it has been read."""
        if self._thread is not None:
            self._thread.join()

    def check(self) -> str | None:
        """Why there can be no training on it, if so."""
        self.wait()
        if self._overview is not None and self._overview.summary.errors:
            return " ".join(self._overview.summary.errors)
        return self._problem

    def summary(self) -> str:
        """One line on what there is."""
        assert self._overview is not None
        rows = {row[0]: row for row in self._overview.summary.rows}
        return (
            f"{self.project.title}: {self._overview.clips} clips to train on, "
            f"{rows['val'][1]} validation and {rows['test'][1]} test videos."
        )

    def _read(self) -> None:
        set_hidden(self._reading, False)
        self._reading.start()
        self._overview, self._problem = None, None
        try:
            self._project = self._open()
            self._links.show([self._link(self._project)])
            self._overview = read_overview(
                self._project, self._folder, progress=self._reading.report
            )
        except Exception as error:
            self._problem = explain(error, doing="Reading the project")
        set_hidden(self._reading, True)
        self._reading.stop()
        self._show()

    def _link(self, project: RemoteProject) -> tuple[str, str, str]:
        server = project.connection.server
        return project.name, f"{server}/projects/{project.id}/datasets", f"project {project.id}"

    def _show(self) -> None:
        if self._overview is None:
            self._table.show([])
            self._warnings.set(self._problem or "", "error")
            return
        summary, actions = self._overview.summary, self.project.actions.names
        columns = [*_COLUMNS, *(f"{name} bouts" for name in actions)]
        self._table.show([
            [
                name,
                _USES.get(name, "training"),
                videos,
                sources,
                seconds,
                *(bouts.get(action, 0) for action in actions),
            ]
            for name, videos, sources, seconds, bouts in summary.rows
        ], columns=columns)  # fmt: skip
        self._warnings.set_list([*summary.errors, *summary.warnings])
