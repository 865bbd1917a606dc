"""The score by which a seed chooses among its runs: on validation images and on the train images that it leaves out."""

import numpy as np
from numpy.typing import NDArray

from graft.networks.networks import Network
from graft.training.loop import Fitted, score_on
from graft.training.steps import Plan
from graft.transfer.arms.rates import pooled
from graft.transfer.arms.target_data import TargetData, part_of


def judged(network: Network, fitted: Fitted, data: TargetData, plan: Plan, left_out: NDArray[np.int64]) -> Fitted:
    """The result of a run, with the score by which its seed chooses.

    Args:
        network: with the weights of its best epoch on validation.
        fitted: result of the run.
        data: the target's images.
        plan: of the run.
        left_out: places of the train images that the seed leaves out; without any, validation images alone decide, and
            where a score without labels decides, nothing else does.
    """
    if not len(left_out) or plan.unlabelled_score is not None:
        return fitted
    own = score_on(network, part_of(data.train, left_out), plan)
    return fitted._replace(choice=pooled(fitted.best, len(data.val.labels), own, len(left_out)))
