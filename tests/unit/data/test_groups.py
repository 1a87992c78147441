"""The table of groups and splits."""

from __future__ import annotations

from pathlib import Path

import pytest

from mouse_ar.core.splitting import Split
from mouse_ar.data.groups import VideoGroups, read_groups
from mouse_ar.data.project_layout import ProjectVideo

KEYS = ("night_video_/m1.mp4", "cage2/m1.mp4", "cage2/m2.mp4", "cage2/m3.mp4")
VIDEOS = [ProjectVideo(*key.split("/"), folder=Path()) for key in KEYS]


def read(tmp_path: Path, *rows: str, header: str = "file,group,split") -> VideoGroups:
    path = tmp_path / "groups.csv"
    path.write_text("\n".join([header, *rows, ""]))
    return read_groups(path, VIDEOS)


def test_names_are_matched_as_in_tables_of_labels(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        "night_video/M1.mp4,a, Test ",
        "C:\\data\\Cage2\\m1.mp4,b,",
        "m2.avi,b,TRAIN",
        "m3.mp4,,val",
    )
    assert found.groups == {
        "night_video_/m1.mp4": "a",
        "cage2/m1.mp4": "b",
        "cage2/m2.mp4": "b",
    }
    assert found.splits == {
        "night_video_/m1.mp4": Split.TEST,
        "cage2/m2.mp4": Split.TRAIN,
        "cage2/m3.mp4": Split.VAL,
    }
    assert found.notes == ()


def test_what_finds_no_counterpart_is_told(tmp_path: Path) -> None:
    found = read(tmp_path, "m2.mp4,a", *(f"x{i}.mp4,a" for i in range(7)), header="file,group")
    rows, videos = found.notes
    assert "7 rows name no video: x0.mp4, x1.mp4, x2.mp4, x3.mp4, x4.mp4 and 2 more" in rows
    assert "3 videos have no row: night_video_/m1.mp4, cage2/m1.mp4, cage2/m3.mp4" in videos
    assert found.groups == {"cage2/m2.mp4": "a"}


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["m1.mp4,a,"], r"groups.csv, row 2: 'm1.mp4' fits .*give the folder too"),
        (["m2.mp4,a,", "m3.mp4,a,tset"], r"row 3: split 'tset' is none of train, val, test"),
        (["m2.mp4,a,", "m2,b,"], r"row 3: another row says something else of cage2/m2.mp4"),
        (["x.mp4,a,"], r"no row names a video of the project. It has night.*the table has x.mp4"),
        ([], r"expected columns 'file' and 'group' and rows, got \['file', 'group', 'split'\]"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, rows: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read(tmp_path, *rows)
