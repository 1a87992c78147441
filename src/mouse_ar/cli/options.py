"""Options that several commands share, and what is read from them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

__all__ = [
    "ActionsOption",
    "BinMinutesOption",
    "ConfigOption",
    "DeviceOption",
    "SetOption",
    "numbers_from",
    "settings_from",
    "yaml_value",
]

ActionsOption = Annotated[
    Path | None, typer.Option("--actions", help="actions.yaml; the built-in set by default.")
]
BinMinutesOption = Annotated[
    float | None,
    typer.Option(
        "--bin-minutes",
        min=1 / 60,
        help="Also count and time the bouts in bins of this length, in bins.csv.",
    ),
]
ConfigOption = Annotated[Path | None, typer.Option("--config", help="YAML with overrides.")]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", help="Override one setting: NAME=VALUE; repeatable.")
]
DeviceOption = Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1, …; CUDA if present.")]


def settings_from(config: Path | None, overrides: list[str] | None) -> dict[str, Any]:
    """Settings by name: those of the file, then those of ``--set``."""
    values: dict[str, Any] = {}
    if config is not None:
        loaded = yaml_value(str(config), config.read_text(encoding="utf-8")) or {}
        if not isinstance(loaded, dict):
            raise ValueError(f"{config}: expected NAME: VALUE lines, got {type(loaded).__name__}.")
        values.update(loaded)
    for item in overrides or []:
        name, value = _split(item)
        values[name] = yaml_value(f"--set {name}", value)
    return values


def yaml_value(name: str, text: str) -> Any:
    """What a text means as YAML; an error says ``name``."""
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(
            f"{name}: not readable as YAML ({' '.join(str(error).split())})."
        ) from None


def numbers_from(config: Path | None, overrides: list[str] | None) -> Mapping[str, float]:
    """Like :func:`settings_from`, for settings that are all numbers."""
    values = settings_from(config, overrides)
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"Setting {name} expects a number, got {value!r}.")
    return values


def _split(item: str) -> tuple[str, str]:
    name, equals, value = item.partition("=")
    if not equals:
        raise ValueError(f"--set expects NAME=VALUE, got {item!r}.")
    return name.strip(), value.strip()
