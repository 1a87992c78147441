"""What clients send to the detector's service: nothing of it is trusted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import IO, Annotated

import numpy as np
from fastapi import UploadFile
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from pydantic import BaseModel, Field, ValidationError

__all__ = [
    "Rejected",
    "RequestState",
    "check_images",
    "equal_runs",
    "load_images",
    "parse_state",
]

# The classes themselves, by the first bytes of a file: Image.open has its own limit of pixels, for
# the whole process, below the one that a user of this service may set.
_FORMATS: dict[str, tuple[bytes, Callable[[IO[bytes]], Image.Image]]] = {
    "JPEG": (b"\xff\xd8\xff", JpegImageFile),
    "PNG": (b"\x89PNG\r\n\x1a\n", PngImageFile),
}
_DEFAULT_CONFIDENCE = 0.4

_Share = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)]


class Rejected(Exception):
    """A request that is not served, with the HTTP status that says why."""

    def __init__(self, status: int, message: str, *, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers


class _Settings(BaseModel):
    """Only what this service heeds; the SDK's clients send more."""

    conf: _Share | None = None
    confidence: _Share | None = None
    confidence_threshold: _Share | None = None
    confidence_thresh: _Share | None = None
    classes: list[str] | str | None = None


class RequestState(BaseModel):
    """The part ``state`` of a request."""

    settings: _Settings = Field(default_factory=_Settings)
    batch_size: Annotated[int, Field(ge=1, le=1024)] = 16

    @property
    def confidence(self) -> float:
        """Lowest score to report, under any of the names the SDK knows."""
        names = ("conf", "confidence", "confidence_threshold", "confidence_thresh")
        asked = [getattr(self.settings, name) for name in names]
        return next((value for value in asked if value is not None), _DEFAULT_CONFIDENCE)

    def wants(self, class_name: str) -> bool:
        """Whether objects of a class are asked for."""
        classes = self.settings.classes
        return classes in (None, "all") or class_name in (classes or [])


def parse_state(text: str) -> RequestState:
    """Read the part ``state``.

    Raises:
        Rejected: when it is no such JSON.
    """
    try:
        return RequestState.model_validate_json(text or "{}")
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "state"
        raise Rejected(
            422,
            f"Part 'state' is not usable: {where}: {first['msg']}. Expected JSON like "
            '{"settings": {"conf": 0.4}, "batch_size": 16}.',
        ) from None


def check_images(files: Sequence[UploadFile], *, max_pixels: int) -> list[tuple[int, int]]:
    """Sizes (height, width) of the images, read from their headers alone.

    Raises:
        Rejected: when one is no image, or larger than ``max_pixels``.
    """
    sizes = []
    for number, file in enumerate(files):
        width, height = _open(file, number).size
        if width * height > max_pixels:
            raise Rejected(
                413,
                f"{_called(file, number)} has {width}x{height} pixels; "
                f"at most {max_pixels} in all are taken.",
            )
        sizes.append((height, width))
    return sizes


def equal_runs(
    sizes_HW: Sequence[tuple[int, int]], *, max_images: int, max_pixels: int
) -> Iterator[slice]:
    """Runs of images of one size that fit in memory together."""
    start = 0
    while start < len(sizes_HW):
        height, width = sizes_HW[start]
        most = min(max_images, max(1, max_pixels // (height * width)))
        stop = start + 1
        while stop < min(len(sizes_HW), start + most) and sizes_HW[stop] == sizes_HW[start]:
            stop += 1
        yield slice(start, stop)
        start = stop


def load_images(files: Sequence[UploadFile]) -> NDArray[np.uint8]:
    """The pixels (N, H, W, 3) uint8 RGB of images of one size.

    Raises:
        Rejected: when one cannot be decoded.
    """
    frames = []
    for number, file in enumerate(files):
        image = _open(file, number)
        try:
            frames.append(np.asarray(image.convert("RGB")))
        except Exception as error:  # damaged files fail in whatever part of a decoder they reach
            raise _undecodable(file, number, error) from None
    return np.stack(frames)


def _open(file: UploadFile, number: int) -> Image.Image:
    file.file.seek(0)
    head = file.file.read(8)
    file.file.seek(0)
    try:
        for magic, image_class in _FORMATS.values():
            if head.startswith(magic):
                return image_class(file.file)
        raise UnidentifiedImageError
    except Exception as error:  # as above
        raise _undecodable(file, number, error) from None


def _undecodable(file: UploadFile, number: int, error: Exception) -> Rejected:
    return Rejected(
        422,
        f"{_called(file, number)} cannot be decoded as {' or '.join(_FORMATS)} "
        f"({type(error).__name__}).",
    )


def _called(file: UploadFile, number: int) -> str:
    return f"Part 'files' number {number + 1} ({(file.filename or '')[:80]!r})"
