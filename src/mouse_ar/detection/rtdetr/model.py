"""Builds the transformers model that holds the weights of an RT-DETRv2, every key accounted for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from mouse_ar.detection.rtdetr.architecture import POINTS_KEY, Architecture
from mouse_ar.detection.rtdetr.errors import CheckpointError
from mouse_ar.detection.rtdetr.naming import Naming, why_not_used
from mouse_ar.detection.rtdetr.settings import Settings

__all__ = ["LoadReport", "build_model", "original_weights"]

STEP_COUNTER = ".num_batches_tracked"
POINTS_BUFFER = ".encoder_attn.n_points_scale"


@dataclass(frozen=True)
class LoadReport:
    """What became of every key of a checkpoint; each is in exactly one of the two.

    Args:
        used: keys whose values the model holds.
        unused: key -> why the model does without it.
    """

    used: tuple[str, ...]
    unused: Mapping[str, str]


def build_model(
    weights: Mapping[str, Tensor],
    architecture: Architecture,
    settings: Settings,
    *,
    source: str,
) -> tuple[nn.Module, LoadReport]:
    """A ``RTDetrV2ForObjectDetection`` in eval mode that holds original weights, in float32.

    Args:
        weights: tensors under the original code's names.
        architecture: read from them.
        settings: what they do not tell.
        source: where they come from, for messages.

    Raises:
        CheckpointError: a weight is missing, has no place, has another shape or is not finite.
    """
    model = _empty_model(architecture, settings)
    naming = Naming.of(architecture, used_layers=settings.used_layers)
    targets = model.state_dict()
    report = _account(weights, naming, settings, source=source)
    _require_shapes(weights, naming, targets, source=source)
    _require_finite(weights, report, source=source)
    state = naming.to_transformers(weights) | _constants(targets, architecture)
    _require_known_names(state, targets)
    model.load_state_dict(state, strict=True, assign=True)
    return model.eval().requires_grad_(False), report


def original_weights(
    model: nn.Module, architecture: Architecture, settings: Settings
) -> dict[str, Tensor]:
    """Weights of a model of :func:`build_model` under the original names, on the CPU.

    What inference does not use is left out; the result is a complete checkpoint with
    ``settings.used_layers`` decoder layers.
    """
    naming = Naming.of(architecture, used_layers=settings.used_layers)
    weights = naming.to_original(model.state_dict())
    points = architecture.num_points
    for i in range(settings.used_layers):
        name = POINTS_KEY.replace(".0.", f".{i}.")
        weights[name] = torch.full((3 * points,), 1 / points)
    return {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}


def _empty_model(architecture: Architecture, settings: Settings) -> nn.Module:
    """The model without memory for weights: they are put in place afterwards."""
    # Imported here: it takes seconds, which only those who detect with it should pay.
    from transformers import RTDetrResNetConfig, RTDetrV2Config, RTDetrV2ForObjectDetection

    a = architecture
    backbone: dict[str, Any] = {
        "layer_type": "bottleneck" if a.bottleneck else "basic",
        "depths": list(a.depths),
        "hidden_sizes": list(a.hidden_sizes),
        "embedding_size": a.stem_width,
        "out_indices": [2, 3, 4],
    }
    sizes: dict[str, Any] = {
        "encoder_in_channels": list(a.hidden_sizes[1:]),
        "encoder_hidden_dim": a.encoder_dim,
        "encoder_layers": a.encoder_layers,
        "encoder_ffn_dim": a.encoder_ffn_dim,
        "encoder_attention_heads": settings.encoder_heads,
        "hidden_expansion": a.expansion,
        "d_model": a.d_model,
        "decoder_in_channels": [a.encoder_dim] * 3,
        "decoder_layers": settings.used_layers,
        "decoder_ffn_dim": a.decoder_ffn_dim,
        "decoder_attention_heads": a.decoder_heads,
        "decoder_n_points": a.num_points,
        "num_queries": settings.num_queries,
        "num_labels": a.num_classes,
        "num_denoising": 100 if a.denoising else 0,
    }
    config = RTDetrV2Config(
        backbone_config=RTDetrResNetConfig(**backbone),
        encoder_activation_function=settings.encoder_activation,
        activation_function=settings.fusion_activation,
        decoder_activation_function=settings.decoder_activation,
        positional_encoding_temperature=settings.temperature,
        decoder_method=settings.cross_attention,
        # An ordinary batch norm in eval mode computes what a frozen one does, in one pass
        # instead of several.
        freeze_backbone_batch_norms=False,
        # Every decoder layer has its own heads.
        tie_word_embeddings=False,
        **sizes,
    )
    with torch.device("meta"):
        return RTDetrV2ForObjectDetection(config)


def _account(
    weights: Mapping[str, Tensor], naming: Naming, settings: Settings, *, source: str
) -> LoadReport:
    needed = naming.originals
    used = tuple(name for name in weights if name in needed)
    unused = {
        name: why_not_used(name, used_layers=settings.used_layers)
        for name in weights
        if name not in needed
    }
    missing = sorted(needed - set(used))
    foreign = sorted(name for name, reason in unused.items() if reason is None)
    if missing or foreign:
        parts = [f"{len(missing)} missing (first {missing[:3]})"] if missing else []
        parts += [f"{len(foreign)} without a place (first {foreign[:3]})"] if foreign else []
        raise CheckpointError(
            f"{source}: its weights are not those of a whole RT-DETRv2: {', '.join(parts)}. Use a "
            "checkpoint as training wrote it, not fused for deployment or cut."
        )
    return LoadReport(used=used, unused={name: reason or "" for name, reason in unused.items()})


def _require_shapes(
    weights: Mapping[str, Tensor], naming: Naming, targets: Mapping[str, Tensor], *, source: str
) -> None:
    wrong = []
    for names, parts in ((naming.copied, 1), (naming.split, 3)):
        for name, places in names.items():
            first, *rest = targets[places[0]].shape if places[0] in targets else (0,)
            expected = [first * parts, *rest]
            if places[0] in targets and list(weights[name].shape) != expected:
                wrong.append(f"{name} is {list(weights[name].shape)}, expected {expected}")
    if wrong:
        raise CheckpointError(
            f"{source}: is no RT-DETRv2 that can be run here; {len(wrong)} weights have other "
            f"shapes: {'; '.join(wrong[:3])}. Use a checkpoint of a published configuration."
        )


def _require_finite(weights: Mapping[str, Tensor], report: LoadReport, *, source: str) -> None:
    for name in report.used:
        if not bool(torch.isfinite(weights[name]).all()):
            raise CheckpointError(
                f"{source}: {name} contains NaN or infinite values. The file is damaged or comes "
                "from a training run that diverged; use another checkpoint."
            )


def _constants(targets: Mapping[str, Tensor], architecture: Architecture) -> dict[str, Tensor]:
    """Values of the model that are no weights."""
    points = architecture.num_points
    constants = {}
    for name in targets:
        if name.endswith(STEP_COUNTER):
            constants[name] = torch.zeros((), dtype=torch.int64)
        elif name.endswith(POINTS_BUFFER):
            constants[name] = torch.full((3 * points,), 1 / points)
    return constants


def _require_known_names(state: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> None:
    if set(state) != set(targets):
        import transformers

        different = sorted(set(state) ^ set(targets))
        raise CheckpointError(
            f"transformers {transformers.__version__} names {len(different)} weights of RT-DETRv2 "
            f"differently (first {different[0]!r}). Install the version of constraints.txt."
        )
