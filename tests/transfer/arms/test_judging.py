"""The score by which a seed chooses, against that of a network on both sets of images at once."""

import numpy as np
import pytest
import torch
from tests.training.runs import evaluate, network, plan

from graft.networks.outputs import Score
from graft.training.batches import Samples
from graft.training.loop import Fitted
from graft.transfer.arms.judging import judged
from graft.transfer.arms.target_data import TargetData, part_of


def test_it_is_the_score_on_validation_and_left_out_images_together(data: TargetData) -> None:
    net, left_out = network(), np.array([1, 4, 7, 20])
    fitted = Fitted(1, evaluate(net, data.val), (), (), 0)
    own = part_of(data.train, left_out)
    both = Samples(torch.cat([data.val.images, own.images]), torch.cat([data.val.labels, own.labels]))
    choice = judged(net, fitted, data, plan(), left_out).choice
    assert choice is not None
    expected = evaluate(net, both)
    assert (choice.loss, choice.accuracy) == pytest.approx((expected.loss, expected.accuracy), rel=1e-4)


def test_without_images_left_out_validation_alone_decides(data: TargetData) -> None:
    fitted = Fitted(1, Score(0.5, 0.5), (), (), 0)
    assert judged(network(), fitted, data, plan(), np.array([], dtype=np.int64)) == fitted
