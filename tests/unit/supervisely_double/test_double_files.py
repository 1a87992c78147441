"""Team Files, by the real SDK."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from requests.exceptions import HTTPError

from supervisely_double import TEAM, Double


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "run"
    for name in ("a.txt", "sub/b.txt", "sub/deep/c.json"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f'"{name}"')
    return root


def test_a_folder_goes_up_and_comes_down(
    api: Any, double: Double, folder: Path, tmp_path: Path
) -> None:
    assert api.file.upload_directory(TEAM, str(folder), "/models/run") == "/models/run"
    assert api.file.upload_directory(TEAM, str(folder), "/models/run") == "/models/run_000"
    assert list(double.files("/models/run/")) == [
        "/models/run/a.txt",
        "/models/run/sub/b.txt",
        "/models/run/sub/deep/c.json",
    ]
    target = tmp_path / "back"
    target.mkdir()
    api.file.download_directory(TEAM, "/models/run", str(target))
    assert (target / "sub/deep/c.json").read_text() == '"sub/deep/c.json"'
    fast = tmp_path / "fast"
    asyncio.run(api.file.download_directory_async(TEAM, "/models/run", str(fast)))
    assert (fast / "sub/b.txt").read_text() == '"sub/b.txt"'
    api.file.remove_dir(TEAM, "/models/run_000/")
    assert len(double.files()) == 3


def test_single_files(api: Any, sly: ModuleType, double: Double, folder: Path) -> None:
    info = api.file.upload(TEAM, str(folder / "sub/deep/c.json"), "/x/c.json")
    assert (info.path, info.name, info.ext, info.sizeb) == ("/x/c.json", "c.json", "json", 17)
    assert info.hash == sly.fs.get_file_hash(str(folder / "sub/deep/c.json"))
    asyncio.run(api.file.upload_async(TEAM, str(folder / "a.txt"), "/x/y/a.txt"))
    assert api.file.exists(TEAM, "/x/y/a.txt")
    assert not api.file.exists(TEAM, "/x/y")
    assert api.file.dir_exists(TEAM, "/x/y/")
    assert api.file.get_info_by_path(TEAM, "/x/c.json").id == info.id
    assert api.file.get_info_by_id(info.id) == api.file.get_info_by_path(TEAM, "/x/c.json")
    assert api.file.listdir(TEAM, "/x/") == ["/x/y", "/x/c.json"]
    assert [f.path for f in api.file.list2(TEAM, "/x/")] == ["/x/c.json", "/x/y/a.txt"]
    listed = api.storage.list(TEAM, "/x/", recursive=False)
    assert [(f.path, f.is_dir) for f in listed] == [("/x/y/", True), ("/x/c.json", False)]
    assert api.storage.exists(TEAM, "/x/c.json")
    assert api.file.get_json_file_content(TEAM, "/x/c.json") == "sub/deep/c.json"
    # The same path again: other content, the same file.
    again = api.file.upload(TEAM, str(folder / "a.txt"), "/x/c.json")
    assert (again.id, double.files()["/x/c.json"]) == (info.id, b'"a.txt"')
    api.file.remove_batch(TEAM, ["/x/c.json", "/x/y/a.txt"])
    assert double.files() == {}
    with pytest.raises(HTTPError, match=r"404 .*no file"):
        api.file.download(TEAM, "/x/c.json", str(folder / "d.json"))
