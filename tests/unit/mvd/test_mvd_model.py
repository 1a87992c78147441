from __future__ import annotations

from ast import literal_eval
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mouse_ar.mvd import MVD, MVDConfig
from mouse_ar.mvd import model as model_module
from mouse_ar.mvd.model import sincos_position_embedding

NANO = MVDConfig(image_size=32, num_frames=4, embed_dim=32, depth=2, num_heads=2)


def build(config: MVDConfig, *, seed: int = 0) -> MVD:
    torch.manual_seed(seed)
    return MVD(config)


def windows(config: MVDConfig, *, count: int = 2, seed: int = 1) -> torch.Tensor:
    shape = (count, 3, config.num_frames, config.image_size, config.image_size)
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@settings(max_examples=25, deadline=None)
@given(
    grid=st.tuples(st.integers(1, 5), st.integers(1, 4)),
    patch_size=st.sampled_from([4, 7, 16]),
    tubelet_size=st.integers(1, 4),
    heads=st.sampled_from([1, 2, 4]),
    num_classes=st.integers(1, 5),
    qkv_bias=st.booleans(),
)
def test_any_window_length_input_size_and_tubelet(
    grid: tuple[int, int],
    patch_size: int,
    tubelet_size: int,
    heads: int,
    num_classes: int,
    qkv_bias: bool,
) -> None:
    config = MVDConfig(
        num_frames=grid[0] * tubelet_size,
        image_size=grid[1] * patch_size,
        patch_size=patch_size,
        tubelet_size=tubelet_size,
        embed_dim=16,
        depth=1,
        num_heads=heads,
        num_classes=num_classes,
        qkv_bias=qkv_bias,
    )
    model = build(config).eval()
    with torch.inference_mode():
        assert model.forward_features(windows(config)).shape == (2, 16)
        logits = model(windows(config))
    assert logits.shape == (2, num_classes)
    assert torch.isfinite(logits).all()


def test_tubelet_embedding_is_the_convolution_of_its_weights() -> None:
    sizes = {"image_size": 21, "num_frames": 6, "patch_size": 7, "tubelet_size": 3}
    config = replace(NANO, **sizes)
    embed = build(config).patch_embed
    pixels = windows(config)
    expected = embed.proj(pixels).flatten(2).transpose(1, 2)
    torch.testing.assert_close(embed(pixels), expected, rtol=0, atol=1e-5)


def test_position_embedding_gives_every_token_its_own_place() -> None:
    embedding = sincos_position_embedding(48, grid=(3, 4, 5))
    assert embedding.shape == (60, 48)
    assert embedding.dtype == np.float32
    assert len(np.unique(embedding.round(4), axis=0)) == 60
    # The origin has sine 0 and cosine 1 on each axis.
    np.testing.assert_allclose(embedding[0].reshape(-1, 6).sum(axis=0).sum(), 24)
    time_THWC = embedding.reshape(3, 4, 5, 48)[..., :12]
    assert (time_THWC == time_THWC[:, :1, :1]).all(), "the first quarter encodes time alone"


def test_longer_windows_keep_the_positions_of_shorter_ones() -> None:
    """What a checkpoint learned at one length means the same at another."""
    short = sincos_position_embedding(32, grid=(4, 3, 3))
    long = sincos_position_embedding(32, grid=(8, 3, 3))
    np.testing.assert_array_equal(long[: len(short)], short)


def test_logits_depend_on_order_of_frames() -> None:
    model = build(NANO).eval()
    pixels = windows(NANO)
    with torch.inference_mode():
        difference = model.forward_features(pixels) - model.forward_features(pixels.flip(2))
    assert difference.abs().max() > 1e-3


def test_a_wrong_shape_is_refused_with_the_right_one() -> None:
    model = build(NANO)
    with pytest.raises(ValueError, match=r"got pixels of shape \(2, 3, 8, 32, 32\).*\(N, 3, 4, 32"):
        model(torch.zeros(2, 3, 8, 32, 32))
    with pytest.raises(ValueError, match="expected"):
        model(torch.zeros(3, 4, 32, 32))


@pytest.mark.parametrize("name", ["mvd_tiny_8x64", "mvd_small_16x224"])
def test_state_dict_is_the_original_one(name: str, shared_golden: Path) -> None:
    with np.load(shared_golden / f"{name}.npz") as golden:
        expected = {str(k): literal_eval(str(s)) for k, s in zip(golden["keys"], golden["shapes"])}
        fields = ("image_size", "num_frames", "embed_dim", "depth", "num_heads")
        config = MVDConfig(**{field: int(golden[field]) for field in fields})
    with torch.device("meta"):
        state = MVD(config).state_dict()
    assert {key: tuple(value.shape) for key, value in state.items()} == expected


@pytest.mark.parametrize(
    ("preset", "millions"),
    [("vit_small", 22), ("vit_base", 87), ("vit_large", 305), ("vit_huge", 633)],
)
def test_parameter_counts_are_those_published(preset: str, millions: int) -> None:
    """The MVD paper counts the Kinetics-400 model, head of 400 classes included."""
    config = MVDConfig.preset(preset, num_classes=400)
    with torch.device("meta"):
        model = MVD(config)
    count = sum(parameter.numel() for parameter in model.parameters())
    assert count / 1e6 == pytest.approx(millions, abs=1)


def test_gradient_reaches_every_parameter() -> None:
    model = build(NANO)
    torch.nn.functional.cross_entropy(model(windows(NANO)), torch.tensor([0, 2])).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("drop_path", [0.0, 0.5])
def test_gradient_checkpointing_changes_no_number(
    drop_path: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    recomputed_blocks = []

    def checkpoint(block: torch.nn.Module, *args: object, **options: bool) -> object:
        recomputed_blocks.append(block)
        return plain_checkpoint(block, *args, **options)

    plain_checkpoint = model_module.checkpoint
    monkeypatch.setattr(model_module, "checkpoint", checkpoint)
    model = build(replace(NANO, drop_path=drop_path)).train()
    gradients = []
    for enable in (False, True):
        model.set_grad_checkpointing(enable)
        model.zero_grad()
        torch.manual_seed(3)
        model(windows(NANO)).square().sum().backward()
        gradients.append([p.grad.clone() for p in model.parameters() if p.grad is not None])
        assert recomputed_blocks == (list(model.blocks) if enable else [])
    for plain, recomputed in zip(*gradients, strict=True):
        torch.testing.assert_close(plain, recomputed)


def test_dropout_acts_in_training_only() -> None:
    config = replace(NANO, drop_path=0.5, head_dropout=0.5)
    model = build(config)
    pixels = windows(config, count=16)
    rates = [block.drop_path.drop_prob for block in model.blocks]
    assert rates == [0.0, 0.5]
    model.eval()
    assert torch.equal(model(pixels), model(pixels))
    model.train()
    assert not torch.equal(model(pixels), model(pixels))
    model.head_dropout.eval()
    assert not torch.equal(model(pixels), model(pixels)), "drop path must act by itself"


def test_the_same_seed_gives_the_same_model() -> None:
    first, again, other = (build(NANO, seed=seed).eval() for seed in (0, 0, 1))
    for key, value in first.state_dict().items():
        assert torch.equal(value, again.state_dict()[key]), key
    pixels = windows(NANO)
    assert torch.equal(first(pixels), again(pixels))
    assert not torch.equal(first(pixels), other(pixels))


def test_a_window_does_not_depend_on_its_batch() -> None:
    model = build(NANO).eval()
    pixels = windows(NANO, count=4)
    with torch.inference_mode():
        together = model.forward_features(pixels)
        alone = torch.cat([model.forward_features(pixels[i : i + 1]) for i in range(4)])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-5)


def test_bfloat16_autocast_stays_close() -> None:
    model = build(NANO).eval()
    pixels = windows(NANO)
    with torch.inference_mode():
        exact = model.forward_features(pixels)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            rough = model.forward_features(pixels)
            logits = model(pixels)
    assert torch.isfinite(logits).all()
    assert (exact - rough.float()).abs().max() < 0.1


def test_layers_for_rate_decay() -> None:
    model = build(NANO)
    layers = {name: model.layer_id(name) for name, _ in model.named_parameters()}
    assert layers["patch_embed.proj.weight"] == 0
    assert layers["blocks.0.attn.q_bias"] == 1
    assert layers["blocks.1.mlp.fc2.weight"] == 2
    assert layers["fc_norm.weight"] == layers["head.bias"] == model.num_layers == 3
    assert set(layers.values()) == set(range(model.num_layers + 1))
    with pytest.raises(ValueError, match=r"'module\.head\.bias' belongs to no layer"):
        model.layer_id("module.head.bias")


def test_norms_and_biases_do_not_decay() -> None:
    model = build(NANO)
    decaying = {name for name, _ in model.named_parameters()} - model.no_weight_decay()
    assert all(name.endswith("weight") and "norm" not in name for name in decaying)
    assert len(decaying) == 1 + 4 * NANO.depth + 1


def test_a_small_network_learns_from_scratch() -> None:
    """One batch is learned by heart: initialisation, gradients and head work together."""
    config = MVDConfig.preset("vit_tiny", image_size=32, num_frames=4, num_classes=2, depth=2)
    model = build(config)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    pixels, target = windows(config, count=8), torch.arange(8) % 2
    for _ in range(30):
        loss = torch.nn.functional.cross_entropy(model(pixels), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert (model(pixels).argmax(1) == target).all()
