"""The overlapped pipeline against the simple one: decode all, detect, crop, classify one by one."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch._inductor import config as inductor_config

import tiny
from mouse_ar.core.aggregation import ScoreAccumulator
from mouse_ar.core.decoding import DecodingParams, decode
from mouse_ar.core.types import Box, ClipSpec, Track
from mouse_ar.core.windows import plan_windows
from mouse_ar.data.pixels import MEAN, STD, crop_and_resize, normalise
from mouse_ar.data.stream import window_crop
from mouse_ar.detection.association import associate
from mouse_ar.detection.protocol import Detection, Detector
from mouse_ar.detection.tracking import fill_track
from mouse_ar.mvd import MVD, PRESETS
from mouse_ar.mvd.byte_input import ByteMVD
from mouse_ar.pipelines import job as job_module
from mouse_ar.pipelines.compiling import CompileError
from mouse_ar.pipelines.engine import Engine
from mouse_ar.pipelines.job import Scored, ScoringJob, default_stride
from mouse_ar.pipelines.partial import PartialStore
from mouse_ar.pipelines.tracks import Tracker
from mouse_ar.video.probe import VideoMeta, probe
from mouse_ar.video.reader import open_video
from tiny import ACTIONS, GROOMING

CPU = torch.device("cpu")
SPEC = ClipSpec(num_frames=4, sampling_rate=2, input_size=32)
EVERY = 4


class Walker(tiny.BoxDetector):
    """A box that moves with the stripe; gone while the picture is red."""

    def __init__(self, *, name: str = "walker") -> None:
        super().__init__()
        self._name = name

    @property
    def fingerprint(self) -> str:
        return self._name

    def detect(self, frames_NHWC: NDArray[np.uint8]) -> list[list[Detection]]:
        self.frames += len(frames_NHWC)
        return [self._found(frame_HWC) for frame_HWC in frames_NHWC]

    def _found(self, frame_HWC: NDArray[np.uint8]) -> list[Detection]:
        red, _, blue = frame_HWC.reshape(-1, 3).mean(axis=0)
        if red - blue > 60:
            return []
        x = float(np.abs(frame_HWC[:, :, 0].mean(axis=0).argmin() - 32)) / 2
        return [Detection(Box(x, 8, x + 30, 50), 0.9)]


def model(seed: int = 0) -> MVD:
    torch.manual_seed(seed)
    made = MVD(replace(PRESETS["vit_tiny"], image_size=32, num_frames=4)).eval()
    with torch.no_grad():
        for parameter in made.parameters():  # the head starts near zero: all scores alike
            parameter.add_(0.05 * torch.randn_like(parameter))
    return made


@torch.inference_mode()
def simple(
    path: Path, network: MVD, detector: Detector, *, spec: ClipSpec = SPEC
) -> tuple[Track, NDArray[np.float32]]:
    """The reference: everything in memory, one step after the other."""
    meta = probe(path)
    with open_video(path) as reader:
        frames_THWC = reader.get_batch(range(meta.num_frames))
    looks = enumerate(detector.detect(frames_THWC))
    track = fill_track(
        {n: d.box for n, d in associate(looks, fps=meta.fps).items()},
        num_frames=meta.num_frames,
        fps=meta.fps,
    )
    scores = ScoreAccumulator(num_frames=meta.num_frames, classes=ACTIONS.classes, fps=meta.fps)
    for window in plan_windows(meta.num_frames, spec=spec, stride_frames=default_stride(spec)):
        crop = window_crop(window, track=track, spec=spec, width=meta.width, height=meta.height)
        pixels = np.stack(
            [crop_and_resize(frames_THWC[i], crop=crop, size=32) for i in window.indices]
        )
        logits = network(normalise(torch.from_numpy(pixels)[None]))
        scores.add([window], logits.softmax(dim=1).numpy())
    background = [name == ACTIONS.background for name in ACTIONS.classes]
    scores_TK = np.where(track.present_T[:, None], scores.result().scores_TK, background)
    return track, scores_TK.astype(np.float32)


def job_of(path: Path, detector: Detector, folder: Path, **options: Any) -> ScoringJob:
    meta = probe(path)
    tracker = Tracker(detector=detector, detect_every=options.pop("every", 1), folder=folder)
    return ScoringJob(
        key=path.name,
        meta=meta,
        spec=SPEC,
        actions=ACTIONS,
        finder=tracker.finder(meta, sha256=path.name),
        without_mouse=True,
        **options,
    )


def engine(network: torch.nn.Module, **options: Any) -> Engine:
    settings = {"device": CPU, "precision": "fp32", "batch_size": 4, **options}
    return Engine(network, **settings)


def score(jobs: Sequence[ScoringJob], network: torch.nn.Module, **options: Any) -> list[Scored]:
    results = dict(engine(network, **options).run(jobs))
    for result in results.values():
        if isinstance(result, Exception):
            raise result
    return [results[job] for job in jobs]  # type: ignore[misc]


VIDEOS: dict[str, dict[str, Any]] = {
    "one_frame": {"num_frames": 1},
    "short": {"num_frames": 5},
    "usual": {"num_frames": 150},
    "variable": {"num_frames": 90, "times": [0.1 * n + 0.04 * (n % 3) for n in range(90)]},
    "gaps": {"labels": [(GROOMING, 20, 70), (GROOMING, 100, 104)], "num_frames": 160},
    "begins_empty": {"labels": [(GROOMING, 0, 60)], "num_frames": 140},
    "no_mouse": {"labels": [(GROOMING, 0, 60)], "num_frames": 60},
}


@pytest.mark.parametrize("name", VIDEOS)
@pytest.mark.parametrize("held", [0, 10_000])
def test_same_scores_and_bouts_as_the_simple_path(
    tmp_path: Path, name: str, held: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where hardly a frame may wait for its box, so that windows are left for later."""
    monkeypatch.setattr(job_module, "_HELD_PIXELS", held * tiny.SIDE**2)
    path = tiny.write_video(tmp_path / f"{name}.mp4", **VIDEOS[name])
    network = model()
    track, expected_TK = simple(path, network, Walker())

    (scored,) = score([job_of(path, Walker(), tmp_path / "tracks")], network)

    np.testing.assert_array_equal(scored.track.boxes_T4, track.boxes_T4)
    np.testing.assert_allclose(scored.scores.scores_TK, expected_TK, atol=1e-4)
    params = DecodingParams.defaults(ACTIONS, spec=SPEC, fps=scored.scores.fps)
    reference = replace(scored.scores, scores_TK=expected_TK)
    bouts = [
        [(b.action, b.interval) for b in decode(s, actions=ACTIONS, params=params).bouts]
        for s in (scored.scores, reference)
    ]
    assert bouts[0] == bouts[1]
    if name == "usual":
        assert np.ptp(expected_TK[:, 0]) > 1e-3  # the comparison means something


def test_a_known_track_gives_the_same_to_the_last_bit(tmp_path: Path) -> None:
    path = tiny.write_video(tmp_path / "v.mp4", **VIDEOS["gaps"])
    detector, network = Walker(), model()
    first_job = job_of(path, detector, tmp_path / "tracks", every=EVERY)
    (first,) = score([first_job], network)
    looked = detector.frames
    track = Tracker(detector=detector, detect_every=EVERY, folder=tmp_path / "tracks").known(
        path.name
    )
    assert track is not None
    second_job = replace(first_job, finder=None, track=track)
    (second,) = score([second_job], network)
    np.testing.assert_array_equal(first.scores.scores_TK, second.scores.scores_TK)
    assert detector.frames == looked


def test_every_frame_is_decoded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tiny.write_video(tmp_path / "v.mp4", num_frames=120)
    read: list[int] = []
    original = job_module.iter_pictures

    def counted(*args: Any, **options: Any) -> Iterator[Any]:
        for index, picture in original(*args, **options):
            read.append(index)
            yield index, picture

    monkeypatch.setattr(job_module, "iter_pictures", counted)
    score([job_of(path, Walker(), tmp_path / "tracks", every=EVERY)], model())
    assert read == list(range(120))


@pytest.mark.parametrize("mix", [False, True])
def test_several_videos_one_of_them_broken(tmp_path: Path, mix: bool) -> None:
    network, sizes = model(), []

    class Counting(torch.nn.Module):
        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            sizes.append(len(pixels))
            return network(pixels)

    paths = [
        tiny.write_video(tmp_path / f"{name}.mp4", num_frames=length)
        for name, length in (("a", 7), ("b", 40), ("c", 9), ("d", 3))
    ]
    jobs = [job_of(path, Walker(), tmp_path / "tracks") for path in paths]
    paths[1].write_bytes(paths[1].read_bytes()[:200])

    results = dict(engine(Counting(), mix=mix).run(jobs))

    assert [isinstance(results[job], Exception) for job in jobs] == [False, True, False, False]
    for path, job in zip(paths, jobs, strict=True):
        result = results[job]
        if isinstance(result, Scored):
            _, expected_TK = simple(path, network, Walker())
            np.testing.assert_allclose(result.scores.scores_TK, expected_TK, atol=1e-4)
    assert all(size == 4 for size in sizes[:-1]) == mix


def test_jobs_are_asked_for_one_at_a_time_where_that_is_wanted(tmp_path: Path) -> None:
    path = tiny.write_video(tmp_path / "v.mp4", num_frames=20)
    taken: list[int] = []

    def jobs() -> Iterator[ScoringJob]:
        for number in range(3):
            taken.append(number)
            yield job_of(path, Walker(), tmp_path / "tracks")

    for number, _ in enumerate(engine(model(), mix=True).run(jobs(), at_once=1)):
        assert len(taken) == number + 1


class Killed(BaseException):
    """Ends a run as a signal would."""


@pytest.mark.parametrize("windows", [8, 30, 60])
def test_a_killed_run_goes_on_and_ends_with_the_same_bits(
    tmp_path: Path, windows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_module, "_HELD_PIXELS", 60 * tiny.SIDE**2)
    path = tiny.write_video(tmp_path / "v.mp4", [(GROOMING, 90, 150)], num_frames=300)
    network = model()
    (expected,) = score([job_of(path, Walker(), tmp_path / "tracks", every=2)], network)
    store = PartialStore(tmp_path / "part.npz", header={"of": "v"})
    seen = 0

    class Dying(ByteMVD):
        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            nonlocal seen
            if seen >= windows:
                raise Killed
            seen += len(pixels)
            return super().forward(pixels)

    detector = Walker()
    options = {"every": 2, "partial": store}
    dying = engine(Dying(network, mean=MEAN, std=STD), save_seconds=0)
    with pytest.raises(Killed):
        list(dying.run([job_of(path, detector, tmp_path / "other", **options)]))
    kept = store.load(windows=len(plan_windows(300, spec=SPEC, stride_frames=1)))
    assert kept is not None
    assert np.isfinite(kept.scores_NK[:, 0]).sum() >= windows - 4

    again = Walker()
    job = job_of(path, again, tmp_path / "third", **options)
    (resumed,) = score([job], network, save_seconds=0)

    np.testing.assert_array_equal(resumed.scores.scores_TK, expected.scores.scores_TK)
    np.testing.assert_array_equal(resumed.track.boxes_T4, expected.track.boxes_T4)
    assert again.frames < 150  # it did not begin anew
    other = PartialStore(store.path, header={"of": "another"})
    assert other.load(windows=len(kept.scores_NK)) is None
    store.path.write_bytes(b"half")
    assert store.load(windows=len(kept.scores_NK)) is None


def test_what_progress_raises_ends_all_stages(tmp_path: Path) -> None:
    path = tiny.write_video(tmp_path / "v.mp4", num_frames=200)
    jobs = [job_of(path, Walker(), tmp_path / f"tracks{n}") for n in range(2)]
    threads = threading.active_count()

    def stop(job: ScoringJob, what: str, done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(engine(model()).run(jobs, progress=stop))
    assert threading.active_count() == threads


def test_a_job_knows_its_track_or_how_to_find_it(tmp_path: Path) -> None:
    meta: VideoMeta = probe(tiny.write_video(tmp_path / "v.mp4", num_frames=3))
    with pytest.raises(ValueError, match="either the track or what finds the mouse"):
        ScoringJob(key="v", meta=meta, spec=SPEC, actions=ACTIONS)


def test_a_compiled_model_scores_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made, compile_ = [], torch.compile
    # Without a compiler graph and shapes are the same, but not made into code.
    backend = "inductor" if shutil.which("g++") else "aot_eager"

    def counted(*arguments: Any, **options: Any) -> Any:
        made.append(compile_(*arguments, backend=backend, **options))
        return made[-1]

    monkeypatch.setattr(torch, "compile", counted)
    path = tiny.write_video(tmp_path / "v.mp4", [(GROOMING, 10, 20)], num_frames=37)
    network, job = model(), job_of(path, Walker(), tmp_path)
    (plain,) = score([job], network)
    assert not made
    (compiled,) = score([job], network, compiled=True)
    assert len(made) == 1
    np.testing.assert_allclose(compiled.scores.scores_TK, plain.scores.scores_TK, atol=1e-4)


def test_a_missing_compiler_is_told_before_any_video(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    monkeypatch.setattr(inductor_config.cpp, "cxx", ("no-such-compiler",))
    torch.compiler.reset()
    with pytest.raises(CompileError, match="--compile"):
        engine(model(seed=1), compiled=True)


class NoNumbers(torch.nn.Module):
    """What half precision makes of values that are too large."""

    def forward(self, pixels_NCTHW: torch.Tensor) -> torch.Tensor:
        return torch.full((len(pixels_NCTHW), len(ACTIONS.classes)), torch.nan)


@pytest.mark.parametrize("at_once", [1, 2])
def test_scores_that_are_no_numbers_are_a_failure_of_each_video(
    tmp_path: Path, at_once: int
) -> None:
    paths = [tiny.write_video(tmp_path / f"{name}.mp4", num_frames=20) for name in "ab"]
    jobs = [job_of(path, Walker(), tmp_path) for path in paths]
    outcomes = dict(engine(NoNumbers()).run(jobs, at_once=at_once))
    assert list(outcomes) == jobs
    assert all("not finite in fp32" in str(outcome) for outcome in outcomes.values())
