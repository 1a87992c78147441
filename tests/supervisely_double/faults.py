"""Faults: which requests go wrong, and how."""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

KINDS = (
    "status",  # an error status; the request is not carried out
    "html",  # the same, as a page of a proxy
    "stall",  # nothing happens for some seconds, then all is well
    "down",  # the connection is reset, and so is every other until the double is up again
    "cut",  # the connection is reset, the request not read
    "lost",  # the request is carried out, then the connection is reset
    "cut_body",  # reset in mid-answer
    "short_body",  # closed in mid-answer
    "stall_body",  # a pause in mid-answer
    "truncated",  # a shorter body, with the length to match
    "wrong_bytes",  # a body of the right length with other bytes
)


@dataclass
class Fault:
    """A rule.

    Args:
        endpoints: patterns such as ``videos.*``, separated by spaces; ``net/*`` are sessions.
        kinds: of :data:`KINDS`, separated by spaces; hits rotate through them.
        count: how many requests it hits; None for all.
        rate: share of the matching requests that it hits.
        seed: of the rate.
        skip: how many matching requests it lets pass first.
        status: of ``status`` and ``html``.
        seconds: of stalls.
        at: share of the body that is sent, or where it is changed.
    """

    endpoints: str = "*"
    kinds: str = "status"
    count: int | None = None
    rate: float = 1.0
    seed: int = 0
    skip: int = 0
    status: int = 503
    seconds: float = 1.0
    at: float = 0.5
    hits: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        unknown = set(self.kinds.split()) - set(KINDS)
        if unknown or not self.kinds.split():
            raise ValueError(f"kinds: expected some of {KINDS}, got {self.kinds!r}")
        if not 0 <= self.rate <= 1 or not 0 <= self.at < 1:
            raise ValueError(f"rate and at are shares, got {self.rate} and {self.at}")
        self._random = random.Random(self.seed)

    def hit(self, endpoint: str) -> str | None:
        """The kind that befalls this request, or None."""
        if not any(fnmatchcase(endpoint, pattern) for pattern in self.endpoints.split()):
            return None
        if self.count is not None and self.hits >= self.count:
            return None
        if self.skip:
            self.skip -= 1
            return None
        if self._random.random() >= self.rate:
            return None
        kinds = self.kinds.split()
        self.hits += 1
        return kinds[(self.hits - 1) % len(kinds)]


class Faults:
    """The rules in force; the first that hits a request decides."""

    def __init__(self) -> None:
        self._rules: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> Fault:
        with self._lock:
            self._rules.append(fault)
        return fault

    def clear(self) -> None:
        with self._lock:
            self._rules.clear()

    def pick(self, endpoint: str) -> tuple[Fault, str] | None:
        with self._lock:
            for rule in self._rules:
                if kind := rule.hit(endpoint):
                    return rule, kind
        return None
