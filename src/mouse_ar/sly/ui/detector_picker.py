"""Choose what finds the mouse, and see it at work on sample frames."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from supervisely.app.widgets import (
    Button,
    Container,
    Field,
    Flexbox,
    Input,
    InputNumber,
    OneOf,
    RadioGroup,
    Select,
    Widget,
)

from mouse_ar.detection.choice import DetectorChoice
from mouse_ar.detection.errors import DetectorSetupError
from mouse_ar.sly.ui.detector_sources import DetectorSources
from mouse_ar.sly.ui.gallery import Gallery
from mouse_ar.sly.ui.messages import explain
from mouse_ar.sly.ui.widgets import Notes, push_data, set_hidden

__all__ = ["DetectorPicker", "PickedDetector", "Preview"]

CONFIDENCE = 0.4
_DEPLOYABLE = "/experiments/"


@dataclass(frozen=True)
class PickedDetector:
    """A detector, as chosen on the page.

    Args:
        choice: one line as in :mod:`mouse_ar.detection.choice`; ``rtdetrv2:`` with a path in Team
            Files where ``team_files_path`` is set.
        class_name: the model's class that is the mouse; None where the model has only one, and
            for background subtraction.
        confidence: least score of a box, 0 to 1; None for background subtraction.
        team_files_path: checkpoint in Team Files that has to be downloaded first, if any: only
            those of an experiment can be deployed.
    """

    choice: str
    class_name: str | None = None
    confidence: float | None = None
    team_files_path: str | None = None

    def local_choice(self, download: Callable[[str], Path]) -> str:
        """The line for :func:`~mouse_ar.detection.choice.open_detector`.

        Args:
            download: fetches a file of Team Files; called only where that is needed.
        """
        if self.team_files_path is None:
            return self.choice
        return f"rtdetrv2:{download(self.team_files_path)}"

    @property
    def options(self) -> dict[str, Any]:
        """Options of :func:`~mouse_ar.detection.choice.open_detector`."""
        return {"class_name": self.class_name, "confidence": self.confidence}

    def __str__(self) -> str:
        name = self.choice if self.team_files_path is None else self.team_files_path
        if self.confidence is None:
            return "background subtraction"
        mouse = f", class “{self.class_name}”" if self.class_name else ""
        return f"{name}{mouse}, confidence {self.confidence:.2f}"


Preview = Callable[[PickedDetector], Sequence[tuple[str, np.ndarray]]]

_EXPLAINED = {
    "background": "Background subtraction needs no model: it learns the empty cage from the video "
    "and takes what moves for the mouse. It suits a fixed camera and one animal.",
    "session": "A running session of Serve RT-DETRv2 with a detector of mice. Sessions without a "
    "model are not listed.",
    "deploy": "A checkpoint in Team Files. One of a training experiment is deployed for the run "
    "and stopped after it; another one is downloaded and runs in this app.",
    "other": "The address of a detector served by “mouse-ar serve-detector”, or the path of an "
    "RT-DETRv2 checkpoint on the computer that runs this app.",
}
_LABELS = {
    "background": "Background subtraction",
    "session": "Running session",
    "deploy": "Checkpoint in Team Files",
    "other": "Address or local file",
}


class DetectorPicker:
    """Widgets to choose a detector with.

    Widgets, each with ``{prefix}_`` before it: ``kind`` (radio, state ``value``: background,
    session, deploy or other), ``session`` (select: task id as text), ``sessions_refresh``,
    ``checkpoint`` (input: path in Team Files), ``candidates`` (select that fills it),
    ``candidates_refresh``, ``address`` (input), ``class`` (input), ``confidence`` (number),
    ``preview`` (button), ``gallery``, ``session_note``, ``checkpoint_note``
    and ``preview_note``.

    Args:
        prefix: of the widget ids.
        sources: what there is to choose from; None without an instance.
        preview: frames with the boxes of a detector drawn into them; None offers no preview.
        static_dir: folder that the app serves as ``/static``; needed for a preview.
    """

    def __init__(
        self,
        prefix: str,
        *,
        sources: DetectorSources | None = None,
        preview: Preview | None = None,
        static_dir: Path | None = None,
    ) -> None:
        if preview is not None and static_dir is None:
            raise ValueError("A preview needs a static_dir for its pictures.")
        self._prefix, self._sources, self._preview = prefix, sources, preview
        self._kind = self._choices()
        self._class = Input("", placeholder="mouse", widget_id=f"{prefix}_class")
        self._confidence = InputNumber(
            CONFIDENCE, min=0.0, max=1.0, step=0.05, precision=2, widget_id=f"{prefix}_confidence"
        )
        self._model_options = self._options_of_models()
        parts: list[Widget] = [
            self._kind,
            OneOf(self._kind, widget_id=f"{prefix}_settings"),
            self._model_options,
        ]
        if preview is not None and static_dir is not None:
            parts += self._previews(static_dir)
        self.layout: Widget = Container(parts, gap=15, widget_id=f"{prefix}_picker")
        self._kind.value_changed(lambda _: self._kind_changed())
        self._kind_changed()

    @property
    def kind(self) -> str:
        """background, session, deploy or other."""
        return str(self._kind.get_value())

    def choice(self) -> PickedDetector:
        """What is chosen now.

        Raises:
            DetectorSetupError: when it is not complete, or cannot be.
        """
        text = self._line()
        DetectorChoice.parse(text)
        if self.kind == "background":
            return PickedDetector(text)
        confidence = self._confidence.get_value()
        if not isinstance(confidence, (int, float)) or not 0 <= confidence <= 1:
            raise DetectorSetupError(f"The confidence is between 0 and 1, got {confidence!r}.")
        name = str(self._class.get_value() or "").strip() or None
        path = text.partition(":")[2] if self.kind == "deploy" else ""
        download = path if path and not text.startswith("deploy:") else None
        return PickedDetector(text, name, float(confidence), download)

    def check(self) -> str | None:
        """What is missing, for :class:`~.steps.Step`."""
        try:
            self.choice()
        except DetectorSetupError as error:
            return str(error)
        return None

    def summary(self) -> str:
        """One line on the choice, for :class:`~.steps.Step`."""
        return f"The mouse is found by {self.choice()}."

    def choose(self, line: str) -> None:
        """Set the widgets to a line as in :mod:`mouse_ar.detection.choice`, such as of the
        environment.

        Raises:
            DetectorSetupError: when it is none.
        """
        chosen = DetectorChoice.parse(line)
        if chosen.kind == "session":
            self._offer_session(chosen.value)
        elif chosen.kind == "deploy":
            self._checkpoint.set_value(chosen.value)
        elif chosen.kind != "background":
            self._address.set_value(chosen.value)
        known = {"background", "session", "deploy"}
        self._kind.set_value(chosen.kind if chosen.kind in known else "other")
        self._kind_changed()

    def refresh_sessions(self) -> None:
        """List the running sessions anew."""
        if self._sources is None:
            return
        try:
            sessions = self._sources.sessions()
        except Exception as error:
            self._session_note.set(explain(error, doing="Listing sessions"), "error")
            return
        items = [
            Select.Item(str(s.task_id), f"{s.name or 'Session'} (task {s.task_id}): {s.model}")
            for s in sessions
        ]
        self._select(self._session, items)
        if items:
            self._session_note.set("")
        else:
            self._session_note.set(
                "No session with a model is running. Start Serve RT-DETRv2 and refresh, or "
                "choose a checkpoint.",
                "info",
            )

    def refresh_candidates(self) -> None:
        """List the checkpoints in Team Files anew."""
        if self._sources is None:
            return
        try:
            paths = self._sources.checkpoints()
        except Exception as error:
            self._checkpoint_note.set(explain(error, doing="Listing checkpoints"), "error")
            return
        self._select(self._candidates, [Select.Item(path, path) for path in paths])
        if paths and not str(self._checkpoint.get_value()).strip():
            self._checkpoint.set_value(self._candidates.get_value())
        empty = "There is no checkpoint in /mouse-action-recognition/detector/ or /experiments/."
        self._checkpoint_note.set("" if paths else empty, "info")

    def show_preview(self) -> None:
        """Run the detector on sample frames and show its boxes."""
        if self._preview is None:
            return
        self._gallery.clear()
        try:
            pictures = self._preview(self.choice())
            self._gallery.show(pictures)
        except Exception as error:
            self._preview_note.set(explain(error, doing="The preview"), "error")
            return
        if pictures:
            self._preview_note.set("Check that the box holds the whole mouse.", "info")
        else:
            self._preview_note.set("There are no sample frames to show.", "warning")

    def _line(self) -> str:
        if self.kind == "background":
            return "background"
        if self.kind == "session":
            task = self._session.get_value()
            if not task:
                raise DetectorSetupError("Choose a running session, or another detector.")
            return f"session:{task}"
        if self.kind == "deploy":
            path = str(self._checkpoint.get_value() or "").strip()
            if not path:
                raise DetectorSetupError("Enter the checkpoint's path in Team Files.")
            if not path.startswith("/"):
                raise DetectorSetupError(f"A path in Team Files starts with /, got {path!r}.")
            return f"deploy:{path}" if path.startswith(_DEPLOYABLE) else f"rtdetrv2:{path}"
        text = str(self._address.get_value() or "").strip()
        if not text:
            raise DetectorSetupError("Enter the detector's address or the checkpoint's path.")
        is_line = text.startswith(("http://", "https://", "rtdetrv2:"))
        return text if is_line else f"rtdetrv2:{text}"

    def _choices(self) -> RadioGroup:
        contents = {
            "background": self._described("background", []),
            "session": self._described("session", self._session_widgets()),
            "deploy": self._described("deploy", self._checkpoint_widgets()),
            "other": self._described("other", self._address_widgets()),
        }
        items = [
            RadioGroup.Item(kind, _LABELS[kind], content=content)
            for kind, content in contents.items()
        ]
        return RadioGroup(items, direction="vertical", widget_id=f"{self._prefix}_kind")

    def _described(self, kind: str, widgets: Sequence[Widget]) -> Container:
        prefix = f"{self._prefix}_{kind}"
        explained = Notes(f"{prefix}_explained", _EXPLAINED[kind])
        return Container([explained, *widgets], widget_id=f"{prefix}_pane")

    def _session_widgets(self) -> list[Widget]:
        prefix = self._prefix
        self._session = Select(
            items=[], placeholder="Refresh to list sessions", widget_id=f"{prefix}_session",
            width_px=460,
        )  # fmt: skip
        refresh = Button(
            "Refresh", button_type="text", icon="zmdi zmdi-refresh",
            widget_id=f"{prefix}_sessions_refresh",
        )  # fmt: skip
        refresh.click(self.refresh_sessions)
        self._session_note = Notes(f"{prefix}_session_note")
        row = Flexbox([self._session, refresh], widget_id=f"{prefix}_session_row")
        return [row, self._session_note]

    def _checkpoint_widgets(self) -> list[Widget]:
        prefix = self._prefix
        self._checkpoint = Input(
            "",
            placeholder="/experiments/…/checkpoints/best.pth",
            widget_id=f"{prefix}_checkpoint",
        )
        self._candidates = Select(
            items=[], filterable=True, placeholder="Refresh to list checkpoints",
            widget_id=f"{prefix}_candidates", width_percent=70,
        )  # fmt: skip
        refresh = Button(
            "Refresh", button_type="text", icon="zmdi zmdi-refresh",
            widget_id=f"{prefix}_candidates_refresh",
        )  # fmt: skip
        refresh.click(self.refresh_candidates)
        self._candidates.value_changed(self._checkpoint.set_value)
        self._checkpoint_note = Notes(f"{prefix}_checkpoint_note")
        listed = Container([self._candidates, refresh], widget_id=f"{prefix}_candidates_row")
        return [self._checkpoint, listed, self._checkpoint_note]

    def _address_widgets(self) -> list[Widget]:
        self._address = Input(
            "",
            placeholder="http://192.168.1.20:8500 or /data/detector/best.pth",
            widget_id=f"{self._prefix}_address",
        )
        return [self._address]

    def _options_of_models(self) -> Container:
        prefix = self._prefix
        named = Field(
            self._class,
            title="Class of the mouse",
            description="As the model calls it; leave empty if the model has one class.",
            widget_id=f"{prefix}_class_field",
        )
        sure = Field(
            self._confidence,
            title="Least confidence",
            description="Boxes with a lower score are not used, 0 to 1.",
            widget_id=f"{prefix}_confidence_field",
        )
        return Container([named, sure], widget_id=f"{prefix}_model_options")

    def _previews(self, static_dir: Path) -> list[Widget]:
        prefix = self._prefix
        button = Button("Show boxes on sample frames", plain=True, widget_id=f"{prefix}_preview")
        button.click(self.show_preview)
        self._preview_note = Notes(f"{prefix}_preview_note")
        self._gallery = Gallery(f"{prefix}_gallery", static_dir=static_dir)
        return [button, self._preview_note, self._gallery]

    def _kind_changed(self) -> None:
        set_hidden(self._model_options, self.kind == "background")
        push_data()

    def _offer_session(self, task_id: str) -> None:
        known = [item.value for item in self._session.get_items()]
        if task_id not in known:
            self._select(self._session, [Select.Item(task_id, f"task {task_id}")])
        self._session.set_value(task_id)

    @staticmethod
    def _select(select: Select, items: list[Any]) -> None:
        """Fill a select and keep what is chosen, if it is still there."""
        chosen = select.get_value()
        values = [item.value for item in items]
        select.set(items=items)
        select.set_value(chosen if chosen in values else next(iter(values), None))
