"""``mouse-ar models`` and training from a name, against a server of files."""

from __future__ import annotations

import io
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
import yaml

from doubles.files import FileServer
from mouse_ar import cli
from mouse_ar.mvd import MVD, MVDConfig

Command = Callable[..., tuple[int, str]]
NAME = "tiny_public"


def content() -> bytes:
    model = MVD(MVDConfig.preset("vit_tiny"))
    file = io.BytesIO()
    torch.save({"model": model.state_dict(), "filling": torch.zeros(1_000_000)}, file)
    return file.getvalue()


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    """Public weights, and an environment that knows of them alone."""
    with FileServer(content()) as started:
        models = [
            {"name": NAME, "title": "Tiny", "preset": "vit_tiny", "url": started.file},
            {"name": "tiny_lost", "title": "Tiny, lost", "preset": "vit_tiny", "url": None,
             "obtain": "Ask the authors."},
        ]  # fmt: skip
        catalog = {"source": "https://example.org/", "licence": "CC BY-NC 4.0", "models": models,
                   "licence_url": "https://example.org/by-nc", "non_commercial": True}  # fmt: skip
        (tmp_path / "catalog.yaml").write_text(yaml.safe_dump(catalog))
        monkeypatch.setenv("MOUSE_AR_CATALOG", str(tmp_path / "catalog.yaml"))
        monkeypatch.setenv("MOUSE_AR_CACHE", str(tmp_path / "cache"))
        yield started


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    def run(*arguments: object) -> tuple[int, str]:
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["mouse-ar", *map(str, arguments)])
        code = 0
        try:
            cli.main()
        except SystemExit as end:
            code = int(end.code or 0)
        said = capsys.readouterr()
        return code, said.out + said.err

    return run


def test_listing_and_downloading(server: FileServer, command: Command, tmp_path: Path) -> None:
    code, said = command("models")
    assert code == 0
    assert NAME in said
    assert "to download" in " ".join(said.replace("│", " ").split())
    assert "unknown" in said
    assert "CC BY-NC 4.0. NOT FOR COMMERCIAL USE" in said
    assert "Ask the authors." in said
    assert not server.seen

    code, said = command("models", "download", NAME)
    assert code == 1
    assert "NOT FOR COMMERCIAL USE" in said
    assert f"mouse-ar models download {NAME} --accept-licence" in said
    assert not server.seen

    server.faults = [("cut", 1_000_000)]
    code, said = command("models", "download", NAME, "--accept-licence")
    assert code == 0
    assert "NOT FOR COMMERCIAL USE" in said
    path = tmp_path / "cache" / "weights" / f"{NAME}.pth"
    assert path.read_bytes() == server.content
    assert f"written to {path} (SHA-256 " in said

    assert "already there" in command("models", "download", NAME)[1]
    assert f"{NAME}.pth" in command("models")[1]


def test_errors_are_one_line(server: FileServer, command: Command) -> None:
    code, said = command("models", "download", "vit")
    assert code == 1
    assert f"no public weights 'vit'; there are {NAME}, tiny_lost." in said
    code, said = command("models", "download", "tiny_lost")
    assert code == 1
    assert "No file of tiny_lost is published. Ask the authors." in said
    server.always = 404
    code, said = command("models", "download", NAME, "--accept-licence")
    assert code == 1
    assert "refused with HTTP 404" in said
    assert "Traceback" not in said


def test_training_takes_a_name_or_a_path_and_nothing_else(
    server: FileServer, command: Command, tmp_path: Path
) -> None:
    code, said = command("train", tmp_path, tmp_path / "run", "--set", f"pretrained={NAME}")
    assert code == 1
    assert "--accept-licence" in said
    code, said = command("train", tmp_path, tmp_path / "run", "--set", "pretrained=none.pth")
    assert code == 1
    assert f"neither a file nor the name of public weights. Names: {NAME}, tiny_lost." in said
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("answer", "code"), [(b"y\n", 0), (b"n\n", 1)])
def test_the_licence_is_asked_for_in_a_terminal(
    server: FileServer, answer: bytes, code: int
) -> None:
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "mouse_ar.cli", "models", "download", NAME],
        stdin=follower, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    os.write(leader, answer)
    said = process.communicate(timeout=120)[0].decode()
    os.close(leader)
    os.close(follower)
    assert process.returncode == code, said
    assert "Do you accept CC BY-NC 4.0?" in said
    assert bool(server.seen) == (code == 0)


def test_ctrl_c_keeps_what_has_come(server: FileServer, command: Command, tmp_path: Path) -> None:
    server.always = ("hang", 2_000_000)
    process = subprocess.Popen(
        [sys.executable, "-m", "mouse_ar.cli", "models", "download", NAME, "--accept-licence"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    part = tmp_path / "cache" / "weights" / f".{NAME}.pth.partial"
    until = time.monotonic() + 120
    while (not part.exists() or part.stat().st_size < 1_000_000) and time.monotonic() < until:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[0].decode()
    assert process.returncode == 130, said
    assert "Stopped; what has come is kept" in said
    assert "Traceback" not in said
    server.always, server.seen = None, []
    assert command("models", "download", NAME, "--accept-licence")[0] == 0
    (asked,) = server.seen
    assert asked is not None
