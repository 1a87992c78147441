"""Step 4 of the Infer app: how scores become bouts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from supervisely.app import DataJson, StateJson
from supervisely.app.widgets import Button, Container, Widget

from mouse_ar.core.actions import ActionSet
from mouse_ar.core.decoding_params import ActionDecoding, DecodingParams, StateDecoding
from mouse_ar.sly.ui.launch import LaunchError
from mouse_ar.sly.ui.threshold_texts import ALL_NAMES, Origin, help_for, in_page_words, origins
from mouse_ar.sly.ui.widgets import Notes, TemplateWidget, push_data, push_state

__all__ = ["ThresholdsStep", "wanted_thresholds"]

# The page knows only what was there when it was opened, so there is a place for each.
MOST_ACTIONS = 12
_ABOUT = (
    "The model gives every frame a score from 0 to 1 for each action. These values say what counts "
    "as a bout. They come with the model, and beside each action it says how training found them: "
    "change them only if the bouts that you see are too many, too few, or cut into pieces. You can "
    "do so after a run, too: “Decode again” makes new bouts of the scores that were kept, within "
    "seconds."
)


def wanted_thresholds(text: str | None) -> dict[str, float]:
    """Values of ``modal.state.thresholds``: an object in JSON, by ``action.parameter``.

    Raises:
        LaunchError: when it is none.
    """
    try:
        found = json.loads(text or "{}")
        return {str(key): float(value) for key, value in found.items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise LaunchError(
            'modal.state.thresholds is like {"Self-Grooming.on_threshold": 0.8}, got '
            f"{text!r} ({error})."
        ) from error


class _Editor(TemplateWidget):
    """Numbers of every action, each with what the model has stored, and why that.

    Args:
        widget_id: fixed id; ``state.<id>.values`` has a0, a1, … for the actions in their order,
            each with all parameters by name, those included that its kind has not.
    """

    TEMPLATE = """
<div class="mouse-thresholds" style="display: flex; flex-direction: column; gap: 22px">
  <div v-for="action in $DATA.actions" :key="action.place">
    <div style="margin-bottom: 8px"><b>{{ action.name }}</b>
      <span style="color: #475669"> {{ action.kind }}</span>
      <div style="color: #475669">{{ action.origin }}</div></div>
    <div style="display: grid; gap: 14px 22px;
                grid-template-columns: repeat(auto-fill, minmax(300px, 1fr))">
      <div v-for="field in action.fields" :key="field.name">
        <div>{{ field.title }}</div>
        <div style="margin: 4px 0; white-space: nowrap">
          <el-input-number size="small" :min="0" :max="field.most" :step="field.step"
            v-model="$STATE.values[action.place][field.name]"></el-input-number>
          <span style="color: #475669; margin-left: 8px">
            {{ action.source }}: {{ field.stored }}</span>
        </div>
        <div style="color: #475669; font-size: 13px; line-height: 1.35">{{ field.text }}</div>
      </div>
    </div>
  </div>
</div>"""

    def __init__(self, widget_id: str) -> None:
        self.TEMPLATE = type(self).TEMPLATE.replace("$STATE", f"state.{widget_id}")
        self._actions: list[dict[str, Any]] = []
        super().__init__(widget_id)

    def get_json_data(self) -> dict[str, Any]:
        """The actions and their parameters."""
        return {"actions": self._actions}

    def get_json_state(self) -> Any:
        """A place for every value."""
        nothing = dict.fromkeys(ALL_NAMES, 0.0)
        return {"values": {f"a{place}": dict(nothing) for place in range(MOST_ACTIONS)}}

    def values(self, place: int) -> Mapping[str, Any]:
        """What is set for an action."""
        values: Mapping[str, Any] = StateJson()[self.widget_id]["values"][f"a{place}"]
        return values

    def fill(
        self, stored: DecodingParams, shown: DecodingParams, *, origins: Mapping[str, Origin]
    ) -> None:
        """Show parameters, beside those of the model and where these come from."""
        state = StateJson()[self.widget_id]["values"]
        self._actions = []
        for place, (action, decoding) in enumerate(shown.by_action.items()):
            state[f"a{place}"].update(asdict(decoding))
            self._actions.append(_described(place, action, stored[action], origins[action]))
        # The values first: the page draws the numbers as soon as it knows the actions.
        push_state()
        DataJson()[self.widget_id].update(self.get_json_data())
        push_data()


class ThresholdsStep:
    """Widgets ``thresholds_values`` and ``thresholds_reset``.

    Args:
        overrides: by ``action.parameter``, to set where a model is chosen.
    """

    def __init__(self, overrides: Mapping[str, float]) -> None:
        self._wanted = dict(overrides)
        self._stored = DecodingParams()
        self._origins: Mapping[str, Origin] = {}
        self._editor = _Editor("thresholds_values")
        reset = Button("Reset to the values of the model", plain=True, widget_id="thresholds_reset")
        reset.click(self.reset)
        about = Notes("thresholds_about", _ABOUT)
        self.layout: Widget = Container(
            [about, self._editor, reset], gap=18, widget_id="thresholds_content"
        )

    def fill(
        self,
        decoding: Mapping[str, Mapping[str, Any]],
        *,
        actions: ActionSet,
        report: Mapping[str, Any],
    ) -> None:
        """Show the parameters of a model.

        Args:
            decoding: as its checkpoint stores them.
            actions: that it knows.
            report: the ``decoding_report`` of its metadata: how training found them.

        Raises:
            ValueError: they cannot be used, or the overrides do not fit them.
        """
        stored = DecodingParams.from_dict(decoding)
        if len(stored.by_action) > MOST_ACTIONS:
            raise ValueError(
                f"The model knows {len(stored.by_action)} actions; this app shows {MOST_ACTIONS}."
            )
        shown = stored.with_overrides(self._wanted, actions=actions)
        found = origins(report, actions=stored.by_action)
        # What the user has set stays while the model does.
        if (stored, found) != (self._stored, self._origins):
            self._stored, self._origins = stored, found
            self._editor.fill(stored, shown, origins=found)

    def reset(self) -> None:
        """Show what the model has stored."""
        self._editor.fill(self._stored, self._stored, origins=self._origins)

    @property
    def overrides(self) -> dict[str, float]:
        """What differs from the values of the model, by ``action.parameter``.

        Raises:
            ValueError: a value is no number, is out of range, or does not go with another.
        """
        found: dict[str, float] = {}
        for place, (action, decoding) in enumerate(self._stored.by_action.items()):
            changed = _changed(action, decoding, self._editor.values(place))
            try:
                self._stored.with_overrides(changed)
            except ValueError as error:
                raise ValueError(f"{action}: {in_page_words(str(error), decoding)}") from error
            found.update(changed)
        return found

    @property
    def params(self) -> DecodingParams:
        """The values as they are on the page.

        Raises:
            ValueError: see :attr:`overrides`.
        """
        return self._stored.with_overrides(self.overrides)

    def check(self) -> str | None:
        """What cannot be."""
        try:
            _ = self.overrides
        except ValueError as error:
            return str(error)
        return None

    def summary(self) -> str:
        """One line on the choice."""
        changed = self.overrides
        if not changed:
            return "The values of the model."
        return "Changed: " + ", ".join(f"{name} = {value:g}" for name, value in changed.items())


def _described(place: int, action: str, stored: ActionDecoding, origin: Origin) -> dict[str, Any]:
    state = isinstance(stored, StateDecoding)
    values = asdict(stored)
    return {
        "place": f"a{place}",
        "name": action,
        "source": origin.source,
        "origin": origin.text,
        "kind": "bouts with a duration" if state else "momentary acts",
        "fields": [
            {
                "name": name,
                "title": help.title,
                "text": help.text,
                "step": help.step,
                "most": 1000 if help.most is None else help.most,
                "stored": f"{values[name]:.3g}",
            }
            for name, help in help_for(stored).items()
        ],
    }


def _changed(action: str, stored: ActionDecoding, values: Mapping[str, Any]) -> dict[str, float]:
    changed = {}
    for name, before in asdict(stored).items():
        value = values[name]
        if isinstance(value, bool) or not isinstance(value, int | float):
            title = help_for(stored)[name].title
            raise ValueError(f"{action}: “{title}” is a number, got {value!r}.")
        if abs(float(value) - before) > 1e-9:
            changed[f"{action}.{name}"] = float(value)
    return changed
