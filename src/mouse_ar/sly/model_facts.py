"""What a checkpoint says about itself, in words that a person chooses a model by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mouse_ar.core.actions import ActionKind
from mouse_ar.mvd import PRESETS, CheckpointInfo
from mouse_ar.sly.experiments import Experiment

__all__ = ["model_facts", "model_line"]


def model_facts(
    info: CheckpointInfo, *, path: str, experiment: Experiment | None = None
) -> dict[str, str]:
    """Properties of a model by name.

    Args:
        info: of its checkpoint.
        path: of it in Team Files.
        experiment: that it comes from, if it is one's best.
    """
    spec, fps = info.spec, info.training_fps
    facts = {
        "Network": f"{_network(info)}, {spec.input_size} × {spec.input_size} pixels",
        "Window": f"{spec.num_frames} frames, {_every(spec.sampling_rate)}: "
        f"{spec.window_frames / fps:.2f} s at {fps:g} frames/s",
        "Actions": ", ".join(
            f"{action.name} ({_kind(action.kind)})" for action in info.actions.actions
        ),
        "Frame rate of its training": f"{fps:g} frames/s",
        "Score on validation videos": _score(info.metadata),
    }
    if experiment is not None:
        facts["Trained as"] = (
            f"“{experiment.name}” on project {experiment.project_id}, finished "
            f"{experiment.finished_at} UTC"
        )
        metrics = {n: v for n, v in experiment.metrics.items() if v is not None}
        if metrics:
            facts["Score on test videos"] = ", ".join(f"{n} {v:.3f}" for n, v in metrics.items())
    return {**facts, "File": path, "Written by": f"mouse-ar {info.code_version}"}


def model_line(info: CheckpointInfo, *, path: str, experiment: Experiment | None = None) -> str:
    """The same in one line."""
    name = f"“{experiment.name}”" if experiment is not None else path
    actions = ", ".join(info.actions.names)
    return f"{name}: {_network(info)}, finds {actions}, {info.training_fps:g} frames/s."


def _network(info: CheckpointInfo) -> str:
    config = info.config
    trained: Any = info.metadata.get("train_config")
    if isinstance(trained, Mapping) and trained.get("model"):
        return f"MVD {trained['model']}"
    for name, preset in PRESETS.items():
        if (preset.embed_dim, preset.depth) == (config.embed_dim, config.depth):
            return f"MVD {name}"
    return f"MVD with {config.depth} blocks of width {config.embed_dim}"


def _every(rate: int) -> str:
    return "one after the other" if rate == 1 else f"one in {rate}"


def _kind(kind: ActionKind) -> str:
    return "bouts with a duration" if kind is ActionKind.STATE else "momentary"


def _score(metadata: Mapping[str, Any]) -> str:
    score = metadata.get("val_score")
    if not isinstance(score, int | float):
        return "not recorded"
    epoch = metadata.get("epoch")
    return f"bout F1 {score:.3f}" + (f" (epoch {epoch})" if epoch is not None else "")
