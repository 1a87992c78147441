"""A detector as an HTTP service that speaks the protocol of a Supervisely serving session."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import FastAPI, File, Form, HTTPException, Request, Security, UploadFile
from fastapi.concurrency import run_in_threadpool
from fastapi.security import APIKeyHeader
from pydantic import BaseModel

from mouse_ar import __version__
from mouse_ar.detection.background import BackgroundSubtraction
from mouse_ar.detection.errors import DetectorSetupError
from mouse_ar.detection.gate import Gate
from mouse_ar.detection.protocol import Detection, Detector
from mouse_ar.detection.turns import Turns
from mouse_ar.detection.uploads import (
    Rejected,
    RequestState,
    check_images,
    equal_runs,
    load_images,
    parse_state,
)
from mouse_ar.detection.wire import (
    FINGERPRINT_FIELD,
    MAX_REQUEST_BYTES_FIELD,
    MIN_CONFIDENCE_FIELD,
    TOKEN_HEADER,
    annotation_from_detections,
    clean_token,
    model_meta,
)

__all__ = ["create_app"]

_MOST_WAITING = 8

_LOG = logging.getLogger(__name__)


class Problem(BaseModel):
    """What every error answers."""

    detail: str | list[Any]


_PROBLEMS: dict[int | str, dict[str, Any]] = {
    400: {"model": Problem, "description": "The body is no multipart form."},
    413: {"model": Problem, "description": "Too many bytes, images or pixels."},
    422: {"model": Problem, "description": "The state or an image cannot be read."},
    500: {"model": Problem, "description": "The detector failed on these images."},
    503: {
        "model": Problem,
        "description": "Too many requests wait already.",
        "headers": {"Retry-After": {"schema": {"type": "string"}, "description": "Seconds."}},
    },
}
_REFUSED: dict[int | str, dict[str, Any]] = {
    401: {"model": Problem, "description": "The token is missing or wrong."}
}


class _Service:
    """One detector for many clients; :meth:`infer` is for one of them at a time."""

    def __init__(
        self,
        detector: Detector,
        *,
        class_name: str,
        min_confidence: float | None,
        max_request_bytes: int,
        max_image_pixels: int,
        max_images: int,
    ) -> None:
        self.class_name = class_name
        self._detector = detector
        self._min_confidence = min_confidence
        self._max_request_bytes = max_request_bytes
        self._max_image_pixels = max_image_pixels
        self._max_images = max_images

    def session_info(self) -> dict[str, Any]:
        """The fields of the SDK's ``get_session_info``, and ours."""
        return {
            "app_name": "mouse-ar serve-detector",
            "session_id": None,
            "number_of_classes": 1,
            "sliding_window_support": "none",
            "videos_support": False,
            "async_video_inference_support": False,
            "tracking_on_videos_support": False,
            "async_image_inference_support": False,
            "tracking_algorithms": [],
            "batch_inference_support": True,
            "max_batch_size": self._max_images,
            "task type": "object detection",
            "model_name": type(self._detector).__name__,
            FINGERPRINT_FIELD: self._detector.fingerprint,
            MIN_CONFIDENCE_FIELD: self._min_confidence,
            MAX_REQUEST_BYTES_FIELD: self._max_request_bytes,
            "version": __version__,
        }

    def deploy_info(self) -> dict[str, Any]:
        """The fields of the SDK's ``DeployInfo``."""
        return {
            "checkpoint_name": self._detector.fingerprint,
            "model_name": type(self._detector).__name__,
            "architecture": None,
            "checkpoint_url": None,
            "custom_checkpoint_path": None,
            "model_source": "mouse-ar",
            "task_type": "object detection",
            "device": None,
            "runtime": "PyTorch",
            "model_precision": None,
            "hardware": None,
            "deploy_params": {},
        }

    def check(self, files: list[UploadFile]) -> list[tuple[int, int]]:
        """Sizes (height, width) of the images, none of which is decoded.

        Raises:
            Rejected: when one or all of them are too much.
        """
        if len(files) > self._max_images:
            raise Rejected(
                413, f"{len(files)} images in one request; at most {self._max_images} are taken."
            )
        return check_images(files, max_pixels=self._max_image_pixels)

    def infer(
        self, files: list[UploadFile], state: RequestState, *, sizes_HW: list[tuple[int, int]]
    ) -> list[dict[str, Any]]:
        """Annotations of the images, in their order.

        Args:
            files: the images.
            state: what is asked for.
            sizes_HW: of :meth:`check`.

        Raises:
            Rejected: when one cannot be decoded.
        """
        results: list[dict[str, Any]] = []
        for run in equal_runs(
            sizes_HW, max_images=state.batch_size, max_pixels=self._max_image_pixels
        ):
            found = self._detector.detect(load_images(files[run]))
            results += [
                self._result(file, seen, state=state, size_HW=size_HW)
                for file, seen, size_HW in zip(files[run], found, sizes_HW[run], strict=True)
            ]
        return results

    def _result(
        self,
        file: UploadFile,
        found: list[Detection],
        *,
        state: RequestState,
        size_HW: tuple[int, int],
    ) -> dict[str, Any]:
        wanted = state.wants(self.class_name)
        kept = [d for d in found if wanted and d.score >= state.confidence]
        height, width = size_HW
        annotation = annotation_from_detections(
            kept, class_name=self.class_name, height=height, width=width
        )
        return {"name": file.filename, "annotation": annotation, "data": {}}


def create_app(
    detector: Detector,
    *,
    class_name: str = "mouse",
    token: str | None = None,
    min_confidence: float | None = None,
    max_request_bytes: int = 256 * 2**20,
    max_image_pixels: int = 2**26,
    max_images: int = 64,
) -> FastAPI:
    """The service as an ASGI application.

    Args:
        detector: answers for every client; it must need no video but the frames.
        class_name: what it finds.
        token: expected in the header ``x-api-key`` of everything but ``/health`` and the schema
            ``/openapi.json``; any client is served when there is none.
        min_confidence: the detector reports nothing below it; clients that ask for less are told.
        max_request_bytes: larger requests are refused before they are read.
        max_image_pixels: larger images are refused before they are decoded.
        max_images: most images in one request.

    Raises:
        DetectorSetupError: when the detector learns from whole videos, or the token is empty.
        ValueError: when the token cannot be sent in a header.
    """
    if isinstance(detector, BackgroundSubtraction):
        raise DetectorSetupError(
            f"{type(detector).__name__} learns the background of each video from its file, which "
            "a service never sees. Serve a model (rtdetrv2:PATH), or use it in process."
        )
    if token is not None:
        token = clean_token(token)
        if not token:
            raise DetectorSetupError("The token is empty: leave it out to serve any client.")
    service = _Service(
        detector,
        class_name=class_name,
        min_confidence=min_confidence,
        max_request_bytes=max_request_bytes,
        max_image_pixels=max_image_pixels,
        max_images=max_images,
    )
    app = FastAPI(
        title="mouse-ar detector",
        version=__version__,
        description="Finds mice in images; the protocol of a Supervisely serving session.",
        docs_url=None,  # these pages load their scripts from the internet
        redoc_url=None,
    )
    app.add_middleware(Gate, token=token, max_request_bytes=max_request_bytes)
    _add_routes(app, service, protected=token is not None)
    return app


def _add_routes(app: FastAPI, service: _Service, *, protected: bool) -> None:
    turns = Turns(most_waiting=_MOST_WAITING)
    # The gate checks the token, before any body is read; this only tells of it in the schema.
    guard: dict[str, Any] = (
        {
            "dependencies": [Security(APIKeyHeader(name=TOKEN_HEADER, auto_error=False))],
            "responses": _REFUSED,
        }
        if protected
        else {}
    )
    answers: dict[str, Callable[[], dict[str, Any]]] = {
        "is_ready": lambda: {"status": "ready"},
        "get_session_info": service.session_info,
        "get_model_meta": lambda: model_meta(service.class_name),
        "get_output_classes_and_tags": lambda: model_meta(service.class_name),
        "get_deploy_info": service.deploy_info,
    }

    @app.get("/health")
    async def health() -> dict[str, str]:
        """Answers also while the detector is at work; needs no token."""
        return {"status": "ok"}

    for name, answer in answers.items():
        app.add_api_route(f"/{name}", _answering(answer), methods=["POST"], name=name, **guard)

    @app.post("/inference_batch", **{**guard, "responses": {**_PROBLEMS, **_REFUSED}})
    async def inference_batch(
        request: Request,
        files: Annotated[list[UploadFile], File(description="JPEG or PNG images.")],
        state: Annotated[str, Form(description="JSON: settings and batch_size.")] = "{}",
        settings: Annotated[str, Form(description="Older name of state.")] = "{}",
    ) -> list[dict[str, Any]]:
        """One annotation per image, in their order."""
        try:
            asked = parse_state(settings if state in {"", "{}"} else state)
            sizes_HW = await run_in_threadpool(service.check, files)
            # Images wait as files: decoded, a small one may fill the memory.
            async with turns.turn(request.is_disconnected):
                return await run_in_threadpool(service.infer, files, asked, sizes_HW=sizes_HW)
        except Rejected as error:
            raise HTTPException(error.status, str(error), error.headers) from None
        except ValueError as error:
            raise HTTPException(422, f"The detector does not take these images: {error}") from None
        except Exception as error:
            _LOG.exception("detection failed")
            raise HTTPException(500, f"{type(error).__name__}: {error}") from None


def _answering(answer: Callable[[], dict[str, Any]]) -> Callable[[], Awaitable[dict[str, Any]]]:
    # On the event loop, so that it needs no worker thread.
    async def endpoint() -> dict[str, Any]:
        return answer()

    return endpoint
