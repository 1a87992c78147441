"""How work with a Supervisely instance fails."""

from __future__ import annotations

from mouse_ar.data.disk import NoSpaceError

__all__ = ["NoSpaceError", "RefusedError", "TransferError"]

_KEPT = "What is finished is kept"


class TransferError(RuntimeError):
    """The instance could not be talked to, or not with the outcome that was needed.

    Args:
        what: what was being done: "uploading a.mp4".
        cause: what went wrong.
        advice: what to do about it.
        status: HTTP status, if there was one.
    """

    def __init__(
        self,
        what: str,
        cause: str,
        *,
        advice: str = "once the instance can be reached, a new start goes on after it",
        status: int | None = None,
    ) -> None:
        super().__init__(f"Supervisely: {what} failed ({cause}). {_KEPT}; {advice}.")
        self.what = what
        self.cause = cause
        self.status = status


class RefusedError(TransferError):
    """The instance understood the request and said no (HTTP 4xx); asking again will not help."""

    def __init__(self, what: str, cause: str, *, status: int) -> None:
        super().__init__(what, cause, advice=_ADVICE.get(status, _OTHER), status=status)

    @property
    def ends_run(self) -> bool:
        """Whether it will say no to everything else too."""
        return self.status in _ADVICE and self.status != 404


_ADVICE = {
    401: "check API_TOKEN: the instance does not accept it",
    402: "the plan of this account does not allow it",
    403: "ask the team's owner for the right to do this",
    404: "check the number: it does not exist (any more), or this token may not see it",
}
_OTHER = "once that is put right, a new start goes on after it"
