"""Settings objects from plain values, as YAML files and ``--set NAME=VALUE`` give them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

__all__ = ["build_settings"]

Settings = TypeVar("Settings")


def build_settings(cls: type[Settings], data: Mapping[str, Any], *, what: str) -> Settings:
    """Build a settings dataclass from overrides of its defaults.

    Numbers may come as text (YAML reads ``5e-4`` as text, only ``5.0e-4`` as a number).

    Args:
        cls: dataclass whose fields are plain values.
        data: values by name.
        what: names the kind of settings in errors, e.g. ``training``.

    Raises:
        ValueError: on an unknown name, with the allowed ones, or a value of the wrong type.
    """
    kinds = {field.name: str(field.type) for field in fields(cls)}  # type: ignore[arg-type]
    unknown = sorted(set(data) - set(kinds))
    if unknown:
        raise ValueError(
            f"Unknown {what} setting(s) {unknown}; allowed: {', '.join(sorted(kinds))}."
        )
    return cls(**{name: _typed(name, kinds[name], value) for name, value in data.items()})


def _typed(name: str, kind: str, value: Any) -> Any:
    allowed = kind.split(" | ")
    if value is None:
        fits = "None" in allowed
    elif isinstance(value, bool):
        fits = "bool" in allowed
    elif isinstance(value, int):
        fits = "int" in allowed or "float" in allowed
    elif isinstance(value, str) and "float" in allowed:
        try:
            return float(value)
        except ValueError:
            fits = False
    else:
        fits = type(value).__name__ in allowed
    if not fits:
        raise ValueError(f"Setting {name} expects {kind}, got {value!r}.")
    return value
