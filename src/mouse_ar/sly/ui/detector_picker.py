"""Choose what finds the mouse, and see it at work on sample frames."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from supervisely.app import StateJson
from supervisely.app.widgets import (
    Button,
    Container,
    Field,
    Input,
    InputNumber,
    OneOf,
    RadioGroup,
    Widget,
)

from mouse_ar.detection.choice import DetectorChoice
from mouse_ar.detection.errors import DetectorSetupError
from mouse_ar.sly.ui.detector_sources import DetectorSources
from mouse_ar.sly.ui.gallery import Gallery
from mouse_ar.sly.ui.listed_select import ListedSelect
from mouse_ar.sly.ui.messages import explain
from mouse_ar.sly.ui.picked_detector import PickedDetector
from mouse_ar.sly.ui.widgets import Notes, push_data, set_hidden

__all__ = ["DetectorPicker", "PickedDetector", "Preview"]

CONFIDENCE = 0.4
_DEPLOYABLE = "/experiments/"


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
    session, deploy or other), ``session`` (select: task id as text) and ``candidates`` (select
    that fills ``checkpoint``), both with ``…_refresh`` and ``…_note``, ``checkpoint`` (input: path
    in Team Files), ``address`` (input), ``class`` (input), ``confidence`` (number), ``preview``
    (button), ``gallery`` and ``preview_note``.

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

    def choose(
        self, line: str, *, class_name: str | None = None, confidence: float | None = None
    ) -> None:
        """Set the widgets to a line as in :mod:`mouse_ar.detection.choice`, such as of the
        environment.

        Args:
            line: the detector.
            class_name: that is the mouse, if it is to be set.
            confidence: least score of a box, if it is to be set.

        Raises:
            DetectorSetupError: when it is none.
        """
        chosen = DetectorChoice.parse(line)
        if chosen.kind == "session":
            self._session.choose(chosen.value, f"task {chosen.value}")
        elif chosen.kind == "deploy":
            self._checkpoint.set_value(chosen.value)
        elif chosen.kind != "background":
            self._address.set_value(chosen.value)
        known = {"background", "session", "deploy"}
        self._kind.set_value(chosen.kind if chosen.kind in known else "other")
        if class_name is not None:
            self._class.set_value(class_name)
        if confidence is not None:
            StateJson()[self._confidence.widget_id]["value"] = confidence
        self._kind_changed()

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
            task = self._session.value
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
        sources = self._sources
        self._session = ListedSelect(
            f"{self._prefix}_session",
            options=None if sources is None else lambda: _session_options(sources),
            what="sessions",
            empty="No session with a model is running. Start Serve RT-DETRv2 and refresh, or "
            "choose a checkpoint.",
        )
        return [self._session.layout]

    def _checkpoint_widgets(self) -> list[Widget]:
        sources = self._sources
        self._checkpoint = Input(
            "",
            placeholder="/experiments/…/checkpoints/best.pth",
            widget_id=f"{self._prefix}_checkpoint",
        )
        self._candidates = ListedSelect(
            f"{self._prefix}_candidates",
            options=None
            if sources is None
            else lambda: [(path, path) for path in sources.checkpoints()],
            what="checkpoints",
            empty="There is no checkpoint in /mouse-action-recognition/detector/ or /experiments/.",
            on_change=self._checkpoint.set_value,
        )
        return [self._checkpoint, self._candidates.layout]

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


def _session_options(sources: DetectorSources) -> list[tuple[str, str]]:
    return [
        (str(s.task_id), f"{s.name or 'Session'} (task {s.task_id}): {s.model}")
        for s in sources.sessions()
    ]
