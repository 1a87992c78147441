"""Sample frames in the page, from the app's own folder of static files."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mouse_ar.sly.ui.widgets import TemplateWidget

__all__ = ["Gallery"]

_WIDEST_PX = 960


class Gallery(TemplateWidget):
    """Pictures side by side, each with a title; they need no upload to the instance.

    Args:
        widget_id: fixed id; ``data.<id>.pictures`` is a list of ``{title, url}``.
        static_dir: folder that the app serves as ``/static``.
    """

    TEMPLATE = """
<div v-if="$DATA.pictures.length" class="mouse-gallery"
     style="display: grid; grid-template-columns: repeat(auto-fill, minmax(240px, 1fr));
            gap: 12px">
  <figure v-for="picture in $DATA.pictures" :key="picture.url" style="margin: 0">
    <a :href="picture.url" target="_blank">
      <img :src="picture.url" :alt="picture.title"
           style="width: 100%; border-radius: 4px; border: 1px solid #dfe2e8; display: block">
    </a>
    <figcaption style="margin-top: 4px; font-size: 13px; color: #475669"
    >{{ picture.title }}</figcaption>
  </figure>
</div>"""

    def __init__(self, widget_id: str, *, static_dir: Path) -> None:
        self._folder = static_dir / widget_id
        self._pictures: list[dict[str, str]] = []
        self._numbers = itertools.count()
        super().__init__(widget_id)

    def get_json_data(self) -> dict[str, Any]:
        """The pictures."""
        return {"pictures": list(self._pictures)}

    def show(self, pictures: Sequence[tuple[str, np.ndarray]]) -> None:
        """Replace what is shown.

        Args:
            pictures: title and RGB image each, uint8 of shape (height, width, 3).
        """
        before = {Path(picture["url"]).name for picture in self._pictures}
        # Every picture has a name of its own: a browser would show the old one of that name.
        self._pictures = [
            {"title": title, "url": f"./static/{self._folder.name}/{self._save(image)}"}
            for title, image in pictures
        ]
        self.publish()
        for name in before:
            (self._folder / name).unlink(missing_ok=True)

    def clear(self) -> None:
        """Show nothing."""
        self.show([])

    def _save(self, image_HWC: np.ndarray) -> str:
        from PIL import Image

        if image_HWC.dtype != np.uint8 or image_HWC.ndim != 3 or image_HWC.shape[2] != 3:
            raise ValueError(
                "Expected an RGB image, uint8 of shape (height, width, 3); got "
                f"{image_HWC.dtype} of shape {image_HWC.shape}."
            )
        self._folder.mkdir(parents=True, exist_ok=True)
        picture = Image.fromarray(image_HWC)
        picture.thumbnail((_WIDEST_PX, _WIDEST_PX))
        name = f"{next(self._numbers):05d}.png"
        picture.save(self._folder / name)
        return name
