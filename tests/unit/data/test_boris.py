"""Tables as BORIS writes them, made up here after the columns of its versions 7 and 8."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from mouse_ar.data.boris import read_boris
from mouse_ar.data.tables import EventRow, Table

AGGREGATED_8 = (
    *("Observation id", "Observation date", "Description", "Observation type", "Source"),
    *("Time offset (s)", "Coding duration", "Media duration (s)", "FPS (frame/s)", "diet"),
    *("Subject", "Observation duration by subject by observation", "Behavior"),
    *("Behavioral category", "Modifier #1", "Behavior type", "Start (s)", "Stop (s)"),
    *("Duration (s)", "Media file name", "Image index start", "Image index stop"),
    *("Image file path start", "Image file path stop", "Comment start", "Comment stop"),
)
AGGREGATED_7 = (
    *("Observation id", "Observation date", "Description", "Media file", "Total length", "FPS"),
    *("Subject", "Behavior", "Behavioral category", "Modifiers", "Behavior type", "Start (s)"),
    *("Stop (s)", "Duration (s)", "Comment start", "Comment stop"),
)
TABULAR_8 = (
    *("Observation id", "Observation date", "Description", "Observation duration"),
    *("Observation type", "Source", "Time offset (s)", "Media duration (s)", "FPS", "Subject"),
    *("Behavior", "Behavioral category", "Behavior type", "Time", "Media file name"),
    *("Image index", "Image file path", "Comment"),
)
TABULAR_7 = (
    *("Time", "Media file path", "Total length", "FPS", "Subject", "Behavior"),
    *("Behavioral category", "Comment", "Status"),
)


def grid(header: Sequence[str], *rows: dict[str, str]) -> list[list[str]]:
    return [list(header), *([row.get(name, "") for name in header] for row in rows)]


def read(table: list[list[str]]) -> Table:
    found = read_boris(table)
    assert found is not None
    return found


def row8(behavior: str, kind: str, start: str, stop: str, **more: str) -> dict[str, str]:
    return {
        "Observation id": "obs 1",
        "Source": "player #1:/data/a.mp4",
        "Media duration (s)": "60.000",
        "Time offset (s)": "0.0",
        "Subject": "No focal subject",
        "Behavior": behavior,
        "Behavior type": kind,
        "Start (s)": start,
        "Stop (s)": stop,
        "Media file name": "/data/a.mp4",
        **more,
    }


def spans(table: Table) -> list[tuple[str, str, float | None, float | None]]:
    return [
        (e.video, e.label, e.start_seconds, None if e.stop_seconds is None else e.stop_seconds)
        for e in table.events
    ]


def test_aggregated_events_of_version_8() -> None:
    table = read(
        grid(
            AGGREGATED_8,
            row8("grooming", "STATE", "1.800", "8.125"),
            row8("twitch", "POINT", "32.825", "32.825"),
        )
    )

    assert table.format == "boris-aggregated"
    assert spans(table) == [
        ("/data/a.mp4", "grooming", 1.8, 8.125),
        ("/data/a.mp4", "twitch", 32.825, None),
    ]
    assert [event.line for event in table.events] == [2, 3]
    assert table.errors == table.notes == ()


def test_time_runs_on_through_the_videos_of_an_observation() -> None:
    several = {
        "Source": "player #1:/d/a.mp4;/d/b.mp4;/d/c.mp4|player #2:/d/side.mp4",
        "Media duration (s)": "60.000;30.000;10.000|100.000",
        "Time offset (s)": "5.0",
    }
    rows = [
        row8("grooming", "STATE", "7", "9", **several, **{"Media file name": "/d/a.mp4"}),
        row8("grooming", "STATE", "65", "70", **several, **{"Media file name": "/d/b.mp4"}),
        row8("grooming", "STATE", "96.5", "98", **several, **{"Media file name": "/d/c.mp4"}),
        row8("grooming", "STATE", "96.5", "98", **several, **{"Media file name": "Not found"}),
    ]
    table = read(grid(AGGREGATED_8, *rows))

    assert spans(table) == [
        ("/d/a.mp4", "grooming", 2.0, 4.0),
        ("/d/b.mp4", "grooming", 0.0, 5.0),
        ("/d/c.mp4", "grooming", 1.5, 3.0),
    ]
    assert [e.line for e in table.errors] == [5]
    assert "does not say how long" in table.errors[0].text


def test_aggregated_events_of_version_7_carry_the_length_of_the_observation() -> None:
    row = {
        "Observation id": "obs 1",
        "Media file": "a.mp4",
        "Total length": "539.920",
        "FPS": "25.0",
        "Behavior": "grooming",
        "Behavior type": "STATE",
        "Start (s)": "1.800",
        "Stop (s)": "8.125",
    }
    (event,) = read(grid(AGGREGATED_7, row)).events

    assert event.observed_seconds == 539.92
    assert (event.video, event.start_seconds) == ("a.mp4", 1.8)


def press8(status: str, time: str, behavior: str = "grooming", **more: str) -> dict[str, str]:
    press = row8(behavior, status, "", "", **more)
    return {**press, "Time": time}


def test_tabular_events_are_paired_by_subject_and_behaviour() -> None:
    table = read(
        grid(
            TABULAR_8,
            press8("START", "1.0", Subject="A"),
            press8("START", "1.5", Subject="B"),
            press8("POINT", "1.7", "twitch", Subject="A"),
            press8("STOP", "2.0", Subject="A"),
            press8("STOP", "3.0", Subject="B"),
        )
    )

    assert table.format == "boris-tabular"
    assert spans(table) == [
        ("/data/a.mp4", "twitch", 1.7, None),
        ("/data/a.mp4", "grooming", 1.0, 2.0),
        ("/data/a.mp4", "grooming", 1.5, 3.0),
    ]
    assert "several subjects" in table.notes[0]


def test_tabular_events_that_do_not_pair_are_named() -> None:
    table = read(
        grid(
            TABULAR_8,
            press8("STOP", "1.0"),
            press8("START", "2.0"),
            press8("START", "3.0"),
            press8("STOP", "4.0"),
            press8("PAUSE", "5.0"),
            press8("START", "6.0"),
        )
    )

    assert spans(table) == [("/data/a.mp4", "grooming", 3.0, 4.0)]
    assert [(e.line, e.text) for e in table.errors] == [
        (2, "STOP without START of 'grooming'"),
        (3, "START without STOP of 'grooming'"),
        (6, "unknown event type 'PAUSE' of 'grooming'"),
        (7, "START without STOP of 'grooming'"),
    ]


def test_tabular_events_of_version_7_have_lines_above_the_header() -> None:
    preamble = [
        ["Observation id", "observation #1"],
        [""],
        ["Media file(s)"],
        ["Player #1", "a.mp4"],
        ["Time offset (s)", "10.0"],
        ["independent variables"],
        ["variable", "value"],
        ["diet", "high fat, ad lib"],
        [],
    ]
    press = {"Media file path": "a.mp4", "Total length": "60.0", "Behavior": "grooming"}
    body = grid(
        TABULAR_7,
        {**press, "Time": "13.300", "Status": "START"},
        {**press, "Time": "17.750", "Status": "STOP"},
    )
    (event,) = read(preamble + body).events

    assert event == EventRow(
        line=11,
        video="a.mp4",
        label="grooming",
        start_seconds=pytest.approx(3.3),
        stop_seconds=pytest.approx(7.75),
        observed_seconds=60.0,
    )


def test_events_on_pictures_have_frames_only() -> None:
    table = read(
        grid(
            AGGREGATED_8,
            row8("grooming", "STATE", "NA", "NA", **{"Image index start": "3",
                                                     "Image index stop": "9"}),
            row8("grooming", "STATE", "NA", "NA"),
            row8("grooming", "STATE", "1.0", "NA"),
            row8("twitch", "POINT", "one", ""),
        )
    )  # fmt: skip

    (event,) = table.events
    assert (event.first_frame, event.last_frame, event.start_seconds) == (3, 9, None)
    assert [e.line for e in table.errors] == [3, 4, 5]


@pytest.mark.parametrize("header", [["video", "action", "start", "end"], ["Behavior", "Count"], []])
def test_other_tables_are_not_taken_for_boris(header: list[str]) -> None:
    assert read_boris([header, ["a"] * len(header)]) is None
