"""What a web page says to its reader, where a program had expected a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from urllib.parse import urlencode, urljoin

__all__ = ["WebForm", "WebPage", "read_page"]

_UNSEEN = {"script", "style", "template", "noscript"}


@dataclass(frozen=True)
class WebForm:
    """A form that is sent by GET.

    Args:
        action: address it is sent to.
        fields: its named inputs with their values.
    """

    action: str
    fields: Mapping[str, str]

    def address(self, page: str) -> str:
        """Where sending it leads.

        Args:
            page: address of the page it stands on.
        """
        return f"{urljoin(page, self.action)}?{urlencode(self.fields)}"


@dataclass(frozen=True)
class WebPage:
    """A page.

    Args:
        title: of the page; may be empty.
        text: what is to be read on it, in one line.
        forms: in their order.
    """

    title: str
    text: str
    forms: tuple[WebForm, ...]

    def form_with(self, *names: str) -> WebForm | None:
        """The first form that has all these fields."""
        return next((form for form in self.forms if form.fields.keys() >= set(names)), None)

    def quote(self, most: int = 300) -> str:
        """Title and beginning of the text, for an error."""
        words = " – ".join(part for part in (self.title, self.text) if part) or "an empty page"
        return words if len(words) <= most else f"{words[:most]} …"


def read_page(html: str) -> WebPage:
    """Read a page as far as it matters; broken HTML is read like a browser would."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return WebPage(
        title=" ".join(" ".join(reader.title).split()),
        text=" ".join(" ".join(reader.text).split()),
        forms=tuple(WebForm(action, fields) for action, fields in reader.forms),
    )


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.title: list[str] = []
        self.text: list[str] = []
        self.forms: list[tuple[str, dict[str, str]]] = []
        self._inside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag in _UNSEEN or tag == "title":
            self._inside.append(tag)
        elif tag == "form":
            self.forms.append((values.get("action", ""), {}))
        elif tag == "input" and self.forms and values.get("name"):
            self.forms[-1][1][values["name"]] = values.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if self._inside and self._inside[-1] == tag:
            self._inside.pop()

    def handle_data(self, data: str) -> None:
        if not self._inside:
            self.text.append(data)
        elif self._inside[-1] == "title":
            self.title.append(data)
