"""Step 5 of the Train app: the training itself, and what it leaves."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from supervisely.app.widgets import Container, Field, Widget

from mouse_ar.pipelines.weights import PublicWeights
from mouse_ar.report.tables import EVALUATION_COLUMNS, evaluation_rows
from mouse_ar.sly.project import RemoteProject
from mouse_ar.sly.saved_run import RunStore, SavedRun
from mouse_ar.sly.task_outputs import project_preview, set_outputs
from mouse_ar.sly.train_project import TrainOutcome, train_project
from mouse_ar.sly.train_request import TrainRequest
from mouse_ar.sly.ui.background_run import RunControl, RunOutcome, RunStopped
from mouse_ar.sly.ui.launch import AppContext
from mouse_ar.sly.ui.links import Links
from mouse_ar.sly.ui.progress_panel import Stage
from mouse_ar.sly.ui.tables import RowsTable
from mouse_ar.sly.ui.train_charts import TrainingCharts
from mouse_ar.training.run_folder import is_busy, read_events

__all__ = ["STAGES", "RunStep"]

STAGES = {
    "weights": Stage("Fetching the weights to start from"),
    "downloading": Stage("Downloading the videos"),
    "annotations": Stage("Reading the annotations", "videos"),
    "waiting": Stage("Waiting for the training that the last process left"),
    "training": Stage("Training", "steps"),
    "detecting": Stage("Finding the mouse in test videos without boxes", "frames"),
    "classifying": Stage("Evaluating on the test videos", "frames"),
    "uploading": Stage("Saving to Team Files"),
}
_WAIT_SECONDS = 600.0


@dataclass(frozen=True)
class _Place:
    """Where the results of a run go.

    Args:
        team_id: of the Team Files.
        task_id: of the app; 0 on a developer's computer.
    """

    team_id: int
    task_id: int


class RunStep:
    """Trains in a process of its own and shows what it says.

    Widgets: ``run_now``, ``run_chart_*`` and ``run_log`` (see
    :class:`~.train_charts.TrainingCharts`), ``run_metrics`` (table) and ``run_links`` (links).

    Args:
        context: of the app.
        store: the run, kept on disk.
        open_project: opens a project by its number.
        closing: whether the app is ending.
        public: weights that a run may start from.
    """

    def __init__(
        self,
        context: AppContext,
        *,
        store: RunStore,
        open_project: Callable[[int], RemoteProject],
        closing: Callable[[], bool],
        public: PublicWeights | None,
    ) -> None:
        self._context, self._store = context, store
        self._open_project, self._closing, self._public = open_project, closing, public
        self._charts = TrainingCharts("run")
        self._table = RowsTable(
            "run_metrics", [name[0].upper() + name[1:] for name in EVALUATION_COLUMNS[1:]]
        )
        self._links = Links("run_links")
        results = Field(
            Container([self._links, self._table.layout], gap=10, widget_id="run_results"),
            title="Results",
            description="On the test videos, which the training never saw: bouts and frames found "
            "(R, recall), share of those found that are right (P, precision), and both in one "
            "figure (F1).",
            widget_id="run_results_field",
        )
        self.layout: Widget = Container(
            [self._charts.layout, results], gap=15, widget_id="run_view"
        )

    def show(self, saved: SavedRun) -> None:
        """Show how far a run has come that an earlier process has begun."""
        self._charts.show(read_events(saved.events))

    def train(self, saved: SavedRun, control: RunControl) -> RunOutcome:
        """Begin or continue a run and bring it to its end.

        Raises:
            RunStopped: it was stopped before the training had begun, or the app ends.
        """
        context = self._context
        place = _Place(context.need("team_id"), context.task_id or 0)
        self._table.show([])
        self._links.show([])
        self._charts.show(read_events(saved.events))
        self._charts.start()
        try:
            self._wait_for_earlier(saved, control)
            project = self._open_project(saved.project_id)
            outcome = self._train(project, saved, place, control)
        finally:
            self._charts.stop()
        self._store.finish(saved, "stopped" if outcome.stopped else "done")
        warnings = [*outcome.warnings, *self._finish(project, saved.request, outcome)]
        return RunOutcome(_summary(outcome), warnings)

    def _train(
        self, project: RemoteProject, saved: SavedRun, place: _Place, control: RunControl
    ) -> TrainOutcome:
        begun = False

        def on_event(event: dict[str, Any]) -> None:
            nonlocal begun
            if not begun:
                control.check()  # nothing has been trained that would be worth an evaluation
            begun = True
            self._charts.add(event)

        def progress(what: str, done: int, total: int) -> None:
            if self._closing():
                raise RunStopped  # the next process goes on
            if begun:
                control.report(what, done, total)
            else:
                control.progress(what, done, total)

        return train_project(
            project,
            saved.request,
            work=saved.folder,
            data=self._store.data,
            actions=project.actions,
            team_id=place.team_id,
            task_id=place.task_id,
            stop=control.stop,
            on_event=on_event,
            progress=progress,
            public=self._public,
        )

    def _wait_for_earlier(self, saved: SavedRun, control: RunControl) -> None:
        """Until a training that lost its app has noticed that and kept its checkpoint."""
        until = time.monotonic() + _WAIT_SECONDS
        while is_busy(saved.events) and time.monotonic() < until:
            control.progress("waiting", 0, 0)
            time.sleep(0.2)

    def _finish(
        self, project: RemoteProject, request: TrainRequest, outcome: TrainOutcome
    ) -> list[str]:
        """Show the results, here and in the list of tasks; what could not be shown."""
        if outcome.evaluation is not None:
            rows = evaluation_rows(outcome.evaluation, everything="all")
            self._table.show([row[1:] for row in rows if row[0] == "all"])
        server = project.connection.server
        links = [(
            "Artifacts in Team Files", f"{server}/files/?path={outcome.remote}", outcome.remote
        )]  # fmt: skip
        if outcome.page_id is not None:
            url = f"{server}/files/{outcome.page_id}"
            links.insert(0, ("Report to keep", url, "one page; download it to read it offline"))
        if outcome.report_id is not None:
            url = f"{server}/model-benchmark?id={outcome.report_id}"
            links.insert(0, ("Report", url, "how good the model is, with all figures and errors"))
        self._links.show(links)
        context = self._context
        if not context.production or context.task_id is None:
            return []
        info = {
            **outcome.experiment,
            "project_preview": project_preview(project.connection, project.id),
        }
        task_id, report = context.task_id, outcome.report_link
        outputs: dict[str, Callable[[Any], Any]] = {
            "experiment": lambda task: task.set_output_experiment(task_id, info)
        }
        if report is not None:
            name = f"Report of {request.name}"
            outputs["report"] = lambda task: task.set_output_report(task_id, report.id, name)
        return set_outputs(context.api, task_id, **outputs)


def _summary(outcome: TrainOutcome) -> str:
    ended = (
        "Stopped early; the best checkpoint so far" if outcome.stopped else "The best checkpoint"
    )
    score = outcome.metrics.get("bout F1")
    if outcome.evaluation is None:
        quality = "was not evaluated"
    elif score is None:
        quality = "was evaluated: there is no bout to count in the test videos"
    else:
        quality = f"finds bouts with F1 {score:.3f} (mean over actions) in the test videos"
    return f"{ended} {quality}. It is in {outcome.remote}checkpoints/."
