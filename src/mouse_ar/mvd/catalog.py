"""The list of public weights: ``models/catalog.yaml``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

__all__ = ["CatalogEntry", "WeightsCatalog", "load_catalog"]


@dataclass(frozen=True)
class CatalogEntry:
    """Public weights.

    Args:
        name: unique.
        title: for people.
        preset: network that they fit.
        page: where they can be downloaded; None where no file is published.
        obtain: what to do where there is no page.
    """

    name: str
    title: str
    preset: str
    page: str | None
    obtain: str


@dataclass(frozen=True)
class WeightsCatalog:
    """All public weights, under one licence.

    Args:
        licence: its name.
        licence_url: its text.
        non_commercial: whether it forbids commercial use, also of models trained from them.
        entries: the weights.
    """

    licence: str
    licence_url: str
    non_commercial: bool
    entries: tuple[CatalogEntry, ...]


def load_catalog(path: Path) -> WeightsCatalog:
    """Read a catalog.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it lacks something.
    """
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    try:
        entries = tuple(
            CatalogEntry(
                name=str(entry["name"]),
                title=str(entry["title"]),
                preset=str(entry["preset"]),
                page=entry["url"],
                obtain=str(entry.get("obtain") or ""),
            )
            for entry in content["models"]
        )
        return WeightsCatalog(
            licence=str(content["licence"]),
            licence_url=str(content["licence_url"]),
            non_commercial=bool(content["non_commercial"]),
            entries=entries,
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path}: a catalog of weights lacks {error}.") from error
