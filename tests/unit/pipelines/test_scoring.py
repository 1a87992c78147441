"""The one-pass scores against reading, cropping and running every window by itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import tiny
from mouse_ar.core.aggregation import ScoreAccumulator
from mouse_ar.core.decoding import DecodingParams
from mouse_ar.core.types import Box, ClipSpec, Track
from mouse_ar.core.windows import plan_windows, window_at
from mouse_ar.data.pixels import crop_and_resize, normalise
from mouse_ar.data.stream import window_crop
from mouse_ar.mvd import MVD, PRESETS, save_checkpoint
from mouse_ar.pipelines.predictor import load_predictor, pick_device
from mouse_ar.pipelines.scoring import default_stride, score_video
from mouse_ar.video.probe import probe
from mouse_ar.video.reader import open_video
from tiny import ACTIONS, GROOMING

SPEC = ClipSpec(num_frames=4, sampling_rate=2, input_size=32)


def random_model(seed: int = 0) -> MVD:
    torch.manual_seed(seed)
    model = MVD(replace(PRESETS["vit_tiny"], image_size=32, num_frames=4)).eval()
    with torch.no_grad():
        for parameter in model.parameters():  # the head starts near zero: all scores alike
            parameter.add_(0.05 * torch.randn_like(parameter))
    return model


@pytest.mark.parametrize("num_frames", [1, 5, 37])
@torch.inference_mode()
def test_equals_naive_reference(tmp_path: Path, num_frames: int) -> None:
    path = tiny.write_video(tmp_path / "v.mp4", [(GROOMING, 10, 20)], num_frames=num_frames)
    meta, model = probe(path), random_model()
    boxes = {i: Box(3 + i % 9, 5, 40 + i % 9, 50) for i in range(num_frames) if i % 3}
    track = Track.from_boxes(num_frames, boxes)
    with open_video(path) as reader:
        frames_THWC = reader.get_batch(range(num_frames))
    reference = ScoreAccumulator(num_frames=num_frames, classes=ACTIONS.classes, fps=meta.fps)
    for planned in plan_windows(num_frames, spec=SPEC, stride_frames=default_stride(SPEC)):
        window = window_at(planned.interval.start, num_frames=num_frames, spec=SPEC)
        crop = window_crop(window, track=track, spec=SPEC, width=64, height=64)
        pixels = np.stack(
            [crop_and_resize(frames_THWC[i], crop=crop, size=32) for i in window.indices]
        )
        logits = model(normalise(torch.from_numpy(pixels)[None]))
        reference.add([window], logits.softmax(dim=1).numpy())

    calls: list[tuple[int, int]] = []
    scores = score_video(
        model,
        path=path,
        meta=meta,
        track=track,
        spec=SPEC,
        actions=ACTIONS,
        device=torch.device("cpu"),
        batch_size=5,
        progress=lambda done, total: calls.append((done, total)),
    )

    seen = track.present_T if track.present_T.any() else np.ones(num_frames, dtype=bool)
    expected_TK = reference.result().scores_TK
    np.testing.assert_allclose(scores.scores_TK[seen], expected_TK[seen], atol=1e-5)
    assert (scores.of(ACTIONS.background)[~seen] == 1).all()
    np.testing.assert_allclose(scores.scores_TK.sum(axis=1), 1, atol=1e-5)
    if num_frames > 10:
        assert np.ptp(scores.scores_TK[:, 0]) > 1e-3  # the comparison means something
    assert calls[-1] == (num_frames, num_frames)


def test_track_of_another_video_is_told(tmp_path: Path) -> None:
    path = tiny.write_video(tmp_path / "v.mp4", num_frames=5)
    with pytest.raises(ValueError, match=r"v.mp4: the track has 4 frames, the video 5"):
        score_video(
            random_model(),
            path=path,
            meta=probe(path),
            track=Track.from_boxes(4, {}),
            spec=SPEC,
            actions=ACTIONS,
            device=torch.device("cpu"),
        )


def test_predictor_is_what_the_checkpoint_says(tmp_path: Path) -> None:
    path, model = tmp_path / "m.safetensors", random_model()
    save_checkpoint(
        path,
        model,
        spec=SPEC,
        actions=ACTIONS,
        decoding=DecodingParams.defaults(ACTIONS, spec=SPEC, fps=12.5).to_dict(),
        training_fps=12.5,
        metadata={},
    )
    cpu = torch.device("cpu")
    loaded = load_predictor(path, device=cpu, overrides={"twitch.threshold": 0.3})
    assert (loaded.spec, loaded.actions, loaded.training_fps) == (SPEC, ACTIONS, 12.5)
    plain = load_predictor(path, device=cpu)
    assert loaded.decoding != plain.decoding
    assert loaded.sha256 == plain.sha256
    with pytest.raises(ValueError, match="sneeze"):
        load_predictor(path, device=cpu, overrides={"sneeze.threshold": 0.3})


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_missing_device_is_told() -> None:
    with pytest.raises(ValueError, match="no CUDA device is available; use cpu"):
        pick_device("cuda")
    assert pick_device() == torch.device("cpu")
    with pytest.raises(ValueError, match="No device 'gpu'"):
        pick_device("gpu")
