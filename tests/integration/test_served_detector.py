"""The client against the real serving framework of the Supervisely SDK, on loopback."""

from __future__ import annotations

import itertools
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import tiny
from doubles.bright import BrightDetector, mouse_frames
from doubles.servers import BrightProcess, FaultyProxy, bright_process
from mouse_ar.detection import remote
from mouse_ar.detection.errors import (
    DetectorRefusedError,
    DetectorSetupError,
    DetectorUnavailableError,
)
from mouse_ar.detection.protocol import Detection
from mouse_ar.detection.remote import RemoteDetector
from mouse_ar.pipelines.config import PreprocessConfig
from mouse_ar.pipelines.preprocess import PreprocessReport, preprocess

IN_PROCESS = BrightDetector(confidence=0.4, shift=0.5)

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def proxy(session: BrightProcess) -> Iterator[FaultyProxy]:
    with FaultyProxy(session.url) as proxy:
        yield proxy


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mouse_ar.detection.transport._MAX_PAUSE_SECONDS", 0.05)


def test_png_gives_the_boxes_of_the_process_itself(session: BrightProcess) -> None:
    frames = mouse_frames(21, seed=0)
    with RemoteDetector(session.url, image_format="png", batch_size=8) as detector:
        assert detector.detect(frames) == IN_PROCESS.detect(frames)
        assert detector.detect(frames[:0]) == []


def test_jpeg_moves_no_box_by_more_than_a_pixel(session: BrightProcess) -> None:
    frames = mouse_frames(20, seed=1)
    expected = [seen[0] for seen in IN_PROCESS.detect(frames)]
    with RemoteDetector(session.url) as detector:
        found = [seen[0] for seen in detector.detect(frames)]
    assert min(a.box.iou(b.box) for a, b in zip(found, expected)) >= 0.98
    assert max(abs(a.score - b.score) for a, b in zip(found, expected)) < 0.02


@pytest.mark.parametrize("shift", [0.3, 0.8])
def test_truncated_corners_are_read_without_a_bias(tmp_path: Path, shift: float) -> None:
    """An offset of 0.3 px in both directions leaves 80 px boxes an IoU of 0.985.

    Taken as inclusive pixels, they were a pixel too large: 0.975.
    """
    frames = np.zeros((8, 240, 320, 3), np.uint8)
    for number, frame in enumerate(frames):
        frame[5 * number : 5 * number + 80, 9 * number : 9 * number + 80] = 220
    expected = [seen[0].box for seen in BrightDetector(shift=shift).detect(frames)]
    with (
        bright_process(tmp_path, shift=shift) as process,
        RemoteDetector(process.url, image_format="png") as detector,
    ):
        found = [seen[0].box for seen in detector.detect(frames)]
    assert {(box.right - box.left, box.bottom - box.top) for box in found} == {(80.0, 80.0)}
    assert min(a.iou(b) for a, b in zip(found, expected)) >= 0.98


def test_arrays_are_what_the_sdks_own_call_cannot_take(
    session: BrightProcess, sly: ModuleType
) -> None:
    """Should this fail one day, the SDK has been mended."""
    from supervisely.nn.model.model_api import ModelAPI

    with pytest.raises(AttributeError, match="__next__"):
        ModelAPI(url=session.url).predict(input=mouse_frames(1, seed=9)[0])


def test_confidence_reaches_a_model_that_has_another_name_for_it(session: BrightProcess) -> None:
    """The framework passes ``conf`` over; the double's own default would leave nothing."""
    frames = mouse_frames(6, seed=2)
    scores = [seen[0].score for seen in IN_PROCESS.detect(frames)]
    middle = sorted(scores)[3]
    with RemoteDetector(session.url, confidence=middle, image_format="png") as detector:
        assert [bool(seen) for seen in detector.detect(frames)] == [s >= middle for s in scores]


def wrong_results(url: str, *, rounds: int = 12) -> tuple[int, int]:
    """Results of two clients at once that are not those of their own frames."""

    def client(number: int) -> int:
        wrong = 0
        with RemoteDetector(url, image_format="png", retries=1) as detector:
            for turn in range(rounds):
                frames = mouse_frames(8, seed=100 + 2 * turn + number)
                try:
                    found: list[list[Detection]] = detector.detect(frames)
                except DetectorUnavailableError:
                    found = [[]] * 8
                wrong += sum(a != b for a, b in zip(found, IN_PROCESS.detect(frames)))
        return wrong

    with ThreadPoolExecutor(2) as pool:
        return sum(pool.map(client, range(2))), 2 * 8 * rounds


def test_two_clients_at_once_get_their_own_boxes(session: BrightProcess) -> None:
    wrong, of = wrong_results(session.url)
    assert (wrong, of) == (0, 192)


def test_names_that_clients_share_would_mix_them_up(
    session: BrightProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control of the test above: named as the SDK names them, images change hands."""

    class Name:
        numbers = itertools.cycle(range(8))

        @property
        def hex(self) -> str:
            return f"image_{next(self.numbers)}"

    monkeypatch.setattr(uuid, "uuid4", Name)
    wrong, _ = wrong_results(session.url, rounds=6)
    assert wrong > 0


@pytest.mark.parametrize(
    "faults",
    [
        [503, 500, 502],
        [429],
        ["html"],
        ["drop", "drop"],
        [("stall", 3.0)],
        [("drip", 5.0)],
        [("drip header", 5.0)],
    ],
    ids=str,
)
def test_passing_faults_lose_nothing(proxy: FaultyProxy, faults: list[Any]) -> None:
    frames = mouse_frames(8, seed=3)
    with RemoteDetector(
        proxy.url, image_format="png", batch_size=4, timeout_seconds=1.0
    ) as detector:
        proxy.faults = list(faults)
        began = time.monotonic()
        assert detector.detect(frames) == IN_PROCESS.detect(frames)
        assert time.monotonic() - began < 20
    assert proxy.batches >= len(faults) + 2


@pytest.mark.parametrize(
    ("fault", "message", "batches"),
    [
        (503, r"HTTP 503: injected \(3 attempt", 3),
        ("html", r"HTML page \('502 Bad Gateway'\)", 3),
        ("drop", "connection failed", 3),
        (("stall", 4.0), "did not answer in time", 3),
        (("drip", 6.0), "did not finish its answer in time", 3),
        (("drip header", 6.0), "did not answer in time", 3),
        (401, "does not accept the token", 1),
        (404, "no detector .any more.", 1),
        (301, "no detector .any more.", 1),
        (("answer", []), "0 results for 4 images", 1),
        (("answer", {"a": 1}), "dict for 4 images", 1),
        (("answer", [{"annotation": None}] * 4), "not an annotation", 1),
        (
            ("answer", [{"annotation": {"size": {"height": 9, "width": 8}, "objects": []}}] * 4),
            "8x9 image for one of 320x240",
            1,
        ),
        (("answer", [{"name": "other.png", "annotation": {}}] * 4), "not of the image", 1),
    ],
    ids=str,
)
def test_lasting_faults_end_in_one_clear_error(
    proxy: FaultyProxy, fault: Any, message: str, batches: int
) -> None:
    with RemoteDetector(proxy.url, retries=2, timeout_seconds=1.0, batch_size=4) as detector:
        proxy.always = fault
        with pytest.raises(DetectorUnavailableError, match=message) as caught:
            detector.detect(mouse_frames(8, seed=4))
    assert proxy.batches == batches
    assert "Finished videos are kept" in str(caught.value)
    assert proxy.url in str(caught.value)


def test_frames_the_detector_always_fails_on_do_not_stop_the_others(proxy: FaultyProxy) -> None:
    frames = mouse_frames(4, seed=4)
    with RemoteDetector(proxy.url, retries=2, image_format="png") as detector:
        proxy.always = 500
        with pytest.raises(
            DetectorRefusedError, match=r"fails on these frames: HTTP 500: injected \(3 attempt"
        ) as caught:
            detector.detect(frames)
        assert caught.value.status == 500
        assert proxy.batches == 3
        proxy.faults, proxy.always = [500, 503], 500  # a service that is not well
        with pytest.raises(DetectorUnavailableError, match="HTTP 500: injected"):
            detector.detect(frames)
        proxy.always = None
        assert detector.detect(frames) == IN_PROCESS.detect(frames)


def test_a_gateway_that_takes_smaller_requests_gets_smaller_requests(proxy: FaultyProxy) -> None:
    frames = mouse_frames(8, seed=5)
    with RemoteDetector(proxy.url, image_format="png") as detector:
        proxy.faults = [413, 413]
        assert detector.detect(frames) == IN_PROCESS.detect(frames)
        proxy.always = 413
        with pytest.raises(DetectorRefusedError, match="does not take the frames: HTTP 413"):
            detector.detect(frames)


def test_an_image_of_one_pixel(session: BrightProcess) -> None:
    with RemoteDetector(session.url) as detector:
        assert detector.detect(mouse_frames(2, seed=6)[:, :1, :1]) == [[], []]


def test_several_classes_are_for_the_user_to_choose_from(tmp_path: Path) -> None:
    frames = mouse_frames(2, seed=7)
    with bright_process(tmp_path, classes=["mouse", "rat"]) as process:
        with pytest.raises(DetectorSetupError, match="several classes: mouse, rat"):
            RemoteDetector(process.url)
        with pytest.raises(DetectorSetupError, match="no class 'vole'; it has: mouse, rat"):
            RemoteDetector(process.url, class_name="vole")
        with RemoteDetector(process.url, class_name="mouse", image_format="png") as mouse:
            assert mouse.detect(frames) == IN_PROCESS.detect(frames)
        with RemoteDetector(process.url, class_name="rat") as rat:
            assert rat.detect(frames) == [[], []]
            assert rat.fingerprint != mouse.fingerprint


def test_a_session_without_a_model_says_so(tmp_path: Path) -> None:
    with (
        bright_process(tmp_path, deployed=False) as process,
        pytest.raises(DetectorUnavailableError, match="HTTP 503: Service not ready"),
    ):
        RemoteDetector(process.url)


def test_the_fingerprint_is_of_the_model_not_of_its_address(
    session: BrightProcess, proxy: FaultyProxy
) -> None:
    def fingerprint(url: str, **settings: Any) -> str:
        with RemoteDetector(url, **settings) as detector:
            return detector.fingerprint

    first = fingerprint(session.url)
    assert fingerprint(proxy.url) == first
    others = {
        fingerprint(session.url, confidence=0.5),
        fingerprint(session.url, image_format="png"),
    }
    assert len(others | {first}) == 3
    assert remote._VERSION == 2


def make(root: Path, url: str, out: str, **options: Any) -> PreprocessReport:
    with RemoteDetector(url, retries=1) as detector:
        return preprocess(
            root / "input",
            root / out,
            actions=tiny.ACTIONS,
            config=PreprocessConfig(detect_every=4),
            detector=detector,
            **options,
        )


@pytest.mark.slow
def test_a_killed_session_loses_nothing_and_the_same_command_continues(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny.write_project(tmp_path / "input")
    with bright_process(tmp_path / "session", threshold=100) as process:
        make(tmp_path, process.url, "undisturbed")
        monkeypatch.setenv("MOUSE_AR_CACHE", str(tmp_path / "cache"))  # detects once more

        def kill_in_third(what: str, *_: int) -> None:
            if what.startswith("video 3/"):
                process.kill()

        with pytest.raises(DetectorUnavailableError, match="Finished videos are kept"):
            make(tmp_path, process.url, "data", progress=kill_in_third)
        process.start()
        report = make(tmp_path, process.url, "data")
        assert len(report.processed) == 5
        assert not report.failures
        first, second = (
            tiny.snapshot(tmp_path / name, exclude=[".mouse_ar"])
            for name in ("undisturbed", "data")
        )
        assert first == second
