"""Terms of the objective: what a step shows them, what learns with them, and that a run with them continues exactly."""

import io
from collections.abc import Callable
from typing import Any

import pytest
import torch
from tests.training.runs import ignore, network, phase, plan, samples
from torch import Tensor, nn

from graft.networks.networks import Network
from graft.networks.outputs import Score
from graft.training.activations import back, front
from graft.training.batches import Samples
from graft.training.checkpoints import Keeper, State
from graft.training.loop import fit
from graft.training.objective import Moment, Objective, Term
from graft.training.phases import settled

FURTHER = samples(12, 3)


class Watching(Term):
    """A term that keeps what it is shown, draws, passes further images and learns a factor."""

    blocks = ("block2", "block4")

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.ones(()))
        self.seen = list[Moment]()
        self.draws = list[float]()

    def forward(self, moment: Moment) -> Tensor:
        self.seen.append(moment)
        self.draws.append(torch.rand((), generator=moment.generator).item())
        rows = torch.randperm(12, generator=moment.generator)[:4]
        further = moment.pass_of(FURTHER.images[rows])
        apart = further.features["block4"].mean(dim=0) - moment.passed.features["block4"].mean(dim=0)
        return 0.01 * (self.factor * apart).square().sum()


def _run(net: Network, train: Samples | None = None, keeper: Keeper | None = None, **changes: Any) -> list[Watching]:
    made = list[Watching]()

    def make(start: Network) -> Watching:
        made.append(Watching(start))
        return made[-1]

    given = plan(phase(**changes), batch_size=8)._replace(terms=(make,))
    rest = () if keeper is None else (keeper,)
    fit(net, train or samples(24, 1), samples(12, 2), given, 5, ignore, *rest)
    return made


def test_the_loss_is_the_data_loss_and_all_terms() -> None:
    class Half(Term):
        def forward(self, moment: Moment) -> Tensor:
            return torch.tensor(0.5)

    net, given = network().eval(), samples(6, 1)
    passed = back(net, 0, front(net, 0, given.images))
    moment = Moment(net, 0, given.images, given.labels, passed, 0.0, torch.Generator(), lambda images: passed)
    data_loss = Objective(0.0, None).data_loss(passed.logits, given.labels)
    assert Objective(0.0, None, (Half(), Half())).loss(moment).item() == pytest.approx(data_loss.item() + 1.0)


def test_a_term_sees_its_blocks_and_the_share_of_epochs_that_are_done() -> None:
    (term,) = _run(network())
    assert [round(each.progress * 9) for each in term.seen] == list(range(9))
    assert set(term.seen[0].passed.features) == {"block2", "block4"}
    assert term.seen[0].passed.features["block2"].shape == (8, 48)
    assert term.seen[0].passed.features["block4"].dtype == torch.float32


def test_features_of_frozen_blocks_are_not_among_those_of_a_pass() -> None:
    (term,) = _run(network(), frozen=("block1", "block2"))
    assert (term.seen[0].n_front, set(term.seen[0].passed.features)) == (2, {"block4"})


def test_parameters_of_a_term_learn() -> None:
    (term,) = _run(network())
    assert term.factor.item() != 1.0


def test_the_gradient_of_further_images_reaches_the_blocks() -> None:
    plain, termed = network(), network()
    fit(plain, samples(24, 1), samples(12, 2), plan(phase(), batch_size=8), 5, ignore)
    _run(termed)
    assert not torch.equal(next(plain.blocks.parameters()), next(termed.blocks.parameters()))


def test_draws_of_a_term_leave_the_order_of_images_alone() -> None:
    class Drawing(Term):
        def forward(self, moment: Moment) -> Tensor:
            torch.rand(3, generator=moment.generator)
            return torch.zeros(())

    plain, termed = network(), network()
    given = plan(phase(), batch_size=8)
    fit(plain, samples(24, 1), samples(12, 2), given, 5, ignore)
    fit(termed, samples(24, 1), samples(12, 2), given._replace(terms=(lambda start: Drawing(),)), 5, ignore)
    assert all(torch.equal(a, b) for a, b in zip(plain.parameters(), termed.parameters(), strict=True))


def test_further_images_do_not_move_running_statistics() -> None:
    net = network().train()
    before = {key: value.clone() for key, value in net.named_buffers() if "running" in key}
    with settled(net):
        net(FURTHER.images)
    assert all(torch.equal(value, before[key]) for key, value in net.named_buffers() if key in before)
    net(FURTHER.images)
    assert not any(torch.equal(value, before[key]) for key, value in net.named_buffers() if key in before)


def test_labelled_images_of_another_domain_do_not_move_running_statistics() -> None:
    for still in (True, False):
        net = network()
        (mean,) = [each for name, each in net.named_buffers() if name == "blocks.block1.1.running_mean"]
        before = mean.clone()
        given = plan(phase(), batch_size=8)._replace(settled=still)
        fit(net, samples(24, 1), samples(12, 2), given, 5, ignore)
        assert torch.equal(mean, before) is still


@pytest.mark.parametrize("kill_at", [1, 4, 8])
def test_a_run_with_terms_continues_to_the_same_bytes(kill_at: int) -> None:
    class KilledError(Exception):
        pass

    kept, steps = list[State](), list[int]()

    def save(make: Callable[[], State]) -> None:
        steps.append(1)
        if len(steps) == kill_at:
            # a copy, as a file is
            kept.append(torch.load(_written(make()), weights_only=True))
            raise KilledError

    whole, cut = network(), network()
    (all_of_it,) = _run(whole)
    with pytest.raises(KilledError):
        _run(cut, keeper=Keeper(lambda: None, save))
    again = network()
    (rest,) = _run(again, keeper=Keeper(lambda: kept[0], lambda make: None))
    assert torch.equal(rest.factor, all_of_it.factor)
    assert rest.draws == all_of_it.draws[kill_at:]
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), again.parameters(), strict=True))


def _written(state: State) -> Any:
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return file


def test_a_score_without_labels_chooses_the_epoch() -> None:
    scores = iter([0.0, 0.3, 0.9, 0.2])
    given = plan(phase(), batch_size=8)._replace(unlabelled_score=lambda net: next(scores))
    fitted = fit(network(), samples(24, 1), samples(12, 2), given, 5, ignore)
    assert (fitted.best_epoch, fitted.best.unlabelled) == (2, 0.9)
    assert [each.unlabelled_score for each in fitted.curve] == [0.3, 0.9, 0.2]


def test_a_score_without_labels_outranks_accuracy() -> None:
    assert Score(0.1, 0.9, 0.2).rank < Score(5.0, 0.1, 0.3).rank
    assert Score(0.1, 0.9).rank > Score(0.2, 0.9).rank > Score(0.0, 0.8).rank
