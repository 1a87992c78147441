"""RT-DETRv2 in transformers reproduces the outputs of the original implementation."""

from __future__ import annotations

import json
import zlib
from ast import literal_eval
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from mouse_ar.detection.rtdetr import DetectorOptions, load_rtdetrv2, save_rtdetrv2
from mouse_ar.detection.rtdetr.architecture import read_architecture
from mouse_ar.detection.rtdetr.model import build_model, original_weights
from mouse_ar.detection.rtdetr.settings import read_settings

BACKBONES = ("r18vd", "r34vd", "r50vd", "r50vd_m", "r101vd")
FLOAT32 = DetectorOptions(device="cpu", precision="float32")
UNUSED = {
    "computed from the image size",
    "counts training steps",
    "read as the number of sampling points",
}


def golden_weight(key: str, *, shape: tuple[int, ...]) -> Tensor:
    """The deterministic weights that the golden values were computed with."""
    if key.endswith("num_points_scale"):
        return torch.full(shape, 0.25)
    if key.endswith("num_batches_tracked"):
        return torch.zeros(shape, dtype=torch.int64)
    rng = np.random.default_rng(zlib.crc32(key.encode()))
    weight = torch.from_numpy(np.asarray(rng.standard_normal(shape).astype(np.float32)))
    if key.endswith("running_var"):
        return 0.5 + weight.abs()
    if key.endswith("running_mean"):
        return 0.1 * weight
    if weight.ndim >= 2:
        return weight * float(np.sqrt(1 / np.prod(shape[1:])))
    return 1 + 0.1 * weight if key.endswith("weight") else 0.02 * weight


@pytest.fixture(scope="module")
def golden(shared_golden: Path) -> dict[str, Any]:
    with np.load(shared_golden / "rtdetrv2_r18vd_640.npz") as file:
        return dict(file)


@pytest.fixture(scope="module")
def weights(golden: dict[str, Any]) -> dict[str, Tensor]:
    shapes = dict(zip(map(str, golden["keys"]), map(str, golden["shapes"]), strict=True))
    return {key: golden_weight(key, shape=literal_eval(shape)) for key, shape in shapes.items()}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory, weights: dict[str, Tensor]) -> Path:
    """A file as the original code writes it."""
    path = tmp_path_factory.mktemp("golden") / "best.pth"
    torch.save({"ema": {"module": weights, "updates": 1}, "last_epoch": 0}, path)
    path.with_name("model_config.yml").write_text(
        "__include__: [../configs/dataset/coco.yml]\nnum_classes: 1\nPResNet: {depth: 18}\n"
        "HybridEncoder: {in_channels: [128, 256, 512], expansion: 0.5}\n"
        "RTDETRTransformerv2: {num_layers: 3}\n"
    )
    return path


def errors(path: Path, golden: dict[str, Any]) -> tuple[float, float]:
    """Largest differences of boxes and logits; queries come in any order."""
    pixels = np.random.default_rng(11).random((1, 3, 640, 640)).astype(np.float32)
    logits, boxes = load_rtdetrv2(path, options=FLOAT32).raw_outputs(pixels)
    assert boxes.isfinite().all()
    assert logits.isfinite().all()
    distance = np.abs(boxes[0].numpy()[:, None] - golden["pred_boxes"][0]).max(-1)
    ours, theirs = linear_sum_assignment(distance)
    difference = np.abs(logits[0].numpy()[ours] - golden["pred_logits"][0][theirs])
    return float(distance[ours, theirs].max()), float(difference.max())


def test_outputs_match_the_original(checkpoint: Path, golden: dict[str, Any]) -> None:
    assert max(errors(checkpoint, golden)) < 2e-5


def test_the_converted_form_matches_too(
    checkpoint: Path, golden: dict[str, Any], tmp_path: Path
) -> None:
    detector = load_rtdetrv2(checkpoint, options=FLOAT32)
    save_rtdetrv2(tmp_path / "mouse.safetensors", detector)
    assert max(errors(tmp_path / "mouse.safetensors", golden)) < 2e-5


@pytest.mark.parametrize("container", ["model", "ddp"])
def test_other_containers_match(
    weights: dict[str, Tensor], golden: dict[str, Any], tmp_path: Path, container: str
) -> None:
    prefix = "module." if container == "ddp" else ""
    path = tmp_path / "a.pth"
    torch.save({"model": {f"{prefix}{key}": value for key, value in weights.items()}}, path)
    assert max(errors(path, golden)) < 2e-5


@pytest.mark.parametrize("backbone", BACKBONES)
def test_every_key_of_every_backbone_is_accounted_for(shared_golden: Path, backbone: str) -> None:
    shapes = json.loads((shared_golden / "rtdetrv2_state_dict_keys.json").read_text())[backbone]
    weights = {
        key: torch.full(shape, 0.25 if key.endswith("num_points_scale") else 0.0)
        for key, shape in shapes.items()
    }
    architecture = read_architecture(weights, source=backbone)
    settings = read_settings({}, architecture, source=backbone)
    model, report = build_model(weights, architecture, settings, source=backbone)
    assert str(architecture).startswith(f"RT-DETRv2 {backbone} ")
    assert set(report.used) | set(report.unused) == set(shapes)
    assert not set(report.used) & set(report.unused)
    beyond = {key for key, reason in report.unused.items() if reason not in UNUSED}
    if backbone == "r50vd_m":
        assert (architecture.decoder_layers, settings.used_layers) == (6, 3)
        assert {report.unused[key] for key in beyond} == {"not used in inference by eval_idx"}
        assert all(any(f".{i}." in key for i in (3, 4, 5)) for key in beyond)
    else:
        assert settings.used_layers == architecture.decoder_layers
        assert not beyond
    assert not any(value.is_meta for value in model.state_dict().values())
    back = original_weights(model, architecture, settings)
    assert set(back) == set(report.used) | {k for k in back if k.endswith("num_points_scale")}
    assert all(list(value.shape) == shapes[key] for key, value in back.items())
