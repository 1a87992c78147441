from __future__ import annotations

import pytest

from mouse_ar.sly.ui.preprocess_form import test_videos as parse_test_videos


@pytest.mark.parametrize(
    ("text", "value"),
    [("", None), (" 5 ", 5), ("0", 0), ("20 %", 0.2), ("12,5%", 0.125), ("0.3", 0.3), ("0,3", 0.3)],
)
def test_test_videos_are_a_number_or_a_share(text: str, value: float | None) -> None:
    found = parse_test_videos(text)
    assert found == value
    assert type(found) is type(value)


def test_other_words_are_refused() -> None:
    with pytest.raises(ValueError, match="a number such as 5 or a share such as 20 %, got 'few'"):
        parse_test_videos("few")
