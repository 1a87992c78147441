"""The guide to the results names and explains every column as the tables do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from mouse_ar.pipelines.results import BIN_COLUMNS, BOUT_COLUMNS, SUMMARY_COLUMNS, Column
from mouse_ar.pipelines.review import QUEUE_COLUMNS
from mouse_ar.report.comparison import ANIMAL_COLUMNS, COMPARISON_COLUMNS

GUIDE = Path(__file__).parents[3] / "docs" / "results.md"
TABLES = (
    *(BOUT_COLUMNS, SUMMARY_COLUMNS, BIN_COLUMNS),
    *(ANIMAL_COLUMNS, COMPARISON_COLUMNS, QUEUE_COLUMNS),
)


@pytest.mark.parametrize("columns", TABLES, ids=lambda columns: columns[-1].name)
def test_every_column_is_explained(columns: Sequence[Column]) -> None:
    rows = "".join(f"| `{column.name}` | {column.meaning} |\n" for column in columns)
    assert f"| column | what it holds |\n|---|---|\n{rows}\n" in GUIDE.read_text(encoding="utf-8")
