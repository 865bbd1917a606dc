"""What is trained from beside the arms: the task of the transfer arm, and what the arms chose."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from graft.files import read_record
from graft.params.pipeline import Params
from graft.records.training import TrainingRecord
from graft.transfer.finetuning.task import TaskFiles, TransferTask, read_task
from graft.transfer.variants.plan import Arms


class VariantsTask(NamedTuple):
    """All that the trainings beside the arms start from."""

    task: TransferTask
    """what the transfer arm is trained from; the control takes its images"""
    arms: Arms


# picklable: reads the task anew, in a worker process
Reread = Callable[[], VariantsTask]


def read_variants_task(params: Params, files: TaskFiles, training: Path, scratch: Path) -> VariantsTask:
    """Read what the arms were trained from, and what they chose.

    Args:
        params: all of params.yaml.
        files: what `read_task` reads.
        training: record of the transfer arm.
        scratch: record of the control.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: the images do not fit into memory, or GRAFT_DEVICE names no device of this machine.
    """
    arms = Arms(read_record(TrainingRecord, training), read_record(TrainingRecord, scratch))
    return VariantsTask(read_task(params, files), arms)
