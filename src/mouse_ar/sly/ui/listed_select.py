"""A choice among what an instance has now, listed when the user asks for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from supervisely.app.widgets import Button, Container, Flexbox, Select, Widget

from mouse_ar.sly.ui.messages import explain
from mouse_ar.sly.ui.widgets import Notes

__all__ = ["ListedSelect"]

_WIDTH_PX = 520


class ListedSelect:
    """A select with a button that lists its options anew; errors are shown under it.

    Widgets: ``{widget_id}`` (select, state ``value``), ``{widget_id}_refresh`` and
    ``{widget_id}_note``.

    Args:
        widget_id: of the select.
        options: value and label of each option; may ask the instance. None without one.
        what: is listed: "sessions".
        empty: said where there is nothing to choose.
        on_change: called with a value that was chosen.
    """

    def __init__(
        self,
        widget_id: str,
        *,
        options: Callable[[], Sequence[tuple[str, str]]] | None,
        what: str,
        empty: str,
        on_change: Callable[[str], None] | None = None,
    ) -> None:
        self._options, self._what, self._empty = options, what, empty
        self._on_change = on_change
        self._select = Select(
            items=[],
            filterable=True,
            placeholder=f"Refresh to list {what}",
            widget_id=widget_id,
            width_px=_WIDTH_PX,
        )
        refresh = Button(
            "Refresh",
            button_type="text",
            icon="zmdi zmdi-refresh",
            widget_id=f"{widget_id}_refresh",
        )
        self._note = Notes(f"{widget_id}_note")
        refresh.click(self.refresh)
        if on_change is not None:
            self._select.value_changed(on_change)
        row = Flexbox([self._select, refresh], widget_id=f"{widget_id}_row")
        self.layout: Widget = Container([row, self._note], widget_id=f"{widget_id}_list")

    @property
    def value(self) -> str:
        """What is chosen; empty if nothing is."""
        return str(self._select.get_value() or "")

    def refresh(self) -> None:
        """List what there is; what was chosen stays so if it is still there."""
        if self._options is None:
            self._note.set("This app has no instance to ask.", "info")
            return
        try:
            options = list(self._options())
        except Exception as error:
            self._note.set(explain(error, doing=f"Listing {self._what}"), "error")
            return
        self._fill(options, self.value)
        self._note.set("" if options else self._empty, "info")
        if options and self._on_change is not None:
            self._on_change(self.value)

    def choose(self, value: str, label: str) -> None:
        """Choose an option, which is added if it is not listed, under this label."""
        options = {str(item.value): item.label for item in self._select.get_items()}
        self._fill(list({**options, value: label}.items()), value)

    def _fill(self, options: Sequence[tuple[str, str]], chosen: str) -> None:
        values = [value for value, _ in options]
        self._select.set(items=[Select.Item(value, label) for value, label in options])
        self._select.set_value(chosen if chosen in values else next(iter(values), None))
