from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mouse_ar.data import disk
from mouse_ar.sly.connection import Connection
from mouse_ar.sly.errors import NoSpaceError, RefusedError, TransferError
from mouse_ar.sly.streams import hash_of
from mouse_ar.sly.team_files import (
    download_file,
    find_file,
    list_files,
    remove_files,
)
from mouse_ar.sly.team_uploads import upload_file, upload_folder
from supervisely_double import TEAM, Double
from supervisely_double.endpoints import files
from tiny import snapshot

KINDS = ["status html cut", "lost cut_body truncated", "wrong_bytes"]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "run 1"
    for name, size in {"best.pth": 300_000, "log/день.txt": 10, "log/empty.txt": 0}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(i % 251 for i in range(size)))
    (folder / ".hidden").write_text("x")
    return folder


def download_all(connection: Connection, folder: str, target: Path) -> None:
    for file in list_files(connection, folder, team_id=TEAM):
        place = target / file.path.removeprefix(f"{folder}/")
        download_file(connection, file.path, place, team_id=TEAM)


def test_folder_there_and_back(
    connection: Connection, double: Double, run: Path, tmp_path: Path
) -> None:
    told: list[tuple[int, int]] = []

    files = upload_folder(
        connection, run, "/experiments/a", team_id=TEAM, progress=lambda *p: told.append(p)
    )
    download_all(connection, "/experiments/a", tmp_path / "back")

    expected = {k: v for k, v in snapshot(run).items() if k != ".hidden"}
    assert snapshot(tmp_path / "back") == expected
    assert told[-1] == (300_010, 300_010)
    assert [f.path for f in files] == [f"/experiments/a/{name}" for name in expected]
    assert list_files(connection, "/experiments", team_id=TEAM) == sorted(files)


def test_again_sends_only_what_changed(
    connection: Connection, double: Double, run: Path, tmp_path: Path
) -> None:
    upload_folder(connection, run, "/a", team_id=TEAM)
    download_all(connection, "/a", tmp_path / "back")
    (run / "log" / "день.txt").write_bytes(b"new")
    double.add_file("/a/old.txt", b"old")
    double.add_file("/ab/other.txt", b"other folder")
    double.log.clear()

    upload_folder(connection, run, "/a", team_id=TEAM, remove_others=True)
    download_all(connection, "/a", tmp_path / "back")

    assert len(double.called("file-storage.bulk.upload")) == 1
    assert len(double.called("file-storage.download")) == 1
    assert (tmp_path / "back" / "log" / "день.txt").read_bytes() == b"new"
    names = {"/a/best.pth", "/a/log/день.txt", "/a/log/empty.txt", "/ab/other.txt"}
    assert set(double.files()) == names


@pytest.mark.parametrize("kinds", KINDS)
def test_recovers(
    connection: Connection, double: Double, run: Path, tmp_path: Path, kinds: str
) -> None:
    source, target = run / "best.pth", tmp_path / "back.pth"
    for endpoint in ("bulk.upload", "list", "download"):
        if not (kinds == "wrong_bytes" and endpoint != "download"):
            double.fail(f"file-storage.{endpoint}", kinds=kinds, count=3)

    upload_file(connection, source, "/a/best.pth", team_id=TEAM)
    download_file(connection, "/a/best.pth", target, team_id=TEAM)

    assert target.read_bytes() == source.read_bytes()
    assert set(double.files()) == {"/a/best.pth"}


def test_one_file(connection: Connection, double: Double, run: Path) -> None:
    made = upload_file(connection, run / "best.pth", "/a/b.pth", team_id=TEAM)

    assert made == find_file(connection, "a/b.pth", team_id=TEAM)
    assert made.hash == hash_of(run / "best.pth")
    assert find_file(connection, "/a/b", team_id=TEAM) is None
    assert list_files(connection, "/nowhere", team_id=TEAM) == []
    remove_files(connection, ["/a/b.pth", "/a/never"], team_id=TEAM)
    remove_files(connection, ["/a/b.pth"], team_id=TEAM)
    assert double.files() == {}


def test_a_file_is_there_until_another_has_replaced_it(
    connection: Connection, double: Double, run: Path
) -> None:
    upload_file(connection, run / "best.pth", "/a/b.pth", team_id=TEAM)
    old = double.files()["/a/b.pth"]
    (run / "best.pth").write_bytes(b"new")
    double.fail("file-storage.bulk.upload", status=403, count=1)
    with pytest.raises(RefusedError):
        upload_file(connection, run / "best.pth", "/a/b.pth", team_id=TEAM)
    assert double.files() == {"/a/b.pth": old}

    double.fail("file-storage.bulk.upload", count=2)
    upload_file(connection, run / "best.pth", "/a/b.pth", team_id=TEAM)
    assert double.files() == {"/a/b.pth": b"new"}


def test_an_instance_that_puts_a_second_file_beside_the_first(
    connection: Connection, double: Double, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload_file(connection, run / "best.pth", "/a/b.pth", team_id=TEAM)
    (run / "best.pth").write_bytes(b"new")
    plain = files.put_file

    def beside(double: Double, team_id: int, path: str, blob: str) -> Any:
        taken = any(stored.path == path for stored in double.state.files_at(team_id, path))
        return plain(double, team_id, f"{path}_000" if taken else path, blob)

    monkeypatch.setattr(files, "put_file", beside)

    upload_file(connection, run / "best.pth", "/a/b.pth", team_id=TEAM)

    assert double.files() == {"/a/b.pth": b"new"}


def test_what_is_not_there(
    connection: Connection,
    double: Double,
    run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(FileNotFoundError, match=r"no /x\.pth in the files of team 7"):
        download_file(connection, "/x.pth", tmp_path / "x", team_id=TEAM)
    with pytest.raises(NotADirectoryError):
        upload_folder(connection, run / "none", "/x", team_id=TEAM)
    upload_folder(connection, run, "/a", team_id=TEAM)
    monkeypatch.setattr(disk, "_RESERVE_BYTES", 10**18)
    with pytest.raises(NoSpaceError, match=r"downloading /a/best\.pth needs"):
        download_file(connection, "/a/best.pth", tmp_path / "x", team_id=TEAM)
    double.down()
    with pytest.raises(TransferError, match="listing /a/"):
        upload_folder(connection, run, "/a", team_id=TEAM)
