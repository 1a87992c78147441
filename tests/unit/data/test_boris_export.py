"""Projects and tables for BORIS, and what our own importer makes of the table."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tiny
from mouse_ar.core.summary import frame_edges_seconds
from mouse_ar.core.types import Bout, Ethogram, Interval
from mouse_ar.data.boris import read_boris
from mouse_ar.data.boris_export import BorisVideo, write_boris_project, write_boris_table
from mouse_ar.data.clock import Clock
from mouse_ar.data.importers import import_annotations
from mouse_ar.data.local_project import LocalProject
from mouse_ar.data.tables import read_grids
from tiny import ACTIONS, GROOMING, TWITCH

DATE = datetime(2026, 3, 1, 12, 30)
BOUTS = (
    Bout(Interval(10, 30), GROOMING, 0.91),
    Bout(Interval(30, 45), GROOMING, 0.8),
    Bout(Interval(12, 15), TWITCH, 0.4),
)


def video(path: Path, bouts: tuple[Bout, ...] = BOUTS, *, frames: int = 80) -> BorisVideo:
    ethogram = Ethogram(frames, tiny.FPS, bouts)
    edges = frame_edges_seconds(frames, fps=tiny.FPS)
    return BorisVideo("cage/a.mp4", path, ethogram, edges, "predictions")


def project(tmp_path: Path, *videos: BorisVideo) -> dict:
    path = tmp_path / "study/results.boris"
    write_boris_project(path, videos, actions=ACTIONS, name="study", date=DATE)
    return json.loads(path.read_text())


def test_project_has_the_ethogram_and_an_observation_per_video(tmp_path: Path) -> None:
    made = project(tmp_path, video(tmp_path / "study/out/a.mp4"))
    assert made["project_format_version"] == "7.0"
    assert made["project_date"] == "2026-03-01T12:30:00"
    kinds = {b["code"]: b["type"] for b in made["behaviors_conf"].values()}
    assert kinds == {GROOMING: "State event", TWITCH: "Point event"}
    assert len({b["key"] for b in made["behaviors_conf"].values()}) == 2
    (observation,) = made["observations"].values()
    assert list(made["observations"]) == ["cage/a.mp4"]
    assert observation["type"] == "MEDIA"
    assert observation["description"] == "predictions"
    assert observation["file"]["1"] == ["out/a.mp4"]
    assert observation["media_info"]["length"] == {"out/a.mp4": 8.0}
    assert observation["media_info"]["fps"] == {"out/a.mp4": 10.0}


def test_states_start_and_stop_and_a_point_is_its_middle(tmp_path: Path) -> None:
    (observation,) = project(tmp_path, video(tmp_path / "a.mp4"))["observations"].values()
    assert observation["file"]["1"] == [str(tmp_path / "a.mp4")]
    assert observation["events"] == [
        [1.0, "", GROOMING, "", "frames 10-29, confidence 0.91", 10],
        [1.3, "", TWITCH, "", "frames 12-14, confidence 0.40", 13],
        [3.0, "", GROOMING, "", "", 29],
        [3.0, "", GROOMING, "", "frames 30-44, confidence 0.80", 30],
        [4.5, "", GROOMING, "", "", 44],
    ]


def test_states_that_overlap_are_one_for_boris(tmp_path: Path) -> None:
    both = (Bout(Interval(10, 30), GROOMING, 0.6), Bout(Interval(20, 45), GROOMING, 0.8))
    (observation,) = project(tmp_path, video(tmp_path / "a.mp4", both))["observations"].values()
    assert [(e[0], e[4]) for e in observation["events"]] == [
        (1.0, "frames 10-44, confidence 0.80"),
        (4.5, ""),
    ]


spans = st.lists(st.tuples(st.integers(0, 199), st.integers(1, 60)), max_size=12)


@given(grooming=spans, twitches=spans)
def test_every_state_is_paired_and_nothing_is_lost(
    tmp_path_factory: pytest.TempPathFactory,
    grooming: list[tuple[int, int]],
    twitches: list[tuple[int, int]],
) -> None:
    bouts = [Bout(Interval(a, min(200, a + n)), GROOMING) for a, n in grooming]
    bouts += [Bout(Interval(a, min(200, a + n)), TWITCH) for a, n in twitches]
    shown = video(Path("a.mp4"), tuple(bouts), frames=200)
    made = project(tmp_path_factory.mktemp("boris"), shown)["observations"]["cage/a.mp4"]
    times = [event[0] for event in made["events"]]
    assert times == sorted(times)
    mask = np.zeros(200, dtype=bool)
    states = [event for event in made["events"] if event[2] == GROOMING]
    assert len(states) % 2 == 0
    for start, stop in zip(states[::2], states[1::2], strict=True):  # as BORIS pairs them
        assert start[4]
        assert not stop[4]
        assert stop[0] > start[0]
        mask[start[5] : stop[5] + 1] = True
    np.testing.assert_array_equal(mask, shown.ethogram.mask(GROOMING))
    assert sum(event[2] == TWITCH for event in made["events"]) == len(twitches)


@pytest.mark.parametrize("name", ["events.csv", "events.tsv"])
def test_table_comes_back_through_the_importer(tmp_path: Path, name: str) -> None:
    steps = np.where(np.arange(tiny.NUM_FRAMES) < 20, 0.1, 1 / 15)
    times = np.concatenate([[0], np.cumsum(steps)[:-1]])
    labels = LocalProject.create(tmp_path / "labels", actions=ACTIONS)
    path = labels.video("cage", "a.mp4").video_path
    tiny.write_video(path, times=list(times))
    tiny.annotate(labels, "a.mp4", [], dataset="cage")
    bouts = tiny.bouts([(GROOMING, 10, 40), (GROOMING, 45, 80), (TWITCH, 60, 63)])
    ethogram = Ethogram(tiny.NUM_FRAMES, tiny.FPS, bouts)
    edges = frame_edges_seconds(tiny.NUM_FRAMES, fps=tiny.FPS, timestamps=times)
    write_boris_table(
        tmp_path / name,
        [BorisVideo("cage/a.mp4", path, ethogram, edges)],
        actions=ACTIONS,
        date=DATE,
    )

    report = import_annotations(labels, [tmp_path / name], point_seconds=0.25)

    assert report.problems == ()
    assert list(report.formats.values()) == ["boris-aggregated"]
    found = labels.read(labels.videos()[0]).bouts
    assert Counter(b.action for b in found) == {GROOMING: 2, TWITCH: 1}
    states = [bout.interval for bout in found if bout.action == GROOMING]
    assert states == [Interval(10, 40), Interval(45, 80)]
    point = next(bout.interval for bout in found if bout.action == TWITCH)
    assert abs(point.center - 61.5) <= 1


@given(frames=st.lists(st.integers(0, 299), min_size=2, max_size=2, unique=True))
def test_milliseconds_are_enough_to_find_the_frames_again(frames: list[int]) -> None:
    times = np.cumsum(np.where(np.arange(300) % 3 == 0, 1 / 120, 1 / 59.94))
    first, last = sorted(frames)

    class Timing:
        fps = 80.0
        timestamps_seconds = times

    edges = frame_edges_seconds(300, fps=80, timestamps=times)
    made = BorisVideo("a/b", Path("b"), Ethogram(300, 80.0), edges)
    bout = Bout(Interval(first, last + 1), GROOMING)
    (start, _), (stop, _) = made.moments(ACTIONS[GROOMING], bout)
    assert Clock(Timing()).span(start, stop) == (first, last + 1)


def test_the_table_has_the_columns_by_which_it_is_told(tmp_path: Path) -> None:
    write_boris_table(tmp_path / "e.csv", [video(Path("a.mp4"))], actions=ACTIONS, date=DATE)
    tables = [read_boris(grid) for grid in read_grids(tmp_path / "e.csv")]
    table = next(table for table in tables if table is not None)
    assert [(e.video, e.label, e.start_seconds, e.stop_seconds) for e in table.events] == [
        ("cage/a.mp4", GROOMING, 1.0, 3.0),
        ("cage/a.mp4", GROOMING, 3.0, 4.5),
        ("cage/a.mp4", TWITCH, 1.3, None),
    ]
