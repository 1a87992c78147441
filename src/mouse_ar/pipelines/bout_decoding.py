"""What turns scores into bouts, as one value; results keep it in ``run.json``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from mouse_ar.core.actions import ActionSet
from mouse_ar.core.decoding import DecodingParams, decode
from mouse_ar.core.platt import Calibration
from mouse_ar.core.types import ActionScores, Ethogram
from mouse_ar.data.files import read_json, write_json

__all__ = ["RUN_NAME", "Decoding"]

RUN_NAME = "run.json"


@dataclass(frozen=True)
class Decoding:
    """Everything that turns scores into bouts.

    Args:
        actions: what to decode.
        params: decoding of each action.
        calibration: makes probabilities of the scores, for the confidence.
        checkpoint_sha256: of the model that all this belongs to; scores of another one are then
            refused.
    """

    actions: ActionSet
    params: DecodingParams
    calibration: Calibration = field(default_factory=Calibration)
    checkpoint_sha256: str | None = None

    def with_overrides(self, values: Mapping[str, float]) -> Self:
        """The same with some parameters replaced, by ``action.parameter``.

        Raises:
            ValueError: on an unknown action or parameter, or values that do not go together.
        """
        return replace(self, params=self.params.with_overrides(values, actions=self.actions))

    def bouts(self, scores: ActionScores) -> Ethogram:
        """Bouts of a video from its scores."""
        return decode(
            scores, actions=self.actions, params=self.params, calibration=self.calibration
        )

    @classmethod
    def of_results(cls, folder: Path) -> Self | None:
        """What the bouts of a folder of results were made with, where it says so.

        Raises:
            ValueError: its ``run.json`` is damaged.
        """
        path = folder / RUN_NAME
        said = read_json(path) if path.is_file() else {}
        if not (said.get("actions") and said.get("decoding")):
            return None
        try:
            return cls(
                ActionSet.from_dict(said["actions"]),
                DecodingParams.from_dict(said["decoding"]),
                Calibration.from_dict(said.get("calibration") or {}),
                checkpoint_sha256=said.get("checkpoint_sha256"),
            )
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            raise ValueError(f"{path}: {error}") from error

    def write(self, folder: Path, **more: Any) -> None:
        """Write the ``run.json`` of results: what their bouts are made with.

        Args:
            folder: of the results.
            more: other facts to keep there.
        """
        made_with = {
            "actions": self.actions.to_dict(),
            "decoding": self.params.to_dict(),
            "calibration": self.calibration.to_dict(),
        }
        write_json(folder / RUN_NAME, {**more, **made_with}, indent=1)
