"""The Infer app: five steps from a project to a project of predictions."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

from supervisely.app.widgets import Checkbox, Container, Field, Input

from mouse_ar.detection.protocol import Detector
from mouse_ar.mvd import CheckpointInfo
from mouse_ar.sly.connection import Connection
from mouse_ar.sly.experiment_list import list_experiments
from mouse_ar.sly.infer_task import (
    InferRequest,
    earlier_predictions,
    fetch_checkpoint,
    predictions_name,
)
from mouse_ar.sly.ui.autorun import run_without_user
from mouse_ar.sly.ui.detector_picker import DetectorPicker
from mouse_ar.sly.ui.detector_preview import detector_preview
from mouse_ar.sly.ui.detector_sources import instance_sources
from mouse_ar.sly.ui.infer_model import ModelStep
from mouse_ar.sly.ui.infer_runs import InferRuns
from mouse_ar.sly.ui.infer_thresholds import ThresholdsStep, wanted_thresholds
from mouse_ar.sly.ui.infer_videos import VideosStep, wanted_datasets
from mouse_ar.sly.ui.launch import AppContext, app_context, build_app, static_dir
from mouse_ar.sly.ui.opened_detector import opened_detector
from mouse_ar.sly.ui.picked_detector import PickedDetector
from mouse_ar.sly.ui.steps import Step, Steps

__all__ = ["InferApp", "build"]

_LOG = logging.getLogger(__name__)
_BUSY = "A run goes on. Stop it before you change its settings."


class InferApp:
    """The widgets of the app; those of a step are described with it, the last ones here.

    Widgets of the last step: ``run_name`` (input), ``run_tag_source`` (checkbox, state
    ``checked``), and those of :class:`~.infer_runs.InferRuns`.

    Args:
        context: of the app.
        connection: to the instance.
        static: folder that the app serves as ``/static``.
        work: folder for files.
    """

    def __init__(
        self, context: AppContext, *, connection: Connection, static: Path, work: Path
    ) -> None:
        modal = context.modal
        self._context, self._connection, self._work = context, connection, work
        self._team_id = context.need("team_id")
        self._videos = VideosStep(
            connection,
            project_id=modal.integer("project", context.project_id),
            datasets=wanted_datasets(modal.text("datasets"))
            or [str(number) for number in [context.dataset_id] if number is not None],
        )
        self._model = ModelStep(
            experiments=partial(list_experiments, connection, team_id=self._team_id),
            fetch=self._fetch_model,
            path=modal.text("checkpoint"),
            device=modal.text("device"),
        )
        self._detector = self._picker(static)
        self._thresholds = ThresholdsStep(wanted_thresholds(modal.text("thresholds")))
        self._name = Input(
            modal.text("name") or self._usual_name(), maxlength=250, widget_id="run_name"
        )
        self._tag_source = Checkbox(
            "Also put the predicted tags on the source project, under names that end in "
            "“(predicted)”",
            checked=modal.flag("tag_source"),
            widget_id="run_tag_source",
        )
        self._runs = InferRuns(
            context,
            connection=connection,
            work=work,
            request=self._request,
            detector=self._detector_opener,
            params=lambda: self._thresholds.params,
            check=self._check_run,
            on_end=self._tidy,
        )
        self.run = self._runs.run
        self.steps: Steps = Steps(self._steps(), busy=lambda: _BUSY if self.run.running else None)

    @property
    def failure(self) -> str | None:
        """What failed in the last run, though it came to its end."""
        return self._runs.failure

    def _picker(self, static: Path) -> DetectorPicker:
        modal = self._context.modal
        picker = DetectorPicker(
            "detector",
            sources=instance_sources(self._context.api, team_id=self._team_id),
            preview=detector_preview(
                self._opened_detector,
                self._connection,
                videos=self._videos.videos,
                folder=self._work / "preview",
            ),
            static_dir=static,
        )
        line = modal.text("detector")
        if line is not None:
            picker.choose(
                line,
                class_name=modal.text("detector_class"),
                confidence=modal.number("detector_confidence"),
            )
        return picker

    def _steps(self) -> list[Step]:
        return [
            Step(
                "videos",
                "Videos",
                "The videos to look for bouts in. Nothing in their project is changed.",
                self._videos.layout,
                check=self._videos.check,
                summary=self._videos.summary,
                on_done=self._fill_name,
            ),
            Step(
                "model",
                "Model",
                "What tells the actions apart: a model trained on videos like these.",
                self._model.layout,
                check=self._model.check,
                summary=self._model.summary,
                on_done=self._fill_thresholds,
            ),
            Step(
                "detector",
                "Detector",
                "What finds the mouse in every frame. Take the one that the training data were "
                "made with.",
                self._detector.layout,
                check=self._detector.check,
                summary=self._detector.summary,
            ),
            Step(
                "thresholds",
                "Thresholds",
                "How sure the model has to be, and how short a bout may be.",
                self._thresholds.layout,
                check=self._thresholds.check,
                summary=self._thresholds.summary,
            ),
            self._run_step(),
        ]

    def _run_step(self) -> Step:
        name = Field(
            self._name,
            title="Project of predictions",
            description="Made in the workspace of the videos. If an earlier run has made it, this "
            "one continues there: finished videos are not done again, and those marked “reviewed” "
            "stay as they are.",
            widget_id="run_name_field",
        )
        return Step(
            "run",
            "Run and results",
            "Each video is saved as soon as it is done. Stop whenever you want: the next run "
            "continues there.",
            Container(
                [name, self._tag_source, self._runs.layout],
                gap=18,
                widget_id="run_content",
            ),
            button=None,
        )

    def _usual_name(self) -> str:
        project = self._videos.project
        return "" if project is None else predictions_name(project)

    def _fill_name(self) -> None:
        if not str(self._name.get_value() or "").strip():
            self._name.set_value(self._usual_name())

    def _fetch_model(self, path: str) -> CheckpointInfo:
        return fetch_checkpoint(self._connection, path, self._work / "model", team_id=self._team_id)

    def _fill_thresholds(self) -> None:
        info = self._model.info
        assert info is not None
        self._thresholds.fill(
            info.decoding,
            actions=info.actions,
            report=info.metadata.get("decoding_report") or {},
        )

    def _opened_detector(self, picked: PickedDetector) -> AbstractContextManager[Detector]:
        project = self._videos.project
        assert project is not None
        return opened_detector(
            picked,
            context=self._context,
            connection=self._connection,
            team_id=self._team_id,
            workspace_id=project.workspace_id,
            folder=self._work / "detector",
        )

    def _tidy(self) -> None:
        self.steps.tidy()

    def _detector_opener(self) -> Callable[[], AbstractContextManager[Detector]]:
        picked = self._detector.choice()
        return lambda: self._opened_detector(picked)

    def _check_run(self) -> str | None:
        project = self._videos.project
        assert project is not None
        earlier_predictions(project, self._target_name)  # its errors are shown
        return None

    @property
    def _target_name(self) -> str:
        return str(self._name.get_value() or "").strip()

    def _request(self) -> InferRequest:
        project = self._videos.project
        assert project is not None
        return InferRequest(
            project_id=project.id,
            name=self._target_name,
            checkpoint=self._model.path,
            datasets=self._videos.datasets,
            overrides=self._thresholds.overrides,
            tag_source=bool(self._tag_source.is_checked()),
            device=self._model.device,
        )


def build() -> Any:
    """The app, from the environment: for ``apps/infer/main.py``.

    Raises:
        LaunchError: when it was started with something that it cannot use.
    """
    context, static = app_context(), static_dir()
    work = static.parent / "infer" / str(context.task_id or "local")
    parts = InferApp(context, connection=Connection(context.api), static=static, work=work)
    app = build_app(parts.steps.layout, static=static)
    parts.run.stop_with(app)
    if context.autorun:
        run_without_user(
            app,
            parts.run,
            start=lambda: parts.steps.autorun(parts.run.start),
            context=context,
            failure=lambda: parts.failure,
        )
    return app
