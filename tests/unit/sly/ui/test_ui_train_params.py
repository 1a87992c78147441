"""Form and text of the Train app's settings say the same."""

from __future__ import annotations

from typing import Any

import pylibmagic  # noqa: F401
import pytest
import yaml
from fastapi.testclient import TestClient
from supervisely.app import DataJson, StateJson

from mouse_ar.sly.ui.train_form import FIRST, MORE
from mouse_ar.sly.ui.train_params import ParamsStep
from mouse_ar.training.config import TrainConfig
from mouse_ar.training.devices import TrainingDevice


@pytest.fixture
def step() -> ParamsStep:
    cpu = TrainingDevice("cpu", "The processor")
    return ParamsStep([cpu], model=lambda: ("vit_small", None), fps=lambda: 25.0)


def edit(step: ParamsStep, name: str, value: Any) -> None:
    """As the page does: the state first, then the call."""
    StateJson()[f"params_{name}"]["value"] = value
    answer = TestClient(step.layout._sly_app.get_server()).post(f"/params_{name}/value_changed")
    assert answer.status_code == 200


def in_form() -> dict[str, Any]:
    names = [*FIRST, *(name for section in MORE.values() for name in section)]
    return {name: StateJson()[f"params_{name}"]["value"] for name in names}


def text() -> str:
    return StateJson()["params_yaml"]["text"]


def notes() -> list[str]:
    return [note["text"] for note in DataJson()["params_message"]["notes"]]


def test_at_first_both_show_the_defaults(step: ParamsStep) -> None:
    assert step.config() == TrainConfig()
    defaults = TrainConfig().to_dict()
    assert in_form() == {name: defaults[name] for name in in_form()}
    assert StateJson()["params_more"]["value"] == [], "closed"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", 12),
        ("ema_decay", 0.999),
        ("warmup_epochs", 1),
        ("flip", "dihedral"),
        ("amp", "fp32"),
        ("compile", True),
        ("seed", 0),
    ],
)
def test_an_edit_is_written_into_the_text(step: ParamsStep, name: str, value: Any) -> None:
    step.set_all({"seed": 7, "compile": False})
    edit(step, name, value)
    assert yaml.safe_load(text())[name] == value
    assert getattr(step.config(), name) == value
    assert step.check() is None
    assert in_form()[name] == value


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("smoothing", 1, "smoothing must be within [0, 1), got 1"),
        ("cache_mb", 0.5, "cache_mb expects int, got 0.5"),
        ("clip_grad", 0, "clip_grad must be positive"),
        ("flip", "up", "flip must be one of none, horizontal, dihedral"),
        ("compile", "perhaps", "compile expects bool"),
    ],
)
def test_what_cannot_be_is_told(step: ParamsStep, name: str, value: Any, told: str) -> None:
    edit(step, name, value)
    assert told in notes()[0]
    complaint = step.check()
    assert complaint is not None
    assert told in complaint


@pytest.mark.parametrize("value", [None, ""])
def test_a_field_that_is_just_being_filled_changes_nothing(step: ParamsStep, value: Any) -> None:
    before = text()
    edit(step, "jitter", value)
    assert text() == before


def test_the_text_is_read_into_the_form(step: ParamsStep) -> None:
    own = "lr: 1e-3  # a comment\namp: bf16\ngrad_checkpointing: true\nval_interval: 2\n"
    StateJson()["params_yaml"]["text"] = own
    step.apply()
    form = in_form()
    assert form["lr"] == 0.001
    assert form["amp"] == "bf16"
    assert form["grad_checkpointing"] is True
    assert form["val_interval"] == 2
    assert form["jitter"] == TrainConfig().jitter, "what the text leaves out is as it is"
    edit(step, "amp", "bf16")  # a select of the page reports that, too
    assert text() == own
    edit(step, "amp", "fp16")
    assert text() != own
    assert step.config().lr == 0.001


def test_an_edit_beside_a_broken_text_is_not_lost_in_silence(step: ParamsStep) -> None:
    StateJson()["params_yaml"]["text"] = "epochs: ["
    edit(step, "flip", "none")
    assert "Correct the text first" in notes()[0]
    assert text() == "epochs: ["


def test_settings_of_the_environment_and_of_the_start(step: ParamsStep) -> None:
    step.set_all({"mixup_prob": 0.0, "flip": "none"}, device="cpu")
    assert (in_form()["mixup_prob"], in_form()["flip"]) == (0.0, "none")
    step.suit(model="vit_small", scratch=True)
    assert in_form()["layer_decay"] == 1.0
    edit(step, "layer_decay", 0.9)
    step.suit(model="vit_small", scratch=False)
    assert in_form()["layer_decay"] == 0.9, "what the user has set stays"
    assert in_form()["lr"] == TrainConfig().lr


def test_accumulating_is_seen_in_the_form(step: ParamsStep) -> None:
    edit(step, "batch_size", 2)
    assert not DataJson()["params_accumulate"]["hide"]
    edit(step, "update_freq", 3)
    assert DataJson()["params_accumulate"]["hide"]
    edit(step, "update_freq", 1)
    step._accumulate_gradients()
    assert in_form()["update_freq"] == 3
