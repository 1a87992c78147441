"""Where the bytes of a file are that Google Drive shows on a page.

Small files come at once. For those too large for its virus scan Drive answers with a page whose
form, sent as it stands, leads to the file; and with other pages where it will not give it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import httpx

from mouse_ar.data.answers import DownloadError, check_status, page_of
from mouse_ar.data.web_page import WebPage

__all__ = ["DRIVE", "drive_id", "drive_locator"]

DRIVE = "https://drive.google.com"
_HOSTS = {"drive.google.com", "docs.google.com", "drive.usercontent.google.com"}
_QUOTA = ("quota", "too many users")
_SIGN_IN = ("sign in", "you need access", "request access")


def drive_id(url: str) -> str | None:
    """What Drive calls a file, from the address of its page; None for other addresses."""
    parts = urlsplit(url)
    if parts.hostname not in _HOSTS:
        return None
    in_path = re.search(r"/d/([\w-]+)", parts.path)
    if in_path:
        return in_path[1]
    return next(iter(parse_qs(parts.query).get("id", [])), None)


def drive_locator(file_id: str, *, server: str = DRIVE) -> Callable[[httpx.Client], str]:
    """For :func:`mouse_ar.data.download.download`: finds the direct address of a file.

    Args:
        file_id: see :func:`drive_id`.
        server: of Drive; tests have their own.
    """
    start = f"{server}/uc?export=download&id={file_id}"

    def locate(client: httpx.Client) -> str:
        with client.stream("GET", start) as response:
            page = page_of(response)
            form = None if page is None else page.form_with("id", "confirm")
            if form is not None:
                return form.address(str(response.url))
            if page is not None:
                _refuse(page, url=start)
            check_status(response, page, url=start)
            if page is None:
                return start
            raise DownloadError(
                f"{start}: Google Drive answered with a page that is not known here instead of "
                f"the file: “{page.quote()}”. Its way of downloading may have changed."
            )

    return locate


def _refuse(page: WebPage, *, url: str) -> None:
    """Say plainly why Drive does not give a file.

    Raises:
        DownloadError: the page is one of the known refusals.
    """
    words = f"{page.title} {page.text}".lower()
    if any(sign in words for sign in _QUOTA):
        raise DownloadError(
            f"{url}: Google Drive gives this file to nobody for now, because too many have "
            f"downloaded it (“{page.quote(120)}”). Try again in a day."
        )
    if any(sign in words for sign in _SIGN_IN):
        raise DownloadError(
            f"{url}: Google Drive wants a sign-in for this file (“{page.quote(120)}”): it is not "
            "shared with everybody any more, or Drive takes this computer for a robot."
        )
