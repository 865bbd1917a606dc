"""Shift test on one CUDA device: 1,000 permutations, all bandwidths, against the matrix products that it needs.

The target is drawn like the source, or moved by a fraction of a deviation in every feature, which the test must find.
"""

from functools import partial

import torch
from gpu_clock import Table, forget_peak, peak_gib, run, seconds
from torch import Tensor

from graft.statistics.two_sample.two_sample import two_sample_test

N_PERMUTATIONS = 1_000
# Deviations that the target is moved by. At 10,000 rows of 512 features, the squared distance of means is then 30 times
# its own deviation.
MOVED = 0.02


def shift(device: torch.device) -> None:
    """Test three sizes, the largest with as many features as the backbones of torchvision.

    Raises:
        RuntimeError: a planted shift is not found.
    """
    large = ((10_000, 512), (50_000, 512), (50_000, 2_048))
    print(
        "\n| rows a side | features | graft, s | peak GiB | products alone in float32, s | ratio | p | p of a shift |"
    )
    print("|---:|---:|---:|---:|---:|---:|---:|---:|")
    for n, d in large if device.type == "cuda" else ((3_000, 512),):
        source, target = drawn(n, d, device)
        forget_peak(device)
        p = two_sample_test(source, target, n_permutations=N_PERMUTATIONS, seed=0).p_value
        taken = seconds(partial(two_sample_test, source, target, n_permutations=N_PERMUTATIONS, seed=0), device)
        peak = peak_gib(device)
        seen = two_sample_test(source, target + MOVED, n_permutations=N_PERMUTATIONS, seed=0).p_value
        floor = seconds(partial(products, torch.cat([source, target])), device)
        shown = f"{taken:.2f} | {peak:.1f} | {floor:.2f} | {taken / floor:.1f} | {p:.3f} | {seen:.3f}"
        print(f"| {n:,} | {d:,} | {shown} |", flush=True)
        if seen > 1 / N_PERMUTATIONS:
            raise RuntimeError(f"shift, {n:,} x {d:,}: want every permutation below a planted shift, got p = {seen}.")


def drawn(n: int, d: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Two samples of one distribution."""
    generator = torch.Generator(device).manual_seed(0)
    source, target = (torch.randn(n, d, generator=generator, device=device) for _ in range(2))
    return source, target


def products(rows: Tensor) -> None:
    """Matrix products of the upper triangle of the kernel, in tiles."""
    for start in range(0, len(rows), 8_192):
        rows[start : start + 8_192] @ rows[start:].T


TABLES: dict[str, Table] = {"shift": shift}

if __name__ == "__main__":
    run(TABLES, __doc__)
