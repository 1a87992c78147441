"""The list of public weights: ``models/catalog.yaml``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

__all__ = ["CatalogEntry", "WeightsCatalog", "load_catalog"]


@dataclass(frozen=True)
class CatalogEntry:
    """Public weights.

    Args:
        name: unique; also of the file.
        title: for people.
        preset: network that they fit.
        url: where they are: a page of Google Drive, or the file itself; None where no file is
            published.
        obtain: what to do where there is no address.
        size: in bytes; None where nobody tells.
        sha256: of the file, hexadecimal; None where nobody tells.
    """

    name: str
    title: str
    preset: str
    url: str | None
    obtain: str
    size: int | None = None
    sha256: str | None = None

    @property
    def file_name(self) -> str:
        """Under which they are kept."""
        return f"{self.name}.pth"


@dataclass(frozen=True)
class WeightsCatalog:
    """All public weights, under one licence.

    Args:
        source: where their authors present them.
        licence: its name.
        licence_url: its text.
        non_commercial: whether it forbids commercial use, also of models trained from them.
        entries: the weights.
    """

    source: str
    licence: str
    licence_url: str
    non_commercial: bool
    entries: tuple[CatalogEntry, ...]

    @property
    def terms(self) -> str:
        """What the licence means for a user, in plain words."""
        forbids = (
            "NOT FOR COMMERCIAL USE: neither these weights nor any model that was trained from "
            "them may serve it. "
            if self.non_commercial
            else ""
        )
        return (
            f"Licence of the weights: {self.licence}. {forbids}Who passes them on must name their "
            f"authors ({self.source}) and the licence. Its text: {self.licence_url}"
        )

    def find(self, name: str) -> CatalogEntry | None:
        """The weights of a name, or None."""
        return next((entry for entry in self.entries if entry.name == name), None)

    def __getitem__(self, name: str) -> CatalogEntry:
        """The weights of a name.

        Raises:
            ValueError: there are none.
        """
        entry = self.find(name)
        if entry is None:
            raise ValueError(f"There are no public weights {name!r}; there are {self.names}.")
        return entry

    @property
    def names(self) -> str:
        """All names, for messages."""
        return ", ".join(entry.name for entry in self.entries)


def load_catalog(path: Path) -> WeightsCatalog:
    """Read a catalog.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it lacks something.
    """
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    try:
        return WeightsCatalog(
            source=str(content["source"]),
            licence=str(content["licence"]),
            licence_url=str(content["licence_url"]),
            non_commercial=bool(content["non_commercial"]),
            entries=tuple(_entry(entry) for entry in content["models"]),
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path}: a catalog of weights lacks {error}.") from error


def _entry(entry: dict[str, Any]) -> CatalogEntry:
    size, sha256 = entry.get("size"), entry.get("sha256")
    return CatalogEntry(
        name=str(entry["name"]),
        title=str(entry["title"]),
        preset=str(entry["preset"]),
        url=entry["url"],
        obtain=str(entry.get("obtain") or ""),
        size=None if size is None else int(size),
        sha256=None if sha256 is None else str(sha256).lower(),
    )
