"""Images per second of one RT-DETRv2: in process, over HTTP, and by the SDK's own per-image call.

    python benchmarks/served_detector.py --keys rtdetrv2_state_dict_keys.json
    python benchmarks/served_detector.py --model best.pth

All three in turns on one machine; the service is `mouse-ar serve-detector` in a process of its own.
With `--keys` (names and shapes of the original's weights) the weights are random, which costs the
same time.
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from random_rtdetr import random_checkpoint

from mouse_ar.detection.choice import open_detector
from mouse_ar.detection.remote import RemoteDetector
from mouse_ar.synthetic import SyntheticConfig, make_video

WAIT_SECONDS = 120


def pictures(count: int) -> NDArray[np.uint8]:
    """Frames of a drawn mouse, 1280x960."""
    config = SyntheticConfig(num_videos=1, seconds_per_video=count / 25, width=1280, height=960)
    return np.stack(list(make_video(config, 0).frames()))


def serve(model: str) -> tuple[subprocess.Popen[bytes], str]:
    """The service on a free port of loopback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "mouse_ar.cli", "serve-detector", "--model", model]
    process = subprocess.Popen(
        [*command, "--port", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    url = f"http://127.0.0.1:{port}"
    for _ in range(WAIT_SECONDS):
        try:
            httpx.get(f"{url}/health").raise_for_status()
            return process, url
        except httpx.HTTPError:
            time.sleep(1)
    process.kill()
    raise TimeoutError(f"The service did not answer within {WAIT_SECONDS} s.")


def sdk_call(url: str, frames: NDArray[np.uint8], folder: Path) -> Callable[[], None]:
    """The SDK's session, image by image from files, as its users call it."""
    os.environ.setdefault("SUPERVISELY_SKIP_HTTPS_USER_HELPER_CHECK", "true")
    import pylibmagic  # noqa: F401  (brings the library that importing the SDK needs)
    import supervisely as sly

    session = sly.nn.inference.Session(sly.Api(url, "x" * 128), session_url=url)

    def run() -> None:
        for number, frame_HWC in enumerate(frames):
            path = folder / f"{number}.png"
            Image.fromarray(frame_HWC).save(path)
            session.inference_image_paths([str(path)])

    return run


def measured(ways: dict[str, Callable[[], object]], *, images: int, rounds: int) -> None:
    """Print images per second of each way, the best of some rounds in turns."""
    best = dict.fromkeys(ways, float("inf"))
    for _ in range(rounds):
        for name, run in ways.items():
            start = time.perf_counter()
            run()
            best[name] = min(best[name], time.perf_counter() - start)
    first = next(iter(best.values()))
    print("| way | images / s | relative |\n|---|---|---|")
    for name, seconds in best.items():
        print(f"| {name} | {images / seconds:.2f} | {first / seconds:.2f} |")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, help="checkpoint of a detector with one class")
    parser.add_argument("--keys", type=Path, help="names and shapes, to make random weights")
    parser.add_argument("--backbone", default="r18vd")
    parser.add_argument("--images", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = options.model or random_checkpoint(options.keys, options.backbone, folder)
        frames = pictures(options.images)
        process, url = serve(f"rtdetrv2:{path}")
        try:
            here = open_detector(f"rtdetrv2:{path}")
            jpeg, png = (RemoteDetector(url, image_format=kind) for kind in ("jpeg", "png"))
            ways: dict[str, Callable[[], object]] = {
                "in process": lambda: here.detect(frames),
                "over HTTP, JPEG": lambda: jpeg.detect(frames),
                "over HTTP, PNG": lambda: png.detect(frames),
                "the SDK's per-image call": sdk_call(url, frames, folder),
            }
            measured(ways, images=len(frames), rounds=options.rounds)
        finally:
            process.terminate()


if __name__ == "__main__":
    main()
