"""Step 3 of the Train app: the settings, as a form and as text."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from supervisely.app import StateJson
from supervisely.app.widgets import (
    Button,
    Container,
    Editor,
    Field,
    Select,
    Widget,
)

from mouse_ar.sly.ui.settings_form import SettingsForm, columns
from mouse_ar.sly.ui.train_form import FIRST, MORE
from mouse_ar.sly.ui.widgets import Notes, Severity, push_data, push_state, set_hidden
from mouse_ar.training.config import TrainConfig, start_settings
from mouse_ar.training.devices import TrainingDevice
from mouse_ar.training.memory import training_memory_bytes
from mouse_ar.training.settings_text import settings_from_yaml, settings_to_yaml

__all__ = ["ParamsStep"]

_SMALL_BATCH = 6
_SUITS = "suits"


class ParamsStep:
    """Form and text say the same: an edit of the form is written into the text, and the text is
    read into the form by *Check the settings* and by *Continue*.

    Widgets: ``params_{setting}`` and ``params_more`` (:class:`~.settings_form.SettingsForm` of
    :mod:`~.train_form`), ``params_device`` (select), ``params_yaml`` (editor, state ``text``),
    ``params_apply`` and ``params_accumulate`` (buttons), ``params_message`` (notes).

    Args:
        devices: what this computer can train on.
        model: preset and path of the weights, as chosen.
        fps: frame rate of the clips; None while nobody knows.
    """

    def __init__(
        self,
        devices: list[TrainingDevice],
        *,
        model: Callable[[], tuple[str, str | None]],
        fps: Callable[[], float | None],
    ) -> None:
        self._devices = {device.name: device for device in devices}
        self._model, self._fps = model, fps
        initial = TrainConfig().to_dict()
        self._form = SettingsForm(
            "params", first=FIRST, more=MORE, initial=initial, on_edit=self._edit
        )
        self._device = Select(
            [Select.Item(device.name, device.title) for device in devices],
            widget_id="params_device", width_px=400,
        )  # fmt: skip
        self._editor = Editor(
            settings_to_yaml(initial), language_mode="yaml", height_px=420,
            restore_default_button=False, widget_id="params_yaml",
        )  # fmt: skip
        self._message = Notes("params_message")
        self._accumulate = Button(
            "Accumulate gradients", plain=True, button_size="small", widget_id="params_accumulate"
        )
        set_hidden(self._accumulate, True)
        self.layout = self._make_layout()
        self._device.value_changed(lambda _: self.assess())
        self._accumulate.click(self._accumulate_gradients)

    @property
    def device(self) -> str:
        """Where to train."""
        return str(self._device.get_value() or "")

    def config(self) -> TrainConfig:
        """The settings in the text.

        Raises:
            ValueError: it is no YAML, or they cannot be.
        """
        preset, weights = self._model()
        values = settings_from_yaml(self._editor.get_text())
        return TrainConfig.from_dict({**values, "model": preset, "pretrained": weights})

    def suit(self, *, model: str, scratch: bool) -> None:
        """Set what depends on the start of the training, unless the user has set it already."""
        suitable = start_settings(model=model, scratch=scratch)
        before = StateJson()["params_yaml"].get(_SUITS) or start_settings(
            model=TrainConfig().model, scratch=False
        )
        self._change({
            name: value for name, value in suitable.items()
            if self._values().get(name) == before.get(name)
        })  # fmt: skip
        StateJson()["params_yaml"][_SUITS] = suitable
        push_state()

    def set_all(self, values: Mapping[str, Any], *, device: str | None = None) -> None:
        """Settings of the environment.

        Raises:
            ValueError: there is no such device.
        """
        if device is not None:
            if device not in self._devices:
                raise ValueError(
                    f"There is no device {device!r}; this computer has {', '.join(self._devices)}."
                )
            self._device.set_value(device)
        self._change(values)

    def check(self) -> str | None:
        """What is wrong with the settings, if anything."""
        try:
            self._form.show(self.config().to_dict())
        except ValueError as error:
            return str(error)
        if self.device not in self._devices:
            return "Choose where to train."
        self.assess()
        return None

    def summary(self) -> str:
        """One line on the settings."""
        config = self.config()
        return (
            f"{config.epochs} epochs, batches of {config.batch_size}, "
            f"{config.num_frames} frames of {config.input_size} pixels with step "
            f"{config.sampling_rate}, on {self.device}."
        )

    def apply(self) -> None:
        """Read the text into the form and say what the settings mean."""
        try:
            self._form.show(self.config().to_dict())
        except ValueError as error:
            self._say([(str(error), "error")])
            return
        self.assess()

    def assess(self) -> None:
        """Say what the settings mean for memory, window and gradients."""
        try:
            config = self.config()
        except ValueError as error:
            self._say([(str(error), "error")])
            return
        small = config.batch_size < _SMALL_BATCH and config.update_freq == 1
        notes: list[tuple[str, Severity]] = [self._window(config), self._memory(config)]
        if small:
            notes.append((
                f"Batches of {config.batch_size} windows give noisy gradients. Accumulating those "
                f"of {_enough(config.batch_size)} batches (update_freq) helps, and needs no more "
                "memory.",
                "warning",
            ))  # fmt: skip
        self._say(notes, accumulate=small)

    def _window(self, config: TrainConfig) -> tuple[str, Severity]:
        frames = config.num_frames * config.sampling_rate
        fps = self._fps()
        seconds = f", {frames / fps:.2f} s of your videos ({fps:.4g} frames/s)" if fps else ""
        return f"The model sees {frames} frames at a time{seconds}.", "text"

    def _memory(self, config: TrainConfig) -> tuple[str, Severity]:
        needed = training_memory_bytes(config)
        device = self._devices.get(self.device)
        estimate = f"Estimated memory of a GPU: {needed / 1e9:.1f} GB"
        if device is None or device.free_bytes is None:
            return f"{estimate}. Without a GPU, training takes many times longer.", "info"
        free = f"{device.free_bytes / 1e9:.1f} GB are free on {device.name}"
        if needed > device.free_bytes:
            return (
                f"{estimate}, but {free}: lower the batch size, the picture size or the size of "
                "the model.",
                "warning",
            )
        return f"{estimate}; {free}.", "success"

    def _edit(self, name: str, value: Any) -> None:
        self._change({name: value})

    def _accumulate_gradients(self) -> None:
        self._change({"update_freq": _enough(StateJson()["params_batch_size"]["value"])})

    def _values(self) -> dict[str, Any]:
        """All settings, those that the text leaves out with their defaults."""
        return {**TrainConfig().to_dict(), **settings_from_yaml(self._editor.get_text())}

    def _change(self, values: Mapping[str, Any]) -> None:
        """Write settings into the text and show them in the form."""
        try:
            before = self._values()
        except ValueError as error:
            self._say([(f"Correct the text first. {error}", "error")])
            return
        settings = {**before, **values}
        # A select also reports what it was set to by the text, which then stays as it was written.
        if settings != before:
            self._editor.set_text(settings_to_yaml(settings))
        self._form.show(settings)
        self.assess()

    def _say(self, notes: list[tuple[str, Severity]], *, accumulate: bool = False) -> None:
        set_hidden(self._accumulate, not accumulate)
        self._message.set_all(notes)
        push_data()

    def _make_layout(self) -> Widget:
        device = Field(
            self._device, title="Device", description="Where to train.",
            widget_id="params_device_field",
        )  # fmt: skip
        more = Field(
            self._form.more,
            title="More settings",
            description="Change one at a time. Names in brackets are those of the text below.",
            widget_id="params_more_field",
        )
        apply = Button(
            "Check the settings", plain=True, button_size="small", widget_id="params_apply"
        )
        apply.click(self.apply)
        text = Field(
            Container([self._editor, apply], gap=10, widget_id="params_text"),
            title="All settings",
            description="The form above writes into this text; what you change here is checked "
            "when you go on. Names follow MVD, README and configs/train.yaml explain them.",
            widget_id="params_yaml_field",
        )
        form = columns([*self._form.first, device], widget_id="params_form")
        return Container(
            [form, more, self._message, self._accumulate, text], gap=16, widget_id="params_content"
        )


def _enough(batch_size: int) -> int:
    """Batches to accumulate so that a step sees enough windows."""
    return math.ceil(_SMALL_BATCH / max(1, int(batch_size)))
