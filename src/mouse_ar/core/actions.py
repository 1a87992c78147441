"""The set of actions a lab annotates: names, order of classes, and kind of event."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

__all__ = ["Action", "ActionKind", "ActionSet", "normalized"]


class ActionKind(StrEnum):
    """State events have a duration (grooming), point events are momentary (twitch)."""

    STATE = "state"
    POINT = "point"


@dataclass(frozen=True)
class Action:
    """One annotated action.

    Args:
        name: tag name in the labeler, e.g. ``Head/Body TWITCH``.
        dataset: name of its dataset in Training Data ("/" is not allowed there).
        kind: state or point event.
        aliases: other spellings accepted on input; letter case never matters.
        color: RGB for tags and plots.
    """

    name: str
    dataset: str
    kind: ActionKind
    aliases: tuple[str, ...] = ()
    color: tuple[int, int, int] = (208, 2, 27)

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise ValueError("Action name must not be empty.")
        if not self.dataset or "/" in self.dataset:
            raise ValueError(
                f"Action dataset name must be non-empty and without '/', got {self.dataset!r}."
            )
        object.__setattr__(self, "kind", ActionKind(self.kind))


def normalized(name: str) -> str:
    """Letter case, spaces, '-', '_' and '/' do not matter when names are compared."""
    return "".join(c for c in name.casefold() if c.isalnum())


@dataclass(frozen=True)
class ActionSet:
    """Ordered classes of a model: index 0 is the background, then the actions in order."""

    actions: tuple[Action, ...]
    background: str = "idle"
    _lookup: Mapping[str, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.actions:
            raise ValueError("ActionSet needs at least one action, got none.")
        lookup: dict[str, str] = {}
        for name, names in [
            (self.background, [self.background]),
            *((a.name, [a.name, a.dataset, *a.aliases]) for a in self.actions),
        ]:
            for spelling in names:
                owner = lookup.setdefault(normalized(spelling), name)
                if owner != name:
                    raise ValueError(
                        f"Name {spelling!r} is used by both {owner!r} and {name!r}; "
                        "letter case, spaces, '-', '_' and '/' do not tell names apart."
                    )
        object.__setattr__(self, "_lookup", lookup)

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in model output order: background first."""
        return (self.background, *self.names)

    @property
    def names(self) -> tuple[str, ...]:
        """Action names, without the background."""
        return tuple(a.name for a in self.actions)

    @property
    def datasets(self) -> tuple[str, ...]:
        """Dataset names of the actions, then of the background."""
        return (*(a.dataset for a in self.actions), self.background)

    def resolve(self, name: str) -> str | None:
        """The class that a tag, alias or dataset name means, or None when unknown."""
        return self._lookup.get(normalized(name))

    def __getitem__(self, name: str) -> Action:
        for action in self.actions:
            if action.name == name:
                return action
        raise KeyError(f"Unknown action {name!r}; allowed: {', '.join(self.names)}.")

    def dataset_of(self, class_name: str) -> str:
        """Dataset name of a class, the background included."""
        return class_name if class_name == self.background else self[class_name].dataset

    def to_dict(self) -> dict[str, Any]:
        """Plain values for YAML, JSON and checkpoints."""
        return {
            "background": self.background,
            "actions": [
                {
                    "name": a.name,
                    "dataset": a.dataset,
                    "kind": a.kind.value,
                    "aliases": list(a.aliases),
                    "color": list(a.color),
                }
                for a in self.actions
            ],
        }

    def without_colors(self) -> dict[str, Any]:
        """What tells one set from another: :meth:`to_dict` without what is only for the eye."""
        actions = [{k: v for k, v in a.items() if k != "color"} for a in self.to_dict()["actions"]]
        return {"background": self.background, "actions": actions}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ActionSet:
        """Inverse of :meth:`to_dict`.

        Raises:
            ValueError: on unknown or missing keys.
        """
        stray = set(data) - {"background", "actions"}
        if stray:
            raise ValueError(
                f"Action set has unknown keys {sorted(stray)}; allowed: actions, background."
            )
        entries: Sequence[Mapping[str, Any]] = data.get("actions") or ()
        allowed = {"name", "dataset", "kind", "aliases", "color"}
        actions = []
        for entry in entries:
            if (
                not isinstance(entry, Mapping)
                or set(entry) - allowed
                or not {"name", "kind"} <= set(entry)
            ):
                raise ValueError(
                    f"Action entry {entry!r}: needs 'name' and 'kind', "
                    f"allowed keys are {sorted(allowed)}."
                )
            if isinstance(entry.get("aliases"), str):
                raise ValueError(
                    f"Action aliases must be a list, got the text {entry['aliases']!r}: "
                    f"write [{entry['aliases']}]."
                )
            color = tuple(int(c) for c in entry.get("color", (208, 2, 27)))
            if len(color) != 3:
                raise ValueError(f"Action color must be [r, g, b], got {entry['color']!r}.")
            actions.append(
                Action(
                    name=str(entry["name"]),
                    dataset=str(entry.get("dataset") or str(entry["name"]).replace("/", "-")),
                    kind=ActionKind(entry["kind"]),
                    aliases=tuple(str(a) for a in entry.get("aliases") or ()),
                    color=(color[0], color[1], color[2]),
                )
            )
        return cls(actions=tuple(actions), background=str(data.get("background", "idle")))
