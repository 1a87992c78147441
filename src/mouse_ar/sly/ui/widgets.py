"""Small widgets of our own, where those of the SDK cannot show what is needed.

The SDK's ``Text`` and ``NotificationBox`` put their text into the page as HTML, so that a video
called ``<b>.mp4`` would change it; these leave the escaping to Vue. Their templates lie in the
code, beside the data that fill them.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import markupsafe
from supervisely.app import DataJson, StateJson
from supervisely.app.widgets import Widget

__all__ = [
    "Notes",
    "Severity",
    "TemplateWidget",
    "push_data",
    "push_state",
    "set_disabled",
    "set_hidden",
]

_LOG = logging.getLogger(__name__)

Severity = Literal["text", "info", "success", "warning", "error"]

_ICONS: dict[Severity, str] = {
    "text": "",
    "info": "zmdi zmdi-info",
    "success": "zmdi zmdi-check-circle",
    "warning": "zmdi zmdi-alert-triangle",
    "error": "zmdi zmdi-alert-circle",
}
_COLOURS: dict[Severity, str] = {
    "text": "#475669",
    "info": "#3B96FF",
    "success": "#12a150",
    "warning": "#c77700",
    "error": "#d11a2a",
}
# A page with thousands of warnings would be slow, and nobody reads them: the tables have all.
_MOST_NOTES = 100


def push_data() -> None:
    """Send changed data to the open pages; one that has just been closed must not end a run."""
    try:
        DataJson().send_changes()
    except Exception as error:  # whatever the connection to a closed page raises
        _LOG.debug("A page did not take an update: %r", error)


def push_state() -> None:
    """Like :func:`push_data`, for the state."""
    try:
        StateJson().send_changes()
    except Exception as error:
        _LOG.debug("A page did not take an update: %r", error)


def set_hidden(widget: Widget, hidden: bool) -> None:
    """Hide or show a widget with the next :func:`push_data`; ``hide()`` sends at once."""
    widget._hide = hidden
    DataJson()[widget.widget_id]["hide"] = hidden


def set_disabled(widget: Widget, disabled: bool) -> None:
    """Like :func:`set_hidden`, for whether a button can be pressed."""
    widget._disabled = disabled
    DataJson()[widget.widget_id]["disabled"] = disabled


class TemplateWidget(Widget):  # type: ignore[misc]
    """A widget with a template in the code: ``$DATA`` in it stands for the widget's data.

    Args:
        widget_id: fixed id.
    """

    TEMPLATE = ""

    def __init__(self, widget_id: str) -> None:
        super().__init__(widget_id=widget_id, file_path=__file__)

    def get_json_data(self) -> dict[str, Any]:
        """What the template shows."""
        return {}

    def get_json_state(self) -> None:
        """Nothing that a user could change."""

    def to_html(self) -> markupsafe.Markup:
        """The template with this widget's id."""
        html = self.TEMPLATE.replace("$DATA", f"data.{self.widget_id}")
        return markupsafe.Markup(self._wrap_hide_html(self.widget_id, html))

    def publish(self) -> None:
        """Bring :meth:`get_json_data` to the open pages."""
        self.update_data()
        push_data()


class Notes(TemplateWidget):
    """Lines of text with an icon each: a hint, an error in its place, a list of warnings.

    Args:
        widget_id: fixed id; ``data.<id>.notes`` is a list of ``{text, severity}``.
        text: first line, if any.
        severity: of that line.
    """

    TEMPLATE = """
<div v-if="$DATA.notes.length" class="mouse-notes"
     style="display: flex; flex-direction: column; gap: 4px; line-height: 1.4">
  <div v-for="(note, index) in $DATA.notes" :key="index" style="display: flex; gap: 6px">
    <i v-if="note.icon" :class="note.icon"
       :style="{color: note.colour, lineHeight: 'inherit'}"></i>
    <span :class="'mouse-note-' + note.severity" style="white-space: pre-line"
          :style="{color: note.severity === 'error' ? note.colour : '#475669'}"
    >{{ note.text }}</span>
  </div>
</div>"""

    def __init__(self, widget_id: str, text: str = "", *, severity: Severity = "text") -> None:
        self._notes: list[dict[str, str]] = []
        self._fill([(text, severity)] if text else [])
        super().__init__(widget_id)

    @property
    def texts(self) -> list[str]:
        """The lines shown now."""
        return [note["text"] for note in self._notes]

    def set(self, text: str, severity: Severity = "text") -> None:
        """Show one line; an empty one clears."""
        self.set_all([(text, severity)] if text else [])

    def set_all(self, notes: Iterable[tuple[str, Severity]]) -> None:
        """Show these lines."""
        self._fill(list(notes))
        self.publish()

    def set_list(self, texts: Sequence[str], severity: Severity = "warning") -> None:
        """Show lines of one kind."""
        self.set_all((text, severity) for text in texts)

    def _fill(self, notes: Sequence[tuple[str, Severity]]) -> None:
        self._notes = [
            {
                "text": text,
                "severity": severity,
                "icon": _ICONS[severity],
                "colour": _COLOURS[severity],
            }
            for text, severity in notes[:_MOST_NOTES]
        ]
        left = len(notes) - _MOST_NOTES
        if left > 0:
            self._notes.append({**self._notes[-1], "text": f"… and {left} more."})

    def get_json_data(self) -> dict[str, Any]:
        """The lines."""
        return {"notes": list(self._notes)}
