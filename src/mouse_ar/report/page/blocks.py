"""What a report is made of, whoever shows it: titled sections of text, tables, plots, pictures.

A renderer walks over the sections and knows the four blocks; it decides nothing about content.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Block", "Figure", "Picture", "Section", "Table", "Text"]


@dataclass(frozen=True)
class Text:
    """One paragraph of plain text; a renderer escapes it.

    Args:
        text: the paragraph.
        lead: words set in bold before it.
        warns: whether the reader should be alarmed.
    """

    text: str
    lead: str = ""
    warns: bool = False


@dataclass(frozen=True)
class Table:
    """Rows of plain text.

    Args:
        columns: headings.
        rows: cells, as many per row as there are columns.
        title: above the table; needed where it is folded.
        numbers_from: index of the first column of numbers, which are set to the right.
        folded: whether only the title is shown at first.
    """

    columns: tuple[str, ...]
    rows: Sequence[Sequence[str]]
    title: str = ""
    numbers_from: int | None = None
    folded: bool = False

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(
                    f"Table {self.title!r}: got a row of {len(row)} cells {tuple(row)}, expected "
                    f"one for each of the columns {self.columns}."
                )
        _require_title("Table", self.title, folded=self.folded)

    def is_number(self, column: int) -> bool:
        """Whether a column holds numbers."""
        return self.numbers_from is not None and column >= self.numbers_from


@dataclass(frozen=True, eq=False)
class Figure:
    """A plot one can zoom into.

    Args:
        plot: ``data`` and ``layout`` of a Plotly figure, plain JSON values; the layout has a
            ``height`` in pixels and no width.
        title: above the plot; needed where it is folded.
        caption: below it.
        folded: whether only the title is shown at first.
    """

    plot: Mapping[str, Any]
    title: str = ""
    caption: str = ""
    folded: bool = False

    def __post_init__(self) -> None:
        if "data" not in self.plot or "height" not in self.plot.get("layout", {}):
            raise ValueError(
                f"Figure {self.title!r} needs 'data' and a 'layout' with 'height', got "
                f"{sorted(self.plot)} and {sorted(self.plot.get('layout', {}))}."
            )
        _require_title("Figure", self.title, folded=self.folded)


@dataclass(frozen=True)
class Picture:
    """A picture or a short looping clip; pictures in a row belong side by side.

    Args:
        data: the file.
        mime: its type, e.g. ``image/webp``.
        caption: below it.
    """

    data: bytes
    mime: str
    caption: str


Block = Text | Table | Figure | Picture


@dataclass(frozen=True, eq=False)
class Section:
    """A titled part of a report."""

    title: str
    blocks: tuple[Block, ...]


def _require_title(what: str, title: str, *, folded: bool) -> None:
    if folded and not title:
        raise ValueError(f"{what}: got folded without a title, expected one: it is all one sees.")
