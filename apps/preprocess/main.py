"""Preprocess for Mouse Action Recognition: ``uvicorn main:app --app-dir apps/preprocess``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "src"))

from mouse_ar.sly.ui.preprocess_app import create_app

app = create_app()
