"""A detector behind HTTP: a Supervisely serving session or our own service, by one protocol."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mouse_ar.detection.errors import DetectorRefusedError, DetectorSetupError
from mouse_ar.detection.protocol import Detection
from mouse_ar.detection.served_model import ServedModel
from mouse_ar.detection.transport import Part, ServiceConnection
from mouse_ar.detection.wire import (
    JPEG_QUALITY,
    ImageFormat,
    WireError,
    detections_from_annotation,
    encode_frame,
    request_state,
)
from mouse_ar.video.probe import VideoMeta

__all__ = ["RemoteDetector"]

# Part of the fingerprint: raise it when the boxes change for the same model and settings.
_VERSION = 2
_OPENING_RETRIES = 2
# Room for the part headers and the state beside the images.
_OVERHEAD_BYTES = 64 * 1024


class RemoteDetector:
    """Asks a service for the boxes; opening it reads what model is there.

    Images go up under names that nobody else uses, as the SDK's server mixes up the images of
    clients that share one. While one batch is under way the next is encoded. An answer is taken
    only if it is of as many images, of the same sizes, as were sent.

    Args:
        url: of the service, e.g. ``http://127.0.0.1:8000`` or ``{server}/net/{session token}``.
        token: ``x-api-key`` of the service.
        class_name: class that is the mouse; may be left out where the model has only one.
        confidence: lowest score of a detection.
        image_format: ``jpeg`` (quality 95, no colour subsampling) or lossless ``png``.
        batch_size: most frames in a request.
        timeout_seconds: longest wait for an answer to begin, and then for its end.
        retries: further attempts of a request that failed.
        name: how errors call the service; its URL by default.

    Raises:
        DetectorUnavailableError: when there is no detector at the address, or not for this token.
        DetectorSetupError: when the class or confidence does not fit the model.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        class_name: str | None = None,
        confidence: float = 0.4,
        image_format: ImageFormat = "jpeg",
        batch_size: int = 16,
        timeout_seconds: float = 120.0,
        retries: int = 5,
        name: str | None = None,
    ) -> None:
        if not 0.0 <= confidence <= 1.0 or batch_size < 1:
            raise DetectorSetupError(
                "A detector needs confidence within 0..1 and batch_size >= 1, "
                f"got {confidence}, {batch_size}."
            )
        encode_frame(np.zeros((1, 1, 3), np.uint8), image_format=image_format)  # known format?
        self.confidence = confidence
        self.image_format = image_format
        self._address = url
        self._connection = ServiceConnection(
            url, token=token, name=name, timeout_seconds=timeout_seconds, retries=retries
        )
        try:
            self.model = self._read_model(
                partial(self._connection.post, retries=min(retries, _OPENING_RETRIES))
            )
            self.class_name = self.model.class_of_interest(class_name)
            self._check_confidence()
        except BaseException:
            self._connection.close()
            raise
        self._batch_size = min(batch_size, self.model.max_images or batch_size)

    @property
    def fingerprint(self) -> str:
        """Identifies the model behind the address, the class, the confidence and the encoding."""
        quality = JPEG_QUALITY if self.image_format == "jpeg" else None
        settings = (self.model.identity, self.class_name, self.confidence)
        text = json.dumps([*settings, self.image_format, quality]).encode()
        return f"remote-{_VERSION}-{hashlib.sha256(text).hexdigest()[:16]}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give up the connections to the service."""
        self._connection.close()

    def prepare(self, path: Path, *, meta: VideoMeta | None = None) -> None:
        """Nothing is learnt from the video; whether it is still the same model is asked.

        Raises:
            DetectorUnavailableError: as in :meth:`detect`.
        """
        self._check_model(self._connection.post)

    def confirm(self) -> None:
        """Whether all frames since :meth:`prepare` were seen by the same model, as it is asked.

        Raises:
            DetectorUnavailableError: as in :meth:`detect`.
        """
        self._check_model(self._connection.post)

    def detect(self, frames_NHWC: NDArray[np.uint8]) -> list[list[Detection]]:
        """Detections of each frame (uint8 RGB), best first.

        Raises:
            DetectorUnavailableError: when the service stays away, or serves another model now.
            DetectorRefusedError: when it does not take such frames, or fails on them every time.
        """
        found: list[list[Detection]] = []
        batches = [
            frames_NHWC[start : start + self._batch_size]
            for start in range(0, len(frames_NHWC), self._batch_size)
        ]
        with ThreadPoolExecutor(1) as pool:
            upcoming: list[Future[list[bytes]]] = []
            for number in range(len(batches)):
                if not upcoming:
                    upcoming = [pool.submit(self._encode, batches[number])]
                images = upcoming.pop().result()
                upcoming = [pool.submit(self._encode, b) for b in batches[number + 1 : number + 2]]
                for part in self._fitting(images):
                    found += self._infer(part, size_HW=frames_NHWC.shape[1:3])
        return found

    def _read_model(self, call: Callable[..., Any]) -> ServedModel:
        try:
            return ServedModel.ask(call, address=self._address)
        except (WireError, DetectorRefusedError) as error:
            raise self._connection.unavailable(f"its answer is no detector's: {error}") from None

    def _check_model(self, call: Callable[..., Any]) -> None:
        """The boxes of a run must not come from two models, nor be cached as another's."""
        now = self._read_model(call)
        if now.identity != self.model.identity:
            raise self._connection.unavailable(
                "it serves another model than when this run began "
                f"(now {now.label}, before {self.model.label})"
            )

    def _check_confidence(self) -> None:
        lowest = self.model.min_confidence
        if lowest is not None and self.confidence < lowest:
            raise DetectorSetupError(
                f"Confidence {self.confidence} was asked for, but the service reports nothing "
                f"below {lowest}: ask for more, or start it with a lower --confidence."
            )

    def _encode(self, frames_NHWC: NDArray[np.uint8]) -> list[bytes]:
        return [encode_frame(frame, image_format=self.image_format) for frame in frames_NHWC]

    def _fitting(self, images: list[bytes]) -> list[list[bytes]]:
        """The images in requests that are not too large."""
        limit = self.model.max_request_bytes
        requests: list[list[bytes]] = []
        room = 0
        for image in images:
            if limit is not None and len(image) + _OVERHEAD_BYTES > limit:
                raise DetectorRefusedError(
                    f"A frame of {len(image)} bytes as {self.image_format} does not fit in a "
                    f"request of detector {self._connection.name} ({limit} bytes): "
                    "start it with a larger --max-request-mb."
                )
            if not requests or (limit is not None and len(image) > room):
                requests.append([])
                room = (limit or 0) - _OVERHEAD_BYTES
            requests[-1].append(image)
            room -= len(image)
        return requests

    def _infer(self, images: list[bytes], *, size_HW: Sequence[int]) -> list[list[Detection]]:
        """One request; where a gateway finds it too large, as two."""
        names = [f"{uuid.uuid4().hex}.{self.image_format}" for _ in images]
        mime = f"image/{self.image_format}"
        parts: list[Part] = [
            ("files", (name, image, mime)) for name, image in zip(names, images, strict=True)
        ]
        state = request_state(
            confidence=self.confidence, class_name=self.class_name, batch_size=len(images)
        )
        try:
            answer = self._connection.post(
                "inference_batch",
                parts=parts,
                fields={"state": state},
                recheck=partial(self._check_model, self._connection.once),
            )
        except DetectorRefusedError as error:
            if error.status != 413 or len(images) == 1:
                raise
            half = len(images) // 2
            return [
                *self._infer(images[:half], size_HW=size_HW),
                *self._infer(images[half:], size_HW=size_HW),
            ]
        try:
            return self._understand(answer, names=names, size_HW=size_HW)
        except WireError as error:
            raise self._connection.unavailable(f"its answer cannot be used: {error}") from None

    def _understand(
        self, answer: Any, *, names: list[str], size_HW: Sequence[int]
    ) -> list[list[Detection]]:
        if not isinstance(answer, list) or len(answer) != len(names):
            got = f"{len(answer)} results" if isinstance(answer, list) else type(answer).__name__
            raise WireError(f"{got} for {len(names)} images")
        found = []
        for item, name in zip(answer, names, strict=True):
            if not isinstance(item, dict) or item.get("name") not in {None, name}:
                raise WireError("a result that is not of the image in its place")
            found.append(
                detections_from_annotation(
                    item.get("annotation"),
                    class_name=self.class_name,
                    confidence=self.confidence,
                    size_HW=(int(size_HW[0]), int(size_HW[1])),
                )
            )
        return found
