"""Which detector a user means: one line of text, the same everywhere."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Protocol, Self

from mouse_ar.detection.background import BackgroundSubtraction
from mouse_ar.detection.errors import DetectorSetupError
from mouse_ar.detection.protocol import Detector
from mouse_ar.detection.remote import RemoteDetector

__all__ = ["DETECTOR_FORMS", "TOKEN_VARIABLE", "DetectorChoice", "SessionOpener", "open_detector"]

_FORMS = {
    "background": "background subtraction, needs no model",
    "rtdetrv2:PATH": "RT-DETRv2 checkpoint, in this process",
    "http://HOST:PORT": "a detector served by mouse-ar serve-detector; https:// too",
    "session:ID": "a running Supervisely session of Serve RT-DETRv2",
    "deploy:TEAM_FILES_PATH": "a checkpoint in Team Files, deployed for the run",
}
DETECTOR_FORMS = "; ".join(f"{form} ({what})" for form, what in _FORMS.items())

TOKEN_VARIABLE = "MOUSE_AR_TOKEN"

# Options that mean nothing to the other side; a caller passes all it was given to any detector.
_OF_CHECKPOINTS = {"device", "precision", "config"}
_OF_SERVICES = {"token", "image_format", "timeout_seconds", "retries"}

_WITH_VALUE = {"rtdetrv2", "session", "deploy"}


@dataclass(frozen=True)
class DetectorChoice:
    """A detector, as chosen.

    Args:
        kind: background, rtdetrv2, http, session or deploy.
        value: path, address or task id; empty for background.
    """

    kind: str
    value: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read one of the forms of :data:`DETECTOR_FORMS`.

        Raises:
            DetectorSetupError: when it is none of them; lists them.
        """
        text = text.strip()
        if text == "background":
            return cls("background")
        if text.startswith(("http://", "https://")) and len(text.split("//", 1)[1]) > 0:
            return cls("http", text)
        kind, colon, value = text.partition(":")
        value = value.strip()
        if kind not in _WITH_VALUE or not colon or not value:
            raise DetectorSetupError(f"No detector {text!r}; expected one of: {DETECTOR_FORMS}.")
        if kind == "session" and not value.isdecimal():
            raise DetectorSetupError(
                f"session: expects the number of a running session, got {value!r}."
            )
        if kind == "deploy" and not value.startswith("/"):
            raise DetectorSetupError(
                f"deploy: expects a path in Team Files that starts with /, got {value!r}."
            )
        return cls(kind, value)


class SessionOpener(Protocol):
    """What the Supervisely layer offers for ``session:`` and ``deploy:``."""

    def __call__(self, choice: DetectorChoice, **options: Any) -> Detector:
        """Open a detector; ``options`` are those of :class:`~.remote.RemoteDetector`."""
        ...


def open_detector(
    choice: str, *, sessions: SessionOpener | None = None, **options: Any
) -> Detector:
    """The detector a user chose.

    Args:
        choice: one of the forms of :data:`DETECTOR_FORMS`.
        sessions: opens Supervisely sessions, where that is possible.
        options: ``class_name`` and ``confidence``; ``device``, ``precision`` and ``config`` for a
            checkpoint; what :class:`~.remote.RemoteDetector` takes for a service. Those that do
            not concern the chosen detector, and None, are passed over; ``token`` is looked for in
            ``MOUSE_AR_TOKEN`` too.

    Raises:
        DetectorSetupError: when there is no such detector.
        DetectorUnavailableError: when a service does not answer.
    """
    chosen = DetectorChoice.parse(choice)
    given = {name: value for name, value in options.items() if value is not None}
    if chosen.kind == "background":
        return BackgroundSubtraction()
    if chosen.kind == "http":
        token = os.environ.get(TOKEN_VARIABLE)
        return RemoteDetector(chosen.value, **{"token": token, **_without(given, _OF_CHECKPOINTS)})
    if chosen.kind == "rtdetrv2":
        # transformers take seconds to import; the other detectors do without them.
        from mouse_ar.detection.rtdetr import DetectorOptions, load_rtdetrv2

        settings = _without(given, _OF_SERVICES)
        config = settings.pop("config", None)
        return load_rtdetrv2(chosen.value, config, options=DetectorOptions(**settings))
    if sessions is None:
        raise DetectorSetupError(
            f"{choice} needs the Supervisely SDK: install it with pip install "
            '"mouse-ar[supervisely]" and set SERVER_ADDRESS and API_TOKEN.'
        )
    # A session's token is that of the instance, never that of a service of ours.
    unused = (_OF_CHECKPOINTS | {"token"}) - ({"device"} if chosen.kind == "deploy" else set())
    return sessions(chosen, **_without(given, unused))


def _without(options: dict[str, Any], names: set[str]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name not in names}
