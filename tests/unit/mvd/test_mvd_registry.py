from __future__ import annotations

import subprocess
import sys

import pytest
import timm

from mouse_ar.mvd import MVD, MVDConfig, register_timm


def test_importing_registers_nothing() -> None:
    script = (
        "import timm, mouse_ar.mvd, mouse_ar.mvd.registry;"
        "assert not timm.list_models('mvd_*');"
        "mouse_ar.mvd.register_timm();"
        "assert len(timm.list_models('mvd_*')) == 5"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_presets_by_name() -> None:
    names = register_timm()
    assert names == (
        "mvd_tiny_patch8_32",
        "mvd_small_patch16_224",
        "mvd_base_patch16_224",
        "mvd_large_patch16_224",
        "mvd_huge_patch16_224",
    )
    model = timm.create_model("mvd_small_patch16_224", num_classes=3)
    assert isinstance(model, MVD)
    assert model.config == MVDConfig.preset("small", num_classes=3)


def test_our_fields_and_those_of_timm_are_accepted() -> None:
    register_timm()
    model = timm.create_model(
        "mvd_tiny_patch8_32", num_frames=4, img_size=64, drop_rate=0.1, drop_path_rate=0.2
    )
    assert model.config == MVDConfig.preset(
        "tiny", num_frames=4, image_size=64, head_dropout=0.1, drop_path=0.2
    )
    with pytest.raises(ValueError, match=r"no \['global_pool'\]"):
        timm.create_model("mvd_tiny_patch8_32", global_pool="avg")


def test_calling_twice_changes_nothing(recwarn: pytest.WarningsRecorder) -> None:
    register_timm()
    entry_point = timm.model_entrypoint("mvd_tiny_patch8_32")
    register_timm()
    assert timm.model_entrypoint("mvd_tiny_patch8_32") is entry_point
    assert not [w for w in recwarn if "Overwriting" in str(w.message)]


def test_weights_are_not_downloaded() -> None:
    register_timm()
    with pytest.raises(ValueError, match=r"mvd_tiny_patch8_32; .*load_pretrained"):
        timm.create_model("mvd_tiny_patch8_32", pretrained=True)
