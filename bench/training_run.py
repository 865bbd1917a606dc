"""Train one network in one way on random images, in a process of its own; print CPU seconds per step as JSON.

It imports only what the way needs, so that a peer's environment can run it: see training.py.

    python training_run.py WAY NETWORK SIZE_PX N_IMAGES PRECISION
"""

import json
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

BATCH = 32
N_CLASSES = 10
# Epochs of the head on a frozen backbone.
EPOCHS = 20
# Steps of a stretch, for the tiny network (True) and for others.
EVERY = {True: 20, False: 2}
TINY_PX = 8


class Watch:
    """CPU seconds of stretches of steps, including the libraries' own work between steps.

    Reading the process's CPU time takes longer than a small step, so it is not read at every step.
    """

    def __init__(self, every: int) -> None:
        self.every, self.n_steps = every, 0
        self.marks: list[float] = []

    def __call__(self, *_: Any) -> None:
        """Count a step."""
        self.n_steps += 1
        if self.n_steps % self.every == 0:
            self.marks.append(time.process_time())

    def seconds_a_step(self) -> float:
        """Median over all stretches except the first."""
        return statistics.median(b - a for a, b in zip(self.marks, self.marks[1:], strict=False)) / self.every


def data(size_px: int, n: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Images and labels, the same in every process."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (n, 3, size_px, size_px), dtype=torch.uint8, generator=generator)
    return images, torch.arange(n) % N_CLASSES


def network(name: str) -> nn.Module:
    """Build a torchvision network, or one so small that only the loop around it counts."""
    torch.manual_seed(0)
    if name == "tiny":
        return nn.Sequential(nn.Flatten(), nn.Linear(3 * TINY_PX**2, 256), nn.ReLU(), nn.Linear(256, N_CLASSES))
    import torchvision

    return torchvision.models.get_model(name, weights=None, num_classes=N_CLASSES)


def floats(images: torch.Tensor) -> torch.Tensor:
    """Normalise the input once: the peers are spared what graft does at every step."""
    return ((images.float() / 255 - 0.5) / 0.25).contiguous(memory_format=torch.channels_last)


def graft(
    name: str, images: torch.Tensor, labels: torch.Tensor, precision: str, *, top: bool, views: int | None
) -> Watch:
    """Train with this project's loop: uint8 images, normalised at every step; all blocks, or only the top one."""
    from own_loop import Way, train

    from graft.training import steps
    from graft.training.batches import Samples

    steps.augmented = lambda given, recipe, generator: given  # the peers augment nothing either
    watch = Watch(EVERY[name == "tiny"])
    way = Way(BATCH, getattr(torch, precision), top=top, views=views, epochs=2 if views else 1)
    train(network(name), name, Samples(images, labels), way, watch)
    return watch


def bare(name: str, images: torch.Tensor, labels: torch.Tensor, precision: str, top: bool = False) -> Watch:
    """Train with the bare mathematics, on batches prepared beforehand; the frozen part runs in training mode too."""
    model = network(name).to(memory_format=torch.channels_last).train()
    if top:
        for part, parameter in model.named_parameters():
            parameter.requires_grad_(part.startswith(("layer4", "fc")))
    trained = [each for each in model.parameters() if each.requires_grad]
    optimizer = torch.optim.AdamW(trained, 1e-3, weight_decay=0.01, fused=True)
    batches = list(zip(floats(images).split(BATCH), labels.split(BATCH), strict=True))
    watch = Watch(EVERY[name == "tiny"])
    for values, targets in batches:
        with torch.autocast("cpu", getattr(torch, precision), enabled=precision == "bfloat16"):
            loss = F.cross_entropy(model(values).float(), targets)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        watch()
    return watch


def loader(images: torch.Tensor, labels: torch.Tensor) -> Any:
    """Batches in the way of the peers' examples."""
    from torch.utils.data import DataLoader, TensorDataset

    return DataLoader(TensorDataset(floats(images), labels), batch_size=BATCH, shuffle=True, drop_last=True)


def timm(name: str, images: torch.Tensor, labels: torch.Tensor, precision: str) -> Watch:
    """Train with the parts of timm's train.py: its optimizer, scheduler, meter and gradient path."""
    from timm.optim import create_optimizer_v2
    from timm.scheduler import CosineLRScheduler
    from timm.utils import AverageMeter

    model = network(name).to(memory_format=torch.channels_last).train()
    optimizer = create_optimizer_v2(model, opt="adamw", lr=1e-3, weight_decay=0.01)
    batches = loader(images, labels)
    scheduler = CosineLRScheduler(optimizer, t_initial=len(batches), t_in_epochs=False)
    losses, watch = AverageMeter(), Watch(EVERY[name == "tiny"])
    for number, (values, targets) in enumerate(batches):
        with torch.autocast("cpu", getattr(torch, precision), enabled=precision == "bfloat16"):
            loss = F.cross_entropy(model(values.contiguous(memory_format=torch.channels_last)).float(), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.update(loss.item(), len(values))
        scheduler.step_update(number + 1, metric=losses.avg)
        watch()
    return watch


def fastai(name: str, images: torch.Tensor, labels: torch.Tensor, precision: str) -> Watch:
    """Train with fastai's Learner.fit_one_cycle."""
    from fastai.callback.core import Callback
    from fastai.data.core import DataLoaders
    from fastai.learner import Learner

    watch = Watch(EVERY[name == "tiny"])

    class Marks(Callback):
        def after_batch(self) -> None:
            watch()

    from fastai.callback import schedule  # noqa: F401  (gives the Learner its fit_one_cycle)
    from fastai.callback.progress import ProgressCallback

    loaders = DataLoaders(loader(images, labels), loader(images[:BATCH], labels[:BATCH]))
    learner = Learner(loaders, network(name), loss_func=nn.CrossEntropyLoss(), cbs=[Marks()])
    learner.remove_cbs(ProgressCallback)
    learner.fit_one_cycle(1, 1e-3)
    return watch


def hf(name: str, images: torch.Tensor, labels: torch.Tensor, precision: str) -> Watch:
    """Train with the Trainer of transformers."""
    import tempfile

    from transformers import Trainer, TrainerCallback, TrainingArguments

    watch, values = Watch(EVERY[name == "tiny"]), floats(images)

    class Marks(TrainerCallback):
        def on_step_end(self, *args: Any, **kwargs: Any) -> None:
            watch()

    class Wrapped(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = network(name)

        def forward(self, x: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
            logits = self.model(x)
            return {"loss": F.cross_entropy(logits, labels), "logits": logits}

    rows = [{"x": value, "labels": label} for value, label in zip(values, labels, strict=True)]
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            folder,
            per_device_train_batch_size=BATCH,
            num_train_epochs=1,
            report_to=[],
            use_cpu=True,
            save_strategy="no",
            disable_tqdm=True,
            logging_strategy="no",
        )
        Trainer(Wrapped(), arguments, train_dataset=rows, callbacks=[Marks()]).train()
    return watch


def lightning(name: str, images: torch.Tensor, labels: torch.Tensor, precision: str) -> Watch:
    """Train with the Trainer of Lightning."""
    import lightning

    watch = Watch(EVERY[name == "tiny"])

    class Module(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.model = network(name)

        def training_step(self, batch: Any, number: int) -> torch.Tensor:
            return F.cross_entropy(self.model(batch[0]), batch[1])

        def configure_optimizers(self) -> Any:
            return torch.optim.AdamW(self.parameters(), 1e-3, weight_decay=0.01)

        def on_train_batch_end(self, *args: Any) -> None:
            watch()

    trainer = lightning.Trainer(
        max_epochs=1,
        accelerator="cpu",
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(Module(), loader(images, labels))
    return watch


def naive_head(name: str, images: torch.Tensor, labels: torch.Tensor, precision: str) -> float:
    """Run the backbone in every epoch on prepared batches, without its gradient, and train the head with AdamW."""
    model, values = network(name).eval().to(memory_format=torch.channels_last), floats(images)
    order = [rows for _ in range(EPOCHS) for rows in torch.randperm(len(labels)).split(BATCH)]
    return head_by_steps(model, ((values[rows], labels[rows]) for rows in order))


def tutorial_head(name: str, images: torch.Tensor, labels: torch.Tensor, precision: str) -> float:
    """Do the same as in tutorials: a data set with the transforms of training, and its loader."""
    from torch.utils.data import DataLoader, Dataset
    from torchvision.transforms import v2

    size = images.shape[2]
    transforms = v2.Compose(
        [
            v2.RandomResizedCrop(size, scale=(0.7, 1.0)),
            v2.RandomHorizontalFlip(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize((0.5, 0.5, 0.5), (0.25, 0.25, 0.25)),
        ]
    )

    class Images(Dataset[Any]):
        def __len__(self) -> int:
            return len(labels)

        def __getitem__(self, row: int) -> tuple[torch.Tensor, torch.Tensor]:
            return transforms(images[row]), labels[row]

    batches = DataLoader(Images(), batch_size=BATCH, shuffle=True)
    return head_by_steps(network(name).eval(), (batch for _ in range(EPOCHS) for batch in batches))


def head_by_steps(model: nn.Module, batches: Iterable[Any]) -> float:
    """Train the head of a frozen network on these batches, and return the CPU seconds."""
    head = model.fc
    model.fc = nn.Identity()
    optimizer = torch.optim.AdamW(head.parameters(), 1e-3, fused=True)
    start = time.process_time()
    for values, targets in batches:
        with torch.no_grad():
            seen = model(values)
        loss = F.cross_entropy(head(seen), targets)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
    return time.process_time() - start


def features(name: str, images: torch.Tensor, labels: torch.Tensor, precision: str, views: int = 0) -> float:
    """Extract features with this project: run the backbone once, or once per view, then fit the head."""
    import numpy as np

    # The head is fitted by it. It is loaded before the clock starts, like the libraries of the naive loop.
    import sklearn.linear_model  # noqa: F401
    from own_loop import UNVARIED, named

    from graft.statistics.features import probe
    from graft.training.activations import AT_ONCE, activations
    from graft.training.augmentation.augmentation import augmented

    size = images.shape[2]
    recipe = UNVARIED.model_copy(update={"shift": 0.0625, "crop": 0.7, "flip": 0.5, "brightness": 0.2, "contrast": 0.2})
    net = named(network(name), name, size, N_CLASSES).eval().to(memory_format=torch.channels_last)
    start, generator = time.process_time(), torch.Generator().manual_seed(0)
    seen = [
        activations(
            net,
            len(net.blocks),
            (augmented(each, recipe, generator) if views else each for each in images.split(AT_ONCE)),
        )
        for _ in range(max(views, 1))
    ]
    pooled = torch.cat(seen).numpy()
    probe.linear_head(pooled, np.tile(labels.numpy(), max(views, 1)), 0.01, N_CLASSES)
    return time.process_time() - start


WAYS: dict[str, Callable[..., Watch | float]] = {
    "graft": lambda *given: graft(*given, top=False, views=None),
    "graft top block": lambda *given: graft(*given, top=True, views=None),
    "graft top block, kept activations": lambda *given: graft(*given, top=True, views=1),
    "naive head": naive_head,
    "naive head, tutorial": tutorial_head,
    "features": features,
    "features, 4 views": lambda *given: features(*given, views=4),
    "bare": bare,
    "bare top block": lambda *given: bare(*given, top=True),
    "timm": timm,
    "fastai": fastai,
    "HF Trainer": hf,
    "Lightning": lightning,
}


if __name__ == "__main__":
    way, model_name, size, n_images, kind = sys.argv[1:]
    torch.set_num_threads(1)
    pixels, classes = data(TINY_PX if model_name == "tiny" else int(size), int(n_images))
    found = WAYS[way](model_name, pixels, classes, kind)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps({"seconds": found.seconds_a_step() if isinstance(found, Watch) else found, "mib": peak}))
