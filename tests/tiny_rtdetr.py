"""Weights of an RT-DETRv2 under the original code's names, small enough for unit tests."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import prod
from pathlib import Path

import torch
from torch import Tensor

Entry = tuple[str, list[int]]

STAGES = (8, 16, 24, 32)
WIDTH, FUSION, FFN, POINTS, HEADS = 16, 8, 24, 4, 4


def shapes(*, num_classes: int, decoder_layers: int, bottleneck: bool) -> dict[str, list[int]]:
    """Every key of the state dict, as the original code names them."""
    entries = [
        *backbone(bottleneck=bottleneck),
        *encoder([width * (4 if bottleneck else 1) for width in STAGES[1:]]),
        *decoder(num_classes=num_classes, layers=decoder_layers),
    ]
    return dict(entries)


def weights(
    *, num_classes: int = 1, decoder_layers: int = 2, bottleneck: bool = False, seed: int = 0
) -> dict[str, Tensor]:
    """Random weights whose activations are of order one."""
    generator = torch.Generator().manual_seed(seed)
    found = {}
    for key, shape in shapes(
        num_classes=num_classes, decoder_layers=decoder_layers, bottleneck=bottleneck
    ).items():
        noise = torch.randn(shape, generator=generator)
        if key.endswith("num_batches_tracked"):
            found[key] = torch.tensor(7)
        elif key.endswith("num_points_scale"):
            found[key] = torch.full(shape, 1 / POINTS + 1e-6)  # as averaging leaves it
        elif key.endswith("running_var"):
            found[key] = 0.5 + noise.abs()
        elif len(shape) == 1:
            found[key] = 0.1 * noise + (1 if "norm" in key and key.endswith("weight") else 0)
        else:
            found[key] = noise / prod(shape[1:]) ** 0.5
    return found


def write_checkpoint(folder: Path, *, class_name: str = "mouse") -> Path:
    """A checkpoint as the Supervisely app leaves it, with its class beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "best.pth"
    torch.save({"ema": {"module": weights()}}, path)
    meta = {"classes": [{"title": class_name, "shape": "rectangle", "color": "#FF0000"}]}
    (folder / "model_meta.json").write_text(json.dumps(meta))
    return path


def conv_norm(name: str, out: int, into: int, size: int = 1) -> Iterator[Entry]:
    yield f"{name}.conv.weight", [out, into, size, size]
    for kind in ("weight", "bias", "running_mean", "running_var"):
        yield f"{name}.norm.{kind}", [out]
    yield f"{name}.norm.num_batches_tracked", []


def linear(name: str, out: int, into: int) -> Iterator[Entry]:
    yield f"{name}.weight", [out, into]
    yield f"{name}.bias", [out]


def norm(name: str) -> Iterator[Entry]:
    yield f"{name}.weight", [WIDTH]
    yield f"{name}.bias", [WIDTH]


def attention(name: str) -> Iterator[Entry]:
    yield f"{name}.in_proj_weight", [3 * WIDTH, WIDTH]
    yield f"{name}.in_proj_bias", [3 * WIDTH]
    yield from linear(f"{name}.out_proj", WIDTH, WIDTH)


def mlp(name: str, widths: Sequence[int]) -> Iterator[Entry]:
    for i, (into, out) in enumerate(pairwise(widths)):
        yield from linear(f"{name}.layers.{i}", out, into)


def backbone(*, bottleneck: bool) -> Iterator[Entry]:
    """One block in each of four stages."""
    stem = STAGES[0]
    yield from conv_norm("backbone.conv1.conv1_1", stem // 2, 3, 3)
    yield from conv_norm("backbone.conv1.conv1_2", stem // 2, stem // 2, 3)
    yield from conv_norm("backbone.conv1.conv1_3", stem, stem // 2, 3)
    into = stem
    for i, width in enumerate(STAGES):
        block = f"backbone.res_layers.{i}.blocks.0"
        out = 4 * width if bottleneck else width
        yield from conv_norm(f"{block}.short.conv" if i else f"{block}.short", out, into)
        yield from conv_norm(f"{block}.branch2a", width, into, 1 if bottleneck else 3)
        yield from conv_norm(f"{block}.branch2b", width, width, 3)
        if bottleneck:
            yield from conv_norm(f"{block}.branch2c", out, width)
        into = out


def encoder(channels: Sequence[int]) -> Iterator[Entry]:
    for i, into in enumerate(channels):
        yield from conv_norm(f"encoder.input_proj.{i}", WIDTH, into)
    layer = "encoder.encoder.0.layers.0"
    yield from attention(f"{layer}.self_attn")
    yield from linear(f"{layer}.linear1", FFN, WIDTH)
    yield from linear(f"{layer}.linear2", WIDTH, FFN)
    for i in (1, 2):
        yield from norm(f"{layer}.norm{i}")
    for i in range(2):
        yield from conv_norm(f"encoder.lateral_convs.{i}", WIDTH, WIDTH)
        yield from conv_norm(f"encoder.downsample_convs.{i}", WIDTH, WIDTH, 3)
        for kind in ("fpn_blocks", "pan_blocks"):
            block = f"encoder.{kind}.{i}"
            yield from conv_norm(f"{block}.conv1", FUSION, 2 * WIDTH)
            yield from conv_norm(f"{block}.conv2", FUSION, 2 * WIDTH)
            yield from conv_norm(f"{block}.conv3", WIDTH, FUSION)
            for j in range(3):
                yield from conv_norm(f"{block}.bottlenecks.{j}.conv1", FUSION, FUSION, 3)
                yield from conv_norm(f"{block}.bottlenecks.{j}.conv2", FUSION, FUSION)


def decoder(*, num_classes: int, layers: int) -> Iterator[Entry]:
    yield "decoder.anchors", [1, 8400, 4]
    yield "decoder.valid_mask", [1, 8400, 1]
    for i in range(3):
        yield from conv_norm(f"decoder.input_proj.{i}", WIDTH, WIDTH)
    yield "decoder.denoising_class_embed.weight", [num_classes + 1, WIDTH]
    yield from mlp("decoder.query_pos_head", [4, 2 * WIDTH, WIDTH])
    yield from linear("decoder.enc_output.proj", WIDTH, WIDTH)
    yield from norm("decoder.enc_output.norm")
    yield from linear("decoder.enc_score_head", num_classes, WIDTH)
    yield from mlp("decoder.enc_bbox_head", [WIDTH, WIDTH, WIDTH, 4])
    for i in range(layers):
        layer = f"decoder.decoder.layers.{i}"
        yield from attention(f"{layer}.self_attn")
        yield f"{layer}.cross_attn.num_points_scale", [3 * POINTS]
        yield from linear(f"{layer}.cross_attn.sampling_offsets", 2 * HEADS * 3 * POINTS, WIDTH)
        yield from linear(f"{layer}.cross_attn.attention_weights", HEADS * 3 * POINTS, WIDTH)
        yield from linear(f"{layer}.cross_attn.value_proj", WIDTH, WIDTH)
        yield from linear(f"{layer}.cross_attn.output_proj", WIDTH, WIDTH)
        yield from linear(f"{layer}.linear1", FFN, WIDTH)
        yield from linear(f"{layer}.linear2", WIDTH, FFN)
        for j in (1, 2, 3):
            yield from norm(f"{layer}.norm{j}")
        yield from linear(f"decoder.dec_score_head.{i}", num_classes, WIDTH)
        yield from mlp(f"decoder.dec_bbox_head.{i}", [WIDTH, WIDTH, WIDTH, 4])
