"""The runs of the Infer app: over videos, and over the scores that such a run has kept."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from supervisely.app.widgets import Container, Widget

from mouse_ar.core.decoding_params import DecodingParams
from mouse_ar.detection.protocol import Detector
from mouse_ar.report.runs import infer_summary, redecode_summary
from mouse_ar.sly.connection import Connection
from mouse_ar.sly.infer_task import InferOutcome, InferRequest, infer_task, redecode_task
from mouse_ar.sly.ui.background_run import BackgroundRun, RunControl, RunOutcome, RunState
from mouse_ar.sly.ui.infer_results import ResultsPanel, show_outputs
from mouse_ar.sly.ui.launch import AppContext
from mouse_ar.sly.ui.progress_panel import Stage

__all__ = ["InferRuns"]

_STAGES = {
    "loading": Stage("Loading the model", "MB", 1_000_000),
    "preparing": Stage("Preparing the detector"),
    "annotations": Stage("Reading annotations", "videos"),
    "resuming": Stage("Looking at what is done already", "videos"),
    "annotating": Stage("All videos", "videos"),
    "fetching": Stage("Fetching a video", "MB", 1_000_000),
    "detecting": Stage("Finding the mouse", "frames"),
    "classifying": Stage("Classifying", "windows"),
    "decoding": Stage("Decoding kept scores", "videos"),
    "uploading": Stage("Saving the annotation"),
    "saving": Stage("Saving tables and report"),
}


class InferRuns:
    """Widgets of :class:`~.background_run.BackgroundRun` with ``run_`` before them, and those of
    :class:`~.infer_results.ResultsPanel`.

    Args:
        context: of the app.
        connection: to the instance.
        work: folder for files.
        request: what is chosen on the page.
        detector: takes the choice of the detector now, and gives what opens it.
        params: the decoding parameters on the page.
        check: says what is missing before a run, if anything.
        on_end: called when either has ended.
    """

    def __init__(
        self,
        context: AppContext,
        *,
        connection: Connection,
        work: Path,
        request: Callable[[], InferRequest],
        detector: Callable[[], Callable[[], AbstractContextManager[Detector]]],
        params: Callable[[], DecodingParams],
        check: Callable[[], str | None],
        on_end: Callable[[], None],
    ) -> None:
        self._context, self._connection, self._work = context, connection, work
        self._team_id = context.need("team_id")
        self._request, self._detector, self._params = request, detector, params
        self._on_end = on_end
        self._failures: dict[str, str] = {}
        self._finished: tuple[InferRequest, InferOutcome] | None = None
        self._results = ResultsPanel(connection)
        self.run = BackgroundRun(
            "run",
            work=self._run,
            stages=_STAGES,
            start_text="Find bouts",
            check=check,
            on_state=self._on_state,
        )
        self.run.starts_with(self._results.again, work=self._again, check=self._check_again)
        self.layout: Widget = Container(
            [self.run.layout, self._results.layout], gap=18, widget_id="run_both"
        )

    @property
    def failure(self) -> str | None:
        """What failed in the last run, though it came to its end."""
        if not self._failures:
            return None
        return f"{len(self._failures)} videos failed: " + "; ".join(
            f"{key}: {cause}" for key, cause in self._failures.items()
        )

    def _run(self, control: RunControl) -> RunOutcome:
        self._failures, self._finished = {}, None
        self._results.clear()
        request, detector = self._request(), self._detector()
        outcome = infer_task(
            request,
            self._connection,
            team_id=self._team_id,
            detector=detector,
            work=self._work,
            progress=control.progress,
        )
        report = outcome.report
        self._failures = dict(report.failures)
        self._finished = request, outcome
        if not report.failures:
            shutil.rmtree(self._work, ignore_errors=True)
        return self._shown(outcome, infer_summary(report))

    def _shown(self, outcome: InferOutcome, summary: str) -> RunOutcome:
        self._results.show(outcome)
        report = outcome.report
        failed = [f"{key} failed: {cause}" for key, cause in report.failures.items()]
        outputs = show_outputs(outcome, context=self._context)
        return RunOutcome(summary, [*failed, *report.warnings, *outputs])

    def _check_again(self) -> str | None:
        if self._finished is None:
            return "There is no finished run to decode again: press “Find bouts”."
        if not self._finished[0].same_results(self._request()):
            return (
                "The videos, the model or the project of predictions are others than in the run "
                "that is shown here: press “Find bouts”."
            )
        return None

    def _again(self, control: RunControl) -> RunOutcome:
        assert self._finished is not None
        request, finished = self._finished
        outcome, again = redecode_task(
            finished,
            source_id=request.project_id,
            params=self._params(),
            tag_source=self._request().tag_source,
            team_id=self._team_id,
            work=self._work,
            progress=control.progress,
        )
        return self._shown(outcome, redecode_summary(again, actions=outcome.actions))

    def _on_state(self, state: RunState, message: str) -> None:
        if state != "running":
            self._on_end()
