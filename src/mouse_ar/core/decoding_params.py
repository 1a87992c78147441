"""How per-frame scores become bouts: the parameters, their defaults, and how they travel.

Defaults follow from how scores come about (design of ``core.windows`` and ``core.aggregation``),
not from a data set:

* A window's score is the share of its central half (H frames) that an action covers. An event of
  L < H frames therefore peaks at L / H, however sure the model is. The point threshold is half of
  what the shortest event of interest (3 frames) reaches; noise is held off by ``noise_sigmas``
  instead of by a threshold that would lose every short event.
* Two point events closer than H frames merge into one hump; closer than the matching tolerance
  of 0.25 s they could not be told apart in scoring either. The larger of the two is the minimum
  distance when fps is known, else 0.25 s.
* The score of a step crosses 0.5 exactly at the step. ``off_threshold`` 0.5 therefore gives
  unbiased bout edges. A bout of 1 s, the shortest of interest, at 25 fps under the default window
  reaches 0.8 after smoothing over 1 s; ``on_threshold`` 0.7 keeps it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from mouse_ar.core.actions import ActionKind, ActionSet
from mouse_ar.core.types import ClipSpec

__all__ = ["ActionDecoding", "DecodingParams", "PointDecoding", "StateDecoding"]

SHORTEST_POINT_FRAMES = 3
_DISTANCE_SECONDS = 0.25


def _require_share(owner: str, **values: float) -> None:
    for name, value in values.items():
        if not 0.0 < value <= 1.0:
            raise ValueError(f"{owner}.{name} must be above 0 and at most 1, got {value}.")


def _require_not_negative(owner: str, **values: float) -> None:
    for name, value in values.items():
        if not 0.0 <= value < float("inf"):
            raise ValueError(f"{owner}.{name} must be 0 or more, got {value}.")


@dataclass(frozen=True)
class StateDecoding:
    """State events: smooth, hysteresis, stitch, drop what is too short.

    Args:
        smooth_seconds: width of the moving mean; 0 turns it off.
        on_threshold: a bout must reach this smoothed score somewhere.
        off_threshold: a bout reaches as far as the smoothed score stays at or above this.
        max_gap_seconds: gaps up to this long inside a bout are closed.
        min_bout_seconds: shorter bouts are dropped.
        noise_sigmas: a bout must rise this many noise deviations above the video's typical score
            (see ``decoding.noise_floor``); 0 turns the guard off. A smoothed score of 0.9 is
            always enough.
    """

    smooth_seconds: float = 1.0
    on_threshold: float = 0.7
    off_threshold: float = 0.5
    max_gap_seconds: float = 0.5
    min_bout_seconds: float = 0.5
    noise_sigmas: float = 6.0

    def __post_init__(self) -> None:
        name = "StateDecoding"
        _require_share(name, on_threshold=self.on_threshold, off_threshold=self.off_threshold)
        _require_not_negative(
            name,
            smooth_seconds=self.smooth_seconds,
            max_gap_seconds=self.max_gap_seconds,
            min_bout_seconds=self.min_bout_seconds,
            noise_sigmas=self.noise_sigmas,
        )
        if self.off_threshold > self.on_threshold:
            raise ValueError(
                f"{name}.off_threshold must not be above on_threshold, "
                f"got {self.off_threshold} > {self.on_threshold}."
            )


@dataclass(frozen=True)
class PointDecoding:
    """Point events: peaks of the score with prominence, the higher of two close ones wins.

    Args:
        threshold: a peak must reach this score.
        prominence: a peak must rise this far above the valley to the next higher peak.
        min_distance_seconds: of two peaks closer than this the higher one is kept.
        noise_sigmas: a peak must rise this many noise deviations above the video's typical score
            (see ``decoding.noise_floor``); 0 turns the guard off.
    """

    threshold: float = SHORTEST_POINT_FRAMES / 32
    prominence: float = SHORTEST_POINT_FRAMES / 64
    min_distance_seconds: float = _DISTANCE_SECONDS
    noise_sigmas: float = 6.0

    def __post_init__(self) -> None:
        _require_share("PointDecoding", threshold=self.threshold, prominence=self.prominence)
        _require_not_negative(
            "PointDecoding",
            min_distance_seconds=self.min_distance_seconds,
            noise_sigmas=self.noise_sigmas,
        )


ActionDecoding = StateDecoding | PointDecoding
_KINDS: dict[ActionKind, type[StateDecoding] | type[PointDecoding]] = {
    ActionKind.STATE: StateDecoding,
    ActionKind.POINT: PointDecoding,
}


def _kind(decoding: ActionDecoding) -> ActionKind:
    return ActionKind.STATE if isinstance(decoding, StateDecoding) else ActionKind.POINT


@dataclass(frozen=True)
class DecodingParams:
    """Decoding of every action, by name."""

    by_action: Mapping[str, ActionDecoding] = field(default_factory=dict)

    def __getitem__(self, action: str) -> ActionDecoding:
        try:
            return self.by_action[action]
        except KeyError:
            raise KeyError(
                f"No decoding parameters for action {action!r}; there are some for: "
                f"{', '.join(self.by_action) or 'none'}."
            ) from None

    @classmethod
    def defaults(
        cls, actions: ActionSet, *, spec: ClipSpec | None = None, fps: float | None = None
    ) -> DecodingParams:
        """The documented defaults (see the module's text).

        Args:
            actions: what to decode.
            spec: the model's window; without it that of ``ClipSpec()`` is assumed.
            fps: frames per second the model was trained at, when known.
        """
        half_frames = max(1, (spec or ClipSpec()).window_frames // 2)
        threshold = min(0.5, SHORTEST_POINT_FRAMES / half_frames / 2)
        distance_seconds = max(_DISTANCE_SECONDS, half_frames / fps) if fps else _DISTANCE_SECONDS
        point = PointDecoding(
            threshold=threshold, prominence=threshold / 2, min_distance_seconds=distance_seconds
        )
        return cls(
            {
                a.name: StateDecoding() if a.kind is ActionKind.STATE else point
                for a in actions.actions
            }
        )

    def with_action(self, action: str, decoding: ActionDecoding) -> DecodingParams:
        """The same with the decoding of one action replaced."""
        return DecodingParams({**self.by_action, action: decoding})

    def with_overrides(
        self, overrides: Mapping[str, float], *, actions: ActionSet | None = None
    ) -> DecodingParams:
        """The same with some values replaced, all at once: their order does not matter.

        Args:
            overrides: values by action and parameter, e.g. ``Self-Grooming.on_threshold``; letter
                case of the action does not matter.
            actions: lets a key name the action by an alias, e.g. ``twitch.threshold``.

        Raises:
            ValueError: on an unknown action or parameter, or values that do not go together.
        """
        changes: dict[str, dict[str, Any]] = {}
        for key, value in overrides.items():
            action, parameter = self._parameter(key, actions=actions)
            changes.setdefault(action, {})[parameter] = float(value)
        result = self
        for action, values in changes.items():
            result = result.with_action(action, replace(self.by_action[action], **values))
        return result

    def _parameter(self, key: str, *, actions: ActionSet | None) -> tuple[str, str]:
        """Action and parameter that an override's key names."""
        spelling, _, parameter = key.rpartition(".")
        names = {name.casefold(): name for name in self.by_action}
        action = actions.resolve(spelling) if actions else None
        action = action or names.get(spelling.casefold())
        if action is None or action not in self.by_action:
            raise ValueError(
                f"Override {key!r} names no known action: expected ACTION.PARAMETER with one of "
                f"the actions {', '.join(self.by_action)}."
            )
        decoding = self.by_action[action]
        allowed = [f.name for f in fields(decoding)]
        if parameter not in allowed:
            raise ValueError(
                f"Override {key!r}: {parameter!r} is no parameter of {action!r}, a "
                f"{_kind(decoding).value} event; allowed: {', '.join(allowed)}."
            )
        return action, parameter

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """Plain values for JSON, YAML and checkpoints."""
        return {
            action: {"kind": _kind(decoding).value, **asdict(decoding)}
            for action, decoding in self.by_action.items()
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Mapping[str, Any]]) -> DecodingParams:
        """Inverse of :meth:`to_dict`; parameters that are left out keep their defaults.

        Raises:
            ValueError: on an unknown kind or parameter, or a value out of range.
        """
        by_action: dict[str, ActionDecoding] = {}
        for action, entry in data.items():
            kinds = [k.value for k in ActionKind]
            if entry.get("kind") not in kinds:
                raise ValueError(
                    f"Decoding of {action!r}: 'kind' must be one of {kinds}, "
                    f"got {entry.get('kind')!r}."
                )
            decoding = _KINDS[ActionKind(entry["kind"])]
            allowed = {f.name for f in fields(decoding)}
            unknown = sorted(set(entry) - allowed - {"kind"})
            if unknown:
                raise ValueError(
                    f"Decoding of {action!r}: unknown parameters {unknown}; "
                    f"allowed: {sorted(allowed)}."
                )
            by_action[action] = decoding(**{k: float(v) for k, v in entry.items() if k != "kind"})
        return cls(by_action)
