"""Settings as a form: one widget each, by what kind of setting it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from supervisely.app import StateJson
from supervisely.app.widgets import (
    Collapse,
    Container,
    Field,
    InputNumber,
    Select,
    Switch,
    Widget,
)

from mouse_ar.sly.ui.train_form import Choice, Number, Setting
from mouse_ar.sly.ui.widgets import push_state

__all__ = ["SettingsForm", "columns"]

_WIDTH_PX = 260


class SettingsForm:
    """The first settings in the open, the others in sections that are closed at first.

    Widgets: ``{prefix}_{setting}`` (state ``value``), ``{prefix}_more`` (the sections; state
    ``value``, a list of the titles of the open ones).

    Args:
        prefix: of the widget ids.
        first: settings that are always seen.
        more: sections by title.
        initial: values of all settings, and perhaps of others.
        on_edit: called with the name and the new value when the user has changed one.
    """

    def __init__(
        self,
        prefix: str,
        *,
        first: Mapping[str, Setting],
        more: Mapping[str, Mapping[str, Setting]],
        initial: Mapping[str, Any],
        on_edit: Callable[[str, Any], None],
    ) -> None:
        self._prefix = prefix
        self._names: list[str] = []
        self._on_edit = on_edit
        self.first = [self._field(name, setting) for name, setting in first.items()]
        self.more = Collapse(
            [
                Collapse.Item(title, title, columns(
                    [self._field(name, setting) for name, setting in settings.items()],
                    widget_id=f"{prefix}_more_{number}",
                ))
                for number, (title, settings) in enumerate(more.items(), start=1)
            ],
            widget_id=f"{prefix}_more",
        )  # fmt: skip
        self.show(initial)

    def show(self, values: Mapping[str, Any]) -> None:
        """Show these values; what they say of other settings is passed over."""
        state = StateJson()
        for name in self._names:
            state[f"{self._prefix}_{name}"]["value"] = values[name]
        push_state()

    def _field(self, name: str, setting: Setting) -> Widget:
        widget = _widget(setting, widget_id=f"{self._prefix}_{name}")
        widget.value_changed(self._edited(name))
        self._names.append(name)
        return Field(
            widget, title=setting.title, description=setting.help,
            widget_id=f"{self._prefix}_{name}_field",
        )  # fmt: skip

    def _edited(self, name: str) -> Callable[[Any], None]:
        def edited(value: Any) -> None:
            if value not in (None, ""):  # a field that is just being filled
                self._on_edit(name, value)

        return edited


def columns(fields: Sequence[Widget], *, widget_id: str) -> Widget:
    """Fields in two columns.

    Args:
        fields: the left column is filled first.
        widget_id: of the container, and prefix of its columns'.
    """
    half = (len(fields) + 1) // 2
    halves = [
        Container(list(part), gap=14, widget_id=f"{widget_id}_{side}")
        for side, part in (("left", fields[:half]), ("right", fields[half:]))
    ]
    return Container(
        halves, direction="horizontal", fractions=[1, 1], gap=24, widget_id=widget_id
    )  # fmt: skip


def _widget(setting: Setting, *, widget_id: str) -> Widget:
    """The widget of a setting; all of them keep their value as ``value`` in the state."""
    if isinstance(setting, Number):
        return InputNumber(
            setting.least, min=setting.least, max=setting.most, step=setting.step,
            precision=setting.digits, widget_id=widget_id,
        )  # fmt: skip
    if isinstance(setting, Choice):
        items = [Select.Item(value, label) for value, label in setting.options.items()]
        return Select(items, size="small", width_px=_WIDTH_PX, widget_id=widget_id)
    return Switch(widget_id=widget_id)
