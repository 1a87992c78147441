"""The MVD presets in timm's model registry."""

from __future__ import annotations

from typing import Any

from timm.models import is_model, register_model

from mouse_ar.mvd.config import PRESETS, MVDConfig
from mouse_ar.mvd.model import MVD

__all__ = ["register_timm"]

# timm's own names of arguments that MVDConfig calls differently.
TIMM_NAMES = {"img_size": "image_size", "drop_rate": "head_dropout", "drop_path_rate": "drop_path"}
# What timm.create_model passes to every entry point and what has no meaning here.
TIMM_PRETRAINED = ("pretrained_cfg", "pretrained_cfg_overlay", "cache_dir")


def _entry_point(name: str, *, config: MVDConfig) -> Any:
    """The function that timm calls to build one preset."""

    def create(pretrained: bool = False, **kwargs: Any) -> MVD:
        if pretrained:
            raise ValueError(
                f"timm cannot download weights for {name}; create it with pretrained=False and "
                "call mouse_ar.mvd.load_pretrained (see models/README.md for the weights)."
            )
        for key in TIMM_PRETRAINED:
            kwargs.pop(key, None)
        overrides = {TIMM_NAMES.get(key, key): value for key, value in kwargs.items()}
        return MVD(MVDConfig.from_dict(config.to_dict() | overrides))

    create.__name__ = create.__qualname__ = name
    return create


def register_timm() -> tuple[str, ...]:
    """Put every preset into timm's registry; calling it again changes nothing.

    Afterwards ``timm.create_model("mvd_small_patch16_224", num_classes=3)`` works. Fields of
    :class:`MVDConfig` are accepted as arguments, and so are timm's own ``img_size``,
    ``drop_rate`` and ``drop_path_rate``.

    Returns:
        The registered names, smallest model first.
    """
    names = []
    for preset, config in PRESETS.items():
        size = preset.removeprefix("vit_")
        name = f"mvd_{size}_patch{config.patch_size}_{config.image_size}"
        if not is_model(name):
            entry_point = _entry_point(name, config=config)
            globals()[name] = entry_point  # timm adds the name to this module's __all__
            register_model(entry_point)
        names.append(name)
    return tuple(names)
