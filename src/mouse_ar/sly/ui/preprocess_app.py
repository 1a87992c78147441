"""The Preprocess app: a project of labelled videos becomes a Training Data project."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from supervisely import Application

from mouse_ar.report.runs import preprocess_headline
from mouse_ar.sly.connection import Connection
from mouse_ar.sly.sample_frames import sample_boxes
from mouse_ar.sly.task_outputs import project_preview, set_outputs
from mouse_ar.sly.ui.autorun import run_without_user
from mouse_ar.sly.ui.background_run import BackgroundRun, RunControl, RunOutcome, RunState
from mouse_ar.sly.ui.detector_picker import DetectorPicker, PickedDetector
from mouse_ar.sly.ui.detector_sources import DetectorSources, instance_sources
from mouse_ar.sly.ui.launch import (
    AppContext,
    app_context,
    build_app,
    data_dir,
    failed_app,
    static_dir,
)
from mouse_ar.sly.ui.opened_detector import opened_detector
from mouse_ar.sly.ui.preprocess_input import InputPanel
from mouse_ar.sly.ui.preprocess_output import OutputPanel
from mouse_ar.sly.ui.preprocess_plan import PlanPanel
from mouse_ar.sly.ui.preprocess_texts import result_warnings
from mouse_ar.sly.ui.preprocess_work import STAGES, Job, Result
from mouse_ar.sly.ui.steps import Step, Steps

__all__ = ["PreprocessApp", "create_app"]

_BUSY = "A run goes on. Stop it before you change its settings."


def create_app() -> Application:
    """The app of ``apps/preprocess/main.py``."""
    static = static_dir()
    try:
        own = PreprocessApp(app_context(), work=data_dir("work"), static=static)
    except ValueError as error:
        return failed_app(error, static=static)
    app = build_app(own.steps.layout, static=static)
    own.run.stop_with(app)
    if own.context.autorun:
        run_without_user(
            app,
            own.run,
            start=lambda: own.steps.autorun(own.run.start),
            context=own.context,
            failure=lambda: own.failure,
        )
    else:
        own.begin()
    return app


class PreprocessApp:
    """The five steps, joined up; the prefixes of their widgets are ``input``, ``detector``,
    ``plan``, ``run`` and ``output``.

    Args:
        context: of the app.
        work: folder for the files of runs.
        static: folder that it serves.

    Raises:
        LaunchError: a value given at the start cannot be used.
    """

    def __init__(self, context: AppContext, *, work: Path, static: Path) -> None:
        self.context = context
        # One folder a task: nothing of another run is in the way, whatever became of it.
        self._work = work / (f"task_{context.task_id}" if context.task_id else "local")
        self._connection = Connection(context.api)
        self._result: Result | None = None
        self._input = InputPanel(context, connection=self._connection, folder=self._work / "labels")
        self._picker = DetectorPicker(
            "detector", sources=self._sources(), preview=self._preview, static_dir=static
        )
        self._plan = PlanPanel(context.modal, source=self._input, detector=self._picker.choice)
        self.run = BackgroundRun(
            "run",
            work=self._work_of_run,
            stages=STAGES,
            start_text="Make Training Data",
            check=self._check_run,
            on_state=self._on_state,
        )
        self._output = OutputPanel()
        self.steps = Steps(self._steps(), busy=lambda: _BUSY if self.run.running else None)
        self._choose_detector()

    def begin(self) -> None:
        """Read the labels of the project the app was started on."""
        self._input.read_in_background()

    @property
    def failure(self) -> str | None:
        """What of the last run failed, in a sentence."""
        failures = {} if self._result is None else self._result.report.failures
        if not failures:
            return None
        key, cause = next(iter(failures.items()))
        return f"{len(failures)} videos failed, the first of them: {key}: {cause}"

    def _choose_detector(self) -> None:
        modal = self.context.modal
        line = modal.text("detector")
        if line:
            self._picker.choose(
                line,
                class_name=modal.text("detector_class"),
                confidence=modal.number("detector_confidence"),
            )

    def _sources(self) -> DetectorSources | None:
        team_id = self.context.team_id
        return None if team_id is None else instance_sources(self.context.api, team_id=team_id)

    def _preview(self, picked: PickedDetector) -> Sequence[tuple[str, np.ndarray]]:
        loaded = self._input.loaded
        folder = self._work / "preview"
        with opened_detector(
            picked,
            context=self.context,
            connection=self._connection,
            team_id=loaded.team_id,
            workspace_id=loaded.source.workspace_id,
            folder=folder,
        ) as detector:
            videos = self._input.summary.remote
            return sample_boxes(detector, self._connection, videos, folder=folder, count=6)

    def _check_run(self) -> str | None:
        """The project of that name may have been made or filled meanwhile."""
        if self.steps.active.name != "run":
            return f"Complete the step “{self.steps.active.title}” first."
        self._plan.target()
        return None

    def _work_of_run(self, control: RunControl) -> RunOutcome:
        self._result = None
        self._output.clear()
        job = Job(
            context=self.context,
            connection=self._connection,
            loaded=self._input.loaded,
            datasets=self._input.datasets,
            detector=self._picker.choice(),
            plan=self._plan.plan(),
            folder=self._work / "run",
        )
        result = job.run(control.progress)
        warnings = [*result_warnings(result.report), *self._tell_platform(result)]
        self._result = result
        self._input.outdate()
        self._output.show(result, warnings)
        return RunOutcome(preprocess_headline(result.report), warnings)

    def _tell_platform(self, result: Result) -> list[str]:
        """Show the project in the list of tasks; what of that failed."""
        task_id, target = self.context.task_id, result.target
        if not self.context.production or task_id is None:
            return []
        picture = project_preview(self._connection, target.id)
        return set_outputs(
            self.context.api,
            task_id,
            project=lambda task: task.set_output_project(task_id, target.id, target.name, picture),
        )

    def _on_state(self, state: RunState, message: str) -> None:
        if state in ("done", "warned"):
            self.steps.proceed("run")

    def _finished(self) -> str | None:
        return None if self._result is not None else "Start the run and wait for its end."

    def _steps(self) -> list[Step]:
        return [
            Step(
                "input",
                "Input",
                "The videos to learn from, and the bouts that are marked in them.",
                self._input.layout,
                check=self._input.check,
                summary=self._input.text,
            ),
            Step(
                "detector",
                "Detector",
                "What finds the mouse in every frame: the model looks only at the animal. Have a "
                "look at the boxes on a few frames before you go on.",
                self._picker.layout,
                check=self._picker.check,
                summary=self._picker.summary,
                on_done=self._plan.show,
            ),
            Step(
                "plan",
                "Clips and split",
                "How long the clips are, how much idle time they show, and which whole videos are "
                "kept for testing.",
                self._plan.layout,
                check=self._plan.check,
                summary=self._plan.text,
            ),
            Step(
                "run",
                "Run",
                "Each video is fetched, worked on and removed again. Finished videos are kept when "
                "the run stops; a new start continues after them.",
                self.run.layout,
                check=self._finished,
                summary=lambda: "Done. Press “Change” to run again, such as for new videos.",
                button="",
            ),
            Step(
                "output",
                "Output",
                "What the app “Train Mouse Action Recognition” learns from.",
                self._output.layout,
                button=None,
            ),
        ]
