"""The head that runs start from: the pretraining's own where these labels taught it, else a probe of the labels."""

import numpy as np
import torch
from tests.transfer.conftest import strategy, tiny_backbone, tiny_data, tiny_params

from graft.networks.networks import Network
from graft.transfer.finetuning.task import HEAD_C, TransferTask, head_c, start_of, with_head


def _started(*, knows_classes: bool, head: str = "linear") -> tuple[Network, Network]:
    """The pretrained network, and the one that a run starts from."""
    backbone = tiny_backbone()._replace(knows_classes=knows_classes)
    task = TransferTask(backbone, tiny_data(), strategy("full"), tiny_params(training={"head": head}))
    return backbone.network, with_head(task, start_of(task), np.arange(24), 0.1)


def test_the_head_of_the_pretraining_stays_where_these_labels_taught_it() -> None:
    before, found = _started(knows_classes=True)
    assert all(torch.equal(a, b) for a, b in zip(before.head.parameters(), found.head.parameters(), strict=True))
    assert found.head is not before.head


def test_else_the_head_is_a_probe() -> None:
    before, found = _started(knows_classes=False)
    assert not torch.equal(next(before.head.parameters()), next(found.head.parameters()))


def test_a_head_of_another_kind_is_new_all_the_same() -> None:
    before, found = _started(knows_classes=True, head="mlp")
    assert type(found.head) is not type(before.head)


def test_without_labels_of_the_target_the_probe_has_a_fixed_strength() -> None:
    record = strategy("full")
    assert head_c(record) == record.probe_c
    assert head_c(record.model_copy(update={"probe_c": None})) == HEAD_C
