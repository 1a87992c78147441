from __future__ import annotations

import pytest

from mouse_ar.mvd import PRESETS
from mouse_ar.training.config import TrainConfig, start_settings
from mouse_ar.training.settings_text import settings_from_yaml, settings_to_yaml


def test_text_says_what_the_settings_say() -> None:
    settings = TrainConfig(epochs=3, lr=1e-5).to_dict()
    text = settings_to_yaml(settings)
    assert "model" not in settings_from_yaml(text)
    assert TrainConfig.from_dict(settings_from_yaml(text)) == TrainConfig(epochs=3, lr=1e-5)


def test_what_is_wrong_in_a_text_stays_in_it_to_be_corrected() -> None:
    assert "epoch: 3" in settings_to_yaml({"epoch": 3, "lr": 0.1})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("epochs: 3\nlr: [", "not valid YAML in line 2"),
        ("- epochs", "each line is like"),
        ("3: 4", "each line is like"),
        ("model: vit_base", "chosen in the step"),
    ],
)
def test_text_that_is_no_list_of_settings(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        settings_from_yaml(text)


def test_an_empty_text_is_all_defaults() -> None:
    assert settings_from_yaml("# nothing\n") == {}


@pytest.mark.parametrize("model", PRESETS)
@pytest.mark.parametrize("scratch", [True, False])
def test_start_settings_fit_the_model(model: str, scratch: bool) -> None:
    config = TrainConfig.from_dict({"model": model, **start_settings(model=model, scratch=scratch)})
    assert config.layer_decay == (1.0 if scratch else 0.75)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"input_size": 100}, "multiple of 16 for vit_small, got 100: use 96 or 112"),
        ({"input_size": 0}, "use 16 or 32"),
        ({"num_frames": 5}, "num_frames must be a multiple of 2 for vit_small, got 5: use 4 or 6"),
    ],
)
def test_settings_that_the_network_cannot_take(values: dict[str, int], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        TrainConfig(**values)
