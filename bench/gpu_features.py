"""Images per second of features of a frozen backbone and of augmentation, on one CUDA device."""

from functools import partial

import numpy as np
import torch
from gpu_clock import Table, run, samples, seconds
from gpu_training import RECIPES
from own_loop import named
from training_run import N_CLASSES, network

from graft.networks.outputs import outputs_of
from graft.params.recipes import Recipe
from graft.training.augmentation.augmentation import augmented


def features(device: torch.device) -> None:
    """Measure features of a frozen backbone, from the uint8 images of a store in CPU memory."""
    name, side_px, n = ("resnet50", 224, 2_560) if device.type == "cuda" else ("resnet18", 32, 64)
    images = np.ascontiguousarray(samples(side_px, n, device).images.permute(0, 2, 3, 1).cpu().numpy())
    net = named(network(name), name, side_px, N_CLASSES).eval().to(device)
    model = network(name).eval().to(device)

    def bare_forward() -> None:
        with torch.inference_mode():
            for part in torch.from_numpy(images).permute(0, 3, 1, 2).split(256):
                model((part.to(device).float() / 255 - 0.5) / 0.25).cpu()

    ways = {
        "bare forward, batches of 256": bare_forward,
        "graft": lambda: outputs_of(net, images),
    }
    print(f"\nFeatures of a store in the processor's memory, {name} at {side_px} px, float32\n")
    print("| loop | images a second |\n|---|---:|")
    for each, way in ways.items():
        print(f"| {each} | {len(images) / seconds(way, device):,.0f} |", flush=True)


def augmentation(device: torch.device) -> None:
    """Measure images per second of each shipped recipe, in batches of 128."""
    side_px, repeats = (224, 20) if device.type == "cuda" else (32, 1)
    images = samples(side_px, 128, device).images
    print(f"\nAugmentation of 128 images of {side_px} px\n\n| recipe | images a second |\n|---|---:|")
    for name, recipe in RECIPES.items():
        once = partial(_varied, images, recipe)
        print(f"| {name} | {len(images) / seconds(once, device, repeats):,.0f} |", flush=True)


def _varied(images: torch.Tensor, recipe: Recipe) -> None:
    augmented(images, recipe, torch.Generator().manual_seed(0))


TABLES: dict[str, Table] = {"features": features, "augmentation": augmentation}

if __name__ == "__main__":
    run(TABLES, __doc__)
