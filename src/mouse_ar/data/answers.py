"""What a web server answers to a request for a file, where it is not the file."""

from __future__ import annotations

import httpx

from mouse_ar.data.web_page import WebPage, read_page

__all__ = ["DownloadError", "RetryableError", "check_status", "page_of"]

_MOST_PAGE_BYTES = 1 << 20
_BUSY_STATUSES = {408, 425, 429}


class DownloadError(OSError):
    """A file could not be downloaded; the message says why and what to do."""


class RetryableError(Exception):
    """One attempt failed in a way that another may not.

    Args:
        message: what happened.
        pause_seconds: how long the server wants to be left alone.
    """

    def __init__(self, message: str, *, pause_seconds: float = 0.0) -> None:
        super().__init__(message)
        self.pause_seconds = pause_seconds


def page_of(response: httpx.Response) -> WebPage | None:
    """The web page that an answer is; None where it is something else, which is not read then."""
    if "html" not in response.headers.get("content-type", "").lower():
        return None
    content = b""
    for chunk in response.iter_bytes():
        content += chunk
        if len(content) > _MOST_PAGE_BYTES:
            break
    return read_page(content.decode(response.encoding or "utf-8", errors="replace"))


def check_status(response: httpx.Response, page: WebPage | None, *, url: str) -> None:
    """Refuse an answer that is an error.

    Args:
        response: the answer.
        page: what it says to people, if it is a page.
        url: for errors.

    Raises:
        RetryableError: the server is busy or out of order.
        DownloadError: it will not give the file.
    """
    status = response.status_code
    if status in {200, 206}:
        return
    words = f"HTTP {status} {response.reason_phrase}" + (f", “{page.quote()}”" if page else "")
    if status >= 500 or status in _BUSY_STATUSES:
        wanted = response.headers.get("retry-after", "")
        raise RetryableError(words, pause_seconds=float(wanted) if wanted.isdigit() else 0.0)
    raise DownloadError(
        f"{url}: refused with {words}. The file may have been moved or may need a sign-in: open "
        "the address in a browser."
    )
