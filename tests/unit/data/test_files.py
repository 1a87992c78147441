from __future__ import annotations

import os
from pathlib import Path

import pytest

from mouse_ar.data.files import place_file, read_json, write_json


def test_unchanged_content_is_not_written_again(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b.json"

    assert write_json(path, {"x": "ü"})
    os.utime(path, ns=(1, 1))
    assert not write_json(path, {"x": "ü"})
    assert path.stat().st_mtime_ns == 1
    assert write_json(path, {"x": "y"})
    assert read_json(path) == {"x": "y"}
    assert [p.name for p in path.parent.iterdir()] == ["b.json"]


def test_broken_json_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"x": ')

    with pytest.raises(ValueError, match="is not valid JSON"):
        read_json(path)
    path.write_text("[]")
    with pytest.raises(ValueError, match="expected a JSON object, got list"):
        read_json(path)


@pytest.mark.parametrize("mode", ["link", "copy"])
def test_place_file_shares_or_copies(tmp_path: Path, mode: str) -> None:
    source, target = tmp_path / "a.mp4", tmp_path / "deep" / "b.mp4"
    source.write_bytes(b"pixels")

    assert place_file(source, target, mode=mode)  # type: ignore[arg-type]
    assert target.samefile(source) == (mode == "link")
    assert not place_file(source, target, mode=mode)  # type: ignore[arg-type]
    assert target.read_bytes() == source.read_bytes() == b"pixels"


def test_place_file_copies_where_links_are_impossible(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = tmp_path / "a.mp4", tmp_path / "b.mp4"
    source.write_bytes(b"pixels")

    def refuse(*_: object) -> None:
        raise OSError("cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    assert place_file(source, target)
    assert target.read_bytes() == b"pixels"
    assert not target.samefile(source)


def test_place_file_never_overwrites_other_content(tmp_path: Path) -> None:
    source, target = tmp_path / "a.mp4", tmp_path / "b.mp4"
    source.write_bytes(b"pixels")
    target.write_bytes(b"others")

    with pytest.raises(FileExistsError, match="other content"):
        place_file(source, target)
    assert target.read_bytes() == b"others"


def test_half_written_copy_is_replaced(tmp_path: Path) -> None:
    source, target = tmp_path / "a.mp4", tmp_path / "b.mp4"
    source.write_bytes(b"pixels")
    (tmp_path / ".b.mp4.tmp").write_bytes(b"pi")

    place_file(source, target)

    assert target.read_bytes() == b"pixels"
    assert not (tmp_path / ".b.mp4.tmp").exists()
