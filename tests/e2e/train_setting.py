"""An instance for the Train app: a small Training Data project, settings that train in seconds."""

from __future__ import annotations

import json
from typing import Any

import yaml

import tiny
from e2e.driver import REPO, AppDriver
from supervisely_double.double import Double

APP = REPO / "apps/train"
TINY = {
    k: v
    for k, v in tiny.TRAIN.to_dict().items()
    if k not in {"model", "pretrained"}
}  # fmt: skip


def environment(double: Double, project: int, **modal: str) -> dict[str, str]:
    found = {**double.environment(), "PROJECT_ID": str(project)}
    return found | {f"modal.state.{name}": value for name, value in modal.items()}


def autorun(**settings: Any) -> dict[str, str]:
    """What the environment says for a run without clicks."""
    return {
        "autorun": "1",
        "model": "vit_tiny",
        "device": "cpu",
        "name": "by itself",
        "settings": yaml.safe_dump({**TINY, **settings}),
    }


def to_the_settings(app: AppDriver) -> None:
    app.click("data_continue")
    app.set("model_preset", call="value_changed", value="vit_tiny")
    app.set("model_start", value="scratch")
    app.click("model_continue")
    assert app.notes("model_note") == ["Tiny, trained from scratch."]


def to_the_run(app: AppDriver, **settings: Any) -> None:
    to_the_settings(app)
    app.set("params_yaml", text=yaml.safe_dump({**TINY, **settings}))
    app.click("params_continue")
    app.set("experiment_name", value="first try")
    app.click("experiment_continue")
    assert app.state("steps")["active_step"] == 5, app.notes("experiment_note")


def artifacts(double: Double) -> dict[str, bytes]:
    return double.files("/experiments/")


def experiment(double: Double) -> dict[str, Any]:
    (path,) = [p for p in artifacts(double) if p.endswith("/experiment_info.json")]
    return json.loads(artifacts(double)[path])


def weights(double: Double) -> bytes:
    info = experiment(double)
    return artifacts(double)[f"{info['artifacts_dir']}checkpoints/{info['best_checkpoint']}"]


def trained(epochs: int) -> Any:
    """A condition: so many epochs have ended."""

    def condition(app: AppDriver) -> bool:
        lines = app.data("run_log")["lines"]
        return sum(line.startswith("Epoch ") for line in lines) >= epochs

    return condition
