"""Which images are on which side of a step, how they are drawn, and whose statistics BatchNorm keeps."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from graft.networks.networks import Network
from graft.training.activations import Pass, back, front
from graft.training.batches import Samples
from graft.training.checkpoints import NOTHING, Keeper, State
from graft.training.loop import Fitted, fit
from graft.training.objective import Moment, Term
from graft.training.steps import Plan
from graft.transfer.adapting.coral import Coral
from graft.transfer.adapting.dann import Dann, make_discriminator
from graft.transfer.adapting.mmd import Dan
from graft.transfer.adapting.sides import Further, sides_of
from tests.training.runs import NOTHING_VARIED, SHIFTED, ignore, network, phase, plan, samples
from tests.transfer.killed import KilledError, from_state, kill_at

TARGET, SOURCE, UNLABELLED = samples(24, 1), samples(20, 2).images // 2, samples(18, 3).images // 4
BLOCKS = ("block2", "block4")


def further(source: Tensor | None = SOURCE, target: Tensor | None = None) -> Further:
    return Further(source, target, NOTHING_VARIED)


class Passes:
    """Stands for the network of a step, and keeps what is passed."""

    def __init__(self) -> None:
        self.images, self.moves = list[Tensor](), list[bool]()

    def __call__(self, images: Tensor, moves: bool = False) -> Pass:
        self.images.append(images)
        self.moves.append(moves)
        return self.outputs(images)

    @staticmethod
    def outputs(images: Tensor) -> Pass:
        return Pass(torch.zeros(len(images), 2), {name: images.float().mean(dim=(2, 3)) for name in BLOCKS})

    def moment(self, batch: Samples) -> Moment:
        generator = torch.Generator().manual_seed(0)
        passed = self.outputs(batch.images)
        return Moment(network(), 0, batch.images, batch.labels, passed, 0.5, generator, self)


def test_labelled_target_images_meet_source_images() -> None:
    passes = Passes()
    moment = passes.moment(Samples(TARGET.images[:8], TARGET.labels[:8]))
    source, target = sides_of(moment, further())
    assert target is moment.passed.features
    (images,) = passes.images
    assert torch.equal(source["block4"], images.float().mean(dim=(2, 3)))
    assert len(images) == 8
    assert {image.numpy().tobytes() for image in images} <= {image.numpy().tobytes() for image in SOURCE}


def test_unlabelled_target_images_join_the_labelled_ones() -> None:
    passes = Passes()
    moment = passes.moment(Samples(TARGET.images[:8], TARGET.labels[:8]))
    source, target = sides_of(moment, further(target=UNLABELLED))
    assert (len(source["block4"]), len(target["block4"])) == (8, 16)
    assert torch.equal(target["block2"][:8], moment.passed.features["block2"])
    assert passes.moves == [False, False]


def test_labelled_source_images_meet_unlabelled_target_images_whose_statistics_are_kept() -> None:
    passes = Passes()
    moment = passes.moment(Samples(SOURCE[:8], TARGET.labels[:8]))
    source, target = sides_of(moment, further(None, UNLABELLED))
    assert source is moment.passed.features
    assert torch.equal(target["block4"], passes.images[0].float().mean(dim=(2, 3)))
    assert passes.moves == [True]


def test_no_image_is_drawn_twice_in_a_step() -> None:
    passes = Passes()
    sides_of(passes.moment(TARGET), further(target=UNLABELLED[:5]))
    assert [len(each) for each in passes.images] == [20, 5]
    for images in passes.images:
        assert len({image.numpy().tobytes() for image in images}) == len(images)


def test_a_single_image_comes_twice() -> None:
    """BatchNorm cannot normalise one image whose maps are a single pixel."""
    passes = Passes()
    sides_of(passes.moment(TARGET), further(target=UNLABELLED[:1]))
    assert [len(each) for each in passes.images] == [20, 2]


def test_further_images_are_varied_as_the_recipe_says() -> None:
    passes = Passes()
    sides_of(passes.moment(TARGET), Further(SOURCE, None, SHIFTED))
    assert not {image.numpy().tobytes() for image in passes.images[0]} & {image.numpy().tobytes() for image in SOURCE}


MAKERS: dict[str, Callable[[Network, Further], Term]] = {
    "dan": lambda net, images: Dan(1.0, BLOCKS, images),
    "coral": lambda net, images: Coral(1.0, "block4", images),
    "dann": lambda net, images: Dann(1.0, net, images),
}


def trained(
    kind: str, train: Samples, images: Further, to: Plan | None = None, keeper: Keeper = NOTHING
) -> tuple[Network, Fitted]:
    """A network after a run with a term."""
    given = (to or plan(phase(), batch_size=8))._replace(
        terms=(lambda start: MAKERS[kind](start, images),), settled=images.source is None
    )
    net = network()
    return net, fit(net, train, samples(12, 4), given, 5, ignore, keeper)


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("images", [Further(SOURCE, UNLABELLED, SHIFTED), Further(None, UNLABELLED, SHIFTED)])
def test_a_killed_run_continues_to_the_same_bytes(kind: str, images: Further) -> None:
    kept = list[State]()
    whole, fitted = trained(kind, TARGET, images)
    with pytest.raises(KilledError):
        trained(kind, TARGET, images, None, kill_at(5, kept))
    again, went_on = trained(kind, TARGET, images, None, from_state(kept[0]))
    assert fitted == went_on
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in whole.state_dict().items())


GRADUAL = (
    phase(frozen=("block1", "block2", "block3"), epochs=2, name="top 1 of 4"),
    phase(frozen=("block1",), epochs=2, name="top 3 of 4"),
)


@pytest.mark.parametrize("kind", MAKERS)
def test_a_phase_leaves_frozen_blocks_alone_and_the_next_goes_on(kind: str) -> None:
    """The loop proves by hash that frozen blocks stay, statistics included; block2 alone is not compared at first."""
    net, fitted = trained(kind, TARGET, further(None, UNLABELLED), plan(*GRADUAL, batch_size=8))
    assert [each.epochs for each in fitted.phases] == [2, 2]
    assert all(
        torch.equal(network().state_dict()[name], value)
        for name, value in net.state_dict().items()
        if "block1." in name
    )


def test_blocks_that_do_not_change_in_a_phase_add_nothing() -> None:
    """Both blocks of the stand-in have the same features."""

    def loss(*changing: str) -> float:
        moment = Passes().moment(TARGET)
        passed = Pass(moment.passed.logits, {name: moment.passed.features[name] for name in changing})
        return float(Dan(1.0, BLOCKS, further())(moment._replace(passed=passed)))

    assert loss("block4") == pytest.approx(loss("block2", "block4") / 2)
    assert loss() == 0


@pytest.mark.parametrize("kind", MAKERS)
def test_features_that_another_term_asked_for_do_not_count(kind: str) -> None:
    net = network()
    term, moment = MAKERS[kind](net, further()), Passes().moment(TARGET)
    if kind == "dann":
        # the stand-in has features of three channels
        term.discriminator = make_discriminator(3)
    more = {**moment.passed.features, "block1": torch.rand(len(TARGET.labels), 3)}
    assert torch.equal(term(moment), term(Passes().moment(TARGET)._replace(passed=Pass(moment.passed.logits, more))))


def mean_input(net: Network, images: Tensor) -> Tensor:
    """Mean of the first convolution's output over images and places, by channel."""
    with torch.no_grad():
        values: Tensor = net.blocks["block1"].get_submodule("0")(net.input_transform(images))
    return values.mean(dim=(0, 2, 3))


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("labelled", ["source", "target"])
def test_running_statistics_follow_the_target_whichever_domain_is_labelled(kind: str, labelled: str) -> None:
    """A rate so small that weights stay, and many steps: the statistics are then the mean of one domain."""
    dark, bright = samples(40, 1).images // 4, samples(40, 2).images
    images = further(bright) if labelled == "target" else further(None, dark)
    seen = list[Tensor]()

    def made(start: Network) -> Term:
        term = MAKERS[kind](start, images)
        norm = start.blocks["block1"].get_submodule("1")
        term.register_forward_hook(lambda module, given, loss: seen.append(norm.get_buffer("running_mean").clone()))
        return term

    to = plan(phase(1e-9, epochs=8), batch_size=8, recipe=NOTHING_VARIED)
    to, net = to._replace(terms=(made,), settled=labelled == "source"), network()
    train = Samples(dark if labelled == "target" else bright, samples(40, 1).labels)
    means = [mean_input(net, each) for each in (dark, bright)]
    fit(net, train, samples(12, 4), to, 5, ignore)
    far = (means[1] - means[0]).abs()
    assert ((seen[-1] - means[0]).abs() < 0.1 * far).all()


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("through", ["labelled", "further"])
def test_blocks_learn_from_either_side(kind: str, through: str) -> None:
    """The gradient of a term alone reaches the lowest block through each side by itself."""
    net = network().train()
    term, batch = MAKERS[kind](net, further()), Samples(TARGET.images[:8], TARGET.labels[:8])

    def pass_of(images: Tensor, moves: bool = False) -> Pass:
        passed = back(net, 0, front(net, 0, images), term.blocks)
        return passed if (images is batch.images) == (through == "labelled") else _detached(passed)

    generator = torch.Generator().manual_seed(0)
    loss = term(Moment(net, 0, *batch, pass_of(batch.images), 0.5, generator, pass_of))
    (gradient,) = torch.autograd.grad(loss, [next(net.blocks.parameters())])
    assert gradient.abs().sum() > 0


def _detached(passed: Pass) -> Pass:
    return Pass(passed.logits.detach(), {name: values.detach() for name, values in passed.features.items()})


@pytest.mark.parametrize("kind", MAKERS)
def test_the_labelled_images_and_their_variation_are_those_of_a_run_without_a_term(kind: str) -> None:
    """With a strength of almost nothing the run is the plain one but for rounding."""
    plain, termed = network(), network()
    to = plan(phase(epochs=1), batch_size=8, optimizer={"kind": "sgd", "momentum": 0.0})
    fit(plain, TARGET, samples(12, 4), to, 5, ignore)
    weak: dict[str, Callable[[Network], Term]] = {
        "dan": lambda net: Dan(1e-12, BLOCKS, further()),
        "coral": lambda net: Coral(1e-12, "block4", further()),
        "dann": lambda net: Dann(1e-12, net, further()),
    }
    fit(termed, TARGET, samples(12, 4), to._replace(terms=(weak[kind],)), 5, ignore)
    for a, b in zip(plain.parameters(), termed.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", MAKERS)
def test_fixed_views_hold_labelled_images_alone_and_further_ones_pass_the_frozen_blocks_each_step(kind: str) -> None:
    to = plan(phase(frozen=("block1", "block2", "block3")), batch_size=8, views=2)
    before, (net, _) = network(), trained(kind, TARGET, further(target=UNLABELLED), to)
    frozen = [name for name in before.state_dict() if name.startswith(("blocks.block1", "blocks.block2"))]
    assert all(torch.equal(before.state_dict()[name], net.state_dict()[name]) for name in frozen)
    assert not torch.equal(before.state_dict()["blocks.block4.0.weight"], net.state_dict()["blocks.block4.0.weight"])


@pytest.mark.parametrize("kind", MAKERS)
def test_bfloat16_steps_have_a_finite_float32_loss(kind: str) -> None:
    losses = list[Tensor]()

    def noted(start: Network) -> Term:
        term = MAKERS[kind](start, further(target=UNLABELLED))
        term.register_forward_hook(lambda module, given, loss: losses.append(loss.detach()))
        return term

    to = plan(phase(epochs=1), batch_size=8, precision=torch.bfloat16)._replace(terms=(noted,))
    fit(network(), TARGET, samples(12, 4), to, 5, ignore)
    assert {loss.dtype for loss in losses} == {torch.float32}
    assert torch.stack(losses).isfinite().all()
