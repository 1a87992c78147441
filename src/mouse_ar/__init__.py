"""Mouse Action Recognition: grooming and twitch bouts from long videos of laboratory mice.

For scripts: ``from mouse_ar import load_model, annotate_video``. Both are loaded when they are
first used, so that importing the package stays light.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"
__all__ = ["__version__", "annotate_video", "load_model"]

_SCRIPTING = {"annotate_video", "load_model"}


def __getattr__(name: str) -> Any:
    """The functions for scripts."""
    if name in _SCRIPTING:
        return getattr(import_module("mouse_ar.pipelines.scripting"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
