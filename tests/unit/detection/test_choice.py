"""Which detector a line of text means."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from doubles.bright import BrightDetector
from doubles.servers import serving
from mouse_ar.detection.background import BackgroundSubtraction
from mouse_ar.detection.choice import DetectorChoice, open_detector
from mouse_ar.detection.errors import DetectorSetupError, DetectorUnavailableError
from mouse_ar.detection.protocol import Detector
from mouse_ar.detection.remote import RemoteDetector
from mouse_ar.detection.rtdetr import RTDetrV2Detector
from mouse_ar.detection.service import create_app
from tiny_rtdetr import write_checkpoint


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("background", "background", ""),
        (" rtdetrv2:models/a b.pth ", "rtdetrv2", "models/a b.pth"),
        ("rtdetrv2:C:/x.pth", "rtdetrv2", "C:/x.pth"),
        ("http://gpu:8000", "http", "http://gpu:8000"),
        ("https://lab.org/net/abc", "http", "https://lab.org/net/abc"),
        ("session:123", "session", "123"),
        (
            "deploy:/experiments/1/checkpoints/best.pth",
            "deploy",
            "/experiments/1/checkpoints/best.pth",
        ),
    ],
)
def test_forms(text: str, kind: str, value: str) -> None:
    assert DetectorChoice.parse(text) == DetectorChoice(kind, value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected one of: background .*rtdetrv2:PATH.*session:ID.*deploy:TEAM_FILES_PATH"),
        ("yolo", "No detector 'yolo'"),
        ("yolo:x.pt", "No detector"),
        ("rtdetrv2:", "No detector"),
        ("rtdetrv2", "No detector"),
        ("http://", "No detector"),
        ("background:x", "No detector"),
        ("session:mine", "expects the number of a running session, got 'mine'"),
        ("deploy:best.pth", "starts with /"),
    ],
)
def test_anything_else_lists_the_forms(text: str, message: str) -> None:
    with pytest.raises(DetectorSetupError, match=message):
        DetectorChoice.parse(text)


def test_background_and_checkpoint(tmp_path: Path) -> None:
    assert isinstance(open_detector("background", confidence=0.3), BackgroundSubtraction)
    path = write_checkpoint(tmp_path)
    options = {"confidence": 0.3, "class_name": None, "device": "cpu", "token": "x", "retries": 2}
    opened = open_detector(f"rtdetrv2:{path}", **options)
    assert isinstance(opened, RTDetrV2Detector)
    assert (opened.class_name, opened.options.confidence) == ("mouse", 0.3)
    with pytest.raises(ValueError, match="no class 'rat'"):
        open_detector(f"rtdetrv2:{path}", class_name="rat")


def test_service_takes_the_token_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(create_app(BrightDetector(), token="secret")) as url:
        monkeypatch.setenv("MOUSE_AR_TOKEN", "secret")
        opened = open_detector(url, class_name="mouse", device="cpu", batch_size=None)
        assert isinstance(opened, RemoteDetector)
        assert isinstance(opened, Detector)
        with pytest.raises(DetectorUnavailableError, match="token"):
            open_detector(url, token="other")


def test_sessions_need_the_sdk() -> None:
    for choice in ("session:1", "deploy:/experiments/1/checkpoints/best.pth"):
        with pytest.raises(DetectorSetupError, match=r"pip install \"mouse-ar\[supervisely\]\""):
            open_detector(choice)

    seen: list[Any] = []

    def opener(choice: DetectorChoice, **options: Any) -> BrightDetector:
        seen.append((choice, options))
        return BrightDetector()

    for choice in ("session:1", "deploy:/x"):
        options = {"confidence": 0.2, "class_name": None, "device": "cuda:0", "token": "x"}
        open_detector(choice, sessions=opener, **options)
    assert seen == [
        (DetectorChoice("session", "1"), {"confidence": 0.2}),
        (DetectorChoice("deploy", "/x"), {"confidence": 0.2, "device": "cuda:0"}),
    ]
