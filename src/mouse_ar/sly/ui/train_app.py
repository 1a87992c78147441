"""The Train app: five steps, and a run that outlives its process."""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import Any

import yaml
from supervisely import Application
from supervisely.app.widgets import Button, Container

from mouse_ar.mvd.catalog import WeightsCatalog, load_catalog
from mouse_ar.pipelines.weights import PublicWeights
from mouse_ar.sly.connection import Connection
from mouse_ar.sly.errors import TransferError
from mouse_ar.sly.experiment_list import list_experiments
from mouse_ar.sly.experiments import free_artifacts_folder
from mouse_ar.sly.lab_actions import training_actions
from mouse_ar.sly.project import RemoteProject
from mouse_ar.sly.saved_run import RunStore, SavedRun
from mouse_ar.sly.team_files import find_file
from mouse_ar.sly.train_request import TrainRequest
from mouse_ar.sly.ui.autorun import run_without_user
from mouse_ar.sly.ui.background_run import BackgroundRun, RunControl, RunOutcome, RunState
from mouse_ar.sly.ui.launch import AppContext, LaunchError, build_app, data_dir, static_dir
from mouse_ar.sly.ui.messages import explain
from mouse_ar.sly.ui.steps import Step, Steps
from mouse_ar.sly.ui.train_data import DataStep
from mouse_ar.sly.ui.train_experiment import ExperimentStep
from mouse_ar.sly.ui.train_model import ModelStep
from mouse_ar.sly.ui.train_params import ParamsStep
from mouse_ar.sly.ui.train_run import STAGES, RunStep
from mouse_ar.sly.ui.widgets import Notes, push_data, set_hidden
from mouse_ar.training.devices import training_devices

__all__ = ["TrainApp"]

_LOG = logging.getLogger(__name__)
_SCRATCH = "scratch"
# They say nothing against the training itself.
_OUTSIDE_FAILURES = (TransferError, OSError)


class TrainApp:
    """Everything on the page of the Train app.

    Widgets, beside those of the steps: ``run_start``, ``run_stop`` (see
    :class:`~.background_run.BackgroundRun`), ``found_note`` and ``found_continue`` (a run that an
    earlier process has left).

    Args:
        context: where it runs.
        catalog: file with the list of public weights.
    """

    def __init__(self, context: AppContext, *, catalog: Path) -> None:
        self._context = context
        self._connection = Connection(context.api)
        self._store = RunStore(data_dir("train"))
        self._resumed: SavedRun | None = None
        self._cut_off: SavedRun | None = None
        self.data = DataStep(self._open_own, folder=self._store.overview)
        found = _catalog(catalog)
        public = None if found is None else PublicWeights(found, self._store.weights)
        self.model = ModelStep(public=public, experiments=self._experiments, exists=self._exists)
        self.params = ParamsStep(
            training_devices(),
            model=lambda: (self.model.preset, self.model.weights),
            fps=lambda: self.data.fps,
        )
        self.experiment = ExperimentStep()
        self.run = BackgroundRun(
            "run",
            work=self._work,
            stages=STAGES,
            start_text="Start training",
            on_state=self._on_state,
        )
        self.training = RunStep(
            context,
            store=self._store,
            open_project=self._open,
            closing=lambda: self.run.closing,
            public=public,
        )
        self._found = Notes("found_note")
        self._continue = Button("Continue this training", widget_id="found_continue")
        self._continue.click(self.resume)
        self.steps = Steps(self._steps(), busy=self._busy)
        self._show_found(None)

    def build(self) -> Application:
        """The app of ``main.py``; reads the project, and starts by itself where it has to."""
        found = Container([self._found, self._continue], gap=10, widget_id="found_run")
        layout = Container([found, self.steps.layout], gap=15, widget_id="train_app")
        app = build_app(layout, static=static_dir())
        self.run.stop_with(app)
        self.data.start()
        if self._context.autorun:
            run_without_user(app, self.run, start=self._start_alone, context=self._context)
        else:
            threading.Thread(target=self._begin, name="begin", daemon=True).start()
        return app

    def _left(self) -> SavedRun | None:
        """The run of this project that has not come to its end, if any."""
        saved = self._store.last()
        if saved is None or saved.status == "done":
            return None
        # The folder may be that of an app that was started on another project.
        return saved if saved.project_id == self._context.project_id else None

    def resume(self) -> None:
        """Go on with the run that an earlier process has left."""
        saved = self._left()
        if saved is None or self.run.running:
            return
        self._resumed = saved
        self._show_found(None)
        self.run.start()

    def _begin(self) -> None:
        """What happens once the page is there."""
        try:
            if (saved := self._left()) is not None:
                self._offer(saved)
            else:
                self._from_environment()
        except Exception as error:
            self._found.set(explain(error, doing="Starting"), "error")

    def _start_alone(self) -> str | None:
        """Go on with the run that was left, or begin one; why it could not, if so."""
        if (saved := self._left()) is None:
            self._from_environment()
            return self.steps.autorun(self.run.start)
        self._show_left(saved)
        self.resume()
        return None

    def _show_left(self, saved: SavedRun) -> None:
        self.training.show(saved)
        self.steps.restore(saved.request.app_state)
        self.model.show_catalog()

    def _offer(self, saved: SavedRun) -> None:
        """Show a run that was left, and go on with it where nobody may be there to ask."""
        self._show_left(saved)
        if saved.status == "unfinished" and self._context.production:
            self.resume()
        elif not self.run.running:
            self._show_found(saved)

    def _show_found(self, saved: SavedRun | None) -> None:
        set_hidden(self._continue, saved is None)
        if saved is None:
            self._found.set("")
        elif saved.status == "stopped":
            self._found.set(
                f"The training “{saved.request.name}” was stopped before its last epoch. It can "
                "go on from there; a new training takes its place.",
                "info",
            )
        else:
            self._found.set(
                f"The training “{saved.request.name}” is not finished: this app was closed, or "
                "it failed. It goes on after its last full epoch; a new training takes its place.",
                "warning",
            )
        push_data()

    def _from_environment(self) -> None:
        modal = self._context.modal
        weights = modal.text("weights") or (_SCRATCH if self._context.autorun else None)
        self.model.choose(preset=modal.text("model"), weights=weights)
        self.params.suit(model=self.model.preset, scratch=self.model.scratch)
        settings = yaml.safe_load(modal.text("settings") or "{}")
        if not isinstance(settings, dict):
            raise LaunchError(
                "modal.state.settings is a YAML mapping, like “{epochs: 10, lr: 0.001}”, got "
                f"{settings!r}."
            )
        self.params.set_all(settings, device=modal.text("device"))
        if name := modal.text("name"):
            self.experiment.name = name

    def _work(self, control: RunControl) -> RunOutcome:
        saved, self._resumed = self._resumed, None
        if saved is None:
            saved = self._begun()
        self._cut_off = None
        self._show_found(None)
        try:
            return self.training.train(saved, control)
        except _OUTSIDE_FAILURES:
            self._cut_off = saved
            raise

    def _begun(self) -> SavedRun:
        """A new run; or, where nothing was changed, the one that the instance did not let end."""
        request, project_id, left = self._request(), self.data.project.id, self._cut_off
        if left is not None and left.project_id == project_id and left.request.same(request):
            return left
        return self._store.begin(request, project_id=project_id)

    def _request(self) -> TrainRequest:
        project = self.data.project
        return TrainRequest(
            name=self.experiment.name,
            config=self.params.config(),
            device=self.params.device,
            app_state=self.steps.save(),
            remote=free_artifacts_folder(
                self._connection,
                team_id=self._context.need("team_id"),
                project_id=project.id,
                project_name=project.name,
                task_id=self._context.task_id or 0,
            ),
        )

    def _on_state(self, state: RunState, message: str) -> None:
        if state == "running":
            return
        self.steps.tidy()
        self._show_found(self._left())

    def _busy(self) -> str | None:
        going = self.run.running
        return "A training goes on. Stop it before you change its settings." if going else None

    def _open_own(self) -> RemoteProject:
        return self._open(self._context.need("project_id"))

    def _open(self, project_id: int) -> RemoteProject:
        project = RemoteProject.open(self._connection, project_id)
        team_id = project.team_id or self._context.need("team_id")
        project.actions = training_actions(project, team_id=team_id)
        return project

    def _experiments(self) -> list[Any]:
        team_id = self._context.need("team_id")
        found, problems = list_experiments(self._connection, team_id=team_id)
        for problem in problems:
            _LOG.warning("%s", problem)
        return list(found)

    def _exists(self, path: str) -> bool:
        team_id = self._context.need("team_id")
        return find_file(self._connection, path, team_id=team_id) is not None

    def _steps(self) -> list[Step]:
        return [
            Step(
                "data",
                "Data",
                "The project's clips and videos, counted from its annotations; no video is "
                "downloaded yet.",
                self.data.layout,
                check=self.data.check,
                summary=self.data.summary,
            ),
            Step(
                "model",
                "Model and weights",
                "How large the network is, and what it knows before the training.",
                self.model.layout,
                check=self.model.check,
                summary=self.model.summary,
                on_done=lambda: self.params.suit(
                    model=self.model.preset, scratch=self.model.scratch
                ),
            ),
            Step(
                "params",
                "Hyperparameters",
                "The defaults are a good start; batch size and epochs are what is changed most.",
                self.params.layout,
                check=self.params.check,
                summary=self.params.summary,
                on_done=lambda: self.experiment.propose(
                    self.data.project, preset=self.model.preset
                ),
            ),
            Step(
                "experiment",
                "Experiment",
                "What it is called in the list of experiments.",
                self.experiment.layout,
                check=self.experiment.check,
                summary=self.experiment.summary,
            ),
            Step(
                "run",
                "Run and report",
                "The training goes on if this page is closed. Stop keeps the best checkpoint so "
                "far and evaluates it.",
                Container([self.run.layout, self.training.layout], gap=15, widget_id="run_content"),
                button=None,
            ),
        ]


def _catalog(path: Path) -> WeightsCatalog | None:
    """The list of public weights; an app without it works all the same."""
    try:
        return load_catalog(path)
    except (OSError, ValueError, yaml.YAMLError) as error:
        _LOG.warning("The list of public weights cannot be read: %s", error)
        return None
