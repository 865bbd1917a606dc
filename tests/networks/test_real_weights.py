"""Real ImageNet weights on real photographs: a network gives the same outputs whole and cut into blocks."""

import hashlib

import numpy as np
import pytest
import torch
import torchvision
from tests.house import ROOT
from torch import nn

from graft.images import decode
from graft.images.resizing import fit
from graft.networks.families import head_of
from graft.networks.networks import published_network
from graft.networks.preprocessing import preprocessing_for
from graft.params.network import Images, NetworkParams

DATA = ROOT.parent / "shared" / "data"
PHOTOS = sorted((DATA / "datasets" / "hymenoptera" / "val").glob("*/*"))[::12]


@pytest.mark.real_data
@pytest.mark.skipif(not DATA.is_dir(), reason="no ../shared/data here")
@pytest.mark.parametrize("name", ["mobilenet_v2", "squeezenet1_1"])
def test_blocks_under_the_published_head_name_the_same_classes(name: str) -> None:
    path = DATA / "weights" / f"{name}.pth"
    params = NetworkParams(
        name=name,
        weights="file",
        weights_file=str(path),
        weights_sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
    )
    preprocessing = preprocessing_for(params, Images(size_px=None, value_bits=None, max_megapixels=25))
    pixels = np.stack([fit(decode.decode(each.read_bytes(), each.name), preprocessing) for each in PHOTOS])

    whole = torchvision.models.get_model(name, weights=None).eval()
    whole.load_state_dict(torch.load(path, weights_only=True))
    network = published_network(params, 2, preprocessing)[0].eval()
    batch = network.input_transform(torch.from_numpy(pixels).permute(0, 3, 1, 2))
    *lower, top = network.blocks.values()
    maps = nn.Sequential(*lower, *list(top.children())[:-2])  # without pooling, for SqueezeNet's head comes before it
    head = whole.get_submodule("classifier")
    with torch.no_grad():
        expected = whole(batch)
        found = head(maps(batch)) if isinstance(head_of(whole)[1], nn.Conv2d) else head(maps(batch).mean(dim=(2, 3)))
    torch.testing.assert_close(found.flatten(1), expected, rtol=0, atol=1e-4)
    assert torch.equal(found.flatten(1).argmax(dim=1), expected.argmax(dim=1))
    assert len(set(expected.argmax(dim=1).tolist())) > 3  # ants, bees, flowers
