from __future__ import annotations

import hashlib
import multiprocessing
import os
import shutil
import signal
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import numpy as np
import pytest
from filelock import FileLock

from doubles.files import FILE_ID, FileServer
from mouse_ar.data.answers import DownloadError
from mouse_ar.data.disk import NoSpaceError
from mouse_ar.data.download import DownloadLimits, Received, download
from mouse_ar.data.google_drive import drive_id, drive_locator

QUICK = DownloadLimits(
    attempts=4, first_pause_seconds=0.01, longest_pause_seconds=0.05, read_seconds=0.5
)
CONTENT = np.random.default_rng(1).bytes(3_000_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def server() -> Iterator[FileServer]:
    with FileServer(CONTENT) as started:
        yield started


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new" / "weights.pth"


def fetch(server: FileServer, path: Path, **options: Any) -> Received:
    return download(server.file, path, **{"limits": QUICK, **options})


def left(path: Path) -> set[str]:
    """What lies in the folder beside the lock."""
    return {p.name for p in path.parent.iterdir()} - {f".{path.name}.lock"}


def test_a_file_comes_whole_with_its_checksum(server: FileServer, path: Path) -> None:
    told: list[tuple[int, int]] = []
    received = fetch(server, path, progress=lambda *at: told.append(at))
    assert received == Received(path, len(CONTENT), SHA256)
    assert path.read_bytes() == CONTENT
    assert left(path) == {"weights.pth"}
    assert told[0] == (0, len(CONTENT))
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert server.seen == [None]


def test_cut_connections_are_continued(server: FileServer, path: Path) -> None:
    # More cuts than attempts in a row: every one brings some bytes, so patience starts anew.
    server.faults = [("cut", 400_000)] * 6
    fetch(server, path, size=len(CONTENT), sha256=SHA256)
    assert path.read_bytes() == CONTENT
    asked = [int(r.removeprefix("bytes=").removesuffix("-")) for r in server.seen if r]
    assert asked == sorted(asked)
    assert asked[-1] > 1_000_000
    assert len(server.seen) == 7


def test_a_later_call_goes_on(server: FileServer, path: Path) -> None:
    server.faults = [("cut", 1_500_000)]
    server.always = 503
    with pytest.raises(DownloadError, match=r"attempts in a row failed, .*503.* MB are kept"):
        fetch(server, path)
    assert left(path) == {".weights.pth.partial", ".weights.pth.partial.json"}
    server.always, server.seen = None, []
    fetch(server, path)
    assert path.read_bytes() == CONTENT
    (asked,) = server.seen
    assert asked is not None
    assert left(path) == {"weights.pth"}


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
def test_a_busy_server_is_asked_again(server: FileServer, path: Path, status: int) -> None:
    server.faults = [status, status]
    fetch(server, path)
    assert path.read_bytes() == CONTENT


def test_it_waits_as_long_as_it_is_told_and_no_longer_than_allowed(
    server: FileServer, path: Path
) -> None:
    server.faults, server.retry_after = [503], "3600"
    began = time.monotonic()
    limits = DownloadLimits(first_pause_seconds=0.01, longest_pause_seconds=0.4)
    fetch(server, path, limits=limits)
    assert 0.4 <= time.monotonic() - began < 10


@pytest.mark.parametrize("status", [403, 404, 410])
def test_a_refusal_is_final(server: FileServer, path: Path, status: int) -> None:
    server.always = status
    with pytest.raises(DownloadError, match=f"refused with HTTP {status}"):
        fetch(server, path)
    assert len(server.seen) == 1
    assert not path.exists()


def test_patience_ends(server: FileServer, path: Path) -> None:
    server.always = ("cut", 0)
    with pytest.raises(DownloadError, match="4 attempts in a row failed"):
        fetch(server, path)
    assert len(server.seen) == 4


def test_a_server_that_says_nothing_is_left_after_a_time(server: FileServer, path: Path) -> None:
    server.faults = ["stall"]
    began = time.monotonic()
    fetch(server, path)
    assert path.read_bytes() == CONTENT
    assert time.monotonic() - began < 2.5


def test_nobody_is_there(path: Path) -> None:
    with pytest.raises(DownloadError, match=r"4 attempts in a row failed.*Check the connection"):
        download("http://127.0.0.1:9/file", path, limits=QUICK)


def test_without_ranges_it_starts_again(server: FileServer, path: Path) -> None:
    server.ranges = False
    server.faults = [("cut", 2_000_000)]
    fetch(server, path)
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize("if_range", [True, False])
@pytest.mark.parametrize("validators", [{"etag"}, {"last-modified"}, {"etag", "last-modified"}])
def test_a_changed_file_is_never_mixed(
    server: FileServer, path: Path, if_range: bool, validators: set[str]
) -> None:
    server.if_range, server.validators = if_range, validators
    server.faults = [("cut", 1_500_000)]
    server.always = 503
    with pytest.raises(DownloadError):
        fetch(server, path)
    # The same size: only its mark or its date tells.
    server.content, server.modified = CONTENT[::-1], "Fri, 17 Feb 2023 10:00:00 GMT"
    server.always = None
    fetch(server, path)
    assert path.read_bytes() == CONTENT[::-1]


def test_without_a_mark_nothing_is_continued_unless_a_checksum_tells(
    server: FileServer, path: Path
) -> None:
    server.validators = set()
    server.faults = [("cut", 1_500_000)]
    fetch(server, path)
    assert server.seen == [None, None]
    path.unlink()
    server.faults, server.seen = [("cut", 1_500_000)], []
    fetch(server, path, sha256=SHA256)
    assert server.seen[0] is None
    assert server.seen[1] is not None
    assert path.read_bytes() == CONTENT


def test_a_weak_mark_does_not_count(server: FileServer, path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(FileServer, "etag", 'W/"1"')
    server.validators = {"etag"}
    server.faults = [("cut", 1_500_000)]
    fetch(server, path)
    assert server.seen == [None, None]


def test_a_part_from_another_address_is_not_continued(server: FileServer, path: Path) -> None:
    server.faults, server.always = [("cut", 1_500_000)], 503
    with pytest.raises(DownloadError):
        fetch(server, path)
    server.always, server.seen = None, []
    download(f"{server.file}?other", path, limits=QUICK)
    assert server.seen == [None]


def test_a_part_longer_than_the_file_is_thrown_away(server: FileServer, path: Path) -> None:
    server.faults, server.always = [("cut", 1_500_000)], 503
    with pytest.raises(DownloadError):
        fetch(server, path)
    server.content, server.if_range, server.always = CONTENT[:1000], False, None
    fetch(server, path)
    assert path.read_bytes() == CONTENT[:1000]


def test_another_file_than_expected_is_not_kept(server: FileServer, path: Path) -> None:
    with pytest.raises(DownloadError, match=f"expected {'0' * 64} as SHA-256, got {SHA256}"):
        fetch(server, path, sha256="0" * 64)
    assert left(path) == set()
    with pytest.raises(DownloadError, match=r"expected 10 bytes, got 3000000"):
        fetch(server, path, size=10)
    assert left(path) == set()


def test_a_body_that_ends_early_without_a_length_is_seen_by_the_size(
    server: FileServer, path: Path
) -> None:
    server.faults = [("short", 1000)]
    with pytest.raises(DownloadError, match="expected 3000000 bytes, got 1000"):
        fetch(server, path, size=len(CONTENT))
    assert not path.exists()


def test_a_page_instead_of_the_file(server: FileServer, path: Path) -> None:
    server.always = "page"
    with pytest.raises(DownloadError, match=r"web page instead of the file: “Log in to the hotel"):
        fetch(server, path)
    assert left(path) == set()


def test_content_that_is_wrong_is_not_kept(server: FileServer, path: Path) -> None:
    def check(part: Path) -> None:
        assert part.read_bytes() == CONTENT
        assert not path.exists()
        raise ValueError("no weights")

    with pytest.raises(ValueError, match="no weights"):
        fetch(server, path, check=check)
    assert left(path) == set()


def test_what_was_there_stays_until_all_has_come(server: FileServer, path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"before")
    server.faults, server.always = [("cut", 1000)], 503
    with pytest.raises(DownloadError):
        fetch(server, path)
    assert path.read_bytes() == b"before"


def test_a_full_disk_is_seen_before(
    server: FileServer, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=202_000_000))
    with pytest.raises(NoSpaceError, match=r"downloading weights.pth needs 0.00 GB"):
        fetch(server, path)
    assert left(path) == set()


def test_a_disk_that_becomes_full_keeps_the_part(server: FileServer, path: Path) -> None:
    def progress(done: int, total: int) -> None:
        if done >= 1 << 20:
            raise OSError(28, "No space left on device")

    with pytest.raises(NoSpaceError, match=r"is full. Make room; what has come"):
        fetch(server, path, progress=progress)
    assert (path.parent / ".weights.pth.partial").stat().st_size >= 1 << 20


def test_two_downloads_at_once(server: FileServer, path: Path) -> None:
    path.parent.mkdir()
    with (
        FileLock(path.with_name(".weights.pth.lock")),
        pytest.raises(DownloadError, match=r"being downloaded .* by another process"),
    ):
        fetch(server, path)
    fetch(server, path)


def interrupted(url: str, path: Path, how: str) -> None:
    def progress(done: int, total: int) -> None:
        if done >= 1 << 20:
            os.kill(os.getpid(), signal.SIGKILL if how == "kill" else signal.SIGINT)

    download(url, path, progress=progress)


@pytest.mark.parametrize("how", ["kill", "ctrl-c"])
def test_an_interrupted_process_leaves_what_has_come(
    server: FileServer, path: Path, how: str
) -> None:
    process = multiprocessing.get_context("spawn").Process(
        target=interrupted, args=(server.file, path, how)
    )
    process.start()
    process.join(60)
    assert process.exitcode not in {0, None}
    assert not path.exists()
    server.seen = []
    fetch(server, path)
    assert path.read_bytes() == CONTENT
    (asked,) = server.seen
    assert (asked is not None) or how == "kill"  # a killed process may have flushed nothing


def test_an_encrypted_address_does_not_lead_to_an_open_one(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.scheme == "https":
            return httpx.Response(302, headers={"location": "http://weights.example/x"})
        return httpx.Response(200, stream=httpx.ByteStream(CONTENT))

    client = partial(httpx.Client, transport=httpx.MockTransport(answer))
    monkeypatch.setattr(httpx, "Client", client)
    with pytest.raises(DownloadError, match="led to an address without encryption"):
        download("https://weights.example/x", path, limits=QUICK)
    assert left(path) == set()
    download("http://weights.example/x", path, limits=QUICK)


PAGE = f"https://drive.google.com/file/d/{FILE_ID}/view?usp=sharing"


def from_drive(server: FileServer, path: Path) -> Received:
    # A plain address for errors: the double of Drive has no certificate.
    locate = drive_locator(FILE_ID, server=server.url)
    return download(server.url, path, locate=locate, limits=QUICK)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (PAGE, FILE_ID),
        (f"https://drive.google.com/uc?export=download&id={FILE_ID}", FILE_ID),
        (f"https://drive.google.com/open?id={FILE_ID}", FILE_ID),
        ("https://example.org/file/d/abc/view", None),
        ("https://drive.google.com/drive/my-drive", None),
    ],
)
def test_what_drive_calls_a_file(url: str, expected: str | None) -> None:
    assert drive_id(url) == expected


@pytest.mark.parametrize("kind", ["file", "warning"])
def test_drive_gives_a_file(server: FileServer, path: Path, kind: str) -> None:
    server.drive = kind
    from_drive(server, path)
    assert path.read_bytes() == CONTENT


def test_drive_is_asked_anew_for_the_rest(server: FileServer, path: Path) -> None:
    server.faults = [("cut", 1_000_000), 503, ("cut", 1_000_000)]
    from_drive(server, path)
    assert path.read_bytes() == CONTENT
    assert len([asked for asked in server.seen if asked]) == 3


@pytest.mark.parametrize(
    ("page", "told"),
    [
        ("quota", r"gives this file to nobody for now, .*Quota exceeded.*Try again in a day"),
        ("sign-in", r"wants a sign-in for this file"),
        ("unknown", r"a page that is not known here instead of the file: “Something new”"),
        ("gone", r"refused with HTTP 404 Not Found, “Error 404 \(Not Found\)!!1”"),
    ],
)
def test_drive_does_not_give_a_file(server: FileServer, path: Path, page: str, told: str) -> None:
    server.drive = page
    with pytest.raises(DownloadError, match=told):
        from_drive(server, path)
    assert not path.exists()


def test_drive_shows_a_page_also_after_the_form(server: FileServer, path: Path) -> None:
    server.always = "page"
    with pytest.raises(DownloadError, match="web page instead of the file"):
        from_drive(server, path)
