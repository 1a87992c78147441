"""What a served detector says of itself."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mouse_ar.detection.errors import DetectorSetupError
from mouse_ar.detection.wire import (
    FINGERPRINT_FIELD,
    MAX_REQUEST_BYTES_FIELD,
    MIN_CONFIDENCE_FIELD,
    WireError,
)

__all__ = ["ServedModel"]

# What the SDK's deployment info says of the weights; device and hardware change nothing in them.
_WEIGHTS = (
    *("checkpoint_name", "model_name", "architecture", "checkpoint_url"),
    *("custom_checkpoint_path", "model_source", "runtime", "model_precision"),
)


@dataclass(frozen=True)
class ServedModel:
    """What a service says of itself.

    Args:
        classes: that the model finds.
        identity: equal for equal weights, whatever the address.
        title: what a user may know the model by.
        max_images: most images in one request, where limited.
        max_request_bytes: largest request, where limited.
        min_confidence: lowest confidence that it reports, where known.
    """

    classes: tuple[str, ...]
    identity: str
    title: str = ""
    max_images: int | None = None
    max_request_bytes: int | None = None
    min_confidence: float | None = None

    @property
    def label(self) -> str:
        """The title, and what tells models of the same title apart; gives no address away."""
        return f"{self.title} [{hashlib.sha256(self.identity.encode()).hexdigest()[:8]}]"

    @classmethod
    def ask(cls, call: Callable[..., Any], *, address: str) -> ServedModel:
        """Read it from a service.

        Args:
            call: ``post`` or ``once`` of a :class:`~.transport.ServiceConnection`.
            address: identifies the model where the service does not say which one it is.

        Raises:
            WireError: when the answers are not those of a detector.
        """
        call("is_ready")
        info, meta = call("get_session_info"), call("get_model_meta")
        if not isinstance(info, dict) or not isinstance(meta, dict):
            raise WireError("its session info and model meta are no JSON objects")
        try:
            classes = tuple(str(item["title"]) for item in meta["classes"])
        except (KeyError, TypeError):
            raise WireError("its model meta lists no classes with titles") from None
        identity: Any = info.get(FINGERPRINT_FIELD)
        weights = None if identity is not None else _weights(call) or _described(info, address)
        names = [(weights or info).get(key) for key in ("model_name", "checkpoint_name")]
        return cls(
            classes=classes,
            identity=json.dumps([identity or weights, classes], sort_keys=True, default=str),
            title=", ".join(str(name) for name in names if name) or "unnamed model",
            max_images=_positive(info.get("max_batch_size")),
            max_request_bytes=_positive(info.get(MAX_REQUEST_BYTES_FIELD)),
            min_confidence=_share(info.get(MIN_CONFIDENCE_FIELD)),
        )

    def class_of_interest(self, wanted: str | None) -> str:
        """The class to look for.

        Raises:
            DetectorSetupError: when there is none of that name, or several and none was chosen.
        """
        known = ", ".join(self.classes)
        if not self.classes:
            raise DetectorSetupError("The served model has no classes: is a detector deployed?")
        if wanted is None and len(self.classes) > 1:
            raise DetectorSetupError(
                f"The served model finds several classes: {known}. "
                "Choose the one that is the mouse (class_name)."
            )
        if wanted is not None and wanted not in self.classes:
            raise DetectorSetupError(
                f"The served model finds no class {wanted!r}; it has: {known}."
            )
        return wanted or self.classes[0]


def _weights(call: Callable[..., Any]) -> dict[str, Any] | None:
    # The framework answers with an error, always, where it has no checkpoint information; so an
    # error is believed when it comes twice.
    deployed = call("get_deploy_info", may_lack=True) or call("get_deploy_info", may_lack=True)
    if not isinstance(deployed, dict):
        return None
    known = {key: deployed.get(key) for key in _WEIGHTS}
    return known if known["checkpoint_name"] or known["checkpoint_url"] else None


def _described(info: Mapping[str, Any], address: str) -> dict[str, Any]:
    """The model as the session info describes it; else it is known by its address alone."""
    known = {key: info.get(key) for key in ("model_name", "checkpoint_name", "architecture")}
    if known["checkpoint_name"]:
        return known
    # Hashed, as it may hold what opens the session, and identities are written down.
    digest = hashlib.sha256(address.encode()).hexdigest()
    return {**known, "address": digest, "session": info.get("session_id")}


def _positive(value: Any) -> int | None:
    return value if isinstance(value, int) and value > 0 else None


def _share(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None
