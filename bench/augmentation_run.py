"""Augment a batch in one way, in a process of its own; print CPU milliseconds and distinct views as JSON.

It imports only what the method needs, so that a peer's environment can run it: see augmentation.py.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

Method = Callable[[torch.Tensor], torch.Tensor]
N = 32
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def graft(recipe: str, side: int) -> Method:
    """This project's augmentation, with the recipe of params.yaml."""
    from graft.networks.input_transform import InputTransform
    from graft.params.pipeline import read_params
    from graft.training.augmentation.augmentation import augmented

    chosen = read_params(Path(__file__).parents[1] / "params.yaml").recipes[recipe]
    generator = torch.Generator().manual_seed(0)
    transform = InputTransform(MEAN, STD)
    return lambda images: transform(augmented(images, chosen, generator))


def kornia(recipe: str, side: int) -> Method:
    """Augmentations of kornia, which draw for each image by default."""
    import kornia.augmentation as ka
    from kornia.augmentation.auto import RandAugment

    colour: list[Any] = [ka.ColorJitter(0.2, 0.2, 0.2, 0.02, p=1.0)]
    strong = [RandAugment(n=2, m=9), ka.RandomErasing(p=0.25)]
    policy = ka.AugmentationSequential(
        ka.RandomResizedCrop((side, side), scale=(0.7 if recipe == "photographs" else 0.35, 1), ratio=(3 / 4, 4 / 3)),
        ka.RandomHorizontalFlip(),
        *(colour if recipe == "photographs" else strong),
        ka.Normalize(torch.tensor(MEAN), torch.tensor(STD)),
        data_keys=["input"],
    )
    return lambda images: policy(images.to(torch.float32) / 255)


def torchvision(recipe: str, side: int) -> Method:
    """Transforms of torchvision, version 2, which draw once for the whole input."""
    from torchvision.transforms import v2

    strong = [v2.RandAugment(2, 9), v2.RandomErasing(0.25)]
    policy: Method = v2.Compose(
        [
            v2.RandomResizedCrop(side, scale=(0.7 if recipe == "photographs" else 0.35, 1), antialias=True),
            v2.RandomHorizontalFlip(),
            *([v2.ColorJitter(0.2, 0.2, 0.2, 0.02)] if recipe == "photographs" else strong),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(MEAN, STD),
        ]
    )
    return policy


def torchvision_by_image(recipe: str, side: int) -> Method:
    """Transforms of torchvision, called for one image after another."""
    policy = torchvision(recipe, side)
    return lambda images: torch.stack([policy(image) for image in images])


def resnet18_step(recipe: str, side: int) -> Method:
    """Forward and backward pass of resnet18 in training mode, float32."""
    import torch.nn.functional as F
    from torchvision.models import resnet18

    network = resnet18()
    labels = torch.arange(N)

    def step(images: torch.Tensor) -> torch.Tensor:
        network.zero_grad(set_to_none=True)
        loss = F.cross_entropy(network(images.to(torch.float32) / 255), labels)
        loss.backward()
        return loss.detach().expand(N)

    return step


METHODS: dict[str, Callable[[str, int], Method]] = {
    "graft": graft,
    "kornia": kornia,
    "torchvision, one draw a batch": torchvision,
    "torchvision, image by image": torchvision_by_image,
    "resnet18 step": resnet18_step,
}


def main(name: str, recipe: str, side: str, repeats: str) -> None:
    """Time a method after two calls that are not counted, then count the distinct views of copies of one image."""
    torch.manual_seed(0)
    images = torch.randint(0, 256, (N, 3, int(side), int(side)), dtype=torch.uint8)
    method = METHODS[name](recipe, int(side))
    times = []
    for _ in range(2 + int(repeats)):
        start = time.process_time()
        method(images)
        times.append(time.process_time() - start)
    views = method(images[:1].repeat(N, 1, 1, 1))
    distinct = len(torch.unique(views.flatten(1), dim=0)) if views.ndim == 4 else 0
    print(json.dumps({"cpu_ms": 1000 * statistics.median(times[2:]), "distinct": distinct}))


if __name__ == "__main__":
    main(*sys.argv[1:])
