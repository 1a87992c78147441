"""An RT-DETRv2 as a detector of the animal."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mouse_ar.core.types import Box
from mouse_ar.detection.protocol import Detection
from mouse_ar.detection.rtdetr.architecture import Architecture
from mouse_ar.detection.rtdetr.errors import DetectorFailedError
from mouse_ar.detection.rtdetr.model import LoadReport, original_weights
from mouse_ar.detection.rtdetr.preprocessing import require_frames, resize
from mouse_ar.detection.rtdetr.settings import Settings
from mouse_ar.video.probe import VideoMeta

__all__ = ["DetectorOptions", "RTDetrV2Detector", "RawOutputs"]

# Part of the fingerprint: raise it when the boxes change for the same weights and options.
_VERSION = 1
PRECISIONS = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}
# The coarsest feature map has a pixel for each 32 of the input.
STRIDES = (8, 16, 32)


@dataclass(frozen=True, kw_only=True)
class DetectorOptions:
    """How a detector is used.

    Args:
        confidence: least score of a detection, 0..1.
        class_name: the class that is looked for; may be left out when there is only one.
        device: ``cpu``, ``cuda``, ``cuda:1``, …, or ``auto`` for CUDA where there is one.
        precision: of backbone and encoder: ``float32``, ``bfloat16`` or ``float16``, or ``auto``
            for the fastest that is safe on the device. The decoder always works in float32: in
            bfloat16 a box of a 1080p frame would be rounded to several pixels.
        batch_size: frames that go through the network at once.
    """

    confidence: float = 0.4
    class_name: str | None = None
    device: str = "auto"
    precision: str = "auto"
    batch_size: int = 8

    def __post_init__(self) -> None:
        if not 0.0 <= self.confidence <= 1.0:
            raise ValueError(
                f"DetectorOptions.confidence must be within 0..1, got {self.confidence}."
            )
        if self.precision not in {"auto", *PRECISIONS}:
            raise ValueError(
                f"DetectorOptions.precision must be one of {['auto', *PRECISIONS]}, got "
                f"{self.precision!r}."
            )
        if self.batch_size < 1:
            raise ValueError(f"DetectorOptions.batch_size must be >= 1, got {self.batch_size}.")


class RawOutputs(NamedTuple):
    """What the network says of N images, float32 on the CPU, in no particular order.

    Args:
        logits: (N, queries, classes); their sigmoid is the score.
        boxes: (N, queries, 4) as centre x, centre y, width, height in shares of the image.
    """

    logits: Tensor
    boxes: Tensor


class RTDetrV2Detector:
    """Finds animals with an RT-DETRv2 in this process; boxes are not suppressed by overlap.

    Made by :func:`~mouse_ar.detection.rtdetr.load_rtdetrv2`.

    Args:
        model: of :func:`~mouse_ar.detection.rtdetr.model.build_model`.
        architecture: of the model.
        settings: of the model.
        class_names: in the order of the model's outputs.
        report: what became of the checkpoint's keys.
        options: how it is used.

    Raises:
        ValueError: the model does not have the class, or the device does not exist.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        architecture: Architecture,
        settings: Settings,
        class_names: Sequence[str],
        report: LoadReport,
        options: DetectorOptions,
    ) -> None:
        self.architecture = architecture
        self.settings = settings
        self.class_names = tuple(class_names)
        self.report = report
        self.options = options
        self.device = _device(options.device)
        self.precision = _precision(options.precision, device=self.device)
        if options.class_name is not None:
            self._require_class(options.class_name)
        self.model = model.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    @property
    def class_name(self) -> str:
        """The class that is looked for.

        Raises:
            ValueError: there are several and none was chosen.
        """
        if self.options.class_name is not None:
            return self.options.class_name
        if len(self.class_names) > 1:
            raise ValueError(
                f"The detector has {len(self.class_names)} classes {list(self.class_names)} and "
                "none was chosen. Set class_name (--detector-class) to the animal's."
            )
        return self.class_names[0]

    @cached_property
    def fingerprint(self) -> str:
        """Identifies weights, class, confidence and precision."""
        digest = hashlib.sha256()
        weights = self.original_weights()
        for name in sorted(weights):
            digest.update(f"{name}{tuple(weights[name].shape)}".encode())
            digest.update(weights[name].numpy().data)
        content = {
            "settings": asdict(self.settings),
            "class": self.class_names.index(self.class_name),
            "confidence": self.options.confidence,
            "precision": self.precision,
        }
        digest.update(json.dumps(content, sort_keys=True).encode())
        return f"rtdetrv2-{_VERSION}-{digest.hexdigest()[:12]}"

    def original_weights(self) -> dict[str, Tensor]:
        """The weights that inference uses, under the original code's names."""
        return original_weights(self.model, self.architecture, self.settings)

    def prepare(self, path: Path, *, meta: VideoMeta | None = None) -> None:
        """Nothing: the network needs no knowledge of the video."""

    def detect(self, frames_NHWC: NDArray[np.uint8]) -> list[list[Detection]]:
        """Animals of the chosen class in each frame, best first, boxes clipped to the frame.

        Args:
            frames_NHWC: uint8 RGB frames.

        Raises:
            ValueError: the frames have another shape or type, or no class was chosen.
            DetectorFailedError: the network's outputs are not finite, or memory does not suffice.
        """
        column = self.class_names.index(self.class_name)
        require_frames(frames_NHWC)
        height, width = frames_NHWC.shape[1:3]
        found: list[list[Detection]] = []
        for start in range(0, len(frames_NHWC), self.options.batch_size):
            pixels_NCHW = resize(frames_NHWC[start : start + self.options.batch_size])
            outputs = self._run(pixels_NCHW.to(self.device).float() / 255, precision=self.precision)
            for logits, boxes in zip(outputs.logits[..., column], outputs.boxes, strict=True):
                found.append(self._detections(logits, boxes, width=width, height=height))
        return found

    def raw_outputs(
        self, pixels_NCHW: Tensor | NDArray[Any], *, precision: str = "float32"
    ) -> RawOutputs:
        """The network's outputs.

        Args:
            pixels_NCHW: RGB images (N, 3, side, side) in 0..1; the original's side is 640.
            precision: as in the options, but in full by default.

        Raises:
            ValueError: the images have a shape that the network cannot take.
            DetectorFailedError: the outputs are not finite, or memory does not suffice.
        """
        pixels = torch.as_tensor(pixels_NCHW).to(self.device, torch.float32)
        _require_square(pixels, num_queries=self.settings.num_queries)
        return self._run(pixels, precision=_precision(precision, device=self.device))

    def _run(self, pixels_NCHW: Tensor, *, precision: str) -> RawOutputs:
        try:
            return self._forward(pixels_NCHW, precision=precision)
        except torch.OutOfMemoryError as error:
            raise DetectorFailedError(
                f"The memory of {self.device} does not suffice for {len(pixels_NCHW)} images at "
                "once. Close what else uses it, choose a smaller batch_size, or another device."
            ) from error

    @torch.inference_mode()
    def _forward(self, pixels_NCHW: Tensor, *, precision: str) -> RawOutputs:
        if not len(pixels_NCHW):
            queries, classes = self.settings.num_queries, self.architecture.num_classes
            return RawOutputs(torch.zeros(0, queries, classes), torch.zeros(0, queries, 4))
        pixels = pixels_NCHW.contiguous(memory_format=torch.channels_last)
        core: Any = self.model.model
        with torch.autocast(
            self.device.type, dtype=PRECISIONS[precision], enabled=precision != "float32"
        ):
            mask = pixels.new_ones(len(pixels), *pixels.shape[2:])
            features = core.backbone(pixels, mask)
            projected = [core.encoder_input_proj[i](x) for i, (x, _) in enumerate(features)]
            encoded = core.encoder(projected)
        encoded.last_hidden_state = [x.float() for x in encoded.last_hidden_state]
        outputs: Any = self.model(
            pixel_values=None,
            inputs_embeds=encoded.last_hidden_state[0],  # not read once there is an encoder output
            encoder_outputs=encoded,
        )
        raw = RawOutputs(outputs.logits.cpu(), outputs.pred_boxes.cpu())
        if not (bool(raw.logits.isfinite().all()) and bool(raw.boxes.isfinite().all())):
            remedy = (
                "The checkpoint does not fit its settings or is damaged; use another."
                if precision == "float32"
                else "Set precision to 'float32'."
            )
            raise DetectorFailedError(
                f"The detector's outputs are not finite in {precision} on {self.device}. {remedy}"
            )
        return raw

    def _detections(
        self, logits: Tensor, boxes: Tensor, *, width: int, height: int
    ) -> list[Detection]:
        """Detections of one frame from its queries' logits (Q) and boxes (Q, 4)."""
        scores = logits.sigmoid()
        order = torch.argsort(scores, descending=True, stable=True)
        found = []
        for i in order[scores[order] >= self.options.confidence].tolist():
            x, y, w, h = boxes[i].double().tolist()
            left, right = max(0.0, (x - w / 2) * width), min(float(width), (x + w / 2) * width)
            top, bottom = max(0.0, (y - h / 2) * height), min(float(height), (y + h / 2) * height)
            if left < right and top < bottom:
                found.append(Detection(Box(left, top, right, bottom), float(scores[i])))
        return found

    def _require_class(self, name: str) -> None:
        if name not in self.class_names:
            raise ValueError(
                f"The detector has no class {name!r}; it has {list(self.class_names)}. Set "
                "class_name to one of them."
            )


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        device = torch.device("meta")
    if device.type not in {"cpu", "cuda"}:
        raise ValueError(
            f"DetectorOptions.device {name!r} cannot be used. Use 'auto', 'cpu' or 'cuda'."
        )
    count = torch.cuda.device_count()
    if device.type == "cuda" and (device.index or 0) >= count:
        raise ValueError(
            f"DetectorOptions.device is {name!r}, but there are {count} CUDA devices. Use "
            "'auto' or 'cpu'."
        )
    return device


def _precision(name: str, *, device: torch.device) -> str:
    """The precision that a choice means on a device.

    On the CPU bfloat16 is faster where there are instructions for it (r18vd in batches of four,
    with AVX512-BF16: 0.98 s of processor time an image instead of 1.30 s); elsewhere it is
    emulated and slower.
    """
    if name not in {"auto", *PRECISIONS}:
        raise ValueError(f"precision must be one of {['auto', *PRECISIONS]}, got {name!r}.")
    if name != "auto":
        return name
    if device.type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float16"
    abilities = torch.cpu.get_capabilities()
    fast = abilities.get("avx512_bf16") or abilities.get("amx_bf16")
    return "bfloat16" if device.type == "cpu" and fast else "float32"


def _require_square(pixels_NCHW: Tensor, *, num_queries: int) -> None:
    """Refuse what the network cannot take.

    transformers lays out the position embedding of images that are not square differently from
    the original.
    """
    shape = tuple(pixels_NCHW.shape)
    fits = len(shape) == 4 and shape[1] == 3 and shape[2] == shape[3] and shape[2] % 32 == 0
    if not fits or sum((shape[2] // stride) ** 2 for stride in STRIDES) < num_queries:
        raise ValueError(
            f"Got images of shape {shape}, expected (N, 3, side, side) with a side that is a "
            f"multiple of 32 and has room for {num_queries} queries. Resize them to 640x640."
        )
