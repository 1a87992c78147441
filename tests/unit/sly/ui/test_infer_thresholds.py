"""Thresholds between what training fitted and what the user sets."""

from __future__ import annotations

import pylibmagic  # noqa: F401
import pytest
from supervisely.app import DataJson, StateJson

from colour_checkpoint import SPEC
from mouse_ar.core.decoding import DecodingParams
from mouse_ar.sly.ui.infer_thresholds import ThresholdsStep, wanted_thresholds
from mouse_ar.sly.ui.infer_videos import wanted_datasets
from mouse_ar.sly.ui.launch import LaunchError
from tiny import ACTIONS, FPS, GROOMING, TWITCH

FITTED = DecodingParams.defaults(ACTIONS, spec=SPEC, fps=FPS).to_dict()


def values() -> dict[str, dict[str, object]]:
    return StateJson()["thresholds_values"]["values"]


def test_fitted_values_are_shown_and_changes_told() -> None:
    step = ThresholdsStep({"twitch.threshold": 0.8})
    step.fill(FITTED, actions=ACTIONS)
    shown = DataJson()["thresholds_values"]["actions"]
    assert [action["name"] for action in shown] == [GROOMING, TWITCH]
    assert {f["name"] for f in shown[1]["fields"]} == set(FITTED[TWITCH]) - {"kind"}
    assert step.overrides == {f"{TWITCH}.threshold": 0.8}
    values()["a0"]["max_gap_seconds"] = 2
    step.fill(FITTED, actions=ACTIONS)  # the same model: what was set stays
    assert step.overrides[f"{GROOMING}.max_gap_seconds"] == 2.0
    assert "max_gap_seconds = 2" in step.summary()
    step.reset()
    assert step.overrides == {}
    assert step.check() is None


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
    step.fill(FITTED, actions=ACTIONS)
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
        ThresholdsStep({"Rearing.threshold": 1}).fill(FITTED, actions=ACTIONS)
