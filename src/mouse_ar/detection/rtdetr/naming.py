"""Names of an RT-DETRv2's weights: the original code's against those of transformers.

Written down part by part from the architecture, so that both directions are complete by
construction. transformers' side has the names that its modules have in memory (5.x).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from mouse_ar.detection.rtdetr.architecture import Architecture

__all__ = ["Naming", "why_not_used"]

WEIGHT = ("weight",)
AFFINE = ("weight", "bias")
BATCH_NORM = ("weight", "bias", "running_mean", "running_var")
# Reasons why a tensor of a checkpoint has no place in the model.
REBUILT = "computed from the image size"
COUNTER = "counts training steps"
IN_ARCHITECTURE = "read as the number of sampling points"
BEYOND = "not used in inference by eval_idx"

Pair = tuple[str, tuple[str, ...]]


@dataclass(frozen=True)
class Naming:
    """Which original weight goes where.

    Args:
        copied: original name -> names in transformers, which all get the same values.
        split: original name -> names of the query's, key's and value's third.
    """

    copied: Mapping[str, tuple[str, ...]]
    split: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, architecture: Architecture, *, used_layers: int) -> Naming:
        """The names for an architecture of which inference uses some decoder layers."""
        copied = dict(_backbone(architecture))
        copied |= dict(_encoder(architecture))
        copied |= dict(_decoder(architecture, used_layers=used_layers))
        attentions = [
            (f"encoder.encoder.0.layers.{i}", f"model.encoder.aifi.0.layers.{i}")
            for i in range(architecture.encoder_layers)
        ] + [
            (f"decoder.decoder.layers.{i}", f"model.decoder.layers.{i}") for i in range(used_layers)
        ]
        split = {
            f"{ours}.self_attn.in_proj_{kind}": tuple(
                f"{theirs}.self_attn.{part}_proj.{kind}" for part in "qkv"
            )
            for ours, theirs in attentions
            for kind in AFFINE
        }
        return cls(copied=copied, split=split)

    @property
    def originals(self) -> set[str]:
        """Every original name that the model needs."""
        return {*self.copied, *self.split}

    def to_transformers(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Original weights under the names of transformers; the tensors are copies."""
        renamed = {}
        for name, targets in self.copied.items():
            for target in targets:
                renamed[target] = weights[name].to(torch.float32, copy=True).contiguous()
        for name, targets in self.split.items():
            for target, part in zip(targets, weights[name].chunk(3), strict=True):
                renamed[target] = part.to(torch.float32, copy=True).contiguous()
        return renamed

    def to_original(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Weights of a transformers model under their original names."""
        renamed = {name: state[targets[0]] for name, targets in self.copied.items()}
        for name, targets in self.split.items():
            renamed[name] = torch.cat([state[target] for target in targets])
        return renamed


def why_not_used(name: str, *, used_layers: int) -> str | None:
    """Why an original weight is not needed, None if there is no good reason."""
    if name in {"decoder.anchors", "decoder.valid_mask"}:
        return REBUILT
    if name.endswith(".num_batches_tracked"):
        return COUNTER
    for prefix in ("decoder.decoder.layers.", "decoder.dec_score_head.", "decoder.dec_bbox_head."):
        if name.startswith(prefix):
            number = name.removeprefix(prefix).partition(".")[0]
            if number.isdecimal() and int(number) >= used_layers:
                return BEYOND
    if name.startswith("decoder.decoder.layers.") and name.endswith(".num_points_scale"):
        return IN_ARCHITECTURE
    return None


def _part(ours: str, theirs: str | tuple[str, ...], kinds: tuple[str, ...]) -> Iterator[Pair]:
    places = (theirs,) if isinstance(theirs, str) else theirs
    for kind in kinds:
        yield f"{ours}.{kind}", tuple(f"{place}.{kind}" for place in places)


def _conv_norm(
    ours: str, theirs: str, *, names: tuple[str, str] = ("conv", "norm")
) -> Iterator[Pair]:
    """A convolution without bias and its batch norm."""
    yield from _part(f"{ours}.conv", f"{theirs}.{names[0]}", WEIGHT)
    yield from _part(f"{ours}.norm", f"{theirs}.{names[1]}", BATCH_NORM)


def _backbone(architecture: Architecture) -> Iterator[Pair]:
    names = ("convolution", "normalization")
    root = "model.backbone.model"
    for i in range(3):
        yield from _conv_norm(
            f"backbone.conv1.conv1_{i + 1}", f"{root}.embedder.embedder.{i}", names=names
        )
    branches = ("branch2a", "branch2b", "branch2c")[: 3 if architecture.bottleneck else 2]
    for stage, depth in enumerate(architecture.depths):
        for block in range(depth):
            ours = f"backbone.res_layers.{stage}.blocks.{block}"
            theirs = f"{root}.encoder.stages.{stage}.layers.{block}"
            for i, branch in enumerate(branches):
                yield from _conv_norm(f"{ours}.{branch}", f"{theirs}.layer.{i}", names=names)
        # The first block of a stage has a shortcut; from the second on it pools first.
        ours = f"backbone.res_layers.{stage}.blocks.0.short"
        theirs = f"{root}.encoder.stages.{stage}.layers.0.shortcut"
        if stage:
            ours, theirs = f"{ours}.conv", f"{theirs}.1"
        yield from _conv_norm(ours, theirs, names=names)


def _encoder(architecture: Architecture) -> Iterator[Pair]:
    for i in range(3):
        yield from _conv_norm(
            f"encoder.input_proj.{i}", f"model.encoder_input_proj.{i}", names=("0", "1")
        )
    for i in range(architecture.encoder_layers):
        ours, theirs = f"encoder.encoder.0.layers.{i}", f"model.encoder.aifi.0.layers.{i}"
        yield from _part(f"{ours}.norm1", f"{theirs}.self_attn_layer_norm", AFFINE)
        yield from _part(f"{ours}.norm2", f"{theirs}.final_layer_norm", AFFINE)
        yield from _feed_forward(ours, theirs)
    for i in range(2):
        for kind in ("lateral_convs", "downsample_convs"):
            yield from _conv_norm(f"encoder.{kind}.{i}", f"model.encoder.{kind}.{i}")
        for kind in ("fpn_blocks", "pan_blocks"):
            block = f"{kind}.{i}"
            convs = ["conv1", "conv2"]
            if architecture.fusion_width != architecture.encoder_dim:
                convs.append("conv3")
            convs += [f"bottlenecks.{j}.conv{k}" for j in range(3) for k in (1, 2)]
            for conv in convs:
                yield from _conv_norm(f"encoder.{block}.{conv}", f"model.encoder.{block}.{conv}")


def _feed_forward(ours: str, theirs: str) -> Iterator[Pair]:
    """Feed-forward part of a layer, and the output projection of its self-attention."""
    yield from _part(f"{ours}.linear1", f"{theirs}.mlp.fc1", AFFINE)
    yield from _part(f"{ours}.linear2", f"{theirs}.mlp.fc2", AFFINE)
    yield from _part(f"{ours}.self_attn.out_proj", f"{theirs}.self_attn.o_proj", AFFINE)


def _decoder(architecture: Architecture, *, used_layers: int) -> Iterator[Pair]:
    for i in range(3):
        yield from _conv_norm(
            f"decoder.input_proj.{i}", f"model.decoder_input_proj.{i}", names=("0", "1")
        )
    if architecture.denoising:
        embedding = "denoising_class_embed"
        yield from _part(f"decoder.{embedding}", f"model.{embedding}", WEIGHT)
    yield from _part("decoder.enc_output.proj", "model.enc_output.0", AFFINE)
    yield from _part("decoder.enc_output.norm", "model.enc_output.1", AFFINE)
    yield from _part("decoder.enc_score_head", "model.enc_score_head", AFFINE)
    for j in range(3):
        yield from _part(
            f"decoder.enc_bbox_head.layers.{j}", f"model.enc_bbox_head.layers.{j}", AFFINE
        )
    for j in range(2):
        head = f"query_pos_head.layers.{j}"
        yield from _part(f"decoder.{head}", f"model.decoder.{head}", AFFINE)
    for i in range(used_layers):
        ours, theirs = f"decoder.decoder.layers.{i}", f"model.decoder.layers.{i}"
        yield from _part(f"{ours}.norm1", f"{theirs}.self_attn_layer_norm", AFFINE)
        yield from _part(f"{ours}.norm2", f"{theirs}.encoder_attn_layer_norm", AFFINE)
        yield from _part(f"{ours}.norm3", f"{theirs}.final_layer_norm", AFFINE)
        yield from _feed_forward(ours, theirs)
        for name in ("sampling_offsets", "attention_weights", "value_proj", "output_proj"):
            yield from _part(f"{ours}.cross_attn.{name}", f"{theirs}.encoder_attn.{name}", AFFINE)
        # The heads sit in the decoder, where they are used, and at the top level.
        places = ("model.decoder.class_embed", "class_embed")
        scores = tuple(f"{place}.{i}" for place in places)
        yield from _part(f"decoder.dec_score_head.{i}", scores, AFFINE)
        for j in range(3):
            places = ("model.decoder.bbox_embed", "bbox_embed")
            boxes = tuple(f"{place}.{i}.layers.{j}" for place in places)
            yield from _part(f"decoder.dec_bbox_head.{i}.layers.{j}", boxes, AFFINE)
