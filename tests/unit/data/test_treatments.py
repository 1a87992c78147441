"""The table of treated and control animals."""

from __future__ import annotations

from pathlib import Path

import pytest

from mouse_ar.data.project_layout import ProjectVideo
from mouse_ar.data.treatments import Treatments, read_treatments

KEYS = ("day1/m1.mp4", "day1/m2.mp4", "day2/m1_b.mp4", "day2/m10.mp4", "m3/a.mp4", "m3/b.mp4")
VIDEOS = [ProjectVideo(*key.split("/"), folder=Path()) for key in KEYS]


def read(tmp_path: Path, text: str, **options: str) -> Treatments:
    path = tmp_path / "groups.csv"
    path.write_text(text)
    return read_treatments(path, VIDEOS, **options)


def test_videos_of_an_animal_belong_together(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        "video;group;animal\nday1/m1.mp4;drug;A\nC:\\x\\day2\\m1_b.avi;drug;A\nm2;Control;B\n"
        "m10;Control;C\nm3/a.mp4;drug;D\nm3/b.mp4;;\n",
    )
    assert (found.control, found.treatment) == ("Control", "drug")
    assert found.animals == {
        "Control": {"B": ("day1/m2.mp4",), "C": ("day2/m10.mp4",)},
        "drug": {"A": ("day1/m1.mp4", "day2/m1_b.mp4"), "D": ("m3/a.mp4",)},
    }
    assert not found.one_video_each
    assert found.left_out == ("m3/b.mp4",)


def test_without_animals_every_video_is_one(tmp_path: Path) -> None:
    rows = "".join(f"{key},{'drug' if i % 2 else 'saline'}\n" for i, key in enumerate(KEYS))
    found = read(tmp_path, f"Video,Group\n{rows}")
    assert found.one_video_each
    assert set(found.animals["drug"]) == set(KEYS[1::2])


def test_an_animal_has_the_videos_named_after_it(tmp_path: Path) -> None:
    found = read(tmp_path, "animal,group\nM1,vehicle\nm2,drug\nm10,drug\nm3,vehicle\n")
    assert found.animals == {
        "vehicle": {"M1": ("day1/m1.mp4", "day2/m1_b.mp4"), "m3": ("m3/a.mp4", "m3/b.mp4")},
        "drug": {"m10": ("day2/m10.mp4",), "m2": ("day1/m2.mp4",)},
    }


def test_of_three_groups_two_are_chosen(tmp_path: Path) -> None:
    text = "animal,group\nm1,low\nm2,high\nm10,high\nm3,low\nday1,zero\n"
    with pytest.raises(ValueError, match=r"day1/m1\.mp4 fits both 'm1' and 'day1'"):
        read(tmp_path, text)
    rows = "".join(f"{key},{'abc'[i % 3]}\n" for i, key in enumerate(KEYS))
    with pytest.raises(ValueError, match=r"groups a, b, c: say which is the control"):
        read(tmp_path, f"video,group\n{rows}")
    with pytest.raises(ValueError, match=r"say which to compare with b with --treatment"):
        read(tmp_path, f"video,group\n{rows}", control="b")
    found = read(tmp_path, f"video,group\n{rows}", control="b", treatment="c")
    assert (found.control, found.treatment) == ("b", "c")
    assert set(found.left_out) == {KEYS[0], KEYS[3]}


ALL = "".join(f"{key},{'drug' if i % 2 else 'saline'}\n" for i, key in enumerate(KEYS))


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("file,group\na,b\n", r"expected columns 'video' \(or 'animal'\) and 'group', got file"),
        (f"video,group\n{ALL}x.mp4,drug\ny.mp4,drug\n", r"2 rows name no video .*x\.mp4, y\.mp4"),
        ("video,group\nm2,drug\n", r"5 videos have no row: day1/m1\.mp4, .* an empty group"),
        (f"video,group\n{ALL}m2,saline\n", r"row 8: another row says something else of m2"),
        (f"video,group\n{ALL}".replace("saline", "drug"), r"the groups drug: two are needed"),
        (
            "animal,group\nm1,drug\nm2,saline\nm10,saline\nm3,saline\n",
            "drug has m1[.;]",
        ),
        (
            "animal,group\nm9,drug\nm1,saline\n",
            r"is named after m9\. The results have",
        ),
        ("animal,group\nm1,drug\nm1,saline\n", r"more than one row names m1"),
        (
            "video,group,animal\n"
            + ALL.replace("drug\n", "drug,A\n").replace("saline\n", "saline,A\n"),
            r"A in more than one group\. An animal belongs to one",
        ),
    ],
)
def test_what_does_not_fit_is_told_with_its_names(tmp_path: Path, text: str, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        read(tmp_path, text)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"control": "none"}, "has the groups drug, saline, not 'none'"),
        ({"control": "drug", "treatment": "drug"}, "cannot be both"),
    ],
)
def test_groups_that_are_not_there_are_told(
    tmp_path: Path, options: dict[str, str], match: str
) -> None:
    with pytest.raises(ValueError, match=match):
        read(tmp_path, f"video,group\n{ALL}", **options)
    turned = read(tmp_path, f"video,group\n{ALL}", control="drug")
    assert (turned.control, turned.treatment) == ("drug", "saline")
