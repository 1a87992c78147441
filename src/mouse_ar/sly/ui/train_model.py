"""Step 2 of the Train app: which network, and what it starts from."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from supervisely.app.widgets import Container, Field, Input, OneOf, RadioGroup, Select, Widget

from mouse_ar.mvd.catalog import CatalogEntry
from mouse_ar.pipelines.weights import PublicWeights, local_weights
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


_MISSING: Mapping[str, str] = {
    "public": "There are no public weights of this size: choose another, or start from something "
    "else.",
    "file": "Enter the path of the weights in Team Files, or start from something else.",
    "experiment": "Choose an experiment, or start from something else.",
}
_WIDTH_PX = 520


class ModelStep:
    """Widgets ``model_preset``, ``model_start`` (radio: public, file, experiment or scratch),
    ``model_public`` (select: name of public weights), ``model_catalog`` (links to them),
    ``model_file`` (input: path in Team Files), ``model_experiment`` (select: path of the best
    checkpoint), ``model_experiment_refresh`` and notes.

    Args:
        public: weights of others; None where their list is missing.
        experiments: those in Team Files.
        exists: whether there is a file of that path in Team Files.
    """

    def __init__(
        self,
        *,
        public: PublicWeights | None,
        experiments: Callable[[], list[Experiment]],
        exists: Callable[[str], bool],
    ) -> None:
        self._public, self._list, self._exists = public, experiments, exists
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
        self._named = Select([], widget_id="model_public", width_px=_WIDTH_PX)
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
        """Name of public weights or path in Team Files to start from; None = from scratch."""
        start = self._start.get_value()
        if start == "public":
            return str(self._named.get_value() or "") or None
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
            weights: name of public weights, path in Team Files, or ``scratch``; None leaves it.

        Raises:
            ValueError: there is no such network.
        """
        if preset is not None:
            if preset not in MODELS:
                raise ValueError(f"Unknown model {preset!r}; allowed: {', '.join(MODELS)}.")
            self._preset.set_value(preset)
        self.show_catalog()
        if weights == "scratch":
            self._start.set_value("scratch")
        elif weights is not None and self._entry(weights) is not None:
            self._start.set_value("public")
            self._named.set_value(weights)
        elif weights is not None:
            self._start.set_value("file")
            self._file.set_value(weights)

    def check(self) -> str | None:
        """What is missing, if anything."""
        if self.scratch:
            return None
        path, start = self.weights, str(self._start.get_value())
        if path is None:
            return _MISSING[start]
        if start == "public":
            return self._check_public(path)
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

    def _check_public(self, name: str) -> str | None:
        entry = self._entry(name)
        if entry is None or entry.preset != self.preset:
            return (
                f"“{name}” are no public weights of the size that is chosen above: choose another "
                "size, or start from something else."
            )
        return None if entry.url else f"No file of “{name}” is published. {entry.obtain}"

    def summary(self) -> str:
        """One line on the choice."""
        return f"{MODELS[self.preset][0]}, {self._origin()}."

    def show_catalog(self) -> None:
        """List the public weights that fit the network, with their pages."""
        entries = [entry for entry in self._entries if entry.preset == self.preset]
        self._page.show([(e.title, e.url or "", self._state(e)) for e in entries])
        chosen = str(self._named.get_value() or "")
        items = [Select.Item(e.name, e.title) for e in entries if e.url]
        names = [str(item.value) for item in items]
        self._named.set(items=items)
        self._named.set_value(chosen if chosen in names else next(iter(names), None))

    @property
    def _entries(self) -> tuple[CatalogEntry, ...]:
        return () if self._public is None else self._public.catalog.entries

    def _entry(self, name: str) -> CatalogEntry | None:
        return next((entry for entry in self._entries if entry.name == name), None)

    def _state(self, entry: CatalogEntry) -> str:
        """Whether weights are there already."""
        assert self._public is not None
        here = local_weights(entry, self._public.folder)
        if here is not None:
            return f"already here, {here.size / 1e6:.1f} MB"
        return "downloaded when the training starts" if entry.url else "no file is published"

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
        contents: dict[str, list[Widget]] = {
            "public": [
                self._note("public", "Weights that the authors of MVD have pre-trained on videos "
                "of people. A training that starts from them needs far fewer labels than one from "
                "scratch."),
                self._note("licence", self._terms(), warning=True),
                Field(self._named, title="Weights", widget_id="model_public_field"),
                self._page,
            ],
            "file": [
                self._note("file", "A checkpoint of this app (.safetensors), or MVD weights (.pth) "
                "that you have uploaded, such as where this app cannot reach the web. The licence "
                "of such weights holds for the model too."),
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
            "public": "Public MVD weights",
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

    def _terms(self) -> str:
        if self._public is None:
            return "The list of public weights is missing in this installation."
        return f"{self._public.catalog.terms} With the start of the training you accept this."

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
