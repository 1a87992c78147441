"""What the form of the Train app asks for."""

from __future__ import annotations

import re

import pytest

from mouse_ar.sly.ui.train_form import FIRST, MORE, Choice, Number, Toggle
from mouse_ar.training.config import AMP, FLIPS, TrainConfig

FORM = {**FIRST, **{name: s for section in MORE.values() for name, s in section.items()}}
DEFAULTS = TrainConfig().to_dict()
CHOSEN_IN_ANOTHER_STEP = {"model", "pretrained"}
ONLY_AS_TEXT = {
    "betas",
    "crop_padding",
    "min_lr",
    "motion_init",
    "samples_per_epoch",
    "save_minutes",
    "shuffle_labels",
}


def test_every_setting_is_somewhere_and_once() -> None:
    shown = [*FIRST, *(name for section in MORE.values() for name in section)]
    assert sorted([*shown, *ONLY_AS_TEXT, *CHOSEN_IN_ANOTHER_STEP]) == sorted(DEFAULTS), (
        "put a new setting into train_form.py, or into ONLY_AS_TEXT"
    )


@pytest.mark.parametrize("name", FORM)
def test_each_suits_its_setting(name: str) -> None:
    setting, default = FORM[name], DEFAULTS[name]
    assert len(setting.help) > 20
    assert setting.help.endswith(".")
    if isinstance(setting, Number):
        assert type(default) in (int, float)
        assert (setting.digits == 0) == isinstance(default, int)
        assert setting.least <= default
        assert setting.most is None or default <= setting.most
        for number in (default, setting.step):
            assert round(number, setting.digits) == number, "shown as something else"
    elif isinstance(setting, Choice):
        assert default in setting.options
    else:
        assert isinstance(setting, Toggle)
        assert isinstance(default, bool)


@pytest.mark.parametrize(("name", "allowed"), [("flip", FLIPS), ("amp", AMP)])
def test_all_that_can_be_chosen_is_offered(name: str, allowed: tuple[str, ...]) -> None:
    setting = FORM[name]
    assert isinstance(setting, Choice)
    assert tuple(setting.options) == allowed


def test_titles_tell_the_names_that_messages_speak_of() -> None:
    for section in MORE.values():
        for name, setting in section.items():
            assert letters(name) in letters(setting.title)


def letters(text: str) -> str:
    return re.sub("[^a-z]", "", text.lower())
