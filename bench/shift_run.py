"""Run one method on one file of data, in a process of its own; print CPU seconds, peak memory and p-values as JSON.

It imports only what the method needs, so that a peer's environment can run it: see shift.py.
"""

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Method = Callable[[Any, Any, int, int], Any]


def graft(**options: Any) -> Method:
    """This project's test with these options, on arrays."""
    # torch computes large arrays. It is loaded beforehand, like the libraries of the peers.
    import torch  # noqa: F401

    from graft.statistics.two_sample.two_sample import two_sample_test

    return lambda source, target, n, seed: (
        two_sample_test(source, target, n_permutations=n, seed=seed, **options).p_value
    )


def graft_torch(**options: Any) -> Method:
    """This project's test on tensors."""
    import torch

    test = graft(**options)
    return lambda source, target, n, seed: test(torch.from_numpy(source), torch.from_numpy(target), n, seed)


def graft_exact(**options: Any) -> Method:
    """This project's test with every row permuted by itself, whatever their number."""
    from graft.statistics.two_sample import permutations

    permutations.EXACT = 10**9
    return graft(**options)


def floor(precision: str) -> Method:
    """Matrix products of the upper triangle of the kernel, and nothing else."""
    import torch

    def multiply(source: Any, target: Any, n: int, seed: int) -> None:
        rows = torch.from_numpy(np.concatenate([source, target])).to(getattr(torch, precision))
        for start in range(0, len(rows), 2048):
            for other in range(start, len(rows), 2048):
                rows[start : start + 2048] @ rows[other : other + 2048].T

    return multiply


def alibi() -> Method:
    """MMDDrift of alibi-detect on its torch backend, with its own bandwidth."""
    from alibi_detect.cd import MMDDrift

    def test(source: Any, target: Any, n: int, seed: int) -> float:
        import torch

        torch.manual_seed(seed)
        drift = MMDDrift(source, backend="pytorch", n_permutations=n, device="cpu")
        return float(drift.predict(target)["data"]["p_val"])

    return test


def torchdrift() -> Method:
    """kernel_mmd of TorchDrift with its own kernel."""
    import torch
    from torchdrift.detectors.mmd import kernel_mmd

    def test(source: Any, target: Any, n: int, seed: int) -> float:
        torch.manual_seed(seed)
        return float(kernel_mmd(torch.from_numpy(source), torch.from_numpy(target), n_perm=n)[1])

    return test


def evidently(**options: Any) -> Method:
    """Evidently's MMD drift method. It gives no p-value, so an alarm counts as p = 0 and none as p = 1."""
    import pandas as pd
    from evidently.legacy.metrics.data_drift.embedding_drift_methods import MMDDriftMethod

    method = MMDDriftMethod(**options)
    return lambda source, target, n, seed: 0.0 if method(pd.DataFrame(target), pd.DataFrame(source))[1] else 1.0


METHODS: dict[str, Callable[[], Method]] = {
    "graft one bandwidth": lambda: graft(bandwidths=(1.0,)),
    "graft family": lambda: graft(),
    "graft one bandwidth, tensors": lambda: graft_torch(bandwidths=(1.0,)),
    "graft family, tensors": lambda: graft_torch(),
    "graft one bandwidth, exact": lambda: graft_exact(bandwidths=(1.0,)),
    "graft family, exact": lambda: graft_exact(),
    "GEMM floor float32": lambda: floor("float32"),
    "GEMM floor bfloat16": lambda: floor("bfloat16"),
    "alibi-detect": alibi,
    "torchdrift": torchdrift,
    "evidently default": lambda: evidently(),
    "evidently bootstrap": lambda: evidently(bootstrap=True),
    "evidently bootstrap 0.95": lambda: evidently(bootstrap=True, quantile_probability=0.95),
}


def main(name: str, data: str, n_permutations: str, first_seed: str) -> None:
    """Run a method on the (k, n, d) and (k, m, d) arrays of a folder, after a small run that is not measured."""
    source, target = (np.load(Path(data) / f"{side}.npy") for side in ("source", "target"))
    method = METHODS[name]()
    warm = np.random.default_rng(0).normal(size=(2, 40, source.shape[2])).astype(source.dtype)
    method(warm[0], warm[1], 10, 0)
    # Reset the peak of the memory.
    Path("/proc/self/clear_refs").write_text("5")
    before, used, start = _memory("VmRSS"), _cpu(), time.perf_counter()
    found = [
        method(one, other, int(n_permutations), int(first_seed) + number)
        for number, (one, other) in enumerate(zip(source, target, strict=True))
    ]
    wall = time.perf_counter() - start
    print(json.dumps({"cpu": _cpu() - used, "wall": wall, "mib": _memory("VmHWM") - before, "p": found}))


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _memory(field: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024


if __name__ == "__main__":
    main(*sys.argv[1:])
