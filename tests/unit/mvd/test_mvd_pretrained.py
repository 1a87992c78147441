from __future__ import annotations

import argparse
import os
import pickle
import zipfile
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from mouse_ar.mvd import MVD, CheckpointError, LoadReport, MVDConfig, load_pretrained

NANO = MVDConfig(image_size=32, num_frames=4, embed_dim=32, depth=2, num_heads=2)
NOT_IN_PRETRAINING = {"fc_norm.weight", "fc_norm.bias", "head.weight", "head.bias"}


def build(config: MVDConfig = NANO, *, seed: int = 0) -> MVD:
    torch.manual_seed(seed)
    return MVD(config)


def weights(config: MVDConfig = NANO) -> dict[str, Tensor]:
    """Weights that a fresh model cannot have by chance."""
    generator = torch.Generator().manual_seed(5)
    state = build(config).state_dict()
    return {key: torch.randn(value.shape, generator=generator) for key, value in state.items()}


def pretraining_weights() -> dict[str, Tensor]:
    encoder = {k: v for k, v in weights().items() if k not in NOT_IN_PRETRAINING}
    encoder |= {"norm.weight": torch.ones(32), "norm.bias": torch.zeros(32)}
    rest = {
        "mask_token_img": torch.zeros(1, 1, 16),
        "decoder_img.blocks.0.attn.qkv.weight": torch.zeros(48, 16),
        "decoder_img.head.weight": torch.zeros(8, 16),
        "encoder_to_decoder_vid.weight": torch.zeros(16, 32),
    }
    return {f"encoder.{key}": value for key, value in encoder.items()} | rest


def saved(tmp_path: Path, payload: Any, *, name: str = "weights.pth") -> Path:
    path = tmp_path / name
    torch.save(payload, path)
    return path


def check_accounts(report: LoadReport, *, model: MVD, source: dict[str, Tensor]) -> None:
    """Every key on both sides stands in the report exactly once."""
    file_keys = [*report.used, *report.reset, *report.unused]
    assert sorted(file_keys) == sorted(source)
    model_keys = [*report.used.values(), *report.reset.values(), *report.missing]
    assert sorted(model_keys) == sorted(model.state_dict())
    for key, name in report.used.items():
        assert torch.equal(model.state_dict()[name], source[key].float()), name


def test_pretrained(tmp_path: Path) -> None:
    source = pretraining_weights()
    model, fresh = build(), build()
    report = load_pretrained(model, saved(tmp_path, {"model": source, "epoch": 399}))
    check_accounts(report, model=model, source=source)
    assert set(report.missing) == NOT_IN_PRETRAINING
    for key in report.missing:
        assert torch.equal(model.state_dict()[key], fresh.state_dict()[key])
    assert "mean pooling" in report.unused["encoder.norm.weight"]
    assert report.unused["decoder_img.head.weight"] == "serves pre-training only"
    assert set(report.unused) == {k for k in source if k[:8] != "encoder."} | {
        "encoder.norm.weight",
        "encoder.norm.bias",
    }
    assert not report.reset


@pytest.mark.parametrize(
    ("container", "prefix"),
    [
        ("model", ""),
        ("module", ""),
        ("state_dict", "backbone."),
        ("model", "backbone."),
        ("model", "module."),
        (None, ""),
        ("model", "module._orig_mod."),
    ],
)
def test_finetuned_in_every_container(tmp_path: Path, container: str | None, prefix: str) -> None:
    source = {prefix + key: value for key, value in weights().items()}
    payload = {container: OrderedDict(source)} if container else source
    model = build()
    report = load_pretrained(model, saved(tmp_path, payload))
    check_accounts(report, model=model, source=source)
    assert len(report.used) == len(source)
    assert report.missing == ()
    assert not report.unused
    assert not report.reset


def test_backbone_prefix_around_a_pretrained_encoder(tmp_path: Path) -> None:
    source = {f"backbone.{key}": value for key, value in pretraining_weights().items()}
    model = build()
    report = load_pretrained(model, saved(tmp_path, {"model": source}))
    check_accounts(report, model=model, source=source)
    assert set(report.missing) == NOT_IN_PRETRAINING


def test_deepspeed_half_precision_with_the_rest_of_its_state(tmp_path: Path) -> None:
    source = {key: value.half() for key, value in weights().items()}
    payload = {
        "module": source,
        "buffer_names": [],
        "optimizer": None,
        "param_shapes": [OrderedDict(a=torch.Size([2]))],
        "sparse_tensor_module_names": {"x"},
        "dtype": torch.float16,
        "ds_config": {"train_batch_size": 8},
    }
    model = build()
    report = load_pretrained(model, saved(tmp_path, payload))
    check_accounts(report, model=model, source=source)
    assert model.head.weight.dtype == torch.float32


def test_head_of_other_classes_starts_fresh(tmp_path: Path) -> None:
    source = weights(replace(NANO, num_classes=400))
    model, fresh = build(), build()
    report = load_pretrained(model, saved(tmp_path, {"model": source}))
    check_accounts(report, model=model, source=source)
    assert report.reset == {"head.weight": "head.weight", "head.bias": "head.bias"}
    assert torch.equal(model.head.weight, fresh.head.weight)
    assert "start fresh (other classes)" in report.summary()


def test_window_length_and_input_size_are_free(tmp_path: Path) -> None:
    path = saved(tmp_path, {"model": weights()})
    model = build(replace(NANO, num_frames=10, image_size=48))
    report = load_pretrained(model, path)
    assert report.missing == ()
    assert not report.unused


def test_parts_that_the_model_lacks_are_named(tmp_path: Path) -> None:
    extra = {"pos_embed": torch.zeros(1, 8, 32), "cls_head.fc_cls.weight": torch.zeros(400, 32)}
    source = weights() | extra
    model = build()
    report = load_pretrained(model, saved(tmp_path, {"model": source}))
    check_accounts(report, model=model, source=source)
    assert report.unused == {
        "pos_embed": "position embedding; it is computed",
        "cls_head.fc_cls.weight": "no such part in this model",
    }
    assert "2 left out" in report.summary()


def test_arguments_and_numpy_scalars_beside_the_weights(tmp_path: Path) -> None:
    args = argparse.Namespace(lr=1e-3, data_path="somewhere", opt_betas=[0.9, 0.999])
    scalars = {"max_accuracy": np.float64(80.6), "epoch": np.int64(75), "flag": np.bool_(True)}
    source = weights()
    path = saved(tmp_path, {"model": source, "args": args, **scalars})
    model = build()
    check_accounts(load_pretrained(model, path), model=model, source=source)


def test_numpy_scalars_saved_by_numpy_1(tmp_path: Path) -> None:
    path = saved(tmp_path, {"model": weights(), "max_accuracy": np.float64(80.6)})
    old, new = b"cnumpy.core.multiarray\n", b"cnumpy._core.multiarray\n"
    content = rezip(path, lambda pickled: pickled.replace(new, old))
    assert old in content
    load_pretrained(build(), path)


def rezip(path: Path, change: Any) -> bytes:
    """Replace the pickle inside a ``torch.save`` file."""
    with zipfile.ZipFile(path) as source:
        entries = {name: source.read(name) for name in source.namelist()}
    name = next(name for name in entries if name.endswith("data.pkl"))
    entries[name] = change(entries[name])
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as target:
        for entry, data in entries.items():
            target.writestr(entry, data)
    return entries[name]


class Malicious:
    """Makes a folder when unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.target),)


@pytest.mark.parametrize("kind", ["zip", "legacy", "pickle", "weights"])
def test_code_in_a_file_never_runs(tmp_path: Path, kind: str) -> None:
    proof = tmp_path / "executed"
    path = tmp_path / "evil.pth"
    payload = {"model": weights(), "args": Malicious(proof)}
    if kind == "weights":
        payload = {"model": weights() | {"head.bias": Malicious(proof)}}
    if kind == "pickle":
        path.write_bytes(pickle.dumps({"model": Malicious(proof)}, protocol=2))
    else:
        torch.save(payload, path, _use_new_zipfile_serialization=kind != "legacy")
    model = build()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    with pytest.raises(CheckpointError, match=r"evil\.pth: (contains more than tensors|cannot be)"):
        load_pretrained(model, path)
    assert not proof.exists()
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    with path.open("rb") as file:  # the file is dangerous indeed
        torch.load(file, weights_only=False) if kind != "pickle" else pickle.load(file)
    assert proof.exists()


def test_objects_other_than_plain_values_are_named(tmp_path: Path) -> None:
    path = saved(tmp_path, {"model": weights(), "where": Path("x")})
    with pytest.raises(
        CheckpointError, match=r"weights\.pth: contains more .*pathlib.*torch\.save"
    ):
        load_pretrained(build(), path)


@pytest.mark.parametrize(
    "content",
    [b"", b"hello world", b"PK\x03\x04 but no zip", bytes(range(256)) * 8, b"\x00" * 8 + b"{}"],
    ids=["empty", "text", "no-zip", "noise", "no-safetensors"],
)
def test_files_that_are_no_checkpoint(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"weights\.pth: "):
        load_pretrained(build(), path)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_truncated_files(tmp_path: Path, share: float) -> None:
    path = saved(tmp_path, {"model": weights()})
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(CheckpointError, match=r"weights\.pth: .*download or copy it again"):
        load_pretrained(build(), path)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"gone\.pth: no such file"):
        load_pretrained(build(), tmp_path / "gone.pth")


@pytest.mark.parametrize("payload", [{"epoch": 3}, {"model": {}}, [1, 2], {"model": {"a": 1}}])
def test_files_without_weights(tmp_path: Path, payload: Any) -> None:
    with pytest.raises(CheckpointError, match="holds no weights"):
        load_pretrained(build(), saved(tmp_path, payload))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"embed_dim": 64}, "The file holds embed_dim 64, .*the model has embed_dim 32"),
        ({"depth": 3}, r"depth 3; .*depth 2.*\(blocks\.2\..* has no place in the model"),
        ({"depth": 1}, r"depth 1; .*depth 2.*\(blocks\.1\..* is missing"),
        ({"tubelet_size": 1}, "tubelet_size 1, .* tubelet_size 2"),
        ({"patch_size": 8}, "patch_size 8, .* patch_size 16"),
        ({"qkv_bias": False}, r"blocks\.0\.attn\.q_bias is missing"),
    ],
)
def test_other_architectures_are_refused(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    path = saved(tmp_path, {"model": weights(replace(NANO, **change))})
    model = build()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    with pytest.raises(CheckpointError, match=message):
        load_pretrained(model, path)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


def test_weights_of_another_kind_of_network(tmp_path: Path) -> None:
    path = saved(tmp_path, {"model": {"conv1.weight": torch.zeros(2), "bn1.bias": torch.zeros(2)}})
    with pytest.raises(CheckpointError, match=r"no MVD encoder \(first keys: \['conv1.weight'"):
        load_pretrained(build(), path)


def test_weights_that_diverged_are_refused(tmp_path: Path) -> None:
    source = weights()
    source["blocks.1.mlp.fc1.bias"][3] = float("nan")
    with pytest.raises(CheckpointError, match=r"blocks\.1\.mlp\.fc1\.bias contains NaN"):
        load_pretrained(build(), saved(tmp_path, {"model": source}))


def test_the_same_weights_twice_are_ambiguous(tmp_path: Path) -> None:
    source = weights() | {"backbone.head.bias": torch.zeros(3)}
    with pytest.raises(CheckpointError, match=r"holds 'head\.bias' twice"):
        load_pretrained(build(), saved(tmp_path, {"model": source}))


def test_safetensors(tmp_path: Path) -> None:
    source = weights()
    path = tmp_path / "model.safetensors"
    save_file(source, path)
    model = build()
    check_accounts(load_pretrained(model, path), model=model, source=source)
