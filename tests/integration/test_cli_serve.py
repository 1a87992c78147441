"""``mouse-ar serve-detector``."""

from __future__ import annotations

from typing import Any

import pytest
import uvicorn
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from mouse_ar.cli import app
from mouse_ar.detection.errors import DetectorSetupError
from tiny_rtdetr import write_checkpoint


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What would be served, and how."""
    seen: dict[str, Any] = {}
    monkeypatch.setattr(uvicorn, "run", lambda app, **options: seen.update(app=app, **options))
    monkeypatch.delenv("MOUSE_AR_TOKEN", raising=False)
    return seen


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An RT-DETRv2 as one chooses it."""
    return f"rtdetrv2:{write_checkpoint(tmp_path_factory.mktemp('model'), class_name='rat')}"


def run(*arguments: str, env: dict[str, str] | None = None) -> Any:
    return CliRunner().invoke(app, ["serve-detector", *arguments], env=env)


def test_serves_a_checkpoint_on_this_machine_only(served: dict[str, Any], model: str) -> None:
    done = run("--model", model, "--device", "cpu")
    assert done.exit_code == 0, done.output
    assert "Warning" not in done.output
    assert (served["host"], served["port"]) == ("127.0.0.1", 8000)
    client = TestClient(served["app"])
    assert client.post("/get_model_meta").json()["classes"][0]["title"] == "rat"
    info = client.post("/get_session_info").json()
    assert info["fingerprint"].startswith("rtdetrv2-")
    assert info["minConfidence"] == 0.1


def test_token_and_limits(served: dict[str, Any], model: str) -> None:
    limits = ("--max-images", "3", "--max-request-mb", "2", "--max-image-megapixels", "1")
    done = run("--model", model, *limits, env={"MOUSE_AR_TOKEN": "secret"})
    assert done.exit_code == 0, done.output
    client = TestClient(served["app"])
    assert client.post("/get_session_info").status_code == 401
    info = client.post("/get_session_info", headers={"x-api-key": "secret"}).json()
    assert (info["max_batch_size"], info["maxRequestBytes"]) == (3, 2_000_000)


@pytest.mark.parametrize(("host", "warned"), [("0.0.0.0", True), ("::1", False), ("gpu", True)])
def test_a_service_open_to_all_is_warned_of(
    served: dict[str, Any], model: str, host: str, warned: bool
) -> None:
    done = run("--model", model, "--host", host)
    assert ("set --token or MOUSE_AR_TOKEN" in done.output) == warned
    done = run("--model", model, "--host", host, "--token", "secret")
    assert "Warning" not in done.output


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ("background", "learns the background of each video"),
        ("http://gpu:8000", "is served already"),
        ("session:3", "is served already"),
        ("yolo", "expected one of"),
    ],
)
def test_what_cannot_be_served(served: dict[str, Any], choice: str, message: str) -> None:
    done = run("--model", choice)
    assert isinstance(done.exception, DetectorSetupError)
    assert message in str(done.exception)
    assert "app" not in served
