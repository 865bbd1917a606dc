import pytest
import torch
import torchvision

from graft.networks.input_transform import InputTransform
from graft.networks.preprocessing import preprocessing_for
from graft.params.network import Images, NetworkParams

CONVERTING = ("googlenet", "inception_v3")


def _network(name: str, weights: str) -> NetworkParams:
    is_file = weights == "file"
    return NetworkParams(
        name=name,
        weights=weights,
        weights_file="x" if is_file else None,
        weights_sha256="0" * 64 if is_file else None,
    )


def _images(size_px: int | None) -> Images:
    return Images(size_px=size_px, value_bits=12, max_megapixels=30)


EVERY = [
    (name, weights.name)
    for name in torchvision.models.list_models(module=torchvision.models)
    for weights in torchvision.models.get_model_weights(name)
    if weights.meta["categories"]
]


@pytest.mark.parametrize(("name", "weights"), EVERY)
def test_preprocessing_is_that_of_the_weights(name: str, weights: str) -> None:
    preset = torchvision.models.get_model_weights(name)[weights].transforms()
    found = preprocessing_for(_network(name, weights), _images(None))
    assert (found.resize_px, found.crop_px) == (preset.resize_size[0], preset.crop_size[0])
    assert found.interpolation == preset.interpolation.value
    if name not in CONVERTING:
        assert (list(found.mean), list(found.std)) == (preset.mean, preset.std)


@pytest.mark.parametrize("name", CONVERTING)
def test_what_torchvision_converts_inside_the_network_is_converted_before_it(name: str) -> None:
    torch.manual_seed(0)
    model = torchvision.models.get_model(name, weights=None, aux_logits=False, init_weights=True).eval()
    pixels = torch.randint(0, 256, (2, 3, 96, 96), dtype=torch.uint8)
    preset = torchvision.models.get_model_weights(name).IMAGENET1K_V1.transforms()
    theirs = InputTransform(preset.mean, preset.std)(pixels)
    ours = preprocessing_for(_network(name, "IMAGENET1K_V1"), _images(96))
    model.transform_input = True  # as the builder sets it with published weights
    converted = model._transform_input(theirs)
    assert not torch.allclose(converted, theirs, atol=0.1)
    torch.testing.assert_close(InputTransform(ours.mean, ours.std)(pixels), converted)


@pytest.mark.parametrize("name", CONVERTING)
def test_torchvision_sets_transform_input_with_published_weights(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    state = torchvision.models.get_model(name, weights=None, aux_logits=True, init_weights=True).state_dict()
    monkeypatch.setattr(torchvision.models._api, "load_state_dict_from_url", lambda *args, **kwargs: state)
    assert torchvision.models.get_model(name, weights="IMAGENET1K_V1").transform_input


def test_no_other_network_converts_its_input() -> None:
    def converts(name: str) -> bool:
        builder = torchvision.models.get_model_builder(name)
        return hasattr(builder.__annotations__["return"], "_transform_input")

    assert [name for name, _ in EVERY if converts(name)] == list(CONVERTING)


def test_unknown_network_is_refused_here() -> None:
    with pytest.raises(ValueError, match=r"^name: want small_cnn or .*, got 'resnet19'"):
        preprocessing_for(_network("resnet19", "file"), _images(None))


def test_file_of_weights_takes_the_first_published_convention() -> None:
    found = preprocessing_for(_network("mobilenet_v2", "file"), _images(None))
    assert (found.resize_px, found.crop_px, found.mean) == (256, 224, (0.485, 0.456, 0.406))


def test_another_size_keeps_the_share_that_the_crop_takes() -> None:
    found = preprocessing_for(_network("mobilenet_v2", "file"), _images(112))
    assert (found.resize_px, found.crop_px) == (128, 112)


def test_small_cnn_takes_any_size() -> None:
    found = preprocessing_for(_network("small_cnn", "pretrain"), _images(48))
    assert (found.resize_px, found.crop_px) == (48, 48)


@pytest.mark.parametrize("size_px", [None, 48])
def test_the_bits_in_use_and_the_limit_of_pixels_are_those_of_params(size_px: int | None) -> None:
    found = preprocessing_for(_network("small_cnn", "pretrain"), _images(size_px))
    assert (found.value_bits, found.max_pixels) == (12, 30_000_000)
