"""Endpoints by name, and the calls they are handed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from supervisely_double.errors import ApiError, demand

if TYPE_CHECKING:
    from supervisely_double.double import Double


class Part(NamedTuple):
    """A part of a multipart body: a file when it has a path."""

    name: str
    value: str
    path: Path | None


@dataclass
class Call:
    """A request: JSON in ``data``, or parts, or a raw body in a file."""

    data: Any = field(default_factory=dict)
    query: dict[str, str] = field(default_factory=dict)
    parts: list[Part] = field(default_factory=list)
    body: Path | None = None

    def get(self, name: str, default: Any = None) -> Any:
        return self.data.get(name, default)

    def need(self, name: str, kind: type | tuple[type, ...]) -> Any:
        """The field, or 400 when it is missing or of another type."""
        demand(isinstance(self.data, dict) and name in self.data, f"Field {name!r} is missing")
        value = self.data[name]
        fits = isinstance(value, kind) and not (kind is int and isinstance(value, bool))
        demand(fits, f"Field {name!r}: expected {kind}, got {value!r}")
        return value

    def integer(self, name: str) -> int:
        return int(self.need(name, int))

    def text(self, name: str) -> str:
        text = str(self.need(name, str))
        demand(text, f"Field {name!r} is empty")
        return text

    def items(self, name: str) -> list[dict[str, Any]]:
        values = self.need(name, list)
        demand(all(isinstance(v, dict) for v in values), f"Field {name!r}: expected objects")
        return list(values)

    def team(self) -> int:
        """Of the query, for uploads, or of the body."""
        if "teamId" in self.query:
            demand(self.query["teamId"].isdigit(), "teamId of the query is no number")
            return int(self.query["teamId"])
        return self.integer("teamId")


Handler = Callable[["Double", Call], Any]


class Endpoint(NamedTuple):
    function: Handler
    locked: bool  # runs alone; false for what takes long or calls back


ENDPOINTS: dict[str, Endpoint] = {}


def endpoint(*names: str, locked: bool = True) -> Callable[[Handler], Handler]:
    def add(function: Handler) -> Handler:
        for name in names:
            assert name not in ENDPOINTS, name
            ENDPOINTS[name] = Endpoint(function, locked)
        return function

    return add


def dispatch(double: Double, name: str, call: Call) -> Any:
    """What the endpoint answers.

    Raises:
        ApiError: 501 for an endpoint that is not here: of 404 the SDK makes None without a word.
            What does not exist is 404 only where the SDK asks whether it does, else 400.
    """
    if name not in ENDPOINTS:
        raise ApiError(501, f"{name} is not part of this double")
    function, locked = ENDPOINTS[name]
    try:
        if not locked:
            return function(double, call)
        with double.state.lock:
            return function(double, call)
    except ApiError as error:
        if error.status == 404 and not name.endswith((".info", ".download")):
            raise ApiError(400, str(error)) from error
        raise
