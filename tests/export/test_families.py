"""The families whose graphs are least regular leave torch as they are: attention, windows, tokens.

They are built small, of the layers that the published ones have: exporting those takes up to a minute each.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from tests.networks.sizes import of_size
from torch import nn
from torchvision.models.maxvit import MaxVit
from torchvision.models.swin_transformer import PatchMergingV2, SwinTransformer, SwinTransformerBlockV2
from torchvision.models.vision_transformer import VisionTransformer

from graft.export.to_onnx import export_onnx
from graft.networks.networks import from_torchvision
from graft.networks.outputs import outputs_of

SIZE = 64


def _vit() -> nn.Module:
    model: nn.Module = VisionTransformer(SIZE, patch_size=16, num_layers=4, num_heads=2, hidden_dim=32, mlp_dim=64)
    return model


def _swin(**parts: Callable[..., nn.Module]) -> nn.Module:
    windows = {"window_size": [3, 3], "depths": [2, 1, 1, 1], "num_heads": [1, 2, 4, 8]}  # 16 is no multiple of 3
    model: nn.Module = SwinTransformer(patch_size=[4, 4], embed_dim=16, **windows, **parts)
    return model


def _maxvit() -> nn.Module:
    blocks = {"block_channels": [16, 16, 32, 32], "block_layers": [1, 1, 1, 1], "stochastic_depth_prob": 0.2}
    model: nn.Module = MaxVit((SIZE, SIZE), stem_channels=16, partition_size=2, head_dim=8, **blocks)
    return model


BUILT: dict[str, Callable[[], nn.Module]] = {
    "vit_b_16": _vit,
    "swin_t": _swin,
    "swin_v2_t": lambda: _swin(block=SwinTransformerBlockV2, downsample_layer=PatchMergingV2),
    "maxvit_t": _maxvit,
}


SLOW = [pytest.param(name, marks=pytest.mark.simulation) for name in ("swin_v2_t", "maxvit_t")]


@pytest.mark.parametrize("name", ["vit_b_16", "swin_t", *SLOW])
def test_exported_network_gives_torchs_logits_at_every_batch_size(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = from_torchvision(BUILT[name](), name, 5, of_size(SIZE))
    images = np.random.default_rng(0).integers(0, 256, (6, SIZE, SIZE, 3), dtype=np.uint8)
    for part in network.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.momentum = 1.0  # with the statistics of a fresh network all images look alike
    with torch.no_grad():
        network.train()(torch.from_numpy(images).permute(0, 3, 1, 2))

    export_onnx(network, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    expected = outputs_of(network, images).logits
    spread = float(expected.std(axis=0).mean())
    assert spread > 1e-3
    for n in (1, 3):
        (logits,) = session.run(["logits"], {"image": images[:n]})
        np.testing.assert_allclose(logits, expected[:n], rtol=0, atol=1e-3 * spread)
