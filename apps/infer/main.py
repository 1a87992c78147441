"""Started by the platform as ``uvicorn main:app --app-dir apps/infer``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "src"))

from mouse_ar.sly.ui.infer_app import build

app = build()
