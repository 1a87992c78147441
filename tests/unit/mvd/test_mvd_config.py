from __future__ import annotations

import dataclasses

import pytest

from mouse_ar.mvd import PRESETS, MVDConfig


def test_round_trip_through_plain_values() -> None:
    config = MVDConfig(image_size=96, num_frames=6, tubelet_size=3, drop_path=0.2, qkv_bias=False)
    assert MVDConfig.from_dict(config.to_dict()) == config
    assert all(type(v) in (int, float, bool) for v in config.to_dict().values())


def test_unknown_keys_are_refused() -> None:
    with pytest.raises(ValueError, match=r"no \['heads'\]; allowed keys are .*'num_heads'"):
        MVDConfig.from_dict({"heads": 3})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image_size": 100}, r"image_size must be a multiple of 16 .*use 96 or 112"),
        ({"image_size": 8}, r"image_size must be a multiple of 16 .*use 16\."),
        ({"num_frames": 15}, r"num_frames must be a multiple of 2 \(tubelet_size\).*14 or 16"),
        ({"num_heads": 5}, r"embed_dim must be a multiple of 5 \(num_heads\)"),
        ({"embed_dim": 24, "num_heads": 3}, "embed_dim must be a multiple of 16"),
        ({"depth": 0}, "depth must be an integer >= 1, got 0"),
        ({"num_classes": True}, "num_classes must be an integer"),
        ({"num_frames": 16.0}, "num_frames must be an integer"),
        ({"mlp_ratio": 0.0}, "mlp_ratio must be > 0"),
        ({"mlp_ratio": "4"}, "mlp_ratio must be a number, got '4'"),
        ({"mlp_ratio": float("inf")}, "mlp_ratio must be > 0 and finite"),
        ({"drop_path": None}, "drop_path must be a number, got None"),
        ({"head_dropout": True}, "head_dropout must be a number, got True"),
        ({"qkv_bias": 1}, "qkv_bias must be true or false"),
        ({"drop_path": 1.0}, r"drop_path must be in \[0, 1\)"),
        ({"head_dropout": float("nan")}, r"head_dropout must be in \[0, 1\)"),
    ],
)
def test_values_that_do_not_fit_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MVDConfig(**change)  # type: ignore[arg-type]


def test_grid_counts_tokens_along_time_height_width() -> None:
    assert MVDConfig(image_size=64, num_frames=6, patch_size=16, tubelet_size=3).grid == (2, 4, 4)


def test_presets_by_either_name() -> None:
    assert MVDConfig.preset("small") == MVDConfig.preset("vit_small") == PRESETS["vit_small"]
    changed = MVDConfig.preset("tiny", num_classes=7)
    assert changed == dataclasses.replace(PRESETS["vit_tiny"], num_classes=7)
    with pytest.raises(ValueError, match="Unknown MVD preset 'giant'; allowed: vit_tiny, vit_sm"):
        MVDConfig.preset("giant")
