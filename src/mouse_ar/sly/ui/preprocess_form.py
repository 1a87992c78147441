"""Preprocess, step 3: the settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from supervisely.app.widgets import (
    Checkbox,
    Collapse,
    Container,
    Field,
    Input,
    InputNumber,
    Widget,
)

from mouse_ar.detection.tracking import MAX_DETECT_EVERY
from mouse_ar.pipelines.config import PreprocessConfig
from mouse_ar.sly.ui.launch import ModalState
from mouse_ar.sly.ui.picked_detector import PickedDetector

__all__ = ["Plan", "PlanForm", "test_videos"]

_DEFAULTS = PreprocessConfig()


@dataclass(frozen=True)
class Plan:
    """What a run is to do.

    Args:
        config: settings.
        target: name of the Training Data project.
        remove_deleted: whether what was made of videos that are gone is removed.
    """

    config: PreprocessConfig
    target: str
    remove_deleted: bool


def test_videos(text: str) -> int | float | None:
    """Number (5) or share (20 %, 0.2) of test videos; None where nothing is given.

    Raises:
        ValueError: it is neither.
    """
    plain = text.strip().replace(",", ".")
    if not plain:
        return None
    try:
        if plain.endswith("%"):
            return float(plain[:-1]) / 100
        return float(plain) if "." in plain else int(plain)
    except ValueError:
        raise ValueError(
            f"Test videos are a number such as 5 or a share such as 20 %, got {text!r}."
        ) from None


class PlanForm:
    """Widgets of the settings.

    Widgets: ``plan_target`` (input), ``plan_test`` (input), ``plan_min_seconds``,
    ``plan_max_seconds``, ``plan_idle_ratio``, ``plan_val_percent``, ``plan_detect_every``,
    ``plan_short_side`` and ``plan_seed`` (numbers) and ``plan_remove`` (checkbox).

    Args:
        modal: what was chosen before the start.
    """

    def __init__(self, modal: ModalState) -> None:
        self._modal = modal
        self._target = Input(
            modal.text("name", "") or "",
            placeholder="<input> – training data",
            widget_id="plan_target",
        )
        self._test = Input(
            modal.text("test_videos", "") or "",
            placeholder="20 %, at most 10",
            widget_id="plan_test",
        )
        self._numbers = self._make_numbers()
        self._remove = Checkbox(
            "Remove what was made of videos that are gone from the input",
            checked=modal.flag("remove_deleted"),
            widget_id="plan_remove",
        )
        self.layout: Widget = Container(self._settings(), gap=15, widget_id="plan_form")

    def plan(self, picked: PickedDetector, *, usual: str) -> Plan:
        """What is set.

        Args:
            picked: the detector.
            usual: name of the Training Data project where none is given.

        Raises:
            ValueError: it does not fit together.
        """
        values = {name: number.get_value() for name, number in self._numbers.items()}
        for name, value in values.items():
            if not isinstance(value, int | float):
                raise ValueError(f"{name.replace('_', ' ')}: a number is missing.")
        config = PreprocessConfig(
            min_seconds=float(values["min_seconds"]),
            max_seconds=float(values["max_seconds"]),
            idle_ratio=float(values["idle_ratio"]),
            test_videos=test_videos(str(self._test.get_value() or "")),
            val_share=float(values["val_percent"]) / 100,
            seed=int(values["seed"]),
            detector=picked.choice,
            detector_class=picked.class_name,
            detect_every=int(values["detect_every"]),
            short_side=int(values["short_side"]) or None,
        )
        name = str(self._target.get_value() or "").strip()
        return Plan(config, name or usual, bool(self._remove.is_checked()))

    def _make_numbers(self) -> dict[str, InputNumber]:
        # name: (default, least, most, step, decimals)
        numbers = {
            "min_seconds": (_DEFAULTS.min_seconds, 0.5, 60, 0.5, 1),
            "max_seconds": (_DEFAULTS.max_seconds, 0.5, 60, 0.5, 1),
            "idle_ratio": (_DEFAULTS.idle_ratio, 0, 20, 0.5, 1),
            "val_percent": (100 * _DEFAULTS.val_share, 0, 90, 5, 0),
            "detect_every": (_DEFAULTS.detect_every, 1, MAX_DETECT_EVERY, 1, 0),
            "short_side": (0, 0, 4320, 20, 0),
            "seed": (_DEFAULTS.seed, 0, 1_000_000, 1, 0),
        }
        return {
            name: InputNumber(
                self._modal.number(name, default),
                min=least,
                max=most,
                step=step,
                precision=decimals,
                widget_id=f"plan_{name}",
            )
            for name, (default, least, most, step, decimals) in numbers.items()
        }

    def _settings(self) -> Sequence[Widget]:
        numbers = self._numbers
        project = _field(
            self._target,
            "plan_target",
            "Training Data project",
            "Its name; it is made where there is none, and continued where there is one. Leave it "
            "empty for the name of the input with “– training data”.",
        )
        rows = [
            _row(
                "plan_clips",
                _field(
                    numbers["min_seconds"],
                    "plan_min",
                    "Shortest clip (s)",
                    "Short bouts are shown with what is around them.",
                ),
                _field(
                    numbers["max_seconds"],
                    "plan_max",
                    "Longest clip (s)",
                    "Longer bouts become several clips.",
                ),
                _field(
                    numbers["idle_ratio"],
                    "plan_idle",
                    "Idle ratio",
                    "Idle frames per frame of state events (grooming).",
                ),
            ),
            _field(
                self._test,
                "plan_test",
                "Test videos",
                "A number such as 5, or a share such as 20 %. They are kept whole and never "
                "trained on. Empty: 20 %, at most 10.",
            ),
        ]
        advanced = Container(
            [
                _row(
                    "plan_more",
                    _field(
                        numbers["val_percent"],
                        "plan_val",
                        "Validation videos (%)",
                        "They choose the best checkpoint; none below six videos.",
                    ),
                    _field(
                        numbers["detect_every"],
                        "plan_every",
                        "Detect every … frames",
                        "The box is interpolated between; more often where the mouse is fast.",
                    ),
                ),
                _row(
                    "plan_rest",
                    _field(
                        numbers["short_side"],
                        "plan_side",
                        "Short side of clips (px)",
                        "Larger ones are scaled down; 0 keeps the resolution.",
                    ),
                    _field(
                        numbers["seed"],
                        "plan_seed",
                        "Seed",
                        "Another one gives another choice of test videos and idle clips.",
                    ),
                ),
            ],
            widget_id="plan_advanced_content",
        )
        more = Collapse(
            [Collapse.Item("advanced", "Advanced", advanced)], widget_id="plan_advanced"
        )
        return [project, *rows, self._remove, more]


def _field(widget: Widget, widget_id: str, title: str, description: str) -> Field:
    return Field(widget, title=title, description=description, widget_id=f"{widget_id}_field")


def _row(widget_id: str, *widgets: Widget) -> Container:
    return Container(
        list(widgets),
        direction="horizontal",
        gap=20,
        fractions=[1] * len(widgets),
        widget_id=f"{widget_id}_row",
    )
