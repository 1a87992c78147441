"""A detector as it was chosen on the page of an app."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["PickedDetector"]


@dataclass(frozen=True)
class PickedDetector:
    """A detector, as chosen on the page.

    Args:
        choice: one line as in :mod:`mouse_ar.detection.choice`; ``rtdetrv2:`` with a path in Team
            Files where ``team_files_path`` is set.
        class_name: the model's class that is the mouse; None where the model has only one, and
            for background subtraction.
        confidence: least score of a box, 0 to 1; None for background subtraction.
        team_files_path: checkpoint in Team Files that has to be downloaded first, if any: only
            those of an experiment can be deployed.
    """

    choice: str
    class_name: str | None = None
    confidence: float | None = None
    team_files_path: str | None = None

    def local_choice(self, download: Callable[[str], Path]) -> str:
        """The line for :func:`~mouse_ar.detection.choice.open_detector`.

        Args:
            download: fetches a file of Team Files; called only where that is needed.
        """
        if self.team_files_path is None:
            return self.choice
        return f"rtdetrv2:{download(self.team_files_path)}"

    @property
    def options(self) -> dict[str, Any]:
        """Options of :func:`~mouse_ar.detection.choice.open_detector`."""
        return {"class_name": self.class_name, "confidence": self.confidence}

    def __str__(self) -> str:
        name = self.choice if self.team_files_path is None else self.team_files_path
        if self.confidence is None:
            return "background subtraction"
        mouse = f", class “{self.class_name}”" if self.class_name else ""
        return f"{name}{mouse}, confidence {self.confidence:.2f}"
