from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mouse_ar.core.types import Bout, Interval
from mouse_ar.data.annotations import VideoAnnotation
from mouse_ar.data.config_files import load_actions
from mouse_ar.data.importers import ImportReport, import_annotations
from mouse_ar.data.local_project import LocalProject

ACTIONS = load_actions()
GROOMING, TWITCH = ACTIONS.names
FPS, FRAMES = 25.0, 1000


@dataclass(frozen=True)
class Times:
    timestamps_seconds: NDArray[np.float64]
    fps: float


def timing(_: Path) -> Times:
    return Times(np.arange(FRAMES) / FPS, FPS)


def refuse(path: Path) -> Times:
    raise AssertionError(f"frames need no timestamps, but {path} was opened")


@pytest.fixture
def project(tmp_path: Path) -> LocalProject:
    project = LocalProject.create(tmp_path / "project", actions=ACTIONS)
    source = tmp_path / "source.mp4"
    source.write_bytes(b"pixels")
    for dataset, name in (("lab", "m1.mp4"), ("lab", "m2.mp4"), ("other", "m2.mp4")):
        project.add_video(dataset, name, source)
        project.write(dataset, name, VideoAnnotation(num_frames=FRAMES, height=48, width=64))
    return project


def run(project: LocalProject, text: str | bytes, **options: Any) -> ImportReport:
    path = project.path.parent / "table.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    options.setdefault("read_timing", timing)
    return import_annotations(project, [path], **options)


def bouts(project: LocalProject, name: str = "m1.mp4") -> list[tuple[str, tuple[int, int]]]:
    annotation = project.read(project.video("lab", name))
    return [(b.action, b.interval.inclusive) for b in annotation.bouts]


def kinds(report: ImportReport) -> Counter[str]:
    return Counter(problem.kind for problem in report.problems)


@pytest.mark.parametrize(
    "text",
    [
        "file,start_frame,end_frame_inclusive,project_label\nm1.mp4,10,40,Self-Grooming\n",
        "video,action,start,end\nm1.mp4,grooming,10,40\n",
        "Video name;Behaviour;Start;Stop\r\nm1;Self Grooming;10;40\r\n",
        "\ufeffvideo\taction\tstart frame\tend frame\nlab/m1.mp4\tGROOMING\t10\t40\n",
        "video,action,start_seconds,end_seconds\nm1.mp4,grooming,0.4,1.64\n",
        "video,action,start,end\nm1.mp4,grooming,0.400,1.640\n",
        "video;action;start;end\nm1.mp4;grooming;0,4;1,64\n",
        "video,action,start_time,end_time\nm1.mp4,grooming,00:00:00.4,0:01.64\n",
        "video,action,start,end\nm1.mp4,grooming,00:00:00.400,00:00:01.640\n",
        'notes,video,action,start,end\n"a, ""b""\nc",m1.mp4,grooming,10,40\n',
    ],
)
def test_plain_tables_mean_the_same(project: LocalProject, text: str) -> None:
    report = run(project, text)

    assert report.problems == ()
    assert bouts(project) == [(GROOMING, (10, 40))]
    assert report.added == {GROOMING: 1}
    assert report.formats == {str(project.path.parent / "table.csv"): "plain"}


@pytest.mark.parametrize("encoding", ["utf-16", "cp1252", "utf-8-sig"])
def test_encodings_of_spreadsheets(project: LocalProject, encoding: str) -> None:
    run(project, "video,action,start,end,who\nm1.mp4,grooming,10,40,Jürgen\n".encode(encoding))

    assert bouts(project) == [(GROOMING, (10, 40))]


def test_whole_numbers_without_unit_are_frames_unless_told(project: LocalProject) -> None:
    text = "video,action,start,end\nm1.mp4,grooming,2,4\n"

    assert "whole numbers without a unit" in run(project, text, read_timing=refuse).notes[0]
    assert run(project, text, units="seconds").notes == ()

    assert bouts(project) == [(GROOMING, (2, 4)), (GROOMING, (50, 99))]


def test_importing_twice_adds_nothing(project: LocalProject) -> None:
    text = (
        "video,action,start_frame,end_frame\n"
        "m1.mp4,grooming,10,40\nm1.mp4,grooming,10,40\nm1.mp4,uncertain,50,60\nm1.mp4,idle,70,80\n"
    )
    first = run(project, text)
    path = project.video("lab", "m1.mp4").ann_path
    content = path.read_bytes()

    second = run(project, text)

    assert (first.added, first.present, first.background) == (
        {GROOMING: 1, "uncertain": 1},
        {GROOMING: 1},
        1,
    )
    assert (second.added, second.present) == ({}, {GROOMING: 2, "uncertain": 1})
    assert path.read_bytes() == content
    annotation = project.read(project.video("lab", "m1.mp4"))
    assert annotation.ignored == (Interval(50, 61),)
    assert annotation.unknown_tags == ()


def test_bouts_that_people_labelled_are_not_doubled(project: LocalProject) -> None:
    labelled = VideoAnnotation(
        num_frames=FRAMES, height=48, width=64, bouts=(Bout(Interval(10, 41), GROOMING),)
    )
    project.write("lab", "m1.mp4", labelled)

    report = run(project, "video,action,start_frame,end_frame\nm1.mp4,grooming,10,40\n")

    assert (report.added, report.present) == ({}, {GROOMING: 1})


def test_every_row_is_taken_or_named(project: LocalProject) -> None:
    rows = [
        "m1.mp4,grooming,0,9",
        "m1.mp4,rearing,0,9",
        "m9.mp4,grooming,0,9",
        "m2.mp4,grooming,0,9",
        "m1.mp4,grooming,30,20",
        "m1.mp4,grooming,990,1200",
        "m1.mp4,grooming,1000,1010",
        "m1.mp4,grooming,-5,10",
        "m1.mp4,grooming,x,10",
        "m1.mp4,grooming,5.5,10",
        "m1.mp4,grooming,,10",
        "m1.mp4,grooming,7,",
        "",
        "m1.mp4,idle,100,200",
    ]
    report = run(project, "video,action,start_frame,end_frame\n" + "\n".join(rows) + "\n")

    assert kinds(report) == {
        "unknown_action": 1,
        "unknown_video": 1,
        "ambiguous_video": 1,
        "invalid_range": 3,
        "cut_range": 1,
        "unreadable_time": 3,
        "no_end": 1,
    }
    assert bouts(project) == [(GROOMING, (0, 9)), (GROOMING, (990, 999))]
    lines = {problem.kind: problem.line for problem in report.problems}
    assert lines["unknown_action"] == 3
    text = report.to_text()
    assert "'rearing'; known are idle, Self-Grooming, Head/Body TWITCH" in text
    assert "'m9.mp4'; did you mean" in text
    assert "fits lab/m2.mp4, other/m2.mp4: give the folder too" in text
    assert "frames 990-1200: the video ends at frame 999" in text
    assert report.problems[0].kind == "unknown_action"
    not_taken = len(report.problems) - kinds(report)["cut_range"]
    assert sum(report.added.values()) + report.background + not_taken == 13


@pytest.mark.parametrize("value", ["12,000", "12.000,5", "inf", "1e3", "1_000"])
def test_frames_are_plain_whole_numbers(project: LocalProject, value: str) -> None:
    text = f'video,action,start_frame,end_frame\nm1.mp4,grooming,"{value}",13000\n'
    report = run(project, text)
    assert kinds(report) == {"unreadable_time": 1}
    assert f"without separators, got {value!r}" in report.problems[0].text


@pytest.mark.parametrize("value", ["inf", "-inf", "1e400"])
def test_seconds_are_finite(project: LocalProject, value: str) -> None:
    report = run(project, f"video,action,start_s,end_s\nm1.mp4,grooming,1,{value}\n")
    assert kinds(report) == {"unreadable_time": 1}


def test_frames_of_spreadsheets_may_end_in_zeros(project: LocalProject) -> None:
    run(project, "video,action,start_frame,end_frame\nm1.mp4,grooming,10.0,40.\n")
    assert bouts(project) == [(GROOMING, (10, 40))]


def test_observation_longer_than_its_video_is_refused(project: LocalProject) -> None:
    header = "Media file,Total length,Behavior,Behavior type,Start (s),Stop (s)\n"
    report = run(project, header + "m1.mp4,40.9,grooming,STATE,0.4,1.64\n")
    assert report.problems == ()
    report = run(project, header + "m1.mp4,100.0,grooming,STATE,50,51\n")
    assert kinds(report) == {"invalid_range": 1}
    assert "lasts 100 s, the video 40.000 s: it holds several videos" in report.problems[0].text
    assert bouts(project) == [(GROOMING, (10, 40))]


def test_report_names_the_videos_with_and_without_rows(project: LocalProject) -> None:
    report = run(project, "video,action,start_frame,end_frame\nm1.mp4,grooming,0,9\n")
    assert report.without_rows == ("lab/m2.mp4", "other/m2.mp4")
    lines = report.to_text().splitlines()
    assert "  lab/m1.mp4: 1 added" in lines
    at = lines.index("2 videos have no row:")
    assert lines[at + 1 : at + 3] == ["  lab/m2.mp4", "  other/m2.mp4"]


def test_long_lists_of_videos_are_cut() -> None:
    names = tuple(f"v{i}.mp4" for i in range(30))
    report = ImportReport({}, 0, {}, {}, 0, {}, without_rows=names)
    assert report.to_text().splitlines()[-2:] == ["  v19.mp4", "  and 10 more"]


def test_point_events_get_a_length_around_their_moment(project: LocalProject) -> None:
    text = "video,action,start_seconds\nm1.mp4,twitch,4.0\nm1.mp4,grooming,5.0\n"

    report = run(project, text)
    run(project, text, point_seconds=0)

    assert bouts(project) == [(TWITCH, (98, 102)), (TWITCH, (100, 100))]
    assert kinds(report) == {"no_end": 1}
    assert "1 point events were given 0.2 s each" in report.to_text()
    with pytest.raises(ValueError, match="point_seconds must be >= 0"):
        run(project, text, point_seconds=-1)


def test_frame_tables_do_not_open_the_videos(project: LocalProject) -> None:
    text = "video,action,start_frame,end_frame\nm1.mp4,grooming,0,9\n"

    assert run(project, text, read_timing=refuse).problems == ()


def test_broken_video_loses_only_its_own_rows(project: LocalProject) -> None:
    def broken(path: Path) -> Times:
        if path.parent.parent.name == "lab":
            raise OSError(f"{path}: no video stream")
        return timing(path)

    text = "video,action,start_s,end_s\nlab/m2.mp4,grooming,1,2\nother/m2.mp4,grooming,1,2\n"
    report = run(project, text, read_timing=broken)

    assert kinds(report) == {"unreadable_video": 1}
    assert report.videos == {"other/m2.mp4": 1}


def test_other_labels_can_be_left_out(project: LocalProject) -> None:
    text = "video,action,start_frame,end_frame\nm1.mp4,Out of sight,0,9\n"

    report = run(project, text, ignore_labels=["uncertain", "out-of-sight"])

    assert report.added == {"uncertain": 1}
    assert project.read(project.video("lab", "m1.mp4")).ignored == (Interval(0, 10),)


def test_labels_of_other_alphabets_and_signs_are_told_apart(project: LocalProject) -> None:
    rows = ("НЕЯСНО,0,9", "груминг,20,29", "?,40,49", "!,60,69")
    text = "video,action,start_frame,end_frame\n" + "".join(f"m1.mp4,{row}\n" for row in rows)

    report = run(project, text, ignore_labels=["неясно", "?"])

    assert report.added == {"uncertain": 2}
    assert [problem.text.split(";")[0] for problem in report.problems] == ["'груминг'", "'!'"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"PK\x03\x04\x00\x00\x00", "Save the table as CSV"),
        (b"a,b\n1,2\n", "columns for video, action and start"),
    ],
)
def test_files_that_are_no_table_are_reported(
    project: LocalProject, content: bytes, message: str
) -> None:
    report = run(project, content)

    assert kinds(report) == {"unreadable_file": 1}
    assert message in report.problems[0].text
    assert "table.csv" in report.to_text()


def test_missing_file_does_not_stop_the_others(project: LocalProject, tmp_path: Path) -> None:
    good = tmp_path / "good.csv"
    good.write_text("video,action,start_frame,end_frame\nm1.mp4,grooming,0,9\n")
    calls: list[tuple[int, int]] = []

    report = import_annotations(
        project, [tmp_path / "gone.csv", good], progress=lambda *done: calls.append(done)
    )

    assert kinds(report) == {"unreadable_file": 1}
    assert report.added == {GROOMING: 1}
    assert calls == [(1, 1)]


def test_predictions_project_takes_labels_with_full_confidence(tmp_path: Path) -> None:
    project = LocalProject.create(tmp_path / "p", actions=ACTIONS, confidence=True)
    source = tmp_path / "s.mp4"
    source.write_bytes(b"x")
    project.add_video("lab", "m1.mp4", source)
    project.write("lab", "m1.mp4", VideoAnnotation(num_frames=FRAMES, height=4, width=4))

    run(project, "video,action,start_frame,end_frame\nm1.mp4,grooming,0,9\n")

    assert project.read(project.videos()[0]).bouts == (Bout(Interval(0, 10), GROOMING, 1.0),)
