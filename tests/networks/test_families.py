import re
from collections import OrderedDict

import pytest
import torch
import torchvision
from torchvision.models.vision_transformer import interpolate_embeddings

from graft.networks import families
from graft.networks.families import FAMILIES, check_size, family_of, head_of, networks, torchvision_network


def test_every_classification_network_has_a_family() -> None:
    assert networks() == torchvision.models.list_models(module=torchvision.models)


def test_no_family_is_without_a_network() -> None:
    classes = {torchvision.models.get_model_builder(name).__annotations__["return"].__name__ for name in networks()}
    assert classes == set(FAMILIES)


@pytest.mark.parametrize("name", ["resnet19", "fcn_resnet50", "quantized_resnet18", "r3d_18"])
def test_a_name_that_is_not_a_classification_network_is_refused_with_the_choices(name: str) -> None:
    with pytest.raises(ValueError, match=rf"^name: want small_cnn or .*, got '{name}'.*resnet18"):
        family_of(name)


def test_a_family_without_an_entry_is_not_among_the_choices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(families.FAMILIES, "AlexNet")
    with pytest.raises(ValueError, match=r"got 'alexnet'\. Choices: small_cnn, convnext_base"):
        family_of("alexnet")


@pytest.mark.parametrize(
    ("name", "size_px", "reason"),
    [
        ("inception_v3", 64, "Kernel size"),
        ("alexnet", 48, "Output size is too small"),
        ("vgg11", 31, "Output size is too small"),
        ("convnext_tiny", 31, "Kernel size"),
        ("vit_b_16", 100, "indivisible by patch size"),
        ("maxvit_t", 128, "not divisible by partition size"),
    ],
)
def test_a_size_that_the_network_cannot_take_is_refused(name: str, size_px: int, reason: str) -> None:
    with pytest.raises(ValueError, match=rf"^size_px: want a size that {name} takes, got {size_px} .*{reason}"):
        check_size(name, size_px)


def test_refusing_a_size_names_the_size_of_the_weights() -> None:
    with pytest.raises(ValueError, match=r"Set it to null for the size of its weights, 299\."):
        check_size("inception_v3", 64)


@pytest.mark.parametrize(
    ("name", "size_px"),
    [
        ("inception_v3", 75),
        ("alexnet", 63),
        ("vgg11", 32),
        ("convnext_tiny", 32),
        ("vit_b_16", 96),
        ("maxvit_t", 448),
        ("swin_t", 50),
        ("swin_v2_t", 50),
        ("resnet18", 16),
        ("regnet_y_128gf", 16),
    ],
)
def test_a_size_that_the_network_takes_is_accepted(name: str, size_px: int) -> None:
    check_size(name, size_px)


@pytest.mark.parametrize(("name", "head"), [("resnet18", "fc"), ("maxvit_t", "classifier.5")])
def test_head_is_the_last_layer(name: str, head: str) -> None:
    with torch.device("meta"):
        assert head_of(torchvision_network(name, 224))[0] == head


def test_published_names_of_densenet_are_translated() -> None:
    net = torchvision_network("densenet121", 64)
    state = net.state_dict()
    published = {re.sub(r"(denselayer\d+\.\w+)([12]\.)", r"\1.\2", key): value for key, value in state.items()}
    assert published.keys() != state.keys()
    assert family_of("densenet121").translate(net, published).keys() == state.keys()


@pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
def test_auxiliary_heads_are_left_out(name: str) -> None:
    with torch.device("meta"):
        net = torchvision_network(name, 299)
        published = torchvision.models.get_model(name, weights=None, aux_logits=True, init_weights=False).state_dict()
    assert len(published) > len(net.state_dict())
    assert family_of(name).translate(net, published).keys() == net.state_dict().keys()


def test_mnasnet_loads_a_state_without_a_version() -> None:
    net = torchvision_network("mnasnet0_5", 64)
    with pytest.raises(ValueError, match="version should be set"):
        net.load_state_dict(dict(net.state_dict()))
    net.load_state_dict(family_of("mnasnet0_5").translate(net, dict(net.state_dict())))


def test_position_embeddings_are_interpolated_to_the_size_of_the_images() -> None:
    published = torchvision_network("vit_b_32", 224).state_dict()
    positions = published["encoder.pos_embedding"].clone()
    net = torchvision_network("vit_b_32", 96)
    found = family_of("vit_b_32").translate(net, published)
    assert found["encoder.pos_embedding"].shape == (1, 1 + 3 * 3, 768)
    expected = interpolate_embeddings(96, 32, OrderedDict({"encoder.pos_embedding": positions}))
    assert torch.equal(found["encoder.pos_embedding"], expected["encoder.pos_embedding"])


def test_position_embeddings_of_the_same_size_stay() -> None:
    net = torchvision_network("vit_b_32", 96)
    before = net.state_dict()["encoder.pos_embedding"]
    assert torch.equal(family_of("vit_b_32").translate(net, net.state_dict())["encoder.pos_embedding"], before)
