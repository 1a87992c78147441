"""The loss of soft targets."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, log_softmax

from mouse_ar.training.config import TrainConfig

__all__ = ["TrainingLoss"]

# A class that no window shows must not make the logits infinite.
_LEAST_PRIOR = 1e-4


class TrainingLoss(nn.Module):
    """Cross-entropy of soft targets with what the settings add to it.

    ``smoothing``: Szegedy et al. 2016. ``logit_adjustment``: Menon et al. 2021, "Long-tail
    learning via logit adjustment": ``tau * log(prior)`` is added to the logits while training.
    ``focal_gamma``: Lin et al. 2017, "Focal loss": each class's term weighs ``(1 - p) ** gamma``.

    Args:
        config: settings of the run.
        prior_K: share of each class in the drawn windows.
    """

    def __init__(self, config: TrainConfig, *, prior_K: Tensor) -> None:
        super().__init__()
        self._smoothing = config.smoothing
        self._gamma = config.focal_gamma
        adjustment_K = config.logit_adjustment * prior_K.clamp_min(_LEAST_PRIOR).log()
        self.register_buffer("adjustment_K", adjustment_K, persistent=False)

    def forward(self, logits_NK: Tensor, target_NK: Tensor) -> Tensor:
        """Mean over the windows; logits in any precision, the loss in float32."""
        assert isinstance(self.adjustment_K, Tensor)
        logits_NK = logits_NK.float() + self.adjustment_K
        if not self._gamma:
            return cross_entropy(logits_NK, target_NK, label_smoothing=self._smoothing)
        classes = target_NK.shape[1]
        target_NK = target_NK * (1 - self._smoothing) + self._smoothing / classes
        logs_NK = log_softmax(logits_NK, dim=1)
        weight_NK = (1 - logs_NK.exp()).pow(self._gamma)
        return -torch.sum(target_NK * weight_NK * logs_NK, dim=1).mean()
