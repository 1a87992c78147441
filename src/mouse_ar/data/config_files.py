"""YAML files that describe a lab's set-up."""

from __future__ import annotations

from pathlib import Path

import yaml

from mouse_ar.core.actions import Action, ActionKind, ActionSet

__all__ = ["DEFAULT_ACTIONS", "load_actions"]

# The same as configs/actions.yaml, so that an installed package needs no file beside it.
DEFAULT_ACTIONS = ActionSet(
    background="idle",
    actions=(
        Action(
            name="Self-Grooming",
            dataset="Self-Grooming",
            kind=ActionKind.STATE,
            aliases=("grooming", "self grooming"),
            color=(46, 134, 222),
        ),
        Action(
            name="Head/Body TWITCH",
            dataset="Head-Body_TWITCH",
            kind=ActionKind.POINT,
            aliases=("head/body twitch", "twitch", "head twitch", "body twitch", "HTR"),
            color=(238, 82, 83),
        ),
    ),
)


def load_actions(path: Path | str | None = None) -> ActionSet:
    """Read an actions file such as ``configs/actions.yaml``.

    Args:
        path: the file; None gives the built-in :data:`DEFAULT_ACTIONS`.

    Raises:
        FileNotFoundError: when there is no such file.
        ValueError: when its content is wrong; the message names the file.
    """
    if path is None:
        return DEFAULT_ACTIONS
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8-sig"))
        if not isinstance(content, dict):
            raise ValueError(f"expected a mapping with 'actions', got {type(content).__name__}")
        return ActionSet.from_dict(content)
    except (ValueError, TypeError, AttributeError, yaml.YAMLError) as error:
        raise ValueError(f"{path}: {error}") from error
