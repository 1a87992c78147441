from __future__ import annotations

import pytest

from mouse_ar.report.page.blocks import Figure, Table


def test_a_row_must_fit_its_columns() -> None:
    table = Table(("name", "value"), [("a", "1")], numbers_from=1)
    assert [table.is_number(column) for column in (0, 1)] == [False, True]
    assert not Table(("name",), []).is_number(0)
    with pytest.raises(ValueError, match="row of 1 cells"):
        Table(("name", "value"), [("a",)])


def test_what_is_folded_has_a_title_and_a_plot_has_a_height() -> None:
    with pytest.raises(ValueError, match="folded without a title"):
        Table(("name",), [], folded=True)
    with pytest.raises(ValueError, match="'height'"):
        Figure({"data": [], "layout": {}}, title="x")
