"""Run as a process: :mod:`bright` on the real serving framework of the Supervisely SDK.

Settings come as JSON in ``BRIGHT_SESSION``: ``port``, ``classes``, ``delay_seconds``, ``deployed``,
``broken`` (loads nothing), ``checkpoint``, ``threshold``, ``shift`` (of the continuous edges, which
the SDK truncates; the middle of a pixel by default, which our client restores exactly).
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pylibmagic  # noqa: F401  (brings what importing the SDK needs)
import supervisely as sly
import uvicorn
from bright import THRESHOLD, bright_regions
from supervisely.nn.prediction_dto import PredictionBBox
from supervisely.nn.utils import CheckpointInfo, ModelSource

SETTINGS = json.loads(os.environ["BRIGHT_SESSION"])


class BrightSession(sly.nn.inference.ObjectDetection):
    FRAMEWORK_NAME = "RT-DETRv2"

    @property
    def api(self) -> None:
        """No instance behind it."""
        return

    def load_model(self, **deploy_params: Any) -> None:
        if SETTINGS.get("broken"):
            raise RuntimeError("truncated checkpoint")

    def _set_model_meta_custom_model(self, model_info: dict) -> None:
        """The original downloads it from the instance."""

    def _set_checkpoint_info_custom_model(self, deploy_params: dict) -> None:
        # The original asks an instance for the file's URL.
        path = deploy_params["model_files"]["checkpoint"]
        self.checkpoint_info = CheckpointInfo(
            checkpoint_name=Path(path).name,
            model_name=deploy_params["model_info"]["model_name"],
            architecture=self.FRAMEWORK_NAME,
            custom_checkpoint_path=path,
            model_source=ModelSource.CUSTOM,
        )

    def get_classes(self) -> list[str]:
        return SETTINGS.get("classes", ["mouse"])

    def predict_batch(self, images_np: list, settings: dict) -> list[list[PredictionBBox]]:
        time.sleep(SETTINGS.get("delay_seconds", 0.0))
        lowest = settings["confidence_threshold"]
        return [
            [
                PredictionBBox(
                    self.get_classes()[0],
                    [side + SETTINGS.get("shift", 0.5) for side in (top, left, bottom, right)],
                    score,
                )
                for left, top, right, bottom, score in bright_regions(
                    image, threshold=SETTINGS.get("threshold", THRESHOLD)
                )
                if score >= lowest
            ]
            for image in images_np
        ]


def main() -> None:
    session = BrightSession(custom_inference_settings={"confidence_threshold": 0.95})
    if SETTINGS.get("deployed", True):
        session._load_model(
            {"device": "cpu", "runtime": "PyTorch", "model_source": "Custom models"}
        )
        if SETTINGS.get("checkpoint"):
            session.checkpoint_info = CheckpointInfo(
                checkpoint_name=SETTINGS["checkpoint"], model_name="RT-DETRv2-S"
            )
    session.serve()
    uvicorn.run(
        session.app.get_server(), host="127.0.0.1", port=SETTINGS["port"], log_level="warning"
    )


if __name__ == "__main__":
    main()
