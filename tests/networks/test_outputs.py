import numpy as np
import torch

from graft.networks.networks import build_network
from graft.networks.outputs import outputs_of
from graft.networks.preprocessing import SMALL_CNN


def _images(n: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.random.default_rng(0).integers(0, 256, (n, 32, 32, 3), dtype=np.uint8)


def test_outputs_in_batches_equal_one_pass() -> None:
    network = build_network("small_cnn", 4, SMALL_CNN).eval()
    images = _images(70)
    outputs = outputs_of(network, images)
    with torch.inference_mode():
        whole = network(torch.from_numpy(images).permute(0, 3, 1, 2))
    np.testing.assert_allclose(outputs.logits, whole, atol=1e-5)
    assert outputs.features.shape == (70, 128)


def test_no_images_give_empty_outputs_of_the_right_width() -> None:
    outputs = outputs_of(build_network("small_cnn", 4, SMALL_CNN), _images(0))
    assert outputs.features.shape == (0, 128)
    assert outputs.logits.shape == (0, 4)


def test_outputs_do_not_move_batchnorm_statistics() -> None:
    network = build_network("small_cnn", 4, SMALL_CNN).train()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    outputs_of(network, _images(8))
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())
