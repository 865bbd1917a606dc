import pytest
import torch

from graft.networks.networks import build_network, pooled, state_sha256, with_new_head


def test_small_cnn_gives_one_logit_a_class() -> None:
    assert build_network("small_cnn", 7)(torch.zeros(2, 3, 32, 32)).shape == (2, 7)


def test_unknown_network_is_refused_with_the_choices() -> None:
    with pytest.raises(ValueError, match=r"network\.name: want small_cnn or .*, got 'resnet19'.*resnet18"):
        build_network("resnet19", 5)


def test_new_head_keeps_the_blocks() -> None:
    network = build_network("small_cnn", 3)
    before = state_sha256(network.blocks.values())
    changed = with_new_head(network, 9, "mlp")
    assert (changed.n_classes, changed.head_kind) == (9, "mlp")
    assert changed.eval()(torch.zeros(1, 3, 32, 32)).shape == (1, 9)
    assert state_sha256(network.blocks.values()) == before


def test_hash_of_state_sees_buffers() -> None:
    network = build_network("small_cnn", 3)
    before = state_sha256(network.blocks.values())
    network.train()
    network(torch.randn(4, 3, 32, 32))  # moves the running statistics of BatchNorm, no parameter
    assert state_sha256(network.blocks.values()) != before


def test_small_cnn_starts_from_the_same_draws_whatever_stands_on_it() -> None:
    torch.manual_seed(0)
    linear = build_network("small_cnn", 3, 32, "linear")
    torch.manual_seed(0)
    mlp = build_network("small_cnn", 3, 32, "mlp")
    assert state_sha256(linear.blocks.values()) == state_sha256(mlp.blocks.values())


def test_network_is_built_for_the_size_of_its_images() -> None:
    assert build_network("vit_b_32", 3, 96).eval()(torch.zeros(1, 3, 96, 96)).shape == (1, 3)


def test_map_is_pooled_over_its_places() -> None:
    activations = torch.arange(48.0).view(2, 3, 2, 4)
    assert pooled(activations).tolist() == [[3.5, 11.5, 19.5], [27.5, 35.5, 43.5]]


def test_tokens_are_pooled_over_the_tokens() -> None:
    assert pooled(torch.arange(12.0).view(2, 3, 2)).tolist() == [[2, 3], [8, 9]]


def test_features_are_pooled_already() -> None:
    features = torch.randn(2, 5, generator=torch.Generator().manual_seed(0))
    assert torch.equal(pooled(features), features)
