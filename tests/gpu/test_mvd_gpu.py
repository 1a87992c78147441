"""MVD on CUDA: bfloat16 autocast and the CPU agree with float32."""

from __future__ import annotations

import pytest
import torch

from mouse_ar.mvd import MVD, MVDConfig

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]


@pytest.fixture(scope="module")
def small() -> tuple[MVD, torch.Tensor]:
    """ViT-S with weights whose activations are of order one, and two windows, on the CPU."""
    torch.manual_seed(0)
    model = MVD(MVDConfig.preset("vit_small")).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return model, torch.randn(2, 3, 16, 224, 224)


def test_float32_agrees_with_the_cpu(small: tuple[MVD, torch.Tensor]) -> None:
    model, pixels = small
    with torch.inference_mode():
        expected = model.cpu().forward_features(pixels)
        actual = model.cuda().forward_features(pixels.cuda()).cpu()
    torch.testing.assert_close(actual, expected, rtol=0, atol=1e-3)


def test_bfloat16_agrees_with_float32(small: tuple[MVD, torch.Tensor]) -> None:
    model, pixels = small
    model.cuda()
    with torch.inference_mode():
        exact = model.forward_features(pixels.cuda())
        with torch.autocast("cuda", dtype=torch.bfloat16):
            rough = model.forward_features(pixels.cuda()).float()
    assert torch.isfinite(rough).all()
    # Features of standard deviation 1; on a CPU (at 96 pixels) they differ by at most 0.008.
    assert (rough - exact).abs().max() < 0.1
    similarity = torch.nn.functional.cosine_similarity(rough, exact)
    assert (similarity > 0.999).all()


def test_training_step_under_bfloat16_is_finite(small: tuple[MVD, torch.Tensor]) -> None:
    model, pixels = small
    model.cuda().train()
    model.set_grad_checkpointing(True)
    with torch.autocast("cuda", dtype=torch.bfloat16):
        logits = model(pixels.cuda())
    torch.nn.functional.cross_entropy(logits.float(), torch.tensor([0, 1]).cuda()).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
