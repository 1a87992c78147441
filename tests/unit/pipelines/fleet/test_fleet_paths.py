"""Files that one of the computers does not see as the others do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mouse_ar import __version__
from mouse_ar.pipelines.fleet.needs import FleetError
from mouse_ar.pipelines.fleet.paths import Look, looked, require_paths


class OtherComputer:
    """Sees nothing of the folder ``hidden``."""

    def __init__(self, hidden: Path) -> None:
        self._hidden = hidden

    def everywhere(self, function: Any, looks: list[Look], version: str) -> Iterator[Any]:
        away = self._hidden.with_name("away")
        yield "lab-1 (10.0.0.1)", function(looks, version)
        self._hidden.rename(away)
        try:
            yield "lab-2 (10.0.0.2)", function(looks, version)
        finally:
            away.rename(self._hidden)


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "videos/a.mp4"
    path.parent.mkdir()
    path.write_bytes(b"12345")
    return path


def look(path: Path, *, size_bytes: int, writable: bool = False) -> list[str]:
    return looked([Look(str(path), str(path), size_bytes, writable=writable)], __version__)


def test_what_is_there_as_it_should_be_is_no_problem(video: Path) -> None:
    assert look(video, size_bytes=5) == []


def test_problems_name_the_path_and_say_what_to_do(video: Path) -> None:
    (other,) = look(video, size_bytes=6)
    assert f"has another file at {video} (5 bytes, not 6). Videos, models and results" in other
    (gone,) = look(video.with_name("b.mp4"), size_bytes=5)
    assert f"cannot read {video.with_name('b.mp4')} (No such file or directory). Videos" in gone


def test_a_folder_that_cannot_be_written_to(video: Path) -> None:
    missing = Look(str(video.with_name("out")), str(video), 5, writable=True)
    assert looked([missing], __version__)[0].startswith(f"cannot write to {missing.shown}. ")


def test_another_version_there_is_the_only_thing_that_is_told(video: Path) -> None:
    looks = [Look("x", "x", 1), Look("y", "y", 1)]
    (told,) = looked(looks, "0.0")
    assert told == f"has mouse-ar {__version__}, this computer has 0.0: install the same"


def test_the_computer_is_named(video: Path, tmp_path: Path) -> None:
    other: Any = OtherComputer(video.parent)
    missing_here = tmp_path / "never.mp4"  # its video fails by itself
    with pytest.raises(FleetError) as caught:
        require_paths(other, [video, missing_here])
    assert str(caught.value).startswith(f"lab-2 (10.0.0.2) cannot read {video} (No such file")


def test_the_folder_of_the_results_is_looked_at_by_a_file_that_only_it_has(
    video: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    output.mkdir()
    other: Any = OtherComputer(output)
    with pytest.raises(FleetError, match=rf"lab-2 .* cannot read {output} \(No such"):
        require_paths(other, [video], output=output)
    assert list(output.iterdir()) == []
