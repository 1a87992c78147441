"""RT-DETRv2 checkpoints: what loads, and what is refused with which words."""

from __future__ import annotations

import json
import os
import pickle
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

import tiny_rtdetr
from mouse_ar.detection.rtdetr import (
    CheckpointError,
    DetectorOptions,
    RTDetrV2Detector,
    load_rtdetrv2,
    save_rtdetrv2,
)

IMAGE = torch.rand(1, 3, 160, 160, generator=torch.Generator().manual_seed(1))
CPU = DetectorOptions(device="cpu", precision="float32")


def saved(path: Path, payload: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(payload, path)
    return path


def load(path: Path, config: Path | None = None) -> RTDetrV2Detector:
    return load_rtdetrv2(path, config, options=CPU)


@pytest.fixture(scope="module")
def weights() -> dict[str, Tensor]:
    return tiny_rtdetr.weights()


@pytest.fixture(scope="module")
def logits(tmp_path_factory: pytest.TempPathFactory, weights: dict[str, Tensor]) -> Tensor:
    """Outputs of the plainest file."""
    path = saved(tmp_path_factory.mktemp("plain") / "a.pth", {"ema": {"module": weights}})
    return load(path).raw_outputs(IMAGE).logits


@pytest.mark.parametrize(
    "container",
    [
        lambda w: {"ema": {"module": w, "updates": 3}, "last_epoch": 7, "date": "2025"},
        lambda w: {"ema": {"module": w}, "model": {"conv1.weight": torch.zeros(1)}},
        lambda w: {"ema": None, "model": w},
        lambda w: {"model": w, "optimizer": {"state": {0: torch.zeros(2)}, "lr": np.float64(1e-4)}},
        lambda w: {"ema": {"module": {f"module.{k}": v for k, v in w.items()}}},
        lambda w: {"model": w, "model_info": {"framework": "RT-DETRv2", "task_id": 1}},
        lambda w: w,
        lambda w: {k: v.half() if k.endswith("conv.weight") else v for k, v in w.items()},
    ],
    ids=["ema", "ema-first", "no-ema", "optimiser", "ddp", "supervisely", "bare", "half"],
)
def test_every_container_loads(
    tmp_path: Path, weights: dict[str, Tensor], logits: Tensor, container: Any, request: Any
) -> None:
    detector = load(saved(tmp_path / "best.pth", container(weights)))
    assert detector.class_names == ("class_0",)
    tolerance = 0.05 if request.node.callspec.id == "half" else 1e-6
    torch.testing.assert_close(
        detector.raw_outputs(IMAGE).logits.sort(1).values,
        logits.sort(1).values,
        rtol=0,
        atol=tolerance,
    )


def test_an_original_file_as_safetensors_loads(tmp_path: Path, weights: dict[str, Tensor]) -> None:
    save_file({k: v.contiguous() for k, v in weights.items()}, tmp_path / "a.safetensors")
    assert load(tmp_path).class_names == ("class_0",)


@pytest.mark.parametrize("bottleneck", [False, True])
def test_every_key_is_accounted_for(tmp_path: Path, bottleneck: bool) -> None:
    weights = tiny_rtdetr.weights(bottleneck=bottleneck)
    report = load(saved(tmp_path / "a.pth", {"model": weights})).report
    assert set(report.used) | set(report.unused) == set(weights)
    assert not set(report.used) & set(report.unused)
    assert set(report.unused.values()) == {
        "computed from the image size",
        "counts training steps",
        "read as the number of sampling points",
    }


def test_layers_behind_eval_idx_are_left_out(tmp_path: Path) -> None:
    weights = tiny_rtdetr.weights(decoder_layers=3)
    path = saved(tmp_path / "a.pth", {"model": weights})
    (tmp_path / "model_config.yml").write_text("RTDETRTransformerv2: {eval_idx: 1}")
    detector = load(path)
    unused = {k for k, v in detector.report.unused.items() if v.endswith("by eval_idx")}
    parts = ("decoder.layers", "dec_score_head", "dec_bbox_head")
    assert unused == {k for k in weights if k.startswith(tuple(f"decoder.{p}.2." for p in parts))}
    shorter = {k: v for k, v in weights.items() if k not in unused}
    (tmp_path / "model_config.yml").unlink()
    expected = load(saved(tmp_path / "a.pth", {"model": shorter})).raw_outputs(IMAGE)
    torch.testing.assert_close(detector.raw_outputs(IMAGE).logits, expected.logits)


def test_the_converted_form_is_the_same_detector(
    tmp_path: Path, weights: dict[str, Tensor], logits: Tensor
) -> None:
    path = saved(tmp_path / "checkpoints" / "best.pth", {"ema": {"module": weights}})
    (tmp_path / "model_meta.json").write_text('{"classes": [{"title": "mouse"}]}')
    (tmp_path / "model_config.yml").write_text("RTDETRTransformerv2: {eval_idx: 0}")
    detector = load(path)
    converted = tmp_path / "new" / "mouse.safetensors"
    save_rtdetrv2(converted, detector)
    again = load(converted)
    assert [file.name for file in converted.parent.iterdir()] == ["mouse.safetensors"]
    assert again.class_names == ("mouse",)
    assert again.settings == detector.settings
    assert again.fingerprint == detector.fingerprint
    expected = detector.raw_outputs(IMAGE)
    torch.testing.assert_close(again.raw_outputs(IMAGE).logits, expected.logits, rtol=0, atol=0)
    assert not torch.allclose(expected.logits, logits)
    with pytest.raises(CheckpointError, match="carries its own settings"):
        load(converted, tmp_path / "model_config.yml")


def test_nothing_is_looked_up_in_the_net(
    tmp_path: Path, weights: dict[str, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("no network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    load(saved(tmp_path / "a.pth", {"model": weights})).raw_outputs(IMAGE)


# class names


META = {"classes": [{"title": "mouse", "shape": "rectangle"}], "tags": []}


@pytest.mark.parametrize("place", ["model_meta.json", "../model_meta.json"])
def test_class_names_come_from_the_training_folder(
    tmp_path: Path, weights: dict[str, Tensor], place: str
) -> None:
    path = saved(tmp_path / "checkpoints" / "best.pth", {"model": weights})
    (path.parent / place).write_text(json.dumps(META))
    assert load(path).class_names == ("mouse",)
    assert load(tmp_path).class_names == ("mouse",)


def test_class_names_in_the_checkpoint_come_first(
    tmp_path: Path, weights: dict[str, Tensor]
) -> None:
    (tmp_path / "model_meta.json").write_text('{"classes": [{"title": "rat"}]}')
    path = saved(tmp_path / "best.pth", {"model": weights, "model_meta": META})
    assert load(path).class_names == ("mouse",)


@pytest.mark.parametrize("meta", [{"classes": []}, {"classes": [{}]}, [], {"classes": 3}])
def test_names_that_do_not_fit_are_not_used(
    tmp_path: Path, weights: dict[str, Tensor], meta: object
) -> None:
    (tmp_path / "model_meta.json").write_text(json.dumps(meta))
    assert load(saved(tmp_path / "a.pth", {"model": weights})).class_names == ("class_0",)


def test_damaged_model_meta(tmp_path: Path, weights: dict[str, Tensor]) -> None:
    (tmp_path / "model_meta.json").write_text("{")
    path = saved(tmp_path / "a.pth", {"model": weights})
    with pytest.raises(CheckpointError, match=r"model_meta\.json: cannot be read as JSON"):
        load(path)


# configuration


def test_settings_come_from_the_configuration(tmp_path: Path, weights: dict[str, Tensor]) -> None:
    text = (
        "__include__: [absent.yml]\nnum_classes: 1\n"
        "HybridEncoder: {nhead: 4, act: swish, hidden_dim: 16, expansion: 0.5}\n"
        "RTDETRTransformerv2: {cross_attn_method: discrete, num_queries: 50, num_points: [4, 4, 4]}"
    )
    noted = {"config": {"name": "model_config.yml", "content": text}}
    path = saved(tmp_path / "in" / "a.pth", {"model": weights, "model_files": noted})
    beside = saved(tmp_path / "by" / "checkpoints" / "a.pth", {"model": weights})
    (tmp_path / "by" / "model_config.yml").write_text(text)
    (tmp_path / "given.yaml").write_text(text)
    for detector in (load(path), load(beside), load(beside, tmp_path / "given.yaml")):
        assert detector.settings.cross_attention == "discrete"
        assert (detector.settings.encoder_heads, detector.settings.num_queries) == (4, 50)
        assert detector.settings.fusion_activation == "silu"
        assert detector.raw_outputs(IMAGE).boxes.shape == (1, 50, 4)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("num_classes: 80", "num_classes is 80, the weights say 1"),
        ("PResNet: {depth: 50}", r"PResNet\.depth is 50, the weights say None"),
        ("HybridEncoder: {in_channels: [128, 256, 512]}", r"the weights say \[16, 24, 32\]"),
        ("RTDETRTransformerv2: {num_layers: 6}", r"num_layers is 6, the weights say 2"),
        ("RTDETRTransformerv2: {num_points: 8}", r"num_points is 8, the weights say \[4, 4, 4\]"),
        ("RTDETRTransformerv2: {eval_idx: 2}", r"eval_idx is 2, .* decoder layers -2\.\.1"),
        ("RTDETRTransformerv2: {query_select_method: agnostic}", "only 'default' can be run"),
        ("RTDETRTransformerv2: {cross_attn_method: odd}", "must be one of .*'discrete'"),
        ("RTDETRTransformerv2: {activation: [relu]}", r"must be one of .*, got \['relu'\]"),
        ("RTDETRTransformerv2: {activation: tanh}", "decoder_activation must be one of"),
        ("RTDETRTransformerv2: {num_queries: none}", "num_queries must be a whole number"),
        ("HybridEncoder: {nhead: 5}", "encoder_heads 5 does not divide"),
        ("RTDETR: {backbone: HGNetv2}", "only 'PResNet' can be run"),
        ("RTDETRTransformerv2: 3", "RTDETRTransformerv2 is 3, expected a mapping"),
        ("- 1\n- 2", "got list, expected a YAML mapping"),
        ("", "got NoneType, expected a YAML mapping"),
        ("a: [", "is no readable YAML"),
        ("a: !!python/object/apply:os.getcwd []", "is no readable YAML"),
    ],
)
def test_configurations_that_cannot_be_used(
    tmp_path: Path, weights: dict[str, Tensor], text: str, message: str
) -> None:
    path = saved(tmp_path / "a.pth", {"model": weights})
    (tmp_path / "model_config.yml").write_text(text)
    with pytest.raises(CheckpointError, match=message):
        load(path)


def test_a_configuration_that_is_not_there(tmp_path: Path, weights: dict[str, Tensor]) -> None:
    path = saved(tmp_path / "a.pth", {"model": weights})
    with pytest.raises(CheckpointError, match=r"none\.yml: cannot be read"):
        load(path, tmp_path / "none.yml")


# files that are no detector


class Evil:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.target),)


@pytest.mark.parametrize("protocol", [None, 2, 4])
def test_code_in_a_pickle_does_not_run(tmp_path: Path, protocol: int | None) -> None:
    target = tmp_path / "made"
    path = tmp_path / "evil.pth"
    payload = {"model": {"w": torch.zeros(1)}, "extra": Evil(target)}
    if protocol is None:
        torch.save(payload, path)
    else:
        path.write_bytes(pickle.dumps({"extra": Evil(target)}, protocol))
    with pytest.raises(CheckpointError, match=r"running code|run code") as caught:
        load(path)
    assert "weights_only" not in str(caught.value)
    assert not target.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"PK\x03\x04 and no more", "truncated, damaged or no checkpoint"),
        (b"\x00" * 50, "truncated, damaged or no checkpoint"),
        (b"\x40\x00\x00\x00\x00\x00\x00\x00{", "truncated, damaged or no checkpoint"),
    ],
)
def test_damaged_files(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "a.pth"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=message):
        load(path)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_truncated_files(tmp_path: Path, weights: dict[str, Tensor], share: float) -> None:
    path = saved(tmp_path / "a.pth", {"model": weights})
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(CheckpointError, match="truncated, damaged or no checkpoint"):
        load(path)


def test_missing_files_and_ambiguous_folders(tmp_path: Path, weights: dict[str, Tensor]) -> None:
    with pytest.raises(CheckpointError, match="no such file"):
        load(tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match=r"holds 0 checkpoints \[\], expected one"):
        load(tmp_path)
    for name in ("a.pth", "b.pt"):
        saved(tmp_path / name, {"model": weights})
    with pytest.raises(CheckpointError, match=r"holds 2 checkpoints \['a.pth', 'b.pt'\]"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (
            {"model": {"conv1.weight": torch.zeros(64, 3, 7, 7)}},
            r"is no RT-DETRv2.*'conv1\.weight'",
        ),
        ({"module": {"blocks.0.attn.q_bias": torch.zeros(8)}}, "holds no weights. Got"),
        ({"model": {"encoder.blocks.0.attn.q_bias": torch.zeros(8)}}, "is no RT-DETRv2"),
        ({"epoch": 3}, r"holds no weights. Got \['epoch'\]"),
        ([1, 2], "holds no weights. Got list"),
    ],
)
def test_other_networks(tmp_path: Path, payload: Any, message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        load(saved(tmp_path / "a.pth", payload))


def altered(weights: dict[str, Tensor], **changes: Tensor | None) -> dict[str, Tensor]:
    result = dict(weights)
    for key, value in changes.items():
        if value is None:
            del result[key]
        else:
            result[key] = value
    return result


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"decoder.enc_score_head.bias": None}, r"1 missing \(first \['decoder\.enc_score_head"),
        ({"decoder.dec_score_head.0.weight": None}, "dec_score_head.0.weight expected"),
        ({"encoder.new.weight": torch.zeros(1)}, r"1 without a place \(first \['encoder\.new"),
        ({"decoder.enc_score_head.bias": torch.zeros(3)}, r"is \[3\], expected \[1\]"),
        ({"decoder.enc_score_head.bias": torch.tensor([float("nan")])}, "NaN or infinite"),
        ({"decoder.enc_score_head.weight": torch.zeros(5, 16)}, "proposes boxes by 5 score"),
        ({"decoder.tgt_embed.weight": torch.zeros(300, 16)}, "learnt queries"),
        (
            {"decoder.decoder.layers.0.cross_attn.num_points_scale": torch.full((9,), 0.25)},
            "equal numbers of points",
        ),
        (
            {"decoder.decoder.layers.0.cross_attn.attention_weights.weight": torch.zeros(36, 16)},
            "3 heads",
        ),
    ],
)
def test_weights_that_cannot_be_run(
    tmp_path: Path, weights: dict[str, Tensor], changes: dict[str, Any], message: str
) -> None:
    path = saved(tmp_path / "a.pth", {"model": altered(weights, **changes)})
    with pytest.raises(CheckpointError, match=message):
        load(path)


def test_zero_classes(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.pth", {"model": tiny_rtdetr.weights(num_classes=0)})
    with pytest.raises(CheckpointError, match="has zero classes"):
        load(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"kind": "other"}, "is no RT-DETRv2 but another model"),
        ({"kind": "rtdetrv2", "format_version": 9}, "has format version 9"),
        ({"kind": "rtdetrv2", "format_version": 1}, "its description is damaged"),
        (
            {
                "kind": "rtdetrv2",
                "format_version": 1,
                "classes": ["a", "b"],
                "settings": {"used_layers": 2},
            },
            "tells of 2 classes and 2 decoder layers",
        ),
    ],
)
def test_converted_files_that_cannot_be_used(
    tmp_path: Path, weights: dict[str, Tensor], content: Any, message: str
) -> None:
    path = tmp_path / "a.safetensors"
    save_file(weights, path, metadata={"mouse_ar": json.dumps(content)})
    with pytest.raises(CheckpointError, match=message):
        load(path)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("decoder.enc_score_head.weight", torch.tensor(1.0), "no usable RT-DETRv2|expected"),
        ("backbone.conv1.conv1_1.conv.weight", torch.zeros(8, 3, 3, 3, dtype=torch.int8), "int8"),
        (
            "backbone.conv1.conv1_1.conv.weight",
            torch.zeros(8, 3, 3, 3, dtype=torch.complex64),
            "complex64",
        ),
        ("backbone.conv1.conv1_1.conv.weight", torch.zeros(8, 3, 3, 3).to_sparse(), "sparse"),
    ],
)
def test_weights_that_no_training_leaves(
    tmp_path: Path, weights: dict[str, Tensor], name: str, value: Tensor, message: str
) -> None:
    assert name in weights
    path = saved(tmp_path / "a.pth", {"model": {**weights, name: value}})
    with pytest.raises(CheckpointError, match=message):
        load(path)


def test_more_queries_than_places_are_refused(tmp_path: Path, weights: dict[str, Tensor]) -> None:
    path = saved(tmp_path / "a.pth", {"model": weights})
    config = tmp_path / "model_config.yml"
    config.write_text("RTDETRTransformerv2: {num_queries: 100000}")
    with pytest.raises(CheckpointError, match="at most 8400"):
        load(path, config)


def test_a_whole_number_may_be_written_as_a_float(
    tmp_path: Path, weights: dict[str, Tensor]
) -> None:
    path = saved(tmp_path / "a.pth", {"model": weights})
    config = tmp_path / "model_config.yml"
    config.write_text("HybridEncoder: {pe_temperature: 10000.0}")
    assert load(path, config).settings.temperature == 10000
