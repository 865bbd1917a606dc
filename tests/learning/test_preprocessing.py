import pytest
import torchvision

from graft.learning.preprocessing import preprocessing_for
from graft.params import Images, Network


def _network(name: str, weights: str) -> Network:
    is_file = weights == "file"
    return Network(
        name=name, weights=weights, weights_file="x" if is_file else None, weights_sha256="0" * 64 if is_file else None
    )


@pytest.mark.parametrize(
    ("name", "weights"),
    [("resnet50", "IMAGENET1K_V1"), ("resnet50", "IMAGENET1K_V2"), ("efficientnet_b0", "IMAGENET1K_V1")],
)
def test_preprocessing_is_that_of_the_weights(name: str, weights: str) -> None:
    preset = torchvision.models.get_model_weights(name)[weights].transforms()
    found = preprocessing_for(_network(name, weights), Images(size_px=None))
    assert (found.resize_px, found.crop_px) == (preset.resize_size[0], preset.crop_size[0])
    assert (list(found.mean), list(found.std)) == (preset.mean, preset.std)
    assert found.interpolation == preset.interpolation.value


def test_file_of_weights_takes_the_first_published_convention() -> None:
    found = preprocessing_for(_network("mobilenet_v2", "file"), Images(size_px=None))
    assert (found.resize_px, found.crop_px, found.mean) == (256, 224, (0.485, 0.456, 0.406))


def test_another_size_keeps_the_share_that_the_crop_takes() -> None:
    found = preprocessing_for(_network("mobilenet_v2", "file"), Images(size_px=112))
    assert (found.resize_px, found.crop_px) == (128, 112)


def test_small_cnn_takes_any_size() -> None:
    found = preprocessing_for(_network("small_cnn", "pretrain"), Images(size_px=48))
    assert (found.resize_px, found.crop_px) == (48, 48)
