"""Words on what transfer gained that need more than its record."""

import numpy as np

from graft.records.gain import Speed
from graft.reporting.formatting import number
from graft.reporting.provenance import Provenance

# Stages that train the two arms.
TRANSFER, SCRATCH = "finetune_target", "train_scratch"


def seconds_to_target(speed: Speed, provenance: Provenance) -> str:
    """Seconds of both arms to the target of the speed, by the steps of the median seed.

    Args:
        speed: steps to the target.
        provenance: seconds of one step, where the stages left a note of them.

    Returns:
        A sentence; empty where steps or seconds are unknown, or where an arm reaches the target in no seed.
    """
    a_step = {each.stage: each.seconds_a_step for each in provenance.stages}
    ours = [each.transfer for each in speed.seeds if each.transfer is not None]
    control = [each.scratch for each in speed.seeds if each.scratch is not None]
    of_transfer, of_scratch = a_step.get(TRANSFER), a_step.get(SCRATCH)
    if not ours or not control or of_transfer is None or of_scratch is None:
        return ""
    seconds = (number(float(np.median(ours)) * of_transfer, 2), number(float(np.median(control)) * of_scratch, 2))
    return (
        f"On this machine that is {seconds[0]} s of training for transfer and {seconds[1]} s for scratch "
        "(median over the seeds that get there)."
    )
