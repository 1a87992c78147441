"""``mouse-ar serve-detector``: the detector on the machine with the GPU."""

from __future__ import annotations

import ipaddress
from typing import Annotated

import typer
import uvicorn

from mouse_ar.console import out
from mouse_ar.detection.choice import TOKEN_VARIABLE, DetectorChoice, open_detector
from mouse_ar.detection.errors import DetectorSetupError
from mouse_ar.detection.service import create_app

__all__ = ["serve_detector"]


def serve_detector(
    model: Annotated[str, typer.Option(help="Which detector: rtdetrv2:PATH.")],
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 takes a free one.", min=0, max=65535)] = 8000,
    token: Annotated[
        str | None,
        typer.Option(envvar=TOKEN_VARIABLE, help="What clients must send as x-api-key."),
    ] = None,
    class_name: Annotated[
        str | None, typer.Option(help="The model's class that is the mouse; if it has several.")
    ] = None,
    confidence: Annotated[
        float,
        typer.Option(help="Lowest score reported; clients may ask for more.", min=0.0, max=1.0),
    ] = 0.1,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, …; CUDA if present.")] = None,
    max_request_mb: Annotated[int, typer.Option(help="Largest request in MB.", min=1)] = 256,
    max_image_megapixels: Annotated[int, typer.Option(help="Largest image.", min=1)] = 64,
    max_images: Annotated[int, typer.Option(help="Most images in a request.", min=1)] = 64,
) -> None:
    """Serve a detector over HTTP; clients use it as --detector http://HOST:PORT."""
    if DetectorChoice.parse(model).kind not in {"background", "rtdetrv2"}:
        raise DetectorSetupError(
            f"--model {model} is served already; only a detector of this machine can be: "
            "rtdetrv2:PATH."
        )
    detector = open_detector(model, class_name=class_name, confidence=confidence, device=device)
    app = create_app(
        detector,
        class_name=class_name or getattr(detector, "class_name", None) or "mouse",
        token=token,
        min_confidence=confidence,
        max_request_bytes=max_request_mb * 10**6,
        max_image_pixels=max_image_megapixels * 10**6,
        max_images=max_images,
    )
    if token is None and not _is_loopback(host):
        out.print(
            f"Warning: anyone who reaches {host} can use this detector; "
            f"set --token or {TOKEN_VARIABLE}.",
            markup=False,
        )
    uvicorn.run(app, host=host, port=port)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
