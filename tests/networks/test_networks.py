import pytest
import torch
from tests.networks.sizes import of_size
from torch import nn

from graft.networks.networks import build_network, make_head, pooled, state_sha256, with_new_head
from graft.networks.preprocessing import SMALL_CNN


def test_small_cnn_gives_one_logit_a_class() -> None:
    assert build_network("small_cnn", 7, SMALL_CNN)(torch.zeros(2, 3, 32, 32, dtype=torch.uint8)).shape == (2, 7)


def test_unknown_network_is_refused_with_the_choices() -> None:
    with pytest.raises(ValueError, match=r"^name: want small_cnn or .*, got 'resnet19'.*resnet18"):
        build_network("resnet19", 5, SMALL_CNN)


def test_new_head_keeps_the_blocks() -> None:
    network = build_network("small_cnn", 3, SMALL_CNN)
    before = state_sha256(network.blocks.values())
    changed = with_new_head(network, 9, "mlp")
    assert (changed.n_classes, changed.head_kind) == (9, "mlp")
    assert changed.eval()(torch.zeros(1, 3, 32, 32, dtype=torch.uint8)).shape == (1, 9)
    assert state_sha256(network.blocks.values()) == before


def test_hash_of_state_sees_buffers() -> None:
    network = build_network("small_cnn", 3, SMALL_CNN)
    before = state_sha256(network.blocks.values())
    network.train()
    # moves the running statistics of BatchNorm, and no parameter
    network(torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8))
    assert state_sha256(network.blocks.values()) != before


def test_small_cnn_starts_from_the_same_draws_whatever_its_head() -> None:
    torch.manual_seed(0)
    linear = build_network("small_cnn", 3, SMALL_CNN, "linear")
    torch.manual_seed(0)
    mlp = build_network("small_cnn", 3, SMALL_CNN, "mlp")
    assert state_sha256(linear.blocks.values()) == state_sha256(mlp.blocks.values())


def test_network_is_built_for_the_size_of_its_images() -> None:
    network = build_network("vit_b_32", 3, of_size(96)).eval()
    assert network(torch.zeros(1, 3, 96, 96, dtype=torch.uint8)).shape == (1, 3)


def test_a_map_is_pooled_over_height_and_width() -> None:
    activations = torch.arange(48.0).view(2, 3, 2, 4)
    assert pooled(activations).tolist() == [[3.5, 11.5, 19.5], [27.5, 35.5, 43.5]]


def test_tokens_are_pooled_over_the_tokens() -> None:
    assert pooled(torch.arange(12.0).view(2, 3, 2)).tolist() == [[2, 3], [8, 9]]


def test_features_are_returned_as_they_are() -> None:
    features = torch.randn(2, 5, generator=torch.Generator().manual_seed(0))
    assert torch.equal(pooled(features), features)


def test_linear_head_is_one_layer() -> None:
    head = make_head(5, 3, "linear")
    assert isinstance(head, nn.Linear)
    assert (head.in_features, head.out_features) == (5, 3)


def test_mlp_gives_one_logit_a_class() -> None:
    assert make_head(5, 3, "mlp")(torch.randn(4, 5)).shape == (4, 3)


def test_mlp_is_not_linear() -> None:
    head = make_head(5, 3, "mlp").eval()
    x = torch.randn(4, 5, generator=torch.Generator().manual_seed(0))
    assert not torch.allclose(head(x) + head(-x), 2 * head(0 * x), atol=1e-3)


def test_mlp_uses_dropout_and_batch_statistics_in_training_alone() -> None:
    torch.manual_seed(0)
    head, x = make_head(5, 3, "mlp"), torch.randn(8, 5)
    assert not torch.equal(head(x), head(x))
    head.eval()
    assert torch.equal(head(x), head(x))
    assert torch.allclose(head(x)[:1], head(x[:1]), atol=1e-6)  # the other rows do not count
