"""What the weights of an RT-DETRv2 do not tell: from its ``model_config.yml``, or as published."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from mouse_ar.detection.rtdetr.architecture import Architecture
from mouse_ar.detection.rtdetr.errors import CheckpointError

__all__ = ["Settings", "parse_config", "read_settings"]

METHODS = ("default", "discrete")
MAX_QUERIES = 80 * 80 + 40 * 40 + 20 * 20
# Names of the original code -> names of transformers.
ACTIVATIONS = {"gelu": "gelu", "relu": "relu", "silu": "silu", "swish": "silu"}
ENCODER, DECODER, BACKBONE = "HybridEncoder", "RTDETRTransformerv2", "PResNet"
# Values that transformers has built in: (section, name) -> the only one that it can run.
FIXED: dict[tuple[str, str], Any] = {
    (BACKBONE, "variant"): "d",
    (BACKBONE, "act"): "relu",
    (BACKBONE, "return_idx"): [1, 2, 3],
    (ENCODER, "use_encoder_idx"): [2],
    (ENCODER, "feat_strides"): [8, 16, 32],
    (DECODER, "feat_strides"): [8, 16, 32],
    (DECODER, "num_levels"): 3,
    (DECODER, "query_select_method"): "default",
    (DECODER, "learn_query_content"): False,
    (DECODER, "eps"): 0.01,
    ("RTDETR", "backbone"): BACKBONE,
    ("RTDETR", "encoder"): ENCODER,
    ("RTDETR", "decoder"): DECODER,
}
# Field of Settings -> where the configuration has it.
PLACES = {
    "cross_attention": (DECODER, "cross_attn_method"),
    "encoder_heads": (ENCODER, "nhead"),
    "num_queries": (DECODER, "num_queries"),
    "encoder_activation": (ENCODER, "enc_act"),
    "fusion_activation": (ENCODER, "act"),
    "decoder_activation": (DECODER, "activation"),
    "temperature": (ENCODER, "pe_temperature"),
}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How an RT-DETRv2 is run.

    Args:
        used_layers: decoder layers that inference goes through; later ones only served training.
        cross_attention: how the decoder samples features: ``default`` (bilinear) or ``discrete``.
        encoder_heads: attention heads of the hybrid encoder.
        num_queries: boxes proposed for each image.
        encoder_activation: of the encoder's transformer layers.
        fusion_activation: of the encoder's convolutions.
        decoder_activation: of the decoder.
        temperature: of the encoder's position embedding.
    """

    used_layers: int
    cross_attention: str = "default"
    encoder_heads: int = 8
    num_queries: int = 300
    encoder_activation: str = "gelu"
    fusion_activation: str = "silu"
    decoder_activation: str = "relu"
    temperature: int = 10000

    def __post_init__(self) -> None:
        for name in ("used_layers", "encoder_heads", "num_queries", "temperature"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ValueError(f"{name} must be a whole number >= 1, got {value!r}")
        if self.num_queries > MAX_QUERIES:
            raise ValueError(
                f"num_queries must be at most {MAX_QUERIES}, the places of a 640x640 image, got "
                f"{self.num_queries}"
            )
        if self.cross_attention not in METHODS:
            raise ValueError(
                f"cross_attention must be one of {list(METHODS)}, got {self.cross_attention!r}"
            )
        for name in ("encoder_activation", "fusion_activation", "decoder_activation"):
            if getattr(self, name) not in list(ACTIVATIONS.values()):
                allowed = sorted(ACTIVATIONS)
                raise ValueError(f"{name} must be one of {allowed}, got {getattr(self, name)!r}")


def parse_config(text: str | bytes, *, source: str) -> dict[str, Any]:
    """The content of a ``model_config.yml``; files that it includes are not looked for.

    Raises:
        CheckpointError: it is no YAML mapping.
    """
    try:
        content = yaml.safe_load(text)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise CheckpointError(
            f"{source}: is no readable YAML ({error}). Give the model_config.yml of the training."
        ) from error
    if not isinstance(content, dict):
        raise CheckpointError(
            f"{source}: got {type(content).__name__}, expected a YAML mapping such as "
            "'num_classes: 1'. Give the model_config.yml of the training."
        )
    return content


def read_settings(
    config: Mapping[str, Any], architecture: Architecture, *, source: str
) -> Settings:
    """Settings from a configuration, which must agree with the weights.

    Args:
        config: content of ``model_config.yml``; empty for none.
        architecture: what the weights tell.
        source: where the configuration comes from, for messages.

    Raises:
        CheckpointError: it contradicts the weights or asks for what cannot be run.
    """
    _require_agreement(config, architecture, source=source)
    values = {
        name: value
        for name, place in PLACES.items()
        if (value := _value(config, place, source=source)) is not None
    }
    for name in values:
        if name.endswith("activation"):
            values[name] = ACTIVATIONS.get(str(values[name]), values[name])
        elif isinstance(values[name], float) and values[name].is_integer():
            values[name] = int(values[name])
    used_layers = _used_layers(config, architecture, source=source)
    try:
        settings = Settings(used_layers=used_layers, **values)
        if architecture.encoder_dim % settings.encoder_heads:
            raise ValueError(
                f"encoder_heads {settings.encoder_heads} does not divide the encoder's width "
                f"{architecture.encoder_dim}"
            )
    except (TypeError, ValueError) as error:
        raise CheckpointError(
            f"{source}: {error}. Correct the configuration, or use none."
        ) from error
    return settings


def _require_agreement(
    config: Mapping[str, Any], architecture: Architecture, *, source: str
) -> None:
    """Refuse a configuration of another detector, or one that transformers cannot run."""
    wrong = [
        f"{_spelled(place)} is {got!r}, the weights say {expected!r}"
        for place, expected in _readable(architecture).items()
        if (got := _value(config, place, source=source)) is not None and not _same(got, expected)
    ]
    wrong += [
        f"{_spelled(place)} is {got!r}, only {only!r} can be run"
        for place, only in FIXED.items()
        if (got := _value(config, place, source=source)) is not None and not _same(got, only)
    ]
    if wrong:
        raise CheckpointError(
            f"{source}: contradicts the checkpoint: {'; '.join(wrong)}. Use the configuration "
            "that this checkpoint was trained with, or none."
        )


def _readable(architecture: Architecture) -> dict[tuple[str, str], Any]:
    """What weights and configuration both tell."""
    a = architecture
    return {
        ("", "num_classes"): a.num_classes,
        (BACKBONE, "depth"): a.backbone_depth,
        (ENCODER, "in_channels"): list(a.hidden_sizes[1:]),
        (ENCODER, "hidden_dim"): a.encoder_dim,
        (ENCODER, "expansion"): a.expansion,
        (ENCODER, "dim_feedforward"): a.encoder_ffn_dim,
        (ENCODER, "num_encoder_layers"): a.encoder_layers,
        (DECODER, "feat_channels"): [a.encoder_dim] * 3,
        (DECODER, "hidden_dim"): a.d_model,
        (DECODER, "num_layers"): a.decoder_layers,
        (DECODER, "nhead"): a.decoder_heads,
        (DECODER, "dim_feedforward"): a.decoder_ffn_dim,
        (DECODER, "num_points"): [a.num_points] * 3,
    }


def _value(config: Mapping[str, Any], place: tuple[str, str], *, source: str) -> Any:
    """A value of the configuration, None where it is not set."""
    section, name = place
    content = config.get(section) if section else config
    if content is None:
        return None
    if not isinstance(content, Mapping):
        raise CheckpointError(
            f"{source}: {section} is {content!r}, expected a mapping. Correct the configuration, "
            "or use none."
        )
    return content.get(name)


def _same(got: Any, expected: Any) -> bool:
    """Equality; one number stands for a list of equal ones, as for ``num_points``."""
    if isinstance(expected, list) and not isinstance(got, list):
        return all(got == value for value in expected)
    return bool(got == expected)


def _spelled(place: tuple[str, str]) -> str:
    return ".".join(part for part in place if part)


def _used_layers(config: Mapping[str, Any], architecture: Architecture, *, source: str) -> int:
    """Decoder layers up to ``eval_idx``, which counts from the end when negative."""
    layers = architecture.decoder_layers
    last = _value(config, (DECODER, "eval_idx"), source=source)
    if last is None:
        last = 2 if architecture.is_r50_m and layers == 6 else -1
    if not isinstance(last, int) or not -layers <= last < layers:
        raise CheckpointError(
            f"{source}: {DECODER}.eval_idx is {last!r}, the checkpoint has decoder layers "
            f"{-layers}..{layers - 1}. Use the configuration that it was trained with."
        )
    return last % layers + 1
