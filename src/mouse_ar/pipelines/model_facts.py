"""What a reader of a report should know of a model, read from its checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mouse_ar.core.decoding_params import DecodingParams
from mouse_ar.core.types import ClipSpec
from mouse_ar.mvd import read_checkpoint_info
from mouse_ar.pipelines.predictor import Predictor

__all__ = ["ModelFacts", "model_facts"]


@dataclass(frozen=True, kw_only=True)
class ModelFacts:
    """What a model is and where it comes from.

    Args:
        file: name of the checkpoint.
        sha256: of the checkpoint.
        network: name of the architecture.
        spec: how the model sees video.
        training_fps: frames per second of its training videos.
        code_version: version of this library that trained it.
        stored: decoding as it is in the checkpoint.
        decoding: decoding as it was used; differs where the user changed values.
        metadata: what training recorded: epoch, score, fingerprint, settings.
    """

    file: str
    sha256: str
    network: str
    spec: ClipSpec
    training_fps: float
    code_version: str
    stored: DecodingParams
    decoding: DecodingParams
    metadata: Mapping[str, Any] = field(default_factory=dict)


def model_facts(path: Path, predictor: Predictor) -> ModelFacts:
    """Facts of a loaded checkpoint.

    Args:
        path: the checkpoint file.
        predictor: what was loaded from it.

    Raises:
        CheckpointError: not one of our checkpoints, with the reason.
    """
    info = read_checkpoint_info(path)
    settings = info.metadata.get("train_config", {})
    size = f"{info.config.depth} blocks, width {info.config.embed_dim}"
    return ModelFacts(
        file=path.name,
        sha256=predictor.sha256,
        network=f"{settings['model']} ({size})" if "model" in settings else size,
        spec=info.spec,
        training_fps=info.training_fps,
        code_version=info.code_version,
        stored=DecodingParams.from_dict(info.decoding),
        decoding=predictor.decoding,
        metadata=info.metadata,
    )
