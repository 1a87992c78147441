"""The decoding parameters in plain words: what each does, and where its value comes from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from mouse_ar.core.decoding_params import ActionDecoding, StateDecoding

__all__ = ["ALL_NAMES", "Help", "Origin", "help_for", "in_page_words", "origins"]


@dataclass(frozen=True)
class Help:
    """A parameter in plain words.

    Args:
        title: with unit.
        text: what it does, and which way to turn it.
        step: of the number's buttons.
        most: highest value; None for no limit.
    """

    title: str
    text: str
    step: float
    most: float | None = None


_NOISE = Help(
    "Rise above noise (× noise)",
    "A bout has to stand out of the ordinary ups and downs of the video's scores by this many "
    "noise deviations. Higher: fewer false bouts in noisy videos. 0 turns it off.",
    0.5,
)
_STATE: Mapping[str, Help] = {
    "on_threshold": Help(
        "Score to begin (0 to 1)",
        "A bout has to reach this score somewhere. Higher: fewer, surer bouts.",
        0.05,
        1.0,
    ),
    "off_threshold": Help(
        "Score to go on (0 to 1)",
        "A bout lasts as long as the score stays at or above this; not higher than the score to "
        "begin. Lower: longer bouts.",
        0.05,
        1.0,
    ),
    "min_bout_seconds": Help(
        "Shortest bout (s)", "Shorter ones are dropped. Higher: fewer bouts.", 0.1
    ),
    "max_gap_seconds": Help(
        "Longest gap (s)",
        "Gaps up to this long inside a bout are closed. Higher: fewer, longer bouts.",
        0.1,
    ),
    "smooth_seconds": Help(
        "Smoothing (s)",
        "Scores are averaged over this time first, so that single odd frames do not matter.",
        0.1,
    ),
    "noise_sigmas": _NOISE,
}
_POINT: Mapping[str, Help] = {
    "threshold": Help(
        "Score of a peak (0 to 1)",
        "A moment counts if the score has a peak that reaches this. Low values are usual: an act "
        "of a few frames fills only a part of the model's window. Higher: fewer, surer ones.",
        0.01,
        1.0,
    ),
    "prominence": Help(
        "Height of a peak (0 to 1)",
        "A peak has to rise this far above the dip beside it. Higher: fewer double counts.",
        0.01,
        1.0,
    ),
    "min_distance_seconds": Help(
        "Least distance (s)",
        "Of two peaks closer than this the higher one counts.",
        0.05,
    ),
    "noise_sigmas": _NOISE,
}
ALL_NAMES = sorted({*_STATE, *_POINT})


@dataclass(frozen=True)
class Origin:
    """Where the values of an action come from.

    Args:
        source: in one word, to stand before a value.
        text: one sentence on it.
    """

    source: Literal["fitted", "default", "stored"]
    text: str


_UNKNOWN = Origin("stored", "The model does not say how these values were found.")


def help_for(decoding: ActionDecoding) -> Mapping[str, Help]:
    """The parameters of an action's kind, by name."""
    return _STATE if isinstance(decoding, StateDecoding) else _POINT


def origins(report: Mapping[str, Any], *, actions: Iterable[str]) -> dict[str, Origin]:
    """What a checkpoint's ``decoding_report`` says about each action.

    Args:
        report: as training writes it: ``report`` with an entry per action, or ``note`` where
            there were no validation videos; empty where nothing is known.
        actions: names of the actions.
    """
    said = {str(fit.get("action")): fit for fit in report.get("report") or []}
    others = _default(str(report["note"])) if report.get("note") else _UNKNOWN
    return {name: _origin(said[name]) if name in said else others for name in actions}


def _origin(fit: Mapping[str, Any]) -> Origin:
    reason = str(fit.get("reason") or "the model does not say why")
    if not fit.get("fitted"):
        return _default(reason.removeprefix("defaults: "))
    return Origin("fitted", f"Fitted values: {reason}{_gain(fit)}.")


def _default(why: str) -> Origin:
    return Origin("default", f"Default values: {why.removesuffix('.')}.")


def _gain(fit: Mapping[str, Any]) -> str:
    before, after = fit.get("f1_before"), fit.get("f1_after")
    if before is None or after is None:
        return ""
    held_out = fit.get("f1_held_out")
    others = "" if held_out is None else f", {held_out:.2f} on videos left out of the fit"
    return f" (bout F1 {before:.2f} with the defaults, {after:.2f} with these{others})"


def in_page_words(message: str, decoding: ActionDecoding) -> str:
    """A message with the parameters called as the page calls them."""
    message = message.replace(f"{type(decoding).__name__}.", "")
    # Longer names first: "threshold" is a part of others.
    for name, help in sorted(help_for(decoding).items(), key=lambda item: -len(item[0])):
        message = message.replace(name, f"“{help.title}”")
    return message
