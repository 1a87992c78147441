"""A second annotator's labels, from projects and from tables."""

from __future__ import annotations

from pathlib import Path

import pytest

import tiny
from mouse_ar.core.types import Ethogram, Interval, Track
from mouse_ar.data.annotations import ProjectTag
from mouse_ar.data.local_project import LocalProject
from mouse_ar.data.second_labels import SecondLabels, read_second_labels
from mouse_ar.data.training_data import VideoRecord, open_training_data
from tiny import ACTIONS, DATASET, FPS, GROOMING, NUM_FRAMES, SIDE, TWITCH

LABELS = [(GROOMING, 10, 40), (TWITCH, 60, 63)]
OTHER = [(GROOMING, 12, 38), (TWITCH, 59, 62)]


def record(
    name: str = "a_0123abcd.mp4", origin: str = f"{DATASET}/a.mp4", path: Path | None = None
) -> VideoRecord:
    return VideoRecord(
        key=f"test/{name}",
        dataset="test",
        path=path or Path("no such file"),
        source="mouse 1",
        width=SIDE,
        height=SIDE,
        ethogram=Ethogram(NUM_FRAMES, FPS, tiny.bouts(LABELS)),
        track=Track.from_boxes(NUM_FRAMES, {}),
        origin=origin,
    )


A, B = record(), record("b_4567cdef.mp4", f"{DATASET}/b.mp4")


def second_project(root: Path, videos: dict[str, list[tuple[str, int, int]]]) -> LocalProject:
    """Annotations without video files, as they come when labels alone are downloaded."""
    project = LocalProject.create(root / "second", actions=ACTIONS, with_files=False)
    for key, labels in videos.items():
        dataset, _, name = key.rpartition("/")
        tiny.annotate(project, name, labels, dataset=dataset)
    return project


def table(root: Path, *lines: str) -> Path:
    path = root / "second.csv"
    path.write_text("\n".join(["video,action,start_frame,end_frame", *lines]) + "\n")
    return path


def read(source: Path, *records: VideoRecord, **options: object) -> SecondLabels:
    return read_second_labels(source, records or (A, B), actions=ACTIONS, **options)  # type: ignore[arg-type]


def test_a_project_is_found_by_the_original_names(tmp_path: Path) -> None:
    project = second_project(
        tmp_path, {f"{DATASET}/a.mp4": OTHER, f"{DATASET}/b.mp4": [], f"{DATASET}/c.mp4": LABELS}
    )
    found = read(project.path)
    assert found.ethograms[A.key] == Ethogram(NUM_FRAMES, FPS, tiny.bouts(OTHER))
    assert found.ethograms[B.key].bouts == ()
    assert found.missing == ()
    assert len(found.notes) == 1
    assert found.notes[0].startswith(f"{DATASET}/b.mp4 has no action by the second annotator")


def test_a_project_is_found_by_the_names_in_the_training_data(tmp_path: Path) -> None:
    project = second_project(tmp_path, {A.key: OTHER})
    found = read(project.path)
    assert found.ethograms[A.key].bouts == tiny.bouts(OTHER)
    assert found.missing == (B.key,)


def test_real_training_data_know_where_their_videos_come_from(tmp_path: Path) -> None:
    data = tiny.write_training_data(tmp_path, tiny.SEVEN)
    records = open_training_data(data, actions=ACTIONS).test
    assert records
    found = read(tmp_path / "input", *records)
    assert found.missing == ()
    for one in records:
        assert found.ethograms[one.key].bouts == one.ethogram.bouts


def test_uncertain_frames_of_the_second_annotator_are_kept_apart(tmp_path: Path) -> None:
    project = second_project(tmp_path, {})
    tiny.annotate(project, "a.mp4", OTHER, ignored=[Interval(70, 75)])
    assert read(project.path).ignored == {A.key: (Interval(70, 75),)}


def test_another_length_is_another_file(tmp_path: Path) -> None:
    project = second_project(tmp_path, {})
    tiny.annotate(project, "a.mp4", OTHER, num_frames=NUM_FRAMES + 1)
    with pytest.raises(ValueError, match=r"a\.mp4 has 81 frames, test/a_.* 80: .*the same file"):
        read(project.path)


def test_a_misspelt_action_is_told_and_other_labels_can_be_named(tmp_path: Path) -> None:
    project = second_project(tmp_path, {})
    strange = [ProjectTag("rearing/high", Interval(50, 55))]
    tiny.annotate(project, "a.mp4", OTHER, tags=strange)
    with pytest.raises(ValueError, match=r"'rearing/high' is no action; known are .*--other-label"):
        read(project.path)
    found = read(project.path, other_labels=["Rearing/high"])
    assert found.ethograms[A.key].bouts == tiny.bouts(OTHER)

    rows = ["a.mp4,grooming,12,37", "a.mp4,rearing/high,50,54"]
    with pytest.raises(ValueError, match=r"1 rows cannot be used: row 3: 'rearing/high'; known"):
        read(table(tmp_path, *rows))
    found = read(table(tmp_path, *rows), other_labels=["rearing/high"])
    assert found.ethograms[A.key].bouts == tiny.bouts(OTHER[:1])

    with pytest.raises(ValueError, match=f"means {GROOMING}, which is scored"):
        read(project.path, other_labels=["grooming"])


def test_a_table_gives_the_videos_it_names(tmp_path: Path) -> None:
    found = read(table(tmp_path, "a.mp4,grooming,12,37", "a,HTR,59,61", "train9.mp4,grooming,5,9"))
    assert found.ethograms[A.key].bouts == tiny.bouts(OTHER)
    assert found.missing == (B.key,)
    assert found.notes == ("1 further videos of the table are not among these.",)
    # a row of the background says that the video was looked at
    looked = read(table(tmp_path, "a.mp4,grooming,12,37", "b.mp4,idle,0,79"))
    assert looked.missing == ()
    assert looked.ethograms[B.key].bouts == ()
    by_key = read(table(tmp_path, f"{B.key},uncertain,3,4", "b.mp4,HTR,59,61"), B)
    assert by_key.ignored[B.key] == (Interval(3, 5),)


def test_a_table_in_seconds_uses_the_timestamps_of_the_video(tmp_path: Path) -> None:
    times = [0.0, *(0.5 + index / FPS for index in range(1, NUM_FRAMES))]  # the first lasts longer
    path = tiny.write_video(tmp_path / "a.mp4", LABELS, times=times)
    source = tmp_path / "second.csv"
    source.write_text("video,action,start_seconds,end_seconds\na.mp4,grooming,1.5,2.5\n")
    found = read(source, record(path=path))
    assert [b.interval for b in found.ethograms[A.key].bouts] == [Interval(10, 20)]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["a.mp4,grooming,90,95"], r"row 2: frames 90-95: the video has frames 0-79"),
        (["a.mp4,grooming,20,10"], "the end lies before the start"),
        (["z.mp4,grooming,1,5"], r"labels of none of the 2 videos: expected names such as cohort"),
        (["x/a.mp4,grooming,1,5", "y/a.mp4,HTR,7,8"], r"'x/a.mp4' and 'y/a.mp4' both fit"),
    ],
)
def test_rows_that_cannot_be_meant_are_refused(
    tmp_path: Path, rows: list[str], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        read(table(tmp_path, *rows))


def test_a_row_past_the_end_is_cut_and_told(tmp_path: Path) -> None:
    found = read(table(tmp_path, "a.mp4,grooming,70,99"), A)
    assert [b.interval for b in found.ethograms[A.key].bouts] == [Interval(70, 80)]
    assert "ends at frame 79" in found.notes[0]


def test_videos_that_cannot_be_told_apart_are_refused(tmp_path: Path) -> None:
    twice = second_project(tmp_path, {"x/a.mp4": OTHER, "y/a.mp4": LABELS})
    with pytest.raises(ValueError, match=r"may be any of x/a\.mp4, y/a\.mp4"):
        read(twice.path, A)
    one = second_project(tmp_path / "one", {"x/a.mp4": OTHER})
    with pytest.raises(ValueError, match=r"x/a\.mp4 fits both test/a_0123abcd\.mp4 and test/q"):
        read(one.path, A, record("q.mp4", "other/a.mp4"))


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="expected a project or a CSV table"):
        read(tmp_path / "no.csv")
    with pytest.raises(FileNotFoundError, match="no Supervisely project"):
        read(tmp_path)
    with pytest.raises(ValueError, match="labels of none of the 2 videos"):
        read(second_project(tmp_path, {"x/other.mp4": OTHER}).path)
