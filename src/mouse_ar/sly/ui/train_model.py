"""Step 2 of the Train app: which network, and what it starts from."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from supervisely.app.widgets import Container, Field, Input, OneOf, RadioGroup, Widget

from mouse_ar.mvd.catalog import WeightsCatalog
from mouse_ar.sly.experiments import Experiment
from mouse_ar.sly.ui.links import Links
from mouse_ar.sly.ui.listed_select import ListedSelect
from mouse_ar.sly.ui.widgets import Notes

__all__ = ["MODELS", "ModelStep"]

MODELS: Mapping[str, tuple[str, str]] = {
    "vit_small": (
        "Small (ViT-S)",
        "22 million weights. The default: quick to train and to run, fits a GPU of 8 GB.",
    ),
    "vit_base": (
        "Base (ViT-B)",
        "87 million weights. Somewhat more accurate with many labels; about 3 times slower, for "
        "a GPU of 12 GB or more.",
    ),
    "vit_large": (
        "Large (ViT-L)",
        "305 million weights. For large data sets; about 10 times slower, for a GPU of 24 GB or "
        "more.",
    ),
    "vit_tiny": (
        "Tiny",
        "0.3 million weights, for 32-pixel pictures. Trains on a CPU in minutes: for trying the "
        "app out, not for results.",
    ),
}
_LICENCE = (
    "Public MVD weights are under {licence}: not for commercial use, and neither is a model that "
    "was trained from them."
)


class ModelStep:
    """Widgets ``model_preset``, ``model_start`` (radio: scratch, file or experiment),
    ``model_file`` (input: path in Team Files), ``model_experiment`` (select: path of the best
    checkpoint), ``model_experiment_refresh``, ``model_catalog`` (links) and notes.

    Args:
        catalog: public weights; None where the list is missing.
        experiments: those in Team Files.
        exists: whether there is a file of that path in Team Files.
    """

    def __init__(
        self,
        *,
        catalog: WeightsCatalog | None,
        experiments: Callable[[], list[Experiment]],
        exists: Callable[[str], bool],
    ) -> None:
        self._catalog, self._list, self._exists = catalog, experiments, exists
        self._known: dict[str, Experiment] = {}
        self._preset = RadioGroup(
            [RadioGroup.Item(name, label, content=self._about(name))
             for name, (label, _) in MODELS.items()],
            widget_id="model_preset",
        )  # fmt: skip
        self._file = Input(
            "", placeholder="/models/mvd_s_from_b.pth", widget_id="model_file", size="small"
        )
        self._experiment = ListedSelect(
            "model_experiment",
            options=self._experiments,
            what="experiments",
            empty="There is no experiment of this app in /experiments yet.",
        )
        self._page = Links("model_catalog")
        self._start = self._starts()
        self.layout: Widget = Container(
            [
                self._field("Size of the model", self._preset, "model_preset"),
                self._field("The training starts from", self._start, "model_start"),
            ],
            gap=20,
            widget_id="model_content",
        )
        self._preset.value_changed(lambda _: self.show_catalog())
        self.show_catalog()

    @property
    def preset(self) -> str:
        """Name of the network."""
        return str(self._preset.get_value())

    @property
    def weights(self) -> str | None:
        """Path in Team Files of the weights to start from; None = from scratch."""
        start = self._start.get_value()
        if start == "file":
            return str(self._file.get_value() or "").strip() or None
        return (self._experiment.value or None) if start == "experiment" else None

    @property
    def scratch(self) -> bool:
        """Whether it starts without weights."""
        return bool(self._start.get_value() == "scratch")

    def choose(self, *, preset: str | None, weights: str | None) -> None:
        """Choose what the environment asks for.

        Args:
            preset: of the network; None leaves it.
            weights: path in Team Files, or ``scratch``; None leaves it.

        Raises:
            ValueError: there is no such network.
        """
        if preset is not None:
            if preset not in MODELS:
                raise ValueError(f"Unknown model {preset!r}; allowed: {', '.join(MODELS)}.")
            self._preset.set_value(preset)
        if weights == "scratch":
            self._start.set_value("scratch")
        elif weights is not None:
            self._start.set_value("file")
            self._file.set_value(weights)
        self.show_catalog()

    def check(self) -> str | None:
        """What is missing, if anything."""
        if self.scratch:
            return None
        path = self.weights
        if path is None and self._start.get_value() == "experiment":
            return "Choose an experiment, or start from something else."
        if path is None:
            return "Enter the path of the weights in Team Files, or start from something else."
        if not path.startswith("/"):
            return f"A path in Team Files starts with /, got “{path}”."
        experiment = self._known.get(path)
        if experiment is not None and experiment.model != self.preset:
            return (
                f"The model of “{experiment.name}” is {experiment.model}: choose that size above, "
                "or another experiment."
            )
        if not self._exists(path):
            return f"There is no file “{path}” in Team Files. Upload it there, or correct the path."
        return None

    def summary(self) -> str:
        """One line on the choice."""
        return f"{MODELS[self.preset][0]}, {self._origin()}."

    def show_catalog(self) -> None:
        """List the public weights that fit the network, with their pages."""
        entries = self._catalog.entries if self._catalog is not None else ()
        self._page.show([
            (e.title, e.page or "", "" if e.page else "no file is published")
            for e in entries if e.preset == self.preset
        ])  # fmt: skip

    def _origin(self) -> str:
        if self.scratch:
            return "trained from scratch"
        experiment = self._known.get(self.weights or "")
        return f"starting from {experiment.name if experiment else self.weights}"

    def _experiments(self) -> list[tuple[str, str]]:
        found = self._list()
        self._known = {experiment.best: experiment for experiment in found}
        return [(experiment.best, experiment.title) for experiment in found]

    def _starts(self) -> RadioGroup:
        licence = self._catalog.licence if self._catalog is not None else "CC BY-NC 4.0"
        contents: dict[str, list[Widget]] = {
            "file": [
                self._note("file", "Public MVD weights need far fewer labels than a training from "
                "scratch. Download those that fit, upload them to Team Files and enter their path; "
                "a checkpoint of this app (.safetensors) does as well."),
                self._note("licence", _LICENCE.format(licence=licence), warning=True),
                self._page,
                Field(self._file, title="Path in Team Files", widget_id="model_file_field"),
            ],
            "experiment": [
                self._note("experiment", "Trains the best checkpoint of an earlier experiment "
                "further, such as with more labels. Its optimiser starts anew."),
                self._experiment.layout,
            ],
            "scratch": [
                self._note("scratch", "Every weight is learned from your clips. It needs hundreds "
                "of bouts, and the licence of the model is yours alone."),
            ],
        }  # fmt: skip
        labels = {
            "file": "Weights in Team Files",
            "experiment": "An earlier experiment",
            "scratch": "Nothing (from scratch)",
        }
        items = [
            RadioGroup.Item(
                kind,
                labels[kind],
                content=Container(widgets, gap=10, widget_id=f"model_{kind}_pane"),
            )
            for kind, widgets in contents.items()
        ]
        return RadioGroup(items, widget_id="model_start")

    @staticmethod
    def _field(title: str, radio: RadioGroup, name: str) -> Field:
        content = Container([radio, OneOf(radio, widget_id=f"{name}_panes")], gap=10,
                            widget_id=f"{name}_choice")  # fmt: skip
        return Field(content, title=title, widget_id=f"{name}_field")

    @staticmethod
    def _about(name: str) -> Widget:
        return Notes(f"model_{name}_about", MODELS[name][1])

    @staticmethod
    def _note(name: str, text: str, *, warning: bool = False) -> Notes:
        return Notes(f"model_{name}_about", text, severity="warning" if warning else "text")
