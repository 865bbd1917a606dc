"""A network gives the same outputs with cached activations of frozen blocks as without."""

from collections.abc import Collection

import pytest
import torch
from tests.networks.sizes import of_size
from tests.training.runs import SHIFTED, ignore, phase, plan
from torch import Tensor, nn

from graft.networks.networks import Network, build_network
from graft.training import steps
from graft.training.activations import Pass, activations, back
from graft.training.augmentation.augmentation import augmented
from graft.training.batches import Samples, batch_rows
from graft.training.loop import fit, view_seed
from graft.training.phases import parts_of


@pytest.fixture(scope="module")
def resnet() -> Network:
    """Randomly initialised ResNet-18 with BatchNorm statistics and parameters other than the initial ones."""
    torch.manual_seed(0)
    made = build_network("resnet18", 5, of_size(96))
    for norm in made.modules():
        if isinstance(norm, nn.BatchNorm2d):
            assert norm.running_mean is not None
            assert norm.running_var is not None
            nn.init.normal_(norm.running_mean, std=0.2)
            nn.init.uniform_(norm.running_var, 0.5, 2.0)
            nn.init.uniform_(norm.weight, 0.5, 1.0)
            nn.init.normal_(norm.bias, std=0.2)
    return made.eval()


def _photos(n: int = 8) -> Tensor:
    return torch.randint(0, 256, (n, 3, 96, 96), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def _plainly(network: Network, images: Tensor) -> Tensor:
    with torch.no_grad():
        logits: Tensor = network.eval()(images)
    return logits


@pytest.mark.parametrize("n_front", [0, 1, 4, 5])
def test_logits_from_activations_are_those_of_the_network(resnet: Network, n_front: int) -> None:
    assert len(resnet.blocks) == 5
    expected = _plainly(resnet, _photos())
    with torch.no_grad():
        found = back(resnet, n_front, activations(resnet, n_front, torch.split(_photos(), 3))).logits
    assert expected.std() > 0.1
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


def test_logits_of_fixed_views_are_those_of_the_network_run_on_these_views(
    resnet: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, order = list[Tensor](), torch.Generator().manual_seed(7)

    def watch(network: Network, n_front: int, values: Tensor, wanted: Collection[str]) -> Pass:
        passed = back(network, n_front, values, wanted)
        (rows,) = batch_rows(5, 8, order)
        seen.append(passed.logits.detach()[rows.argsort()])
        return passed

    monkeypatch.setattr(steps, "back", watch)
    rates = dict.fromkeys(parts_of(resnet), 0.0) | {"head": 1e-12}
    photos = Samples(_photos(5), torch.arange(5))
    to = plan(phase(epochs=3)._replace(rates=rates), views=2)
    fit(resnet, photos, photos, to, 7, ignore)
    assert len(seen) == 3
    for epoch, logits in enumerate(seen):
        generator = torch.Generator().manual_seed(view_seed(7, epoch % 2))
        expected = _plainly(resnet, augmented(_photos(5), SHIFTED, generator))
        torch.testing.assert_close(logits, expected, rtol=0, atol=1e-5)
