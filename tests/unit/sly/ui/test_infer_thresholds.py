"""Thresholds between what the model has stored and what the user sets."""

from __future__ import annotations

import pylibmagic  # noqa: F401
import pytest
from supervisely.app import DataJson, StateJson

from colour_checkpoint import METADATA, SPEC
from mouse_ar.core.decoding import DecodingParams
from mouse_ar.sly.ui.infer_thresholds import ThresholdsStep, wanted_thresholds
from mouse_ar.sly.ui.infer_videos import wanted_datasets
from mouse_ar.sly.ui.launch import LaunchError
from mouse_ar.sly.ui.threshold_texts import origins
from tiny import ACTIONS, FPS, GROOMING, TWITCH

STORED = DecodingParams.defaults(ACTIONS, spec=SPEC, fps=FPS).to_dict()
REPORT = METADATA["decoding_report"]


def values() -> dict[str, dict[str, object]]:
    return StateJson()["thresholds_values"]["values"]


def test_fitted_values_are_shown_and_changes_told() -> None:
    step = ThresholdsStep({"twitch.threshold": 0.8})
    step.fill(STORED, actions=ACTIONS, report=REPORT)
    shown = DataJson()["thresholds_values"]["actions"]
    assert [action["name"] for action in shown] == [GROOMING, TWITCH]
    assert {f["name"] for f in shown[1]["fields"]} == set(STORED[TWITCH]) - {"kind"}
    assert step.overrides == {f"{TWITCH}.threshold": 0.8}
    values()["a0"]["max_gap_seconds"] = 2
    step.fill(STORED, actions=ACTIONS, report=REPORT)  # the same model: what was set stays
    assert step.overrides[f"{GROOMING}.max_gap_seconds"] == 2.0
    assert "max_gap_seconds = 2" in step.summary()
    step.reset()
    assert step.overrides == {}
    assert step.check() is None


def test_each_action_says_where_its_values_come_from() -> None:
    step = ThresholdsStep({})
    step.fill(STORED, actions=ACTIONS, report=REPORT)
    shown = DataJson()["thresholds_values"]["actions"]
    assert [(action["source"], action["origin"]) for action in shown] == [
        (
            "fitted",
            "Fitted values: fitted to 34 true bouts in 5 videos (bout F1 0.70 with the defaults, "
            "0.75 with these, 0.72 on videos left out of the fit).",
        ),
        (
            "default",
            "Default values: only 7 true bouts, at least 10 are needed to fit.",
        ),
    ]
    assert {field["stored"] for field in shown[1]["fields"] if field["name"] == "threshold"} == {
        f"{STORED[TWITCH]['threshold']:.3g}"
    }
    step.fill(STORED, actions=ACTIONS, report={"note": "No val videos: decoding keeps defaults."})
    (origin,) = {action["origin"] for action in DataJson()["thresholds_values"]["actions"]}
    assert origin == "Default values: No val videos: decoding keeps defaults."


def test_a_model_that_does_not_say_where_its_values_come_from() -> None:
    unknown = origins({}, actions=[TWITCH])[TWITCH]
    assert unknown.source == "stored"
    assert unknown.text == "The model does not say how these values were found."
    one = {"report": [{"action": TWITCH, "fitted": True, "reason": "fitted to 12 true bouts"}]}
    assert origins(one, actions=[TWITCH])[TWITCH].text == "Fitted values: fitted to 12 true bouts."


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("off_threshold", 0.9, "“Score to go on (0 to 1)” must not be above “Score to begin"),
        ("on_threshold", 0, "“Score to begin (0 to 1)” must be above 0 and at most 1, got 0"),
        ("min_bout_seconds", -1, "“Shortest bout (s)” must be 0 or more"),
        ("min_bout_seconds", None, "“Shortest bout (s)” is a number, got None"),
    ],
)
def test_what_cannot_be_is_told_in_words_of_the_page(
    name: str, value: float | None, problem: str
) -> None:
    step = ThresholdsStep({})
    step.fill(STORED, actions=ACTIONS, report=REPORT)
    values()["a0"][name] = value
    complaint = step.check()
    assert complaint is not None
    assert problem in complaint
    assert GROOMING in complaint


def test_values_of_the_environment() -> None:
    assert wanted_thresholds(None) == {}
    assert wanted_thresholds('{"a.b": 1}') == {"a.b": 1.0}
    with pytest.raises(LaunchError, match="thresholds is like"):
        wanted_thresholds("0.8")
    assert wanted_datasets(None) == []
    assert wanted_datasets("cohort, day 1") == ["cohort, day 1"]
    assert wanted_datasets('[12, "a/b"]') == ["12", "a/b"]
    with pytest.raises(LaunchError, match="is a list like"):
        wanted_datasets("[a")
    with pytest.raises(ValueError, match="names no known action"):
        ThresholdsStep({"Rearing.threshold": 1}).fill(STORED, actions=ACTIONS, report=REPORT)
