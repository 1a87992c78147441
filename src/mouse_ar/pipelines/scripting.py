"""For people who script: a model from a file, and the bouts of a video from the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mouse_ar.core.types import ActionScores, Track
from mouse_ar.data.files import sha256_of
from mouse_ar.detection.choice import open_detector
from mouse_ar.detection.protocol import Detector
from mouse_ar.detection.tracking import DETECT_EVERY
from mouse_ar.pipelines.job import ScoringJob
from mouse_ar.pipelines.predictor import Predictor, load_predictor, pick_device
from mouse_ar.pipelines.results import VideoResult
from mouse_ar.pipelines.tracks import Tracker
from mouse_ar.video.probe import probe

__all__ = ["AnnotatedVideo", "TimedBout", "annotate_video", "load_model"]


@dataclass(frozen=True)
class TimedBout:
    """One occurrence of an action.

    Args:
        action: its name.
        start_frame: first frame.
        end_frame: last frame, which belongs to it.
        start_seconds: when it begins, from the first frame of the video on.
        end_seconds: when it ends.
        confidence: 0..1.
    """

    action: str
    start_frame: int
    end_frame: int
    start_seconds: float
    end_seconds: float
    confidence: float


@dataclass(frozen=True, eq=False)
class AnnotatedVideo:
    """What happens in a video.

    Args:
        bouts: in order of their start.
        scores: class probabilities of every frame.
        track: the mouse's box in every frame.
    """

    bouts: tuple[TimedBout, ...]
    scores: ActionScores
    track: Track


def load_model(
    path: Path | str,
    *,
    device: str | None = None,
    precision: str | None = None,
    overrides: Mapping[str, float] | None = None,
) -> Predictor:
    """Load a trained model.

    Args:
        path: ``.safetensors`` file written by training.
        device: ``cpu``, ``cuda``, ``cuda:1``, …; CUDA if there is any by default.
        precision: ``auto``, ``fp32``, ``bf16`` or ``fp16``; by default bf16 on a GPU, fp32 on the
            CPU.
        overrides: decoding values by ``action.parameter``.

    Raises:
        CheckpointError: not one of our checkpoints, with the reason.
        ValueError: there is no such device, precision or parameter.
    """
    return load_predictor(
        Path(path), device=pick_device(device), precision=precision, overrides=overrides
    )


def annotate_video(
    path: Path | str,
    model: Predictor,
    *,
    detector: str | Detector = "background",
    detect_every: int = DETECT_EVERY,
    batch_size: int = 16,
) -> AnnotatedVideo:
    """Find the bouts of a video; nothing is written but the cache of boxes.

    Args:
        path: the video.
        model: from :func:`load_model`.
        detector: finds the mouse: one of the forms of ``mouse-ar infer --detector``, or an object.
        detect_every: frames between detections, fewer where the mouse moves fast.
        batch_size: windows per forward pass.

    Raises:
        VideoError: the video cannot be read.
        DetectorSetupError: there is no such detector.
    """
    meta = probe(path)
    finder = open_detector(detector) if isinstance(detector, str) else detector
    tracker = Tracker(detector=finder, detect_every=detect_every)
    sha256 = sha256_of(meta.path)
    track = tracker.known(sha256)
    job = ScoringJob(
        key=meta.path.name,
        meta=meta,
        spec=model.spec_for(meta),
        actions=model.actions,
        track=track,
        finder=None if track else tracker.finder(meta, sha256=sha256),
        without_mouse=True,
    )
    ((_, scored),) = model.engine(batch_size=batch_size).run([job])
    if isinstance(scored, Exception):
        raise scored
    ethogram = model.decode(scored.scores)
    edges = VideoResult(job.key, ethogram, meta.timestamps_seconds).edges_seconds
    bouts = tuple(
        TimedBout(
            bout.action,
            *bout.interval.inclusive,
            start_seconds=float(edges[bout.interval.start]),
            end_seconds=float(edges[bout.interval.stop]),
            confidence=bout.confidence,
        )
        for bout in ethogram.bouts
    )
    return AnnotatedVideo(bouts, scored.scores, scored.track)
