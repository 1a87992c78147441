from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mouse_ar.core.types import Ethogram
from mouse_ar.pipelines.results import VideoResult
from mouse_ar.report.inference_page import action_totals, inference_page
from tiny import ACTIONS, GROOMING, TWITCH, bouts


def result(key: str, *labels: tuple[str, int, int], reviewed: bool = False) -> VideoResult:
    ethogram = Ethogram(100, 10.0, bouts(labels))
    return VideoResult(key, ethogram, np.arange(100) / 10, reviewed=reviewed)


RESULTS = [
    result("d/<b>.mp4", (GROOMING, 0, 20), (GROOMING, 50, 60)),
    result("d/c.mp4", (GROOMING, 10, 40), (TWITCH, 90, 93), reviewed=True),
]


def test_totals_over_videos() -> None:
    grooming, twitch = action_totals(RESULTS, actions=ACTIONS)
    assert (grooming.count, grooming.videos) == (3, 2)
    assert grooming.total_seconds == pytest.approx(6.0)
    assert grooming.mean_seconds == pytest.approx(2.0)
    assert grooming.per_hour == pytest.approx(3 / 20 * 3600)
    assert grooming.percent == pytest.approx(30.0)
    assert (twitch.count, twitch.videos) == (1, 1)
    nothing = action_totals([], actions=ACTIONS)
    assert [(t.count, t.mean_seconds, t.per_hour) for t in nothing] == [(0, None, None)] * 2


def test_page_escapes_names_and_tells_what_failed(tmp_path: Path) -> None:
    inference_page(
        tmp_path / "report.html",
        RESULTS,
        actions=ACTIONS,
        title="night & day",
        failures={"d/e.mp4": "its header is damaged"},
        warnings=["d/c.mp4: 30.0 fps"],
        picture=tmp_path / "none.png",
        facts={"detector": "box"},
    )
    page = (tmp_path / "report.html").read_text()
    assert "d/&lt;b&gt;.mp4" in page
    assert "<b>.mp4" not in page
    assert "night &amp; day" in page
    assert "d/e.mp4</b>: its header is damaged" in page
    assert "2 videos, 0.01 hours; 1 checked by a person, 1 failed." in page
    assert "<img" not in page
