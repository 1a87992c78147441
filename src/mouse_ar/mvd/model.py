"""The MVD fine-tuning network: a joint space-time vision transformer over tubelets.

Architecture of the MVD paper (arXiv 2212.04500), which is that of VideoMAE (arXiv 2203.12602):
every tubelet of ``tubelet_size`` frames and ``patch_size`` pixels becomes one token, all tokens
of a window attend to each other in every block, their mean is normalised and classified.
Parameter names are those of the public MVD checkpoints.
"""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from timm.layers.drop import DropPath
from timm.layers.mlp import Mlp
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from mouse_ar.mvd.config import MVDConfig

__all__ = ["MVD", "sincos_position_embedding"]

LAYER_NORM_EPS = 1e-6
INIT_STD = 0.02
HEAD_INIT_STD = 2e-5  # predictions start equal, so the first steps do not disturb the encoder


def _sincos(dim: int, positions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sines, then cosines, of positions at geometric frequencies: (P,) -> (P, dim)."""
    frequencies = 10000.0 ** (-np.arange(dim // 2) / (dim / 2))
    angles = np.outer(positions, frequencies)
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1)


def sincos_position_embedding(embed_dim: int, *, grid: tuple[int, int, int]) -> NDArray[np.float32]:
    """Fixed 3-D sine-cosine position embedding.

    A quarter of the channels encodes time, three eighths the column and three eighths the row,
    each as in arXiv 1706.03762 with base 10000.

    Args:
        embed_dim: channels; a multiple of 16.
        grid: tokens along time, height and width.

    Returns:
        float32 (T * H * W, embed_dim), time slowest, width fastest.
    """
    time, row, column = (axis.ravel() for axis in np.indices(grid).astype(np.float64))
    parts = [
        _sincos(embed_dim // 4, time),
        _sincos(embed_dim * 3 // 8, column),
        _sincos(embed_dim * 3 // 8, row),
    ]
    return np.concatenate(parts, axis=1).astype(np.float32)


class TubeletEmbed(nn.Module):
    """Linear projection of non-overlapping tubelets: (N, 3, T, H, W) -> (N, L, D)."""

    def __init__(self, config: MVDConfig) -> None:
        super().__init__()
        kernel = (config.tubelet_size, config.patch_size, config.patch_size)
        self.proj = nn.Conv3d(3, config.embed_dim, kernel_size=kernel, stride=kernel)

    def forward(self, pixels_NCTHW: Tensor) -> Tensor:
        """Embed every tubelet, time slowest, width fastest."""
        # The convolution's tubelets do not overlap, so it is one matrix product, which is
        # faster than conv3d kernels (many times under bf16) and gives the same numbers.
        n, c, t, h, w = pixels_NCTHW.shape
        kt, kh, kw = self.proj.kernel_size
        tubelets = pixels_NCTHW.reshape(n, c, t // kt, kt, h // kh, kh, w // kw, kw)
        tubelets = tubelets.permute(0, 2, 4, 6, 1, 3, 5, 7).reshape(n, -1, c * kt * kh * kw)
        return F.linear(tubelets, self.proj.weight.flatten(1), self.proj.bias)


class Attention(nn.Module):
    """Multi-head self-attention with biases on queries and values only."""

    q_bias: nn.Parameter | None
    v_bias: nn.Parameter | None

    def __init__(self, config: MVDConfig) -> None:
        super().__init__()
        dim = config.embed_dim
        self.num_heads = config.num_heads
        self.qkv = nn.Linear(dim, 3 * dim, bias=False)
        for name in ("q_bias", "v_bias"):
            bias = nn.Parameter(torch.zeros(dim)) if config.qkv_bias else None
            self.register_parameter(name, bias)
        self.proj = nn.Linear(dim, dim)

    def forward(self, tokens_NLD: Tensor) -> Tensor:
        """Attend over all tokens."""
        n, length, dim = tokens_NLD.shape
        bias = None
        if self.q_bias is not None and self.v_bias is not None:
            bias = torch.cat([self.q_bias, torch.zeros_like(self.v_bias), self.v_bias])
        qkv = F.linear(tokens_NLD, self.qkv.weight, bias)
        qkv = qkv.reshape(n, length, 3, self.num_heads, dim // self.num_heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        mixed = F.scaled_dot_product_attention(query, key, value)
        return cast(Tensor, self.proj(mixed.transpose(1, 2).reshape(n, length, dim)))


class Block(nn.Module):
    """Pre-norm transformer block."""

    def __init__(self, config: MVDConfig, *, drop_path: float) -> None:
        super().__init__()
        dim = config.embed_dim
        self.norm1 = nn.LayerNorm(dim, eps=LAYER_NORM_EPS)
        self.attn = Attention(config)
        self.drop_path = DropPath(drop_path)
        self.norm2 = nn.LayerNorm(dim, eps=LAYER_NORM_EPS)
        self.mlp = Mlp(dim, hidden_features=int(dim * config.mlp_ratio))

    def forward(self, tokens_NLD: Tensor) -> Tensor:
        """Mix the tokens, then transform each."""
        tokens_NLD = tokens_NLD + self.drop_path(self.attn(self.norm1(tokens_NLD)))
        return cast(Tensor, tokens_NLD + self.drop_path(self.mlp(self.norm2(tokens_NLD))))


class MVD(nn.Module):
    """MVD as a classifier of short windows of video.

    Weights are drawn from torch's default generator: call ``torch.manual_seed`` before.

    Args:
        config: the architecture.
    """

    pos_embed: Tensor

    def __init__(self, config: MVDConfig) -> None:
        super().__init__()
        self.config = config
        self.num_classes = config.num_classes
        self.num_features = config.embed_dim
        self.grad_checkpointing = False
        self.patch_embed = TubeletEmbed(config)
        # Computed, so it is no part of the state dict and fits any window length and input size.
        position = sincos_position_embedding(config.embed_dim, grid=config.grid)
        self.register_buffer("pos_embed", torch.from_numpy(position)[None], persistent=False)
        rates = np.linspace(0.0, config.drop_path, config.depth).tolist()
        self.blocks = nn.ModuleList(Block(config, drop_path=rate) for rate in rates)
        self.fc_norm = nn.LayerNorm(config.embed_dim, eps=LAYER_NORM_EPS)
        self.head_dropout = nn.Dropout(config.head_dropout)
        self.head = nn.Linear(config.embed_dim, config.num_classes)
        self._init_weights()

    def _init_weights(self) -> None:
        for name, parameter in self.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(parameter)
            elif parameter.ndim > 1:  # the rest are LayerNorm weights, already one
                std = HEAD_INIT_STD if name.startswith("head.") else INIT_STD
                nn.init.trunc_normal_(parameter, std=std, a=-2 * std, b=2 * std)

    def forward_features(self, pixels_NCTHW: Tensor) -> Tensor:
        """Pooled, normalised features of a batch of windows.

        Args:
            pixels_NCTHW: float (N, 3, num_frames, image_size, image_size), normalised as the
                weights expect.

        Returns:
            (N, embed_dim).

        Raises:
            ValueError: when the input has another shape.
        """
        config = self.config
        expected = (3, config.num_frames, config.image_size, config.image_size)
        if tuple(pixels_NCTHW.shape[1:]) != expected or pixels_NCTHW.ndim != 5:
            raise ValueError(
                f"MVD got pixels of shape {tuple(pixels_NCTHW.shape)}, expected (N, 3, T, H, W) = "
                f"(N, {', '.join(map(str, expected))}). Cut the windows to the model's ClipSpec."
            )
        return self._encode(self.patch_embed(pixels_NCTHW))

    def _encode(self, tokens_NLD: Tensor) -> Tensor:
        tokens_NLD = tokens_NLD + self.pos_embed
        for block in self.blocks:
            if self.grad_checkpointing and torch.is_grad_enabled():
                tokens_NLD = checkpoint(block, tokens_NLD, use_reentrant=False)
            else:
                tokens_NLD = block(tokens_NLD)
        return cast(Tensor, self.fc_norm(tokens_NLD.mean(dim=1)))

    def forward(self, pixels_NCTHW: Tensor) -> Tensor:
        """Logits (N, num_classes) of windows (N, 3, num_frames, image_size, image_size)."""
        features_ND = self.forward_features(pixels_NCTHW)
        return cast(Tensor, self.head(self.head_dropout(features_ND)))

    def classify_tokens(self, tokens_NLD: Tensor) -> Tensor:
        """Logits (N, num_classes) of embedded tubelets (N, L, embed_dim), without positions."""
        return cast(Tensor, self.head(self.head_dropout(self._encode(tokens_NLD))))

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Recompute each block in the backward pass: less memory, about a third more time."""
        self.grad_checkpointing = enable

    def no_weight_decay(self) -> set[str]:
        """Names of the parameters that weight decay must leave alone: norms and biases."""
        return {name for name, parameter in self.named_parameters() if parameter.ndim <= 1}

    @property
    def num_layers(self) -> int:
        """Number of the last layer: 0 is the embedding, 1..depth the blocks, then norm and head.

        Layer-wise decay gives layer ``i`` the rate ``lr * layer_decay ** (num_layers - i)``.
        """
        return self.config.depth + 1

    def layer_id(self, name: str) -> int:
        """Layer of a parameter, 0 (embedding) to ``num_layers`` (final norm and head).

        Raises:
            ValueError: when the name is no parameter of this model's parts.
        """
        part, _, rest = name.partition(".")
        if part == "patch_embed":
            return 0
        if part == "blocks":
            return int(rest.split(".")[0]) + 1
        if part in {"fc_norm", "head"}:
            return self.num_layers
        raise ValueError(
            f"{name!r} belongs to no layer of MVD; expected a name from named_parameters() "
            "of the unwrapped model."
        )
