from __future__ import annotations

from pathlib import Path

import pytest

from mouse_ar.data.matching import VideoMatcher
from mouse_ar.data.project_layout import ProjectVideo

KEYS = (
    "lab/cageA/m1.mp4",
    "lab/cageB/m1.mp4",
    "lab/cageB/M2.avi",
    "night_video_/m3.mp4",
    "x/twin.avi",
    "x/twin.mp4",
    "ünder/café.mkv",
    "d/v1.2.mp4",
)


@pytest.fixture(scope="module")
def matcher() -> VideoMatcher:
    videos = []
    for key in KEYS:
        dataset, _, name = key.rpartition("/")
        videos.append(ProjectVideo(dataset=dataset, name=name, folder=Path("p")))
    return VideoMatcher(videos)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("lab/cageA/m1.mp4", "lab/cageA/m1.mp4"),
        ("cageB/m1.mp4", "lab/cageB/m1.mp4"),
        (r"D:\Recordings\cageB\m1.mp4", "lab/cageB/m1.mp4"),
        ("cageB/m1", "lab/cageB/m1.mp4"),
        ("m2.mp4", "lab/cageB/M2.avi"),
        ("/elsewhere/m2.avi", "lab/cageB/M2.avi"),
        ("night_video/m3.mp4", "night_video_/m3.mp4"),
        ("twin.avi", "x/twin.avi"),
        ("cafe\u0301", "ünder/café.mkv"),
        ("v1.2", "d/v1.2.mp4"),
        (" m3.mp4 ", "night_video_/m3.mp4"),
    ],
)
def test_finds(matcher: VideoMatcher, name: str, key: str) -> None:
    match = matcher.find(name)
    assert match.video is not None
    assert match.video.key == key


def test_equal_matches_are_ambiguous(matcher: VideoMatcher) -> None:
    match = matcher.find("m1.mp4")
    assert match.video is None
    assert match.ambiguous
    assert match.candidates == KEYS[:2]
    assert matcher.find("twin").ambiguous


def test_unknown_names_come_with_similar_ones(matcher: VideoMatcher) -> None:
    match = matcher.find("twinn.mp4")
    assert (match.video, match.ambiguous) == (None, False)
    assert set(match.candidates) == {"x/twin.avi", "x/twin.mp4"}
    assert matcher.find("").video is None
    assert matcher.find("nothing like it").candidates == ()
