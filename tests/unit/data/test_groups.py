from __future__ import annotations

from pathlib import Path

import pytest

from mouse_ar.core.splitting import Split
from mouse_ar.data.groups import read_groups
from mouse_ar.data.project_layout import ProjectVideo

VIDEOS = [
    ProjectVideo(Path("p"), dataset, name)
    for dataset, name in (("cage1", "m1.mp4"), ("cage2", "m1.mp4"), ("night_video_", "m3.mp4"))
]


def table(tmp_path: Path, *rows: str, header: str = "file,group,split") -> Path:
    path = tmp_path / "groups.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def test_names_match_as_in_annotation_tables(tmp_path: Path) -> None:
    path = table(tmp_path, r"D:\lab\Cage1\m1.avi,a,", "/data/night_video/M3.mp4,b, Test ")
    found = read_groups(path, VIDEOS)
    assert found.groups == {"cage1/m1.mp4": "a", "night_video_/m3.mp4": "b"}
    assert found.splits == {"night_video_/m3.mp4": Split.TEST}
    assert found.ungrouped == ["cage2/m1.mp4"]


def test_blank_groups_do_not_belong_together(tmp_path: Path) -> None:
    found = read_groups(table(tmp_path, "cage1/m1.mp4,,val", "cage2/m1.mp4, ,"), VIDEOS)
    assert found.groups == {}
    assert found.splits == {"cage1/m1.mp4": Split.VAL}


def test_rows_of_other_videos_are_named(tmp_path: Path) -> None:
    found = read_groups(table(tmp_path, "cage1/m1.mp4,a,", "other.mp4,a,"), VIDEOS)
    assert found.unmatched == ["other.mp4"]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["m1.mp4,a,"], r"line 2: 'm1.mp4' may be any of cage1/m1.mp4, cage2/m1.mp4"),
        (["cage1/m1.mp4,a,foo"], r"line 2: split must be one of .*test.*, got 'foo'"),
        (["cage1/m1.mp4,a,", "cage1/m1.mp4,b,"], r"line 3: .* named in line 2 already"),
        (["x.mp4,a,"], r"none of its 1 rows names a video"),
    ],
)
def test_what_does_not_fit_is_told(tmp_path: Path, rows: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_groups(table(tmp_path, *rows), VIDEOS)


def test_missing_column_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"expected columns 'file' and 'group', got \['video'\]"):
        read_groups(table(tmp_path, "a", header="video"), VIDEOS)
