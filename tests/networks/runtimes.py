"""Runtimes for tests."""

import torch

from graft.networks.runtime import Runtime

ON_CPU = Runtime(torch.device("cpu"), torch.float32, 1, None)
