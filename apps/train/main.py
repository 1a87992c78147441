"""Train Mouse Action Recognition: ``uvicorn main:app --app-dir apps/train``."""

import sys
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO / "src"))

from mouse_ar.sly.ui.launch import app_context  # noqa: E402
from mouse_ar.sly.ui.train_app import TrainApp  # noqa: E402

app = TrainApp(app_context(), catalog=REPO / "models" / "catalog.yaml").build()
