"""Step 2 of the Infer app: which model, and what it runs on."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from supervisely.app.widgets import Button, Container, Field, Input, OneOf, RadioGroup, Widget

from mouse_ar.mvd import CheckpointInfo
from mouse_ar.sly.experiments import Experiment
from mouse_ar.sly.model_facts import model_facts, model_line
from mouse_ar.sly.ui.devices import device_select, device_value
from mouse_ar.sly.ui.facts import Facts
from mouse_ar.sly.ui.listed_select import ListedSelect
from mouse_ar.sly.ui.messages import explain
from mouse_ar.sly.ui.tables import RowsTable
from mouse_ar.sly.ui.widgets import Notes

__all__ = ["ModelStep"]

_EXPERIMENT, _FILE = "experiment", "file"
_METRICS = ("bout F1", "frame F1")


class ModelStep:
    """Widgets ``model_kind`` (radio: experiment or file), ``model_experiment`` (select: path of the
    checkpoint) with ``…_refresh`` and ``…_note``, ``model_table``, ``model_path`` (input),
    ``model_load``, ``model_load_note``, ``model_facts`` and ``model_device`` (select).

    Args:
        experiments: lists those of the team, newest first, and what is wrong with others.
        fetch: downloads a model of Team Files and reads what it says about itself.
        path: of a checkpoint to choose at first.
        device: to choose at first.
    """

    def __init__(
        self,
        *,
        experiments: Callable[[], tuple[Sequence[Experiment], Sequence[str]]],
        fetch: Callable[[str], CheckpointInfo],
        path: str | None = None,
        device: str | None = None,
    ) -> None:
        self._list, self._fetch = experiments, fetch
        self._experiments: dict[str, Experiment] = {}
        self._loaded: tuple[str, CheckpointInfo] | None = None
        self._table = RowsTable(
            "model_table",
            ["Experiment", "Network", "Finished (UTC)", *(f"{n} on test" for n in _METRICS)],
            digits=3,
            page_size=5,
        )
        self._problems = Notes("model_problems")
        self._choice = ListedSelect(
            "model_experiment",
            options=self._options,
            what="experiments",
            empty="No finished training of “Train Mouse Action Recognition” in /experiments/. "
            "Train a model first, or give the path of a checkpoint.",
        )
        self._path = Input("", placeholder="/models/best.safetensors", widget_id="model_path")
        self._kind = self._kinds()
        self._device = device_select("model_device")
        self._facts = Facts("model_facts")
        self._note = Notes("model_load_note")
        self.layout: Widget = self._arranged()
        self._choice.refresh()
        if path is not None:
            self.choose(path)
        if device is not None:
            self._device.set_value(device)

    @property
    def path(self) -> str:
        """Of the chosen checkpoint in Team Files."""
        if self._kind.get_value() == _EXPERIMENT:
            return self._choice.value
        return str(self._path.get_value() or "").strip()

    @property
    def info(self) -> CheckpointInfo | None:
        """What the chosen checkpoint says about itself, once it was loaded."""
        return self._loaded[1] if self._loaded is not None else None

    @property
    def device(self) -> str | None:
        """What it is to run on; None for what there is."""
        return device_value(self._device)

    def choose(self, path: str) -> None:
        """Choose a checkpoint by its path, such as of the environment."""
        if path in self._experiments:
            self._kind.set_value(_EXPERIMENT)
            self._choice.choose(path, self._experiments[path].title)
        else:
            self._kind.set_value(_FILE)
            self._path.set_value(path)

    def load(self) -> str | None:
        """Fetch and describe what is chosen; what is wrong with it, if anything."""
        path = self.path
        if not path:
            return "Choose an experiment, or enter the path of a checkpoint in Team Files."
        if not path.startswith("/"):
            return f"A path in Team Files starts with /, got {path!r}."
        if self._loaded is None or self._loaded[0] != path:
            self._loaded = None
            self._facts.show({})
            try:
                self._loaded = path, self._fetch(path)
            except Exception as error:
                return explain(error, doing=f"Loading {path}")
        found = self._loaded[1]
        self._facts.show(model_facts(found, path=path, experiment=self._experiments.get(path)))
        return None

    def check(self) -> str | None:
        """What is missing."""
        self._note.set("")
        return self.load()

    def summary(self) -> str:
        """One line on the choice."""
        assert self._loaded is not None
        path, info = self._loaded
        return model_line(info, path=path, experiment=self._experiments.get(path))

    def _options(self) -> list[tuple[str, str]]:
        found, problems = self._list()
        self._experiments = {experiment.best: experiment for experiment in found}
        self._table.show([
            [e.name, e.model, e.finished_at[:16], *(e.metrics.get(name) for name in _METRICS)]
            for e in found
        ])  # fmt: skip
        self._problems.set_list(list(problems))
        return [(experiment.best, experiment.title) for experiment in found]

    def _kinds(self) -> RadioGroup:
        listed = Container(
            [self._choice.layout, self._table.layout, self._problems],
            gap=10,
            widget_id="model_experiment_pane",
        )
        path = Field(
            self._path,
            title="Path in Team Files",
            description="Of a .safetensors file written by “Train Mouse Action Recognition” or "
            "mouse-ar train.",
            widget_id="model_path_field",
        )
        return RadioGroup(
            [
                RadioGroup.Item(_EXPERIMENT, "An experiment of your team", content=listed),
                RadioGroup.Item(_FILE, "A file in Team Files", content=path),
            ],
            direction="vertical",
            widget_id="model_kind",
        )

    def _arranged(self) -> Widget:
        load = Button("Show what is known about it", plain=True, widget_id="model_load")
        load.click(self._clicked_load)
        device = Field(
            self._device,
            title="Device",
            description="On a GPU an hour of video takes minutes, on a CPU hours.",
            widget_id="model_device_field",
        )
        return Container(
            [
                self._kind,
                OneOf(self._kind, widget_id="model_settings"),
                load,
                self._note,
                self._facts,
                device,
            ],
            gap=15,
            widget_id="model_content",
        )

    def _clicked_load(self) -> None:
        complaint = self.load()
        self._note.set(complaint or "", "error")
