"""Means of blocks and moments at BatchNorm layers against direct sums, and on real weights."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from graft.extraction.moments import batchnorm_moments, block_means
from graft.images.decode import decode
from graft.images.resizing import fit
from graft.networks.networks import Network, build_network, from_torchvision, pooled
from graft.networks.outputs import outputs_of
from graft.networks.preprocessing import SMALL_CNN
from graft.records.common import Preprocessing
from graft.shift.bn_stats import block_profile

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
MEAN, VARIANCE = torch.tensor([0.3, -0.2, 0.1]), torch.tensor([0.5, 1.5, 0.9])


def _images(n: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (n, 8, 8, 3), dtype=np.uint8)


def _first_layer() -> nn.BatchNorm2d:
    layer = nn.BatchNorm2d(3)
    layer.running_mean, layer.running_var = MEAN.clone(), VARIANCE.clone()
    return layer


def _small(*first: nn.Module) -> Network:
    blocks = {"stem": nn.Sequential(*first), "top": nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(1))}
    return Network(blocks, 3, 2, SMALL_CNN)


def test_means_of_a_block_are_those_of_its_output_image_by_image() -> None:
    images, network = _images(70), build_network("small_cnn", 2, SMALL_CNN)  # more than one batch
    found = block_means(network, images)
    assert [each.block for each in found] == ["block1", "block2", "block3", "block4"]
    values = network.input_transform(torch.from_numpy(images).permute(0, 3, 1, 2))
    with torch.inference_mode():
        for each in found:
            values = network.eval().blocks[each.block](values)
            expected = values.mean(dim=(2, 3)) if values.ndim == 4 else values
            np.testing.assert_allclose(each.means, expected, atol=1e-5)


def test_means_of_the_last_block_are_the_features() -> None:
    network = build_network("small_cnn", 2, SMALL_CNN)
    features = outputs_of(network, _images(5)).features
    np.testing.assert_allclose(block_means(network, _images(5))[-1].means, features, atol=1e-6)


def test_without_images_there_are_no_means() -> None:
    assert block_means(build_network("small_cnn", 2, SMALL_CNN), _images(0)) == ()


@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (2, 20, 3), (2, 3)])
def test_maps_tokens_and_vectors_are_pooled_to_one_number_a_channel(shape: tuple[int, ...]) -> None:
    channels = torch.tensor([1.0, 2.0, 3.0])
    activations = (channels.view(3, 1, 1) if len(shape) == 4 else channels).expand(shape)
    torch.testing.assert_close(pooled(activations), channels.expand(2, 3))


def test_hooks_are_removed_even_after_a_failure() -> None:
    network = build_network("small_cnn", 2, SMALL_CNN)
    with pytest.raises(RuntimeError):
        block_means(network, np.zeros((2, 8, 8, 5), dtype=np.uint8))
    assert not any(module._forward_hooks for module in network.modules())


def test_moments_are_those_of_the_layers_input_in_units_of_the_running_ones() -> None:
    images = _images(70)  # more than one batch
    network = _small(_first_layer())
    (found,) = batchnorm_moments(network, images)
    values = network.input_transform(torch.from_numpy(images).permute(0, 3, 1, 2))
    values = (values - MEAN.view(3, 1, 1)) / torch.sqrt(VARIANCE + 1e-5).view(3, 1, 1)
    assert found.block == "stem"
    np.testing.assert_allclose(found.means, values.mean(dim=(2, 3)), atol=1e-5)
    np.testing.assert_allclose(found.squares, (values**2).mean(dim=(2, 3)), rtol=1e-4)
    np.testing.assert_allclose(found.floor, 1e-5 / (VARIANCE + 1e-5), rtol=1e-5)


def test_a_known_shift_of_the_input_gives_the_divergence_of_the_formula() -> None:
    images = np.random.default_rng(0).integers(0, 200, (60, 16, 16, 3), dtype=np.uint8)
    values = _small().input_transform(torch.from_numpy(images).permute(0, 3, 1, 2))
    layer = nn.BatchNorm2d(3)
    layer.running_mean, layer.running_var = values.mean(dim=(0, 2, 3)), values.var(dim=(0, 2, 3))
    step = 40 / 255 / 0.25 / values.std().item()  # 40 grey levels in deviations
    for moved, expected in ((images, 0.0), (images + np.uint8(40), step**2)):
        moments = batchnorm_moments(_small(layer), moved)
        (found,) = block_profile(moments, confidence=0.95, seed=0)
        assert found.shift.estimate == pytest.approx(expected, rel=0.05, abs=1e-3)


def test_all_layers_of_a_block_stand_side_by_side() -> None:
    found = batchnorm_moments(build_network("small_cnn", 2, SMALL_CNN), _images(3))
    assert [each.block for each in found] == ["block1", "block2", "block3", "block4"]
    two = _small(_first_layer(), nn.Sequential(nn.ReLU(), nn.BatchNorm2d(3)))
    (both,) = batchnorm_moments(two, _images(3))
    assert both.means.shape == both.squares.shape == (3, 6)
    assert both.floor.shape == (6,)


def test_vectors_are_measured_as_one_position() -> None:
    blocks = {"top": nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(1), nn.BatchNorm1d(3))}
    (found,) = batchnorm_moments(Network(blocks, 3, 2, SMALL_CNN), _images(4))
    np.testing.assert_allclose(found.squares, found.means**2, rtol=1e-5)


def test_running_moments_are_not_changed_and_hooks_are_removed() -> None:
    network = build_network("small_cnn", 2, SMALL_CNN).train()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    batchnorm_moments(network, _images(4))
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())
    assert not any(module._forward_pre_hooks for module in network.modules())


@pytest.mark.parametrize(
    ("layer", "named"),
    [
        (nn.GroupNorm(1, 3), "GroupNorm"),
        (nn.ReLU(), "no normalisation layers"),
        (nn.BatchNorm2d(3, track_running_stats=False), "BatchNorm2d"),
    ],
)
def test_a_network_without_running_moments_is_refused_with_what_it_has(layer: nn.Module, named: str) -> None:
    with pytest.raises(ValueError, match=rf"^bn_stats: want a network with BatchNorm.+ got one with {named}\. Name"):
        batchnorm_moments(_small(layer), _images(2))


def test_no_images_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^batchnorm_moments: want at least one image, got none\. Add"):
        batchnorm_moments(_small(_first_layer()), _images(0))


@pytest.mark.real_data
def test_inverted_photographs_are_farther_from_published_weights_than_photographs() -> None:
    weights, photos = DATA / "weights" / "mobilenet_v2.pth", DATA / "datasets" / "hymenoptera" / "val"
    if not weights.is_file() or not photos.is_dir():
        pytest.skip(f"{weights} or {photos} is absent")
    import torchvision

    model = torchvision.models.mobilenet_v2()
    model.load_state_dict(torch.load(weights, weights_only=True))
    preset = Preprocessing(
        resize_px=256, crop_px=224, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225), interpolation="bilinear"
    )
    network = from_torchvision(model, "mobilenet_v2", 2, preset)
    files = sorted(photos.rglob("*.jpg"))[::5]
    images = np.stack([fit(decode(file.read_bytes(), file.name), preset) for file in files])
    plain, inverted = (
        block_profile(batchnorm_moments(network, each), confidence=0.95, seed=0) for each in (images, 255 - images)
    )
    assert len(plain) == len(network.blocks)
    for a, b in zip(plain, inverted, strict=True):
        assert b.shift.estimate > a.shift.estimate, a.block
    assert inverted[3].shift.low > plain[3].shift.high
