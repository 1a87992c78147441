"""Configuration of the MVD network and the presets of the paper."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from types import MappingProxyType
from typing import Any

__all__ = ["PRESETS", "MVDConfig"]


@dataclass(frozen=True)
class MVDConfig:
    """Architecture of one MVD network; validates itself.

    Args:
        image_size: side of the square input in pixels; a multiple of ``patch_size``.
        num_frames: frames per window; a multiple of ``tubelet_size``.
        embed_dim: width of the tokens; a multiple of ``num_heads`` and of 16 (the position
            embedding gives 1/4 of it to time and 3/8 to each image axis).
        depth: number of transformer blocks.
        num_heads: attention heads per block.
        num_classes: outputs of the head.
        patch_size: side of a tubelet in pixels.
        tubelet_size: frames in a tubelet.
        mlp_ratio: hidden width of the MLP as a multiple of ``embed_dim``.
        qkv_bias: learn biases of queries and values (keys never have one).
        drop_path: stochastic depth rate of the last block; grows linearly from 0 in the first.
        head_dropout: dropout on the pooled features before the head.
    """

    image_size: int = 224
    num_frames: int = 16
    embed_dim: int = 384
    depth: int = 12
    num_heads: int = 6
    num_classes: int = 3
    patch_size: int = 16
    tubelet_size: int = 2
    mlp_ratio: float = 4.0
    qkv_bias: bool = True
    drop_path: float = 0.0
    head_dropout: float = 0.0

    def __post_init__(self) -> None:
        for field in fields(self):
            if field.type == "int":
                value = getattr(self, field.name)
                if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                    raise ValueError(
                        f"MVDConfig.{field.name} must be an integer >= 1, got {value!r}."
                    )
        self._require_multiple("image_size", self.patch_size, "patch_size")
        self._require_multiple("num_frames", self.tubelet_size, "tubelet_size")
        self._require_multiple("embed_dim", self.num_heads, "num_heads")
        self._require_multiple("embed_dim", 16, "the share of the position embedding")
        for name in ("mlp_ratio", "drop_path", "head_dropout"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise ValueError(f"MVDConfig.{name} must be a number, got {value!r}.")
        if not 0 < self.mlp_ratio < math.inf:
            raise ValueError(f"MVDConfig.mlp_ratio must be > 0 and finite, got {self.mlp_ratio!r}.")
        if not isinstance(self.qkv_bias, bool):
            raise ValueError(f"MVDConfig.qkv_bias must be true or false, got {self.qkv_bias!r}.")
        for name in ("drop_path", "head_dropout"):
            if not 0.0 <= getattr(self, name) < 1.0:
                raise ValueError(
                    f"MVDConfig.{name} must be in [0, 1), got {getattr(self, name)!r}."
                )

    def _require_multiple(self, name: str, unit: int, unit_name: str) -> None:
        value = getattr(self, name)
        if value % unit:
            below, above = value // unit * unit, (value // unit + 1) * unit
            nearest = f"{below} or {above}" if below else f"{above}"
            raise ValueError(
                f"MVDConfig.{name} must be a multiple of {unit} ({unit_name}), got {value}; "
                f"use {nearest}."
            )

    @property
    def grid(self) -> tuple[int, int, int]:
        """Tokens along time, height and width."""
        side = self.image_size // self.patch_size
        return self.num_frames // self.tubelet_size, side, side

    def to_dict(self) -> dict[str, Any]:
        """Plain values for YAML, JSON and checkpoints."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> MVDConfig:
        """Inverse of :meth:`to_dict`; missing keys take their defaults.

        Raises:
            ValueError: on unknown keys or values that do not fit.
        """
        allowed = [field.name for field in fields(cls)]
        unknown = sorted(set(data) - set(allowed))
        if unknown:
            raise ValueError(f"MVDConfig has no {unknown}; allowed keys are {allowed}.")
        return cls(**data)

    @classmethod
    def preset(cls, name: str, **overrides: Any) -> MVDConfig:
        """A preset by name, with or without the ``vit_``, some of its fields replaced.

        Raises:
            ValueError: when there is no such preset or the fields do not fit.
        """
        base = PRESETS.get(name) or PRESETS.get(f"vit_{name}")
        if base is None:
            raise ValueError(f"Unknown MVD preset {name!r}; allowed: {', '.join(PRESETS)}.")
        return replace(base, **overrides)


PRESETS: Mapping[str, MVDConfig] = MappingProxyType(
    {
        "vit_tiny": MVDConfig(
            image_size=32, patch_size=8, tubelet_size=4, embed_dim=96, depth=2, num_heads=4
        ),
        "vit_small": MVDConfig(embed_dim=384, depth=12, num_heads=6),
        "vit_base": MVDConfig(embed_dim=768, depth=12, num_heads=12),
        "vit_large": MVDConfig(embed_dim=1024, depth=24, num_heads=16),
        "vit_huge": MVDConfig(embed_dim=1280, depth=32, num_heads=16),
    }
)
"""S, B, L and H as in the MVD paper (arXiv 2212.04500, ViT of arXiv 2010.11929 with 16-pixel
patches), and a tiny one that trains from scratch on a CPU."""
