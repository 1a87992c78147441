"""Preprocess, step 3: clips, splits, the project to write to, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from supervisely.app.widgets import (
    Button,
    Container,
    Widget,
)

from mouse_ar.core.manifest import Manifest
from mouse_ar.core.splitting import Split
from mouse_ar.detection.background import BackgroundSubtraction
from mouse_ar.pipelines.config import PreprocessConfig
from mouse_ar.pipelines.plan import item_settings
from mouse_ar.sly.claims import check_claim
from mouse_ar.sly.project import RemoteProject
from mouse_ar.sly.training_preview import TrainingPreview, made_before, preview_training
from mouse_ar.sly.ui.launch import ModalState
from mouse_ar.sly.ui.messages import explain
from mouse_ar.sly.ui.picked_detector import PickedDetector
from mouse_ar.sly.ui.preprocess_form import Plan, PlanForm
from mouse_ar.sly.ui.preprocess_input import InputPanel, LoadedInput
from mouse_ar.sly.ui.preprocess_texts import plan_notes, split_rows, target_name, video_rows
from mouse_ar.sly.ui.tables import BarChart, RowsTable
from mouse_ar.sly.ui.widgets import Notes

__all__ = ["PlanPanel"]


class PlanPanel:
    """Widgets of the step.

    Widgets: those of :class:`~.preprocess_form.PlanForm`, ``plan_preview`` (button),
    ``plan_found`` (notes), ``plan_splits`` and ``plan_videos`` (tables) and ``plan_chart``.

    Args:
        modal: what was chosen before the start.
        source: step 1.
        detector: what is picked in step 2.
    """

    def __init__(
        self,
        modal: ModalState,
        *,
        source: InputPanel,
        detector: Callable[[], PickedDetector],
    ) -> None:
        self._input, self._detector = source, detector
        self._form = PlanForm(modal)
        self._found = Notes("plan_found")
        self._splits = RowsTable("plan_splits", _split_columns(()), digits=1)
        self._videos = RowsTable("plan_videos", _video_columns(()))
        self._chart = BarChart(
            "plan_chart", title="Frames of each class in the training videos", y_title="Frames"
        )
        button = Button("Update the preview", plain=True, widget_id="plan_preview")
        button.click(self.show)
        results: list[Widget] = [
            button,
            self._found,
            self._splits.layout,
            self._videos.layout,
            self._chart,
        ]
        self.layout: Widget = Container(
            [self._form.layout, *results], gap=15, widget_id="plan_panel"
        )

    def plan(self) -> Plan:
        """What is set.

        Raises:
            ValueError: it does not fit together.
        """
        usual = target_name(self._input.loaded.source)
        return self._form.plan(self._detector(), usual=usual)

    def target(self) -> RemoteProject | None:
        """The Training Data project, where it is there already; nothing is written.

        Raises:
            ValueError: the project of that name holds something else.
        """
        loaded = self._input.loaded
        found = RemoteProject.find(
            loaded.source.connection,
            self.plan().target,
            workspace_id=loaded.source.workspace_id,
            actions=loaded.actions,
        )
        if found is not None:
            if found.id == loaded.source.id:
                raise ValueError("Training Data needs a project of its own, not that of the input.")
            check_claim(loaded.source, found, kind="training-data")
        return found

    def check(self) -> str | None:
        """What is missing, for :class:`~.steps.Step`."""
        try:
            self._show()
        except ValueError as error:
            return str(error)
        return None

    def text(self) -> str:
        """One line on the choice, for :class:`~.steps.Step`."""
        plan = self.plan()
        config = plan.config
        return (
            f"Clips of {config.min_seconds:g}–{config.max_seconds:g} s, idle ratio "
            f"{config.idle_ratio:g}, into “{plan.target}”."
        )

    def show(self) -> None:
        """Bring the preview up to date."""
        try:
            self._show()
        except Exception as error:
            self._found.set(explain(error, doing="The preview"), "error")

    def _show(self) -> None:
        loaded, summary, plan = self._input.loaded, self._input.summary, self.plan()
        target = self.target()
        made = Manifest() if target is None else made_before(target, team_id=loaded.team_id)
        settings = self._item_settings(loaded, plan.config)
        preview = preview_training(summary, manifest=made, config=plan.config, settings=settings)
        notes = plan_notes(
            preview,
            remove=plan.remove_deleted,
            partly=bool(self._input.datasets),
            settings_known=settings is not None or not made.entries,
        )
        self._found.set_all(notes)
        names = loaded.actions.names
        self._splits.show(split_rows(summary, preview), columns=_split_columns(names))
        self._videos.show(video_rows(summary, preview), columns=_video_columns(names))
        self._chart.show(_bars(preview))

    def _item_settings(
        self, loaded: LoadedInput, config: PreprocessConfig
    ) -> Mapping[Split, str] | None:
        """Only background subtraction is known without being opened."""
        if self._detector().choice != "background":
            return None
        fingerprint = BackgroundSubtraction().fingerprint
        return item_settings(config, detector=fingerprint, actions=loaded.actions)


def _split_columns(actions: Sequence[str]) -> list[str]:
    return ["Use", "Videos", *actions, "Duration (min)"]


def _video_columns(actions: Sequence[str]) -> list[str]:
    return ["Video", "Use", *actions, "State"]


def _bars(preview: TrainingPreview) -> dict[str, Mapping[str, float]]:
    return {"in the videos": dict(preview.before), "in the clips": dict(preview.after)}
