"""Step 4 of the Infer app: how scores become bouts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from supervisely.app import DataJson, StateJson
from supervisely.app.widgets import Button, Container, Widget

from mouse_ar.core.actions import ActionSet
from mouse_ar.core.decoding_params import ActionDecoding, DecodingParams, StateDecoding
from mouse_ar.sly.ui.launch import LaunchError
from mouse_ar.sly.ui.widgets import Notes, TemplateWidget, push_data, push_state

__all__ = ["ThresholdsStep", "wanted_thresholds"]

# The page knows only what was there when it was opened, so there is a place for each.
MOST_ACTIONS = 12
_ABOUT = (
    "The model gives every frame a score from 0 to 1 for each action. These values say what counts "
    "as a bout. Training fitted them on validation videos: change them only if the bouts that you "
    "see are too many, too few, or cut into pieces. A later run with other values is quick, as the "
    "scores are kept."
)


@dataclass(frozen=True)
class _Help:
    """A parameter in plain words.

    Args:
        title: with unit.
        text: what it does, and which way to turn it.
        step: of the number's buttons.
        most: highest value; None for no limit.
    """

    title: str
    text: str
    step: float
    most: float | None = None


_NOISE = _Help(
    "Rise above noise (× noise)",
    "A bout has to stand out of the ordinary ups and downs of the video's scores by this many "
    "noise deviations. Higher: fewer false bouts in noisy videos. 0 turns it off.",
    0.5,
)
_STATE: Mapping[str, _Help] = {
    "on_threshold": _Help(
        "Score to begin (0 to 1)",
        "A bout has to reach this score somewhere. Higher: fewer, surer bouts.",
        0.05,
        1.0,
    ),
    "off_threshold": _Help(
        "Score to go on (0 to 1)",
        "A bout lasts as long as the score stays at or above this; not higher than the score to "
        "begin. Lower: longer bouts.",
        0.05,
        1.0,
    ),
    "min_bout_seconds": _Help(
        "Shortest bout (s)", "Shorter ones are dropped. Higher: fewer bouts.", 0.1
    ),
    "max_gap_seconds": _Help(
        "Longest gap (s)",
        "Gaps up to this long inside a bout are closed. Higher: fewer, longer bouts.",
        0.1,
    ),
    "smooth_seconds": _Help(
        "Smoothing (s)",
        "Scores are averaged over this time first, so that single odd frames do not matter.",
        0.1,
    ),
    "noise_sigmas": _NOISE,
}
_POINT: Mapping[str, _Help] = {
    "threshold": _Help(
        "Score of a peak (0 to 1)",
        "A moment counts if the score has a peak that reaches this. Low values are usual: an act "
        "of a few frames fills only a part of the model's window. Higher: fewer, surer ones.",
        0.01,
        1.0,
    ),
    "prominence": _Help(
        "Height of a peak (0 to 1)",
        "A peak has to rise this far above the dip beside it. Higher: fewer double counts.",
        0.01,
        1.0,
    ),
    "min_distance_seconds": _Help(
        "Least distance (s)",
        "Of two peaks closer than this the higher one counts.",
        0.05,
    ),
    "noise_sigmas": _NOISE,
}
_ALL_NAMES = sorted({*_STATE, *_POINT})


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
    """Numbers of every action, each with what training fitted.

    Args:
        widget_id: fixed id; ``state.<id>.values`` has a0, a1, … for the actions in their order,
            each with all parameters by name, those included that its kind has not.
    """

    TEMPLATE = """
<div class="mouse-thresholds" style="display: flex; flex-direction: column; gap: 22px">
  <div v-for="action in $DATA.actions" :key="action.place">
    <div style="margin-bottom: 8px"><b>{{ action.name }}</b>
      <span style="color: #475669"> {{ action.kind }}</span></div>
    <div style="display: grid; gap: 14px 22px;
                grid-template-columns: repeat(auto-fill, minmax(300px, 1fr))">
      <div v-for="field in action.fields" :key="field.name">
        <div>{{ field.title }}</div>
        <div style="margin: 4px 0; white-space: nowrap">
          <el-input-number size="small" :min="0" :max="field.most" :step="field.step"
            v-model="$STATE.values[action.place][field.name]"></el-input-number>
          <span style="color: #475669; margin-left: 8px">fitted: {{ field.fitted }}</span>
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
        nothing = dict.fromkeys(_ALL_NAMES, 0.0)
        return {"values": {f"a{place}": dict(nothing) for place in range(MOST_ACTIONS)}}

    def values(self, place: int) -> Mapping[str, Any]:
        """What is set for an action."""
        values: Mapping[str, Any] = StateJson()[self.widget_id]["values"][f"a{place}"]
        return values

    def fill(self, fitted: DecodingParams, shown: DecodingParams) -> None:
        """Show parameters, beside those that were fitted."""
        state = StateJson()[self.widget_id]["values"]
        self._actions = []
        for place, (action, decoding) in enumerate(shown.by_action.items()):
            state[f"a{place}"].update(asdict(decoding))
            self._actions.append(_described(place, action, fitted[action]))
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
        self._fitted = DecodingParams()
        self._editor = _Editor("thresholds_values")
        reset = Button("Reset to the fitted values", plain=True, widget_id="thresholds_reset")
        reset.click(self.reset)
        about = Notes("thresholds_about", _ABOUT)
        self.layout: Widget = Container(
            [about, self._editor, reset], gap=18, widget_id="thresholds_content"
        )

    def fill(self, decoding: Mapping[str, Mapping[str, Any]], *, actions: ActionSet) -> None:
        """Show the parameters of a model.

        Raises:
            ValueError: they cannot be used, or the overrides do not fit them.
        """
        fitted = DecodingParams.from_dict(decoding)
        if len(fitted.by_action) > MOST_ACTIONS:
            raise ValueError(
                f"The model knows {len(fitted.by_action)} actions; this app shows {MOST_ACTIONS}."
            )
        shown = fitted.with_overrides(self._wanted, actions=actions)
        if fitted != self._fitted:  # what the user has set stays while the model does
            self._fitted = fitted
            self._editor.fill(fitted, shown)

    def reset(self) -> None:
        """Show what training fitted."""
        self._editor.fill(self._fitted, self._fitted)

    @property
    def overrides(self) -> dict[str, float]:
        """What differs from the fitted values, by ``action.parameter``.

        Raises:
            ValueError: a value is no number, is out of range, or does not go with another.
        """
        found: dict[str, float] = {}
        for place, (action, decoding) in enumerate(self._fitted.by_action.items()):
            changed = _changed(action, decoding, self._editor.values(place))
            try:
                self._fitted.with_overrides(changed)
            except ValueError as error:
                raise ValueError(f"{action}: {_plain(str(error), decoding)}") from error
            found.update(changed)
        return found

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
            return "The values that training fitted."
        return "Changed: " + ", ".join(f"{name} = {value:g}" for name, value in changed.items())


def _described(place: int, action: str, fitted: ActionDecoding) -> dict[str, Any]:
    state = isinstance(fitted, StateDecoding)
    values = asdict(fitted)
    return {
        "place": f"a{place}",
        "name": action,
        "kind": "bouts with a duration" if state else "momentary acts",
        "fields": [
            {
                "name": name,
                "title": help.title,
                "text": help.text,
                "step": help.step,
                "most": 1000 if help.most is None else help.most,
                "fitted": f"{values[name]:.3g}",
            }
            for name, help in _help(fitted).items()
        ],
    }


def _help(decoding: ActionDecoding) -> Mapping[str, _Help]:
    return _STATE if isinstance(decoding, StateDecoding) else _POINT


def _changed(action: str, fitted: ActionDecoding, values: Mapping[str, Any]) -> dict[str, float]:
    changed = {}
    for name, before in asdict(fitted).items():
        value = values[name]
        if isinstance(value, bool) or not isinstance(value, int | float):
            title = _help(fitted)[name].title
            raise ValueError(f"{action}: “{title}” is a number, got {value!r}.")
        if abs(float(value) - before) > 1e-9:
            changed[f"{action}.{name}"] = float(value)
    return changed


def _plain(message: str, decoding: ActionDecoding) -> str:
    """The message with the parameters called as the page calls them."""
    message = message.replace(f"{type(decoding).__name__}.", "")
    # Longer names first: "threshold" is a part of others.
    for name, help in sorted(_help(decoding).items(), key=lambda item: -len(item[0])):
        message = message.replace(name, f"“{help.title}”")
    return message
