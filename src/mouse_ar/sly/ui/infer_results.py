"""What a finished run of the Infer app shows."""

from __future__ import annotations

from supervisely.app.widgets import Button, Container, Widget

from mouse_ar.report.inference_page import action_totals
from mouse_ar.sly.connection import Connection
from mouse_ar.sly.infer_task import InferOutcome
from mouse_ar.sly.predictions import REPORT_NAME
from mouse_ar.sly.task_outputs import project_preview, set_outputs
from mouse_ar.sly.ui.launch import AppContext
from mouse_ar.sly.ui.links import Links
from mouse_ar.sly.ui.project_card import ProjectCard
from mouse_ar.sly.ui.tables import RowsTable
from mouse_ar.sly.ui.widgets import Notes, push_data, set_hidden

__all__ = ["ResultsPanel", "show_outputs"]

_FILES = {
    REPORT_NAME: ("Report", "every video, the ethograms, and how it was made"),
    "bouts.csv": ("bouts.csv", "one row per bout: video, action, frames, seconds, confidence"),
    "summary.csv": ("summary.csv", "one row per video and action: count, durations, latency, rate"),
    "ethogram.png": ("ethogram.png", "bouts over time"),
}
_AGAIN = (
    "Too many bouts, or too few? Press “Change” in the step “Thresholds”, set other values, go on, "
    "and press “Decode again”: new bouts are made of the scores of this run, within seconds and "
    "without the videos. Boxes, and videos marked “reviewed”, stay as they are."
)


class ResultsPanel:
    """Widgets ``run_project``, ``run_links``, ``run_table`` and ``run_again`` (button).

    They are empty or hidden before there is a result.

    Args:
        connection: to the instance.

    Attributes:
        again: the button that has the results decoded again.
    """

    def __init__(self, connection: Connection) -> None:
        self._server = connection.server
        self._project = ProjectCard("run_project")
        self._links = Links("run_links")
        self._table = RowsTable(
            "run_table",
            [
                "Action",
                "Bouts",
                "Total (s)",
                "Mean bout (s)",
                "Bouts per hour",
                "Share of the time (%)",
                "Videos with it",
            ],
        )
        self.again = Button("Decode again", plain=True, widget_id="run_again", show_loading=False)
        self._offer = Container(
            [Notes("run_again_about", _AGAIN), self.again], gap=10, widget_id="run_again_offer"
        )
        set_hidden(self._offer, True)
        self.layout: Widget = Container(
            [self._project, self._table.layout, self._links, self._offer],
            gap=15,
            widget_id="run_results",
        )

    def clear(self) -> None:
        """Show nothing."""
        set_hidden(self._offer, True)
        push_data()
        self._project.show(None)
        self._links.show([])
        self._table.show([])

    def show(self, outcome: InferOutcome) -> None:
        """Show what a run found, with all videos that the project of predictions holds."""
        set_hidden(self._offer, False)
        push_data()
        results = outcome.report.tabulated
        reviewed = sum(result.reviewed for result in results)
        self._project.show(
            outcome.target,
            f"{len(results)} annotated videos, {reviewed} of them checked by a person. Correct "
            "the tags in the labeler and mark a video with the tag “reviewed”.",
        )
        self._table.show([
            [t.action, t.count, t.total_seconds, t.mean_seconds, t.per_hour, t.percent, t.videos]
            for t in action_totals(results, actions=outcome.actions)
        ])  # fmt: skip
        self._links.show([
            (title, f"{self._server}/files/{outcome.files[name].id}", about)
            for name, (title, about) in _FILES.items()
            if name in outcome.files
        ])  # fmt: skip


def show_outputs(outcome: InferOutcome, *, context: AppContext) -> list[str]:
    """Show the results in the platform's list of tasks; what could not be, in words."""
    task_id = context.task_id
    if task_id is None or not context.production:
        return []
    target, page = outcome.target, outcome.files[REPORT_NAME]
    preview = project_preview(target.connection, target.id)
    return set_outputs(
        context.api,
        task_id,
        report=lambda task: task.set_output_report(task_id, page.id, REPORT_NAME),
        project=lambda task: task.set_output_project(task_id, target.id, target.name, preview),
    )
