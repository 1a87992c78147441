from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

import mouse_ar
import mouse_ar.mvd.checkpoint as checkpoint_module
from mouse_ar.core.actions import Action, ActionKind, ActionSet
from mouse_ar.core.types import ClipSpec
from mouse_ar.mvd import (
    MVD,
    CheckpointError,
    MVDConfig,
    load_checkpoint,
    load_pretrained,
    read_checkpoint_info,
    save_checkpoint,
)

NANO = MVDConfig(image_size=32, num_frames=4, embed_dim=32, depth=2, num_heads=2, drop_path=0.3)
SPEC = ClipSpec(num_frames=4, sampling_rate=3, input_size=32, crop_padding=0.25)
ACTIONS = ActionSet(
    actions=(
        Action(
            "Head/Body TWITCH", "twitch", ActionKind.POINT, aliases=("Zucken",), color=(1, 2, 3)
        ),
        Action("Self-Grooming", "grooming", ActionKind.STATE),
    )
)
DECODING = {"Self-Grooming": {"on": 0.6, "off": 0.4}, "Head/Body TWITCH": {"height": 0.5}}
METADATA = {"epoch": 7, "data_fingerprint": "3f2a", "note": "Maus \N{MOUSE FACE}"}


def build(*, seed: int = 0) -> MVD:
    torch.manual_seed(seed)
    return MVD(NANO)


def save(path: Path, model: MVD, **changes: Any) -> None:
    parts: dict[str, Any] = {
        "spec": SPEC,
        "actions": ACTIONS,
        "decoding": DECODING,
        "training_fps": 29.97,
        "metadata": METADATA,
    }
    save_checkpoint(path, model, **(parts | changes))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A checkpoint."""
    target = tmp_path / "runs" / "best.safetensors"
    save(target, build())
    return target


def alter(path: Path, change: Callable[[dict[str, str], dict[str, torch.Tensor]], None]) -> None:
    """Rewrite a checkpoint with a changed header or changed weights."""
    with safe_open(path, framework="pt") as file:
        header = dict(file.metadata())
    tensors = load_file(path)
    change(header, tensors)
    save_file(tensors, path, metadata=header)


def edit(change: Callable[[dict[str, Any]], object]) -> Callable[[dict[str, str], Any], None]:
    """A change of the JSON in the header."""

    def apply(header: dict[str, str], _: Any) -> None:
        content = json.loads(header["mouse_ar"])
        change(content)
        header["mouse_ar"] = json.dumps(content)

    return apply


def test_round_trip(path: Path) -> None:
    rng = torch.get_rng_state()
    loaded = load_checkpoint(path)
    assert torch.equal(rng, torch.get_rng_state()), "loading must not draw random numbers"
    assert loaded.config == NANO
    assert loaded.spec == SPEC
    assert loaded.actions == ACTIONS
    assert loaded.actions.classes == ("idle", "Head/Body TWITCH", "Self-Grooming")
    assert loaded.decoding == DECODING
    assert loaded.training_fps == 29.97
    assert loaded.metadata == METADATA
    assert loaded.data_fingerprint == "3f2a"
    assert loaded.code_version == mouse_ar.__version__
    assert loaded.format_version == 1
    original = build().eval()
    pixels = torch.randn(2, 3, 4, 32, 32)
    assert torch.equal(loaded.model(pixels), original(pixels))
    assert not loaded.model.training
    assert all(parameter.requires_grad for parameter in loaded.model.parameters())


def test_a_loaded_model_can_be_trained_on(path: Path) -> None:
    model = load_checkpoint(path, torch.device("cpu")).model.train()
    model(torch.randn(2, 3, 4, 32, 32)).square().sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_info_needs_no_weights(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("weights were read")

    monkeypatch.setattr(checkpoint_module, "_read_tensors", refuse)
    monkeypatch.setattr(checkpoint_module, "MVD", refuse)
    info = read_checkpoint_info(path)
    assert (info.config, info.spec, info.actions) == (NANO, SPEC, ACTIONS)
    assert info.data_fingerprint == "3f2a"


def test_fingerprint_may_be_unknown(path: Path) -> None:
    save(path, build(), metadata={})
    assert read_checkpoint_info(path).data_fingerprint is None


def test_keys_are_the_original_ones_so_that_training_can_start_from_it(path: Path) -> None:
    model = build(seed=1)
    report = load_pretrained(model, path)
    assert report.missing == ()
    for key, value in build().state_dict().items():
        assert torch.equal(model.state_dict()[key], value)


def test_same_input_gives_the_same_bytes(path: Path) -> None:
    first = path.read_bytes()
    save(path, build())
    assert path.read_bytes() == first
    assert [p.name for p in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("step", ["save_file", "fsync", "replace"])
def test_a_failure_while_writing_keeps_the_last_good_file(
    path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    before = path.read_bytes()

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    def half(_: object, target: Path, **__: object) -> None:
        target.write_bytes(before[:100])
        fail()

    if step == "save_file":
        monkeypatch.setattr(checkpoint_module, "save_file", half)
    elif step == "fsync":
        monkeypatch.setattr(os, "fsync", fail)
    else:
        monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="No space left"):
        save(path, build(seed=2))
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"spec": replace(SPEC, num_frames=8)}, "num_frames 4, its ClipSpec .* 8"),
        ({"spec": replace(SPEC, input_size=64)}, "image_size 32, its ClipSpec .* 64"),
        ({"actions": ActionSet(ACTIONS.actions[:1])}, "num_classes 3, .* 2"),
        ({"training_fps": 0.0}, "training_fps must be > 0"),
        ({"training_fps": float("inf")}, "training_fps must be > 0"),
        ({"metadata": {"model": object()}}, "must be plain JSON values"),
        ({"decoding": {"threshold": float("nan")}}, "must be plain JSON values"),
    ],
)
def test_contradictions_are_not_written(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    target = tmp_path / "model.safetensors"
    with pytest.raises(CheckpointError, match=message):
        save(target, build(), **changes)
    assert not target.exists()


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"gone\.safetensors: no such file"):
        load_checkpoint(tmp_path / "gone.safetensors")


@pytest.mark.parametrize("read", [load_checkpoint, read_checkpoint_info])
@pytest.mark.parametrize("share", [0.0, 0.001, 0.02, 0.5, 0.999])
def test_truncated_file(path: Path, share: float, read: Callable[[Path], object]) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(CheckpointError, match=r"best\.safetensors: cannot be read as safetensors"):
        read(path)


def test_pytorch_file_says_where_it_belongs(tmp_path: Path) -> None:
    target = tmp_path / "mvd_s.pth"
    torch.save({"model": build().state_dict()}, target)
    with pytest.raises(CheckpointError, match=r"mvd_s\.pth: is a PyTorch file.*'pretrained'"):
        load_checkpoint(target)


def test_safetensors_of_another_program(tmp_path: Path) -> None:
    target = tmp_path / "other.safetensors"
    save_file(build().state_dict(), target)
    with pytest.raises(CheckpointError, match="of another program"):
        load_checkpoint(target)


def test_newer_format(path: Path) -> None:
    alter(path, edit(lambda content: content.update(format_version=2)))
    with pytest.raises(CheckpointError, match=r"format version 2, .* reads version 1\. Update"):
        read_checkpoint_info(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda header, _: header.update({"mouse_ar": "{"}), "description is damaged"),
        (lambda header, _: header.update({"mouse_ar": "[]"}), "description is damaged"),
        (edit(lambda c: c.pop("actions")), "description is damaged .*'actions'"),
        (edit(lambda c: c["config"].update(heads=2)), "description is damaged .*heads"),
        (edit(lambda c: c["clip_spec"].update(fps=2)), "description is damaged .*fps"),
        (edit(lambda c: c.update(training_fps="fast")), "description is damaged"),
        (edit(lambda c: c["clip_spec"].update(num_frames=8)), "They must agree"),
        (edit(lambda c: c["config"].update(depth=3)), r"keys differ, first 'blocks\.2"),
        (
            lambda _, tensors: tensors.pop("head.bias"),
            r"1 keys differ, first 'head\.bias': got None",
        ),
        (
            lambda _, tensors: tensors.update({"head.bias": torch.zeros(4)}),
            r"first 'head\.bias': got \('torch.float32', \(4,\)\), expected \(.*, \(3,\)\)",
        ),
        (
            lambda _, tensors: tensors.update({"head.bias": torch.zeros(3).half()}),
            r"1 keys differ, first 'head\.bias': got \('torch\.float16'.*expected.*float32",
        ),
        (lambda _, tensors: tensors.update({"x": torch.zeros(4)}), r"first 'x': .*expected None"),
    ],
)
def test_altered_files_are_refused(path: Path, change: Any, message: str) -> None:
    alter(path, change)
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(path)
