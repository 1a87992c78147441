"""What an RT-DETRv2 is made of, read from the names and shapes of its weights."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from torch import Tensor

from mouse_ar.detection.rtdetr.errors import CheckpointError

__all__ = ["Architecture", "read_architecture"]

POINTS_KEY = "decoder.decoder.layers.0.cross_attn.num_points_scale"
# A key of each part: what lacks one of them is another network.
PARTS = {
    "ResNet-vd backbone": "backbone.conv1.conv1_1.conv.weight",
    "hybrid encoder": "encoder.input_proj.0.conv.weight",
    "RT-DETRv2 decoder": POINTS_KEY,
    "detection head": "decoder.enc_score_head.weight",
}
# Backbones by kind of block and blocks per stage; their depth counts the convolutions.
BACKBONES: dict[tuple[bool, tuple[int, ...]], int] = {
    (False, (2, 2, 2, 2)): 18,
    (False, (3, 4, 6, 3)): 34,
    (True, (3, 4, 6, 3)): 50,
    (True, (3, 4, 23, 3)): 101,
}


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """Sizes of an RT-DETRv2, as far as its weights tell.

    Args:
        bottleneck: blocks of three convolutions instead of two.
        depths: blocks in each of the four stages of the backbone.
        hidden_sizes: channels of each stage.
        stem_width: channels of the stem.
        encoder_dim: channels of the hybrid encoder.
        encoder_layers: transformer layers in it.
        encoder_ffn_dim: width of their feed-forward part.
        fusion_width: channels inside its fusion blocks.
        d_model: width of the decoder.
        decoder_layers: decoder layers in the weights.
        decoder_ffn_dim: width of their feed-forward part.
        decoder_heads: attention heads of the decoder.
        num_points: points that each head samples in each of the three levels.
        num_classes: classes that are told apart.
        denoising: whether the embedding for denoising training is there.
    """

    bottleneck: bool
    depths: tuple[int, ...]
    hidden_sizes: tuple[int, ...]
    stem_width: int
    encoder_dim: int
    encoder_layers: int
    encoder_ffn_dim: int
    fusion_width: int
    d_model: int
    decoder_layers: int
    decoder_ffn_dim: int
    decoder_heads: int
    num_points: int
    num_classes: int
    denoising: bool

    @property
    def backbone_depth(self) -> int | None:
        """The number in the backbone's name (18, 34, 50, 101), None for an unpublished one."""
        return BACKBONES.get((self.bottleneck, self.depths))

    @property
    def expansion(self) -> float:
        """Width inside the fusion blocks relative to the encoder's."""
        return self.fusion_width / self.encoder_dim

    @property
    def is_r50_m(self) -> bool:
        """Whether it is ``r50vd_m``, which is trained with six decoder layers and uses three."""
        return self.backbone_depth == 50 and self.expansion == 0.5

    def __str__(self) -> str:
        name = f"r{self.backbone_depth or '?'}vd{'_m' if self.is_r50_m else ''}"
        return (
            f"RT-DETRv2 {name} (blocks {self.depths}, {self.decoder_layers} decoder layers, "
            f"{self.num_classes} classes)"
        )


def read_architecture(weights: Mapping[str, Tensor], *, source: str) -> Architecture:
    """The architecture that weights under the original code's names belong to.

    Args:
        weights: tensors by name.
        source: where they come from, for messages.

    Raises:
        CheckpointError: they are those of another network, or of an RT-DETRv2 that cannot be
            run here.
    """
    _require_parts(weights, source=source)
    shape = _Shapes(weights, source=source)
    stages = range(4)
    bottleneck = "backbone.res_layers.0.blocks.0.branch2c.conv.weight" in weights
    last = "branch2c" if bottleneck else "branch2b"
    points = _points(weights[POINTS_KEY], source=source)
    attention = "decoder.decoder.layers.0.cross_attn.attention_weights.weight"
    architecture = Architecture(
        bottleneck=bottleneck,
        depths=tuple(_count(weights, f"backbone.res_layers.{i}.blocks.") for i in stages),
        hidden_sizes=tuple(
            shape(f"backbone.res_layers.{i}.blocks.0.{last}.conv.weight", 0) for i in stages
        ),
        stem_width=shape("backbone.conv1.conv1_3.conv.weight", 0),
        encoder_dim=shape("encoder.input_proj.0.conv.weight", 0),
        encoder_layers=_count(weights, "encoder.encoder.0.layers."),
        encoder_ffn_dim=shape("encoder.encoder.0.layers.0.linear1.weight", 0),
        fusion_width=shape("encoder.fpn_blocks.0.conv1.conv.weight", 0),
        d_model=shape("decoder.input_proj.0.conv.weight", 0),
        decoder_layers=_count(weights, "decoder.decoder.layers."),
        decoder_ffn_dim=shape("decoder.decoder.layers.0.linear1.weight", 0),
        decoder_heads=shape(attention, 0) // (3 * points),
        num_points=points,
        num_classes=shape("decoder.dec_score_head.0.weight", 0),
        denoising="decoder.denoising_class_embed.weight" in weights,
    )
    _require_supported(weights, architecture, source=source)
    return architecture


class _Shapes:
    """Looks up sizes of tensors."""

    def __init__(self, weights: Mapping[str, Tensor], *, source: str) -> None:
        self._weights = weights
        self._source = source

    def __call__(self, key: str, axis: int) -> int:
        if key not in self._weights or self._weights[key].ndim <= axis:
            found = list(self._weights[key].shape) if key in self._weights else "no such key"
            raise CheckpointError(
                f"{self._source}: is no complete RT-DETRv2: {key} expected, got {found}. Use a "
                "checkpoint as training wrote it, not fused for deployment or cut."
            )
        return int(self._weights[key].shape[axis])


def _count(keys: Iterable[str], prefix: str) -> int:
    """How many numbered parts follow a prefix."""
    pattern = re.compile(re.escape(prefix) + r"(\d+)\.")
    return len({found[1] for key in keys if (found := pattern.match(key))})


def _require_parts(weights: Mapping[str, Tensor], *, source: str) -> None:
    lacking = [name for name, key in PARTS.items() if key not in weights]
    if lacking:
        raise CheckpointError(
            f"{source}: is no RT-DETRv2: it has no {', no '.join(lacking)}. Got weights named "
            f"{list(weights)[:3]}…, expected those of the original RT-DETRv2 code or its "
            "Supervisely app (backbones r18vd, r34vd, r50vd, r50vd_m, r101vd). Choose such a "
            "checkpoint."
        )


def _points(scale: Tensor, *, source: str) -> int:
    """Sampling points of each level.

    The buffer holds 1/n, n times for each level; averaging over training steps may have moved it
    slightly.
    """
    values = scale.flatten().double()
    counts = [round(1 / float(v)) if float(v) > 0 else 0 for v in values]
    points = counts[0] if counts else 0
    if points < 1 or counts != [points] * (3 * points):
        raise CheckpointError(
            f"{source}: its decoder samples points as {counts[:12]}; only three levels with equal "
            "numbers of points can be run. Use a checkpoint of a published configuration."
        )
    return points


def _require_supported(
    weights: Mapping[str, Tensor], architecture: Architecture, *, source: str
) -> None:
    """Refuse what transformers has no counterpart for, or would run wrongly."""
    proposed = weights[PARTS["detection head"]].shape[0]
    if architecture.num_classes < 1:
        raise CheckpointError(
            f"{source}: has zero classes, expected at least one. Train the detector with a class "
            "for the animal."
        )
    if proposed != architecture.num_classes:
        raise CheckpointError(
            f"{source}: proposes boxes by {proposed} score(s) but has {architecture.num_classes} "
            "classes (query_select_method 'agnostic'), which cannot be run here. Train with "
            "query_select_method 'default'."
        )
    heads = architecture.decoder_heads
    if heads < 1 or architecture.d_model % heads:
        raise CheckpointError(
            f"{source}: its decoder of width {architecture.d_model} has {heads} heads, which must "
            "divide it. Use a checkpoint of a published configuration."
        )
    if "decoder.tgt_embed.weight" in weights:
        raise CheckpointError(
            f"{source}: has learnt queries (learn_query_content), which cannot be run here. "
            "Train with learn_query_content off, as in all published configurations."
        )
