"""Where tensors live: CUDA where there is a device, else the CPU; GRAFT_DEVICE overrules."""

import os

import torch

picked = torch.device("cpu")
"""what pick_device gave last: the provenance of a stage"""


def pick_device() -> torch.device:
    """The device of this process.

    It is provenance and no param, so that a GPU and a laptop share one pipeline.

    Raises:
        ValueError: GRAFT_DEVICE names no device of this machine.
    """
    global picked
    wanted = os.environ.get("GRAFT_DEVICE", "")
    picked = _named_device(wanted) if wanted else torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return picked


def _named_device(wanted: str) -> torch.device:
    try:
        device = torch.device(wanted)
        torch.empty(1, device=device).item()
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0].split(". ")[0][:100]
        raise ValueError(
            f"GRAFT_DEVICE: want a device of this machine such as cpu or cuda, got {wanted!r} ({reason}). "
            "Unset it to let graft choose."
        ) from None
    return device


def make_deterministic(seed: int) -> None:
    """Same seed, same machine: same numbers, to the last bit."""
    # cuBLAS reads this when its handle is made; without it deterministic mode refuses matrix products
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True)
    # On a busy machine several threads now and then add in another order; a lone one never does, and for small
    # networks it is no slower. A user who sets OMP_NUM_THREADS has chosen speed over the last digits.
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(1)
    torch.backends.cudnn.benchmark = False
    torch.manual_seed(seed)
