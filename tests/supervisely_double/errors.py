"""What a handler raises where the instance would answer with an error."""

from __future__ import annotations


class ApiError(Exception):
    """Answered as ``status`` with the message in the body."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def demand(condition: object, message: str) -> None:
    """400 with the message unless the condition holds."""
    if not condition:
        raise ApiError(400, message)
