"""RT-DETRv2 as a detector: frames in, boxes of one class out."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import v2

import tiny_rtdetr
from mouse_ar.detection.protocol import Detector
from mouse_ar.detection.rtdetr import (
    DetectorFailedError,
    DetectorOptions,
    RawOutputs,
    RTDetrV2Detector,
    load_rtdetrv2,
)
from mouse_ar.detection.rtdetr.preprocessing import resize
from mouse_ar.video.failures import VIDEO_FAILURES

FRAMES = np.random.default_rng(3).integers(0, 256, (3, 48, 64, 3), dtype=np.uint8)


def options(**changes: Any) -> DetectorOptions:
    return DetectorOptions(**{"device": "cpu", "precision": "float32", **changes})


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint with one class."""
    path = tmp_path_factory.mktemp("one") / "a.pth"
    torch.save({"model": tiny_rtdetr.weights()}, path)
    return path


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint with three classes."""
    path = tmp_path_factory.mktemp("three") / "a.pth"
    titles = [{"title": name} for name in ("mouse", "rat", "hand")]
    payload = {"model": tiny_rtdetr.weights(num_classes=3), "model_meta": {"classes": titles}}
    torch.save(payload, path)
    return path


def answering(
    detector: RTDetrV2Detector, monkeypatch: pytest.MonkeyPatch, **outputs: torch.Tensor
) -> RTDetrV2Detector:
    """The detector with a network that always says the same."""
    monkeypatch.setattr(detector, "_run", lambda pixels, precision: RawOutputs(**outputs))
    return detector


def logit(score: float) -> float:
    return float(np.log(score / (1 - score)))


def test_it_is_a_detector(one: Path) -> None:
    detector = load_rtdetrv2(one, options=options(confidence=0.0))
    assert isinstance(detector, Detector)
    detector.prepare(Path("any.mp4"))
    found = detector.detect(FRAMES)
    assert len(found) == 3
    assert 0 < len(found[0]) <= 300
    for detections in found:
        scores = [d.score for d in detections]
        assert scores == sorted(scores, reverse=True)
        for box in (d.box for d in detections):
            assert 0 <= box.left < box.right <= 64
            assert 0 <= box.top < box.bottom <= 48


def test_batches_do_not_matter(one: Path) -> None:
    whole = load_rtdetrv2(one, options=options(confidence=0.0)).detect(FRAMES)
    single = load_rtdetrv2(one, options=options(confidence=0.0, batch_size=1)).detect(FRAMES)
    for a, b in zip(whole, single, strict=True):
        np.testing.assert_allclose([d.score for d in a], [d.score for d in b], atol=1e-5)


def test_no_frames_and_tiny_frames(one: Path) -> None:
    detector = load_rtdetrv2(one, options=options(confidence=0.0))
    assert detector.detect(FRAMES[:0]) == []
    (detections,) = detector.detect(FRAMES[:1, :1, :1])
    assert all(d.box.right <= 1 and d.box.bottom <= 1 for d in detections)


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        (FRAMES[0], r"shape \(48, 64, 3\)"),
        (FRAMES.astype(np.float32), "type float32, expected uint8 RGB"),
        (FRAMES[..., :1], r"shape \(3, 48, 64, 1\)"),
        (FRAMES[:, :0], "64x0 pixels, expected at least 1x1"),
    ],
)
def test_frames_that_cannot_be_used(one: Path, frames: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_rtdetrv2(one, options=options()).detect(frames)


def test_boxes_are_clipped_and_chosen(three: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the class asked for counts; boxes outside the frame or without area are dropped."""
    boxes = [
        [0.5, 0.5, 0.5, 0.5],
        [0.0, 0.5, 0.5, 1.5],
        [1.5, 0.5, 0.2, 0.2],
        [0.5, 0.5, 0.0, 0.2],
        [0.5, 0.5, 0.1, 0.1],
        [0.25, 0.5, 0.5, 0.5],
    ]
    scores = [[0.1, 0.6], [0.1, 0.9], [0.1, 0.9], [0.1, 0.9], [0.9, 0.1], [0.1, 0.6]]
    detector = answering(
        load_rtdetrv2(three, options=options(class_name="rat", confidence=0.5)),
        monkeypatch,
        logits=torch.tensor([[[logit(a), logit(b), 9.0] for a, b in scores]]),
        boxes=torch.tensor([boxes]),
    )
    (found,) = detector.detect(FRAMES[:1])
    assert [round(d.score, 5) for d in found] == [0.9, 0.6, 0.6]
    edges = [(d.box.left, d.box.top, d.box.right, d.box.bottom) for d in found]
    np.testing.assert_allclose(edges, [(0, 0, 16, 48), (16, 12, 48, 36), (0, 12, 32, 36)])


def test_a_class_must_be_chosen(three: Path) -> None:
    detector = load_rtdetrv2(three, options=options())
    assert detector.raw_outputs(torch.rand(1, 3, 160, 160)).logits.shape == (1, 300, 3)
    message = r"has 3 classes \['mouse', 'rat', 'hand'\] and none was chosen. Set class_name"
    with pytest.raises(ValueError, match=message):
        detector.detect(FRAMES)
    with pytest.raises(ValueError, match=message):
        _ = detector.fingerprint
    with pytest.raises(ValueError, match=r"no class 'cat'; it has \['mouse', 'rat', 'hand'\]"):
        load_rtdetrv2(three, options=options(class_name="cat"))


def test_fingerprint_tells_what_decides_the_boxes(three: Path, tmp_path: Path) -> None:
    prints = {
        load_rtdetrv2(three, options=options(**changes)).fingerprint
        for changes in (
            {"class_name": "rat"},
            {"class_name": "mouse"},
            {"class_name": "rat", "confidence": 0.3},
            {"class_name": "rat", "precision": "bfloat16"},
        )
    }
    other = tmp_path / "b.pth"
    torch.save({"model": tiny_rtdetr.weights(num_classes=3, seed=1)}, other)
    prints.add(load_rtdetrv2(other, options=options(class_name="class_1")).fingerprint)
    assert len(prints) == 5
    assert all(text.startswith("rtdetrv2-1-") for text in prints)
    same = load_rtdetrv2(three, options=options(class_name="rat", batch_size=2)).fingerprint
    assert same in prints


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"confidence": 1.5}, "confidence must be within 0..1, got 1.5"),
        ({"precision": "half"}, "precision must be one of .*'auto'.* got 'half'"),
        ({"batch_size": 0}, "batch_size must be >= 1"),
    ],
)
def test_options_that_make_no_sense(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        options(**changes)


@pytest.mark.parametrize("device", ["tpu-please", "cuda"])
def test_devices_that_are_not_there(
    one: Path, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match=r"Use 'auto'"):
        load_rtdetrv2(one, options=options(device=device))


@pytest.mark.parametrize(("capable", "precision"), [(True, "bfloat16"), (False, "float32")])
def test_auto_on_the_cpu_needs_instructions(
    one: Path, monkeypatch: pytest.MonkeyPatch, capable: bool, precision: str
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": capable})
    assert load_rtdetrv2(one, options=options(precision="auto")).precision == precision


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_half_precision_is_finite_and_near(one: Path, precision: str) -> None:
    detector = load_rtdetrv2(one, options=options())
    image = torch.rand(2, 3, 160, 160, generator=torch.Generator().manual_seed(1))
    exact = detector.raw_outputs(image)
    rough = detector.raw_outputs(image, precision=precision)
    assert rough.logits.dtype == rough.boxes.dtype == torch.float32
    difference = exact.logits.sort(1).values - rough.logits.sort(1).values
    assert 0 < difference.abs().median() < 0.05


@pytest.mark.parametrize(
    ("precision", "remedy"),
    [("bfloat16", "Set precision to 'float32'"), ("float32", "is damaged; use another")],
)
def test_outputs_that_are_not_finite(one: Path, precision: str, remedy: str) -> None:
    detector = load_rtdetrv2(one, options=options(precision=precision))
    model: Any = detector.model
    model.model.enc_output[1].weight.fill_(float("nan"))
    with pytest.raises(DetectorFailedError, match=rf"not finite in {precision} on cpu. .*{remedy}"):
        detector.detect(FRAMES)


@pytest.mark.parametrize(
    "shape", [(1, 3, 480, 640), (1, 1, 640, 640), (3, 640, 640), (1, 3, 100, 100), (1, 3, 64, 64)]
)
def test_images_that_the_network_cannot_take(one: Path, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="Resize them to 640x640"):
        load_rtdetrv2(one, options=options()).raw_outputs(torch.zeros(shape))


# frames as the network gets them


@pytest.mark.parametrize(
    ("height", "width"),
    [(1080, 1920), (480, 640), (640, 640), (1, 1), (2, 3), (123, 77), (3000, 20), (641, 639)],
)
def test_resizing_is_that_of_torchvision(height: int, width: int) -> None:
    """Within one grey level of ``Resize`` on PIL images, nearly everywhere equal."""
    rng = np.random.default_rng(height)
    frames = rng.integers(0, 256, (2, height, width, 3), dtype=np.uint8)
    ours = resize(frames).permute(0, 2, 3, 1).numpy().astype(int)
    original = v2.Resize((640, 640))
    theirs = np.stack([np.asarray(original(Image.fromarray(frame))) for frame in frames])
    difference = np.abs(ours - theirs)
    assert difference.max() <= 1
    assert difference.mean() < (0.25 if height == 3000 else 0.02)


def test_frames_may_be_views() -> None:
    np.testing.assert_array_equal(resize(FRAMES[:, ::-1]), resize(FRAMES[:, ::-1].copy()))


def test_importing_detection_does_not_bring_transformers() -> None:
    script = (
        "import sys, mouse_ar.detection, mouse_ar.detection.rtdetr\n"
        "assert 'transformers' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.mark.parametrize("device", ["mps", "meta", "cuda:64"])
def test_devices_that_cannot_be_used(one: Path, device: str) -> None:
    with pytest.raises(ValueError, match=r"cannot be used|CUDA devices"):
        load_rtdetrv2(one, options=options(device=device))


def test_too_little_memory_is_a_failure_of_the_video(
    one: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    detector = load_rtdetrv2(one, options=options())
    monkeypatch.setattr(detector, "_forward", full)
    with pytest.raises(DetectorFailedError, match="smaller batch_size") as caught:
        detector.detect(FRAMES)
    assert isinstance(caught.value, VIDEO_FAILURES)
