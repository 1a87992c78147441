"""Settings of a training as YAML text that people edit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from mouse_ar.training.config import TrainConfig

__all__ = ["CHOSEN_ELSEWHERE", "settings_from_yaml", "settings_to_yaml"]

# Set beside the text: what is trained, and what it starts from.
CHOSEN_ELSEWHERE = ("model", "pretrained")


def settings_to_yaml(settings: Mapping[str, Any]) -> str:
    """Settings as text, one per line, in their usual order."""
    known = [name for name in TrainConfig().to_dict() if name not in CHOSEN_ELSEWHERE]
    ordered = {name: settings[name] for name in known if name in settings}
    ordered |= {k: v for k, v in settings.items() if k not in {*ordered, *CHOSEN_ELSEWHERE}}
    return yaml.safe_dump(ordered, sort_keys=False, allow_unicode=True)


def settings_from_yaml(text: str) -> dict[str, Any]:
    """The settings in a text, unchecked.

    Raises:
        ValueError: it is no YAML, no list of settings, or sets what is chosen elsewhere.
    """
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark is not None else ""
        problem = getattr(error, "problem", None) or "not readable"
        raise ValueError(
            f"The settings are not valid YAML{where}: {problem}. Each line is like “epochs: 30”."
        ) from None
    if values is None:
        return {}
    if not isinstance(values, dict) or not all(isinstance(name, str) for name in values):
        raise ValueError("The settings are not valid: each line is like “epochs: 30”.")
    for name in CHOSEN_ELSEWHERE:
        if name in values:
            raise ValueError(
                f"“{name}” is chosen in the step “Model and weights”: take it out of the settings."
            )
    return values
