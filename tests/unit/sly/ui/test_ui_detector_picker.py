from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from supervisely.app import DataJson, StateJson

from mouse_ar.detection.errors import DetectorSetupError, DetectorUnavailableError
from mouse_ar.sly.sessions import DetectorSession
from mouse_ar.sly.ui.detector_picker import DetectorPicker
from mouse_ar.sly.ui.detector_sources import DetectorSources, list_checkpoints
from mouse_ar.sly.ui.picked_detector import PickedDetector

SESSIONS = [DetectorSession(n, "Serve", 1, "best.pth", ("mouse",)) for n in (12, 34)]
EXPERIMENT = "/experiments/1_mice/2_RT-DETRv2/checkpoints/best.pth"
OWN = "/mouse-action-recognition/detector/mouse.pth"


def make(**options: Any) -> DetectorPicker:
    sources = DetectorSources(sessions=lambda: SESSIONS, checkpoints=lambda: [OWN, EXPERIMENT])
    return DetectorPicker("detector", **{"sources": sources, **options})


def fill(widget_id: str, value: object) -> None:
    StateJson()[f"detector_{widget_id}"]["value"] = value


def notes(name: str) -> list[str]:
    return [note["text"] for note in DataJson()[f"detector_{name}"]["notes"]]


def test_background_subtraction_is_the_default_and_needs_nothing() -> None:
    picker = make(sources=None)
    assert picker.check() is None
    assert picker.choice() == PickedDetector("background")
    assert picker.summary() == "The mouse is found by background subtraction."
    assert DataJson()["detector_model_options"]["hide"]


def test_a_running_session() -> None:
    picker = make()
    fill("kind", "session")
    assert picker.check() == "Choose a running session, or another detector."
    picker._session.refresh()
    assert picker.choice() == PickedDetector("session:12", None, 0.4)
    fill("session", "34")
    picker._session.refresh()
    assert picker.choice().choice == "session:34", "a refresh keeps what is chosen"
    fill("class", " mouse ")
    fill("confidence", 0.7)
    assert picker.choice().options == {"class_name": "mouse", "confidence": 0.7}


def test_no_session_runs() -> None:
    sources = DetectorSources(sessions=list, checkpoints=list)
    picker = make(sources=sources)
    picker._session.refresh()
    picker._candidates.refresh()
    assert "No session with a model is running" in notes("session_note")[0]
    assert "There is no checkpoint" in notes("candidates_note")[0]


def test_an_instance_that_does_not_answer_is_said_in_place() -> None:
    def fail() -> Sequence[Any]:
        raise DetectorUnavailableError("Supervisely: listing sessions failed.")

    picker = make(sources=DetectorSources(sessions=fail, checkpoints=fail))
    picker._session.refresh()
    picker._candidates.refresh()
    assert notes("session_note") == notes("candidates_note")
    assert notes("session_note") == ["Supervisely: listing sessions failed."]


def test_a_checkpoint_of_an_experiment_is_deployed_and_another_downloaded() -> None:
    picker = make()
    fill("kind", "deploy")
    assert picker.check() == "Enter the checkpoint's path in Team Files."
    picker._candidates.refresh()
    picked = picker.choice()
    assert picked.team_files_path == OWN
    assert picked.local_choice(lambda path: Path("/tmp") / Path(path).name) == (
        "rtdetrv2:/tmp/mouse.pth"
    )
    assert OWN in picker.summary()
    fill("checkpoint", EXPERIMENT)
    picked = picker.choice()
    assert picked.team_files_path is None
    assert picked.local_choice(Path) == f"deploy:{EXPERIMENT}"
    fill("checkpoint", "best.pth")
    assert picker.check() == "A path in Team Files starts with /, got 'best.pth'."


@pytest.mark.parametrize(
    ("text", "choice"),
    [
        ("http://host:1", "http://host:1"),
        ("/data/best.pth", "rtdetrv2:/data/best.pth"),
        ("rtdetrv2:best.pth", "rtdetrv2:best.pth"),
    ],
)
def test_an_address_or_a_local_file(text: str, choice: str) -> None:
    picker = make()
    fill("kind", "other")
    assert picker.check() == "Enter the detector's address or the checkpoint's path."
    fill("address", text)
    assert picker.choice().choice == choice


@pytest.mark.parametrize("confidence", [None, 1.5, "high"])
def test_a_confidence_that_is_none(confidence: object) -> None:
    picker = make()
    fill("kind", "other")
    fill("address", "http://host:1")
    fill("confidence", confidence)
    with pytest.raises(DetectorSetupError, match="between 0 and 1"):
        picker.choice()


@pytest.mark.parametrize(
    "line", ["background", "session:99", f"deploy:{EXPERIMENT}", "http://h:1", "rtdetrv2:x.pth"]
)
def test_a_line_sets_the_widgets(line: str) -> None:
    picker = make()
    picker.choose(line)
    assert picker.choice().choice == line


def test_the_preview_shows_pictures_from_the_apps_own_folder(tmp_path: Path) -> None:
    image = np.zeros((20, 30, 3), np.uint8)
    picker = make(preview=lambda _: [("frame 0", image), ("frame 9", image)], static_dir=tmp_path)
    picker.show_preview()
    first = DataJson()["detector_gallery"]["pictures"]
    assert [picture["title"] for picture in first] == ["frame 0", "frame 9"]
    picker.show_preview()
    second = DataJson()["detector_gallery"]["pictures"]
    assert {p["url"] for p in first}.isdisjoint(p["url"] for p in second), "no stale pictures"
    assert len(list((tmp_path / "detector_gallery").iterdir())) == 2


def test_a_preview_that_fails_says_why_in_its_place(tmp_path: Path) -> None:
    def preview(_: PickedDetector) -> Any:
        raise DetectorUnavailableError("Session 12 does not answer.")

    picker = make(preview=preview, static_dir=tmp_path)
    picker.show_preview()
    assert notes("preview_note") == ["Session 12 does not answer."]
    fill("kind", "session")
    picker.show_preview()
    assert notes("preview_note") == ["Choose a running session, or another detector."]


def test_checkpoints_of_team_files_in_their_order() -> None:
    files = {
        "/mouse-action-recognition/detector/": [OWN, "/mouse-action-recognition/detector/a.txt"],
        "/experiments/": [EXPERIMENT, "/experiments/1_mice/2_RT-DETRv2/other.pth"],
    }
    api: Any = SimpleNamespace(
        file=SimpleNamespace(list=lambda _, path, recursive: [{"path": p} for p in files[path]])
    )
    assert list_checkpoints(api, team_id=1) == [OWN, EXPERIMENT]
