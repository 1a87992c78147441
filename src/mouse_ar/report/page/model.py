"""What the model is and was trained on, and the settings and versions behind a report."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

from mouse_ar import __version__
from mouse_ar.core.matching import MatchRule
from mouse_ar.core.platt import Calibration
from mouse_ar.pipelines.model_facts import ModelFacts
from mouse_ar.report.page.blocks import Block, Table, Text

__all__ = ["model_blocks", "settings_blocks"]

_LIBRARIES = ("numpy", "scipy", "torch", "av", "opencv-python", "plotly")


def model_blocks(model: ModelFacts) -> list[Block]:
    """In words, then where it comes from, then how its scores become bouts."""
    spec, fps = model.spec, model.training_fps
    apart = f", {spec.sampling_rate} apart" if spec.sampling_rate > 1 else ""
    return [
        Text(
            f"a video transformer, {model.network}. It looks at {spec.num_frames} frames at a "
            f"time{apart}: {spec.window_frames / fps:.2f} s of video at the {fps:g} frames per "
            f"second of its training videos, cut out around the mouse and scaled to "
            f"{spec.input_size} x {spec.input_size} pixels. {_kept(model.metadata)}",
            lead=f"{model.file}:",
        ),
        Table(("origin", ""), list(_origin(model))),
        *_decoding(model),
    ]


def _kept(metadata: Mapping[str, Any]) -> str:
    """Which epoch, and how good it was where it was chosen."""
    if "epoch" not in metadata:
        return ""
    score = metadata.get("val_score")
    by = "" if score is None else f", by its validation score of {score:.3f}"
    return f"Of its training the weights after epoch {metadata['epoch'] + 1} were kept{by}."


def _origin(model: ModelFacts) -> Iterator[tuple[str, str]]:
    settings = model.metadata.get("train_config", {})
    yield "checkpoint (SHA-256)", model.sha256
    yield "trained with", f"mouse-ar {model.code_version}"
    yield "training data (fingerprint)", str(model.metadata.get("data_fingerprint", "not recorded"))
    if "pretrained" in settings:
        yield "weights at the start", str(settings["pretrained"] or "random")


def _decoding(model: ModelFacts) -> Iterator[Block]:
    report = model.metadata.get("decoding_report", {})
    if "note" in report:
        yield Text(report["note"])
    fits = {fit["action"]: fit for fit in report.get("report", [])}
    rows = []
    for action, used in model.decoding.by_action.items():
        fit = fits.get(action, {})
        source, why = "default", str(fit.get("reason", ""))
        if used != model.stored[action]:
            source, why = "changed by hand", "for this evaluation only"
        elif fit.get("fitted"):
            source = "fitted"
        values = {name: value for name, value in asdict(used).items() if value is not None}
        text = ", ".join(f"{name} {value:g}" for name, value in values.items())
        rows.append((action, text, source, why, _before_after(fit)))
    yield Table(
        ("action", "from scores to bouts", "source", "why", "bout F1 on validation videos"),
        rows,
        title="How scores become bouts",
    )
    calibration = Calibration.from_dict(model.metadata.get("calibration", {}))
    yield Table(
        ("confidence of", "is"),
        [(action, calibration.of(action).reason) for action in model.decoding.by_action],
        title="How scores become probabilities",
    )


def _before_after(fit: Mapping[str, Any]) -> str:
    before, after = fit.get("f1_before"), fit.get("f1_after")
    if after is None:
        return "–"
    return f"{after:.3f}" if before is None else f"{before:.3f} with defaults, {after:.3f} as used"


def settings_blocks(
    rule: MatchRule, *, facts: Mapping[str, object], model: ModelFacts | None
) -> list[Block]:
    """When bouts match, what was evaluated, versions, and settings of the training."""
    settings = model.metadata.get("train_config", {}) if model else {}
    rows = [
        ("state events match", f"from an overlap (IoU) of {rule.state_iou:g}"),
        ("point events match", f"with centres within {rule.point_tolerance_seconds:g} s"),
        *((name, str(value)) for name, value in facts.items()),
        ("mouse-ar", __version__),
        ("Python", platform.python_version()),
        *((name, version(name)) for name in _LIBRARIES),
    ]
    blocks: list[Block] = [Table(("this evaluation", ""), rows)]
    if settings:
        trained = [(name, str(value)) for name, value in settings.items()]
        blocks.append(Table(("setting", "value"), trained, title="Training settings", folded=True))
    return blocks
