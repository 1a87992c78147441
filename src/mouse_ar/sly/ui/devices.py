"""What a model can run on here."""

from __future__ import annotations

from supervisely.app.widgets import Select

__all__ = ["AUTOMATIC", "device_select", "device_value"]

AUTOMATIC = "auto"


def device_select(widget_id: str) -> Select:
    """A select with the GPUs of this computer and its CPU.

    Args:
        widget_id: fixed id; state ``value`` is auto, ``cuda:0`` and so on, or cpu.
    """
    import torch

    gpus = [
        Select.Item(f"cuda:{number}", f"GPU {number}: {torch.cuda.get_device_name(number)}")
        for number in range(torch.cuda.device_count())
    ]
    best = "GPU" if gpus else "CPU, as this computer has no GPU"
    items = [Select.Item(AUTOMATIC, f"Automatic ({best})"), *gpus, Select.Item("cpu", "CPU")]
    return Select(items=items, widget_id=widget_id, width_px=520)


def device_value(select: Select) -> str | None:
    """The chosen device; None for what there is."""
    value = str(select.get_value() or AUTOMATIC)
    return None if value == AUTOMATIC else value
