"""A trained checkpoint ready to score videos."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch

from mouse_ar.core.actions import ActionSet
from mouse_ar.core.decoding_params import DecodingParams
from mouse_ar.core.platt import Calibration
from mouse_ar.core.types import ActionScores, ClipSpec, Ethogram
from mouse_ar.data.files import sha256_of
from mouse_ar.mvd import MVD, load_checkpoint
from mouse_ar.pipelines.bout_decoding import Decoding
from mouse_ar.pipelines.engine import Engine
from mouse_ar.pipelines.meter import Meter
from mouse_ar.pipelines.precision import pick_precision
from mouse_ar.video.probe import VideoMeta

__all__ = ["FPS_TOLERANCE", "Predictor", "load_predictor", "pick_device"]

# Beyond this relative difference the sampling rate is adapted, and the user is told.
FPS_TOLERANCE = 0.2


def pick_device(name: str | None = None) -> torch.device:
    """The named device, else CUDA where there is one, else the CPU.

    Raises:
        ValueError: there is no such device, or CUDA is asked for and not available.
    """
    try:
        device = torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))
    except RuntimeError as error:
        raise ValueError(f"No device {name!r}; expected cpu, cuda, or cuda:1.") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"Device {name!r} asked for, but no CUDA device is available; use cpu.")
    return device


@dataclass(frozen=True, eq=False)
class Predictor:
    """A model with everything that its checkpoint says about it.

    Args:
        model: in eval mode on ``device``.
        spec: ClipSpec at the training frame rate.
        actions: classes in model order.
        decoding: fitted in training, possibly overridden.
        training_fps: frame rate that ``spec`` refers to.
        sha256: of the checkpoint file.
        device: where the model is.
        precision: in which it computes: fp32, bf16 or fp16.
        calibration: makes probabilities of scores; fitted in training.
        compiled: run it through ``torch.compile``.
    """

    model: MVD
    spec: ClipSpec
    actions: ActionSet
    decoding: DecodingParams
    training_fps: float
    sha256: str
    device: torch.device
    precision: str = "fp32"
    calibration: Calibration = field(default_factory=Calibration)
    compiled: bool = False

    def engine(
        self, *, batch_size: int, meter: Meter | None = None, mix: bool | None = None
    ) -> Engine:
        """What scores videos with it in this process; see :class:`~.engine.Engine`."""
        return Engine(
            self.model,
            device=self.device,
            precision=self.precision,
            batch_size=batch_size,
            mix=mix,
            meter=meter,
            compiled=self.compiled,
        )

    def spec_for(self, meta: VideoMeta) -> ClipSpec:
        """The ClipSpec at a video's frame rate."""
        return self.spec.for_fps(meta.fps, reference_fps=self.training_fps)

    @property
    def decoder(self) -> Decoding:
        """What turns its scores into bouts."""
        return Decoding(self.actions, self.decoding, self.calibration, self.sha256)

    def decode(self, scores: ActionScores) -> Ethogram:
        """Bouts of a video from its scores."""
        return self.decoder.bouts(scores)

    def fps_warning(self, meta: VideoMeta) -> str | None:
        """What to tell the user when a video's frame rate differs from the training videos'."""
        ratio = meta.fps / self.training_fps
        if abs(ratio - 1) <= FPS_TOLERANCE:
            return None
        rate = self.spec_for(meta).sampling_rate
        return (
            f"{meta.path.name}: {meta.fps:.1f} fps, but the model was trained at "
            f"{self.training_fps:.1f} fps; every {rate}. frame is sampled to span the same time."
        )


def load_predictor(
    path: Path,
    *,
    device: torch.device,
    overrides: Mapping[str, float] | None = None,
    precision: str | None = None,
    compiled: bool = False,
) -> Predictor:
    """Load a checkpoint written by training.

    Args:
        path: ``.safetensors`` file.
        device: where the model shall run.
        overrides: decoding values by ``action.parameter``.
        precision: see :func:`~mouse_ar.pipelines.precision.pick_precision`.
        compiled: run the model through ``torch.compile``.

    Raises:
        CheckpointError: not one of our checkpoints, with the reason.
        ValueError: overrides name an unknown action or parameter, or do not go together; there is
            no such precision.
    """
    checkpoint = load_checkpoint(path, device)
    decoding = DecodingParams.from_dict(checkpoint.decoding).with_overrides(
        overrides or {}, actions=checkpoint.actions
    )
    digest = sha256_of(path)
    return Predictor(
        model=checkpoint.model,
        spec=checkpoint.spec,
        actions=checkpoint.actions,
        decoding=decoding,
        training_fps=checkpoint.training_fps,
        sha256=digest,
        device=device,
        precision=pick_precision(precision, model=checkpoint.model, device=device),
        calibration=Calibration.from_dict(checkpoint.metadata.get("calibration", {})),
        compiled=compiled,
    )
