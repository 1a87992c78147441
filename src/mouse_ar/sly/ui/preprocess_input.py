"""Preprocess, step 1: which videos, and what is labelled in them."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from supervisely.app.widgets import Button, Container, Field, Select, Widget

from mouse_ar.core.actions import ActionSet
from mouse_ar.core.manifest import Manifest
from mouse_ar.sly.claims import check_claim
from mouse_ar.sly.connection import Connection
from mouse_ar.sly.input_summary import InputSummary, read_input
from mouse_ar.sly.lab_actions import lab_actions
from mouse_ar.sly.names import dataset_from_local, dataset_to_local
from mouse_ar.sly.project import RemoteProject
from mouse_ar.sly.training_preview import made_before
from mouse_ar.sly.ui.launch import AppContext, LaunchError
from mouse_ar.sly.ui.listed_select import ListedSelect
from mouse_ar.sly.ui.messages import explain
from mouse_ar.sly.ui.preprocess_texts import input_complaint, input_notes, target_name
from mouse_ar.sly.ui.progress_panel import ProgressPanel, Stage
from mouse_ar.sly.ui.project_card import ProjectCard
from mouse_ar.sly.ui.tables import RowsTable
from mouse_ar.sly.ui.widgets import Notes, Severity

__all__ = ["InputPanel", "LoadedInput"]

_COLUMNS = ["Action", "Bouts", "Videos with it", "Total duration (s)", "Mean duration (s)"]


@dataclass(frozen=True)
class LoadedInput:
    """A project that has been read.

    Args:
        source: the project.
        team_id: its team.
        actions: that were looked for.
        summary: all of it.
        made: what earlier runs made of it, in the project of the usual name.
        kind: what an app of ours has made it for, if one has.
    """

    source: RemoteProject
    team_id: int
    actions: ActionSet
    summary: InputSummary
    made: Manifest
    kind: str | None


class InputPanel:
    """Widgets of the step.

    Widgets: ``input_project`` (select: number as text) with ``input_project_refresh``,
    ``input_source``, ``input_datasets`` (select of several, in the names of the mirror; none stands
    for all), ``input_read`` (button), ``input_progress``, ``input_found`` (notes) and
    ``input_actions`` (table).

    Args:
        context: of the app.
        connection: to its instance.
        folder: for the annotations.
    """

    def __init__(self, context: AppContext, *, connection: Connection, folder: Path) -> None:
        self._context, self._connection, self._folder = context, connection, folder
        self._loaded: LoadedInput | None = None
        self._outdated = False
        self._lock = threading.Lock()
        self._project = ListedSelect(
            "input_project",
            options=self._projects,
            what="projects",
            empty="This workspace has no project of videos.",
        )
        self._datasets = Select(
            items=[],
            multiple=True,
            filterable=True,
            placeholder="All datasets",
            widget_id="input_datasets",
            width_px=520,
        )
        self._read = Button("Read the labels", plain=True, widget_id="input_read")
        self._progress = ProgressPanel(
            "input_progress", stages={"annotations": Stage("Reading labels", "videos")}
        )
        self._card = ProjectCard("input_source")
        self._found = Notes("input_found")
        self._table = RowsTable("input_actions", _COLUMNS, digits=1)
        self._datasets.value_changed(lambda _: self._show())
        self._read.click(self._clicked_read)
        self._started_on = context.modal.integer("project") or context.project_id
        if self._started_on is not None:
            self._project.choose(str(self._started_on), f"Project {self._started_on}")
        self.layout: Widget = Container(self._parts(), gap=15, widget_id="input_panel")

    @property
    def loaded(self) -> LoadedInput:
        """What was read.

        Raises:
            LaunchError: nothing was, or another project is chosen now.
        """
        if self._loaded is None or str(self._loaded.source.id) != self._project.value:
            raise LaunchError("Read the labels of the project first.")
        return self._loaded

    @property
    def datasets(self) -> tuple[str, ...]:
        """The chosen datasets in the names of the mirror; none stands for all."""
        return tuple(str(name) for name in self._datasets.get_value() or [])

    @property
    def summary(self) -> InputSummary:
        """What the chosen datasets hold."""
        return self.loaded.summary.within(self.datasets)

    def check(self) -> str | None:
        """What is missing, for :class:`~.steps.Step`; reads the labels where that was not done."""
        with self._lock:
            try:
                loaded = self._load() if self._outdated else self.loaded
            except LaunchError:
                loaded = self._load()
        self._show()
        return input_complaint(self.summary, kind=loaded.kind)

    def outdate(self) -> None:
        """Read the labels again when this step is next completed, as a run has changed things."""
        self._outdated = True

    def text(self) -> str:
        """One line on the choice, for :class:`~.steps.Step`."""
        summary, chosen = self.summary, self.datasets
        where = f", datasets {', '.join(chosen)}" if chosen else ""
        bouts = ", ".join(f"{count.bouts} × {count.action}" for count in summary.counts)
        return f"{self.loaded.source.name}{where}: {len(summary.videos)} videos, {bouts}."

    def read_in_background(self) -> None:
        """Read the labels of the project that the app was started on, beside the page."""
        if self._project.value:
            threading.Thread(target=self._clicked_read, name="input", daemon=True).start()

    def _clicked_read(self) -> None:
        try:
            with self._lock:
                self._load()
            self._show()
        except Exception as error:
            self._found.set(explain(error, doing="Reading the labels"), "error")

    def _load(self) -> LoadedInput:
        """Read the chosen project anew."""
        if not self._project.value:
            raise LaunchError("Choose a project: press “Refresh” to list those of the workspace.")
        source = RemoteProject.open(self._connection, int(self._project.value))
        team_id = source.team_id or self._context.need("team_id")
        actions = lab_actions(self._connection, team_id=team_id)
        source = RemoteProject.open(self._connection, source.id, actions=actions)
        self._project.choose(str(source.id), source.name)
        self._found.set("")
        self._progress.start()
        try:
            folder = self._folder / str(source.id)
            summary = read_input(source, folder, progress=self._progress.report)
            made = self._made_before(source, team_id=team_id, actions=actions)
        finally:
            self._progress.stop()
        self._offer_datasets(source, summary)
        kind = source.own_data().get("kind")
        self._loaded = LoadedInput(source, team_id, actions, summary, made, kind)
        self._outdated = False
        return self._loaded

    def _made_before(self, source: RemoteProject, *, team_id: int, actions: ActionSet) -> Manifest:
        """What there is under the usual name; another project of that name is for step 3."""
        try:
            target = RemoteProject.find(
                self._connection,
                target_name(source),
                workspace_id=source.workspace_id,
                actions=actions,
            )
            if target is None:
                return Manifest()
            check_claim(source, target, kind="training-data")
        except ValueError:
            return Manifest()
        return made_before(target, team_id=team_id)

    def _offer_datasets(self, source: RemoteProject, summary: InputSummary) -> None:
        items = [
            # As Infer lists them; a name may hold a slash.
            Select.Item(
                path,
                f"{' → '.join(dataset_from_local(path))} "
                f"({len(summary.within((path,)).remote)} videos)",
            )
            for path in summary.datasets
        ]
        chosen = list(self.datasets)
        if self._loaded is None or self._loaded.source.id != source.id:
            chosen = self._preselected(source)
        self._datasets.set(items=items)
        self._datasets.set_value([path for path in chosen if path in summary.datasets])

    def _preselected(self, source: RemoteProject) -> list[str]:
        """Those of ``modal.state.datasets``, or the dataset that the app was started on."""
        if source.id != self._started_on:
            return []
        wanted = _listed(self._context.modal.text("datasets"))
        if not wanted and self._context.dataset_id is not None:
            wanted = [self._context.dataset_id]
        paths = {number: dataset_to_local(path) for path, number in source.datasets().items()}
        chosen = [paths.get(name, str(name)) if isinstance(name, int) else name for name in wanted]
        if missing := sorted(set(chosen) - set(paths.values())):
            raise LaunchError(
                f"{source.title} has no dataset {missing[0]!r}; it has "
                f"{', '.join(map(repr, sorted(paths.values()))) or 'none'}."
            )
        return chosen

    def _show(self) -> None:
        """Show what was read, for the chosen datasets."""
        try:
            loaded, summary = self.loaded, self.summary
        except LaunchError:
            return
        total = len(summary.remote)
        self._card.show(loaded.source, f"Project of videos, number {loaded.source.id}")
        rows = [
            [c.action, c.bouts, c.videos, c.seconds, c.seconds / c.bouts if c.bouts else None]
            for c in summary.counts
        ]
        self._table.show(rows if total else [])
        complaint = input_complaint(summary, kind=loaded.kind)
        notes: list[tuple[str, Severity]] = [(complaint, "error")] if complaint else []
        self._found.set_all([*notes, *input_notes(summary, loaded.made, kind=loaded.kind)])

    def _projects(self) -> Sequence[tuple[str, str]]:
        workspace = self._context.need("workspace_id")
        entries = self._connection.pages(
            "projects.list",
            {"workspaceId": workspace, "filter": []},
            what=f"listing the projects of workspace {workspace}",
        )
        return [(str(e["id"]), str(e["name"])) for e in entries if e.get("type") == "videos"]

    def _parts(self) -> list[Widget]:
        chosen = Field(
            self._project.layout,
            title="Project",
            description="Videos whose bouts are marked with tags on ranges of frames. It is only "
            "read, never changed.",
            widget_id="input_project_field",
        )
        datasets = Field(
            self._datasets,
            title="Datasets",
            description="Only these and what lies in them; leave it empty for all.",
            widget_id="input_datasets_field",
        )
        return [
            chosen,
            self._card,
            datasets,
            self._read,
            self._progress,
            self._found,
            self._table.layout,
        ]


def _listed(text: str | None) -> list[int | str]:
    """Numbers or paths of datasets, from JSON.

    Raises:
        LaunchError: it is no such list.
    """
    try:
        values = json.loads(text or "[]")
    except ValueError:
        values = None
    if not isinstance(values, list) or not all(type(value) in (int, str) for value in values):
        raise LaunchError(
            "modal.state.datasets is a list of numbers or paths in JSON, like "
            f'["cohort/day 1"]; got {text!r}.'
        )
    return values
