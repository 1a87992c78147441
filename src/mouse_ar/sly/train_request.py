"""What a training is asked for, as it is kept with the run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mouse_ar.training.config import TrainConfig

__all__ = ["TrainRequest"]


@dataclass(frozen=True)
class TrainRequest:
    """What the user asks for.

    Args:
        name: of the experiment.
        config: settings; ``pretrained`` is a path in Team Files or the name of public weights.
        device: like ``cpu`` or ``cuda:0``.
        app_state: what was chosen in the app, kept with the artifacts.
        remote: folder of the artifacts in Team Files; None = the task's own.
    """

    name: str
    config: TrainConfig
    device: str
    app_state: Mapping[str, Any] = field(default_factory=dict)
    remote: str | None = None

    def same(self, other: TrainRequest) -> bool:
        """Whether the other asks for the same training, wherever its artifacts go."""
        mine, others = ((r.name, r.config.to_dict(), r.device) for r in (self, other))
        return mine == others

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "name": self.name,
            "config": self.config.to_dict(),
            "device": self.device,
            "app_state": dict(self.app_state),
            "remote": self.remote,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> TrainRequest:
        """Inverse of :meth:`to_dict`.

        Raises:
            ValueError: it is none, or has settings that do not fit.
        """
        try:
            return cls(**{**data, "config": TrainConfig.from_dict(data["config"])})
        except (KeyError, TypeError) as error:
            raise ValueError(f"No request for a training: {error}.") from error
