"""Train Mouse Action Recognition: ``uvicorn main:app --app-dir apps/train``."""

import sys
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO / "src"))

from mouse_ar.pipelines.weights import catalog_path  # noqa: E402
from mouse_ar.sly.ui.launch import app_context  # noqa: E402
from mouse_ar.sly.ui.train_app import TrainApp  # noqa: E402

app = TrainApp(app_context(), catalog=catalog_path()).build()
