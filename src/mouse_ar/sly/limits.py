"""How patient a connection to an instance is."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["PATIENCE_VARIABLE", "Limits"]

PATIENCE_VARIABLE = "MOUSE_AR_PATIENCE_SECONDS"
# As many as fit into the time that was asked for.
_ANY_NUMBER = 1_000_000


@dataclass(frozen=True)
class Limits:
    """How patient a connection is.

    Args:
        connect_seconds: longest wait for a connection.
        silence_seconds: longest time without a byte going either way.
        answer_seconds: longest wait for an answer to a file that was sent, and longest time for
            an answer as a whole, but for what it may take at ``slowest_bytes_per_second``.
        slowest_bytes_per_second: an answer slower than that is given up.
        attempts: attempts in a row that may fail.
        first_pause_seconds: pause after the first; doubled after every further one.
        longest_pause_seconds: the pause grows to that.
        total_seconds: no fourth attempt after that time since the first failure, if there was
            no progress.
    """

    connect_seconds: float = 10.0
    silence_seconds: float = 120.0
    answer_seconds: float = 300.0
    slowest_bytes_per_second: float = 20_000.0
    attempts: int = 8
    first_pause_seconds: float = 1.0
    longest_pause_seconds: float = 30.0
    total_seconds: float = 900.0

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Limits:
        """The usual ones, or as patient as ``MOUSE_AR_PATIENCE_SECONDS`` says.

        That is for how long a run waits for an instance that is away before it ends with an
        error: longer than a restart of the server takes, where labs know that.

        Args:
            environment: the process's own by default.

        Raises:
            ValueError: it is no time.
        """
        text = (os.environ if environment is None else environment).get(PATIENCE_VARIABLE, "")
        if not text.strip():
            return cls()
        try:
            seconds = float(text)
        except ValueError:
            seconds = -1.0
        if not 0 <= seconds < float("inf"):
            raise ValueError(
                f"{PATIENCE_VARIABLE} is a number of seconds, 0 or more, like 600; got {text!r}."
            )
        return cls(attempts=_ANY_NUMBER, total_seconds=seconds)

    def __post_init__(self) -> None:
        if self.attempts < 1 or min(self.connect_seconds, self.silence_seconds) <= 0:
            raise ValueError(
                "Limits need attempts >= 1 and times > 0, got "
                f"{self.attempts}, {self.connect_seconds}, {self.silence_seconds}."
            )
