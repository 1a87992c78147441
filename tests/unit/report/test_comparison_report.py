"""What is written of a comparison, from results on disk."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from PIL import Image

from made_results import FPS, make_results
from mouse_ar.core.comparison import MEASURES, permutation_p
from mouse_ar.core.types import Bout, Interval
from mouse_ar.data.treatments import read_treatments
from mouse_ar.pipelines.comparison import GroupComparison, compare_results
from mouse_ar.pipelines.results_folder import open_results
from mouse_ar.report.comparison import (
    ANIMAL_COLUMNS,
    COMPARISON_COLUMNS,
    comparison_text,
    write_comparison,
)
from tiny import ACTIONS, GROOMING, TWITCH

COUNTS = {"m1": 2, "m2": 3, "m3": 2, "m4": 8, "m5": 7, "m6": 9}


def bouts(count: int) -> list[Bout]:
    return [Bout(Interval(100 + 50 * i, 120 + 50 * i), GROOMING) for i in range(count)]


def compared(
    tmp_path: Path, *, table: str | None = None, primary: str = "bouts_per_hour"
) -> GroupComparison:
    videos = {f"{name}/day1.mp4": bouts(n) for name, n in COUNTS.items()}
    videos["m1/day2.mp4"] = []  # the same animal again
    results = open_results(make_results(tmp_path / "out", videos))
    if table is None:
        rows = [f"{name},{'control' if n < 5 else 'drug'}\n" for name, n in COUNTS.items()]
        table = "animal,group\n" + "".join(rows)
    (tmp_path / "groups.csv").write_text(table)
    groups = read_treatments(
        tmp_path / "groups.csv", [results.video(key) for key in results.results]
    )
    return compare_results(results, groups, primary=primary)


@pytest.fixture
def comparison(tmp_path: Path) -> GroupComparison:
    return compared(tmp_path)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_tables_have_the_values_of_animals_and_their_comparison(
    comparison: GroupComparison, tmp_path: Path
) -> None:
    write_comparison(tmp_path / "new", comparison)
    animals = rows(tmp_path / "new/animals.csv")
    assert list(animals[0]) == [column.name for column in ANIMAL_COLUMNS]
    assert len(animals) == len(COUNTS) * len(ACTIONS.names)
    hours = 6000 / FPS / 3600
    first = animals[0]
    assert (first["group"], first["animal"], first["videos"]) == ("control", "m1", "2")
    assert float(first["bouts_per_hour"]) == pytest.approx(2 / (2 * hours), abs=1e-3)
    assert animals[1]["mean_bout_seconds"] == ""
    table = rows(tmp_path / "new/comparison.csv")
    assert list(table[0]) == [column.name for column in COMPARISON_COLUMNS]
    assert len(table) == len(MEASURES) * len(ACTIONS.names)
    control, drug = [1 / hours, 3 / hours, 2 / hours], [8 / hours, 7 / hours, 9 / hours]
    assert float(table[0]["difference"]) == pytest.approx(6 / hours, abs=1e-3)
    assert float(table[0]["p"]) == pytest.approx(permutation_p(control, drug, seed=0))
    assert [bool(row["p"]) for row in table] == [
        row["measure"] == "bouts_per_hour" for row in table
    ]


def test_picture_is_one_that_opens(comparison: GroupComparison, tmp_path: Path) -> None:
    write_comparison(tmp_path / "new", comparison)
    with Image.open(tmp_path / "new/comparison.png") as picture:
        picture.load()
        assert picture.width > picture.height > 500
        assert len(picture.convert("RGB").getcolors(maxcolors=2**24)) > 50


def test_text_says_what_was_done_and_what_it_cannot_say(
    comparison: GroupComparison, tmp_path: Path
) -> None:
    text = comparison_text(comparison)
    assert text.startswith("# drug against control\n")
    assert (
        "3 animals of *control* and 3 animals of *drug*, 7 videos; a person has checked 0" in text
    )
    assert f"**{GROOMING}**, bouts per hour of video: 48 in drug against 12 in control" in text
    assert "p = 0.200 (corrected)" in text
    assert "p cannot be below 0.100" in text
    assert f"**{TWITCH}**, bouts per hour of video: 0 in drug against 0 in control" in text
    assert "every video counts" not in text
    other = comparison_text(compared(tmp_path / "other", primary="latency_seconds"))
    assert f"**{TWITCH}**, time to the first bout (s): too few animals have a value" in other


def test_videos_that_stand_for_animals_are_pointed_out(tmp_path: Path) -> None:
    table = "video,group\n" + "".join(
        f"{name}/day1.mp4,{'control' if n < 5 else 'drug'}\n" for name, n in COUNTS.items()
    )
    text = comparison_text(compared(tmp_path, table=table + "m1/day2.mp4,\n"))
    assert "**every video counts as an animal of its own**" in text
    assert "Left out: m1/day2.mp4." in text
