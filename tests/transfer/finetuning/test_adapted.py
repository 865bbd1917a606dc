"""What adapts the transfer arm to its target: what is refused, whose statistics count, and who chooses."""

from pathlib import Path
from typing import Any

import pytest
import torch
from tests.training.runs import network, samples
from tests.transfer.conftest import VALUES_OF, strategy, tiny_data, tiny_params
from torch import Tensor

from graft.networks.outputs import Score
from graft.networks.saving import load_network
from graft.params.both_arms import Strategy
from graft.records.training import TrainingRecord
from graft.training.batches import Samples
from graft.training.checkpoints import NOTHING
from graft.training.phases import adapt_batchnorm
from graft.transfer.adapting import validators
from graft.transfer.arms.rates import RunKey
from graft.transfer.companions import Companions
from graft.transfer.finetuning.finetune import finetune_target, trainer
from graft.transfer.finetuning.task import Backbone, TransferTask, start_of
from graft.transfer.finetuning.techniques import plan_of

SOURCE, UNLABELLED = samples(40, 11), samples(30, 12).images // 2
BOTH = Companions(SOURCE, UNLABELLED)
ADAPTING: dict[str, dict[str, object]] = {
    "dan": {"kind": "dan", "strength": 1.0, "blocks": ["block3", "block4"]},
    "coral": {"kind": "coral", "strength": 1.0},
    "dann": {"kind": "dann", "strength": 1.0},
}


def task_of(
    backbone: Backbone,
    choice: Strategy = "full",
    companions: Companions = BOTH,
    labels_from: Any = "target",
    **settings: Any,
) -> TransferTask:
    """A task with batches of 8 images and one rate, and these settings of finetune_target."""
    given = {"rates": [0.01], **VALUES_OF.get(choice, {}), **settings}
    params = tiny_params(finetune_target=given, train_scratch={"rates": given["rates"]})
    data = tiny_data()._replace(labels_from=labels_from)
    return TransferTask(backbone, data, strategy(choice), params, companions)


def plan(task: TransferTask) -> Any:
    return plan_of(task, start_of(task), 0.01)


def without_labels(backbone: Backbone, **settings: Any) -> TransferTask:
    """A task whose labelled images are the source's."""
    chosen: dict[str, Any] = {"choose_by": "information_maximisation", **settings}
    return task_of(backbone, companions=Companions(None, UNLABELLED), labels_from="source", **chosen)


@pytest.mark.parametrize("kind", ADAPTING)
def test_a_plan_has_the_term_that_params_name(backbone: Backbone, kind: str) -> None:
    made = plan(task_of(backbone, adapting=ADAPTING[kind]))
    (term,) = (make(network()) for make in made.terms)
    assert type(term).__name__.lower() == kind
    assert (term.n_passed, made.settled, made.unlabelled_score) == (2.0, False, None)


@pytest.mark.parametrize("kind", ADAPTING)
def test_labelled_source_images_leave_the_statistics_to_the_target(backbone: Backbone, kind: str) -> None:
    made = plan(without_labels(backbone, adapting=ADAPTING[kind]))
    (term,) = (make(network()) for make in made.terms)
    assert (term.n_passed, made.settled) == (1.0, True)


def test_without_a_technique_nothing_is_added(backbone: Backbone) -> None:
    for made in (plan(task_of(backbone)), plan(without_labels(backbone))):
        assert (made.terms, made.settled) == ((), False)


@pytest.mark.parametrize("kind", ADAPTING)
@pytest.mark.parametrize("source", [None, Samples(SOURCE.images[:15], SOURCE.labels[:15])])
def test_fewer_than_two_batches_of_source_images_are_refused(
    backbone: Backbone, kind: str, source: Samples | None
) -> None:
    got = 0 if source is None else 15
    with pytest.raises(ValueError, match=f"want at least 16 images .* data/raw/source for {kind}.*got {got}"):
        plan(task_of(backbone, companions=Companions(source, UNLABELLED), adapting=ADAPTING[kind]))


@pytest.mark.parametrize("kind", ADAPTING)
@pytest.mark.parametrize("unlabelled", [None, UNLABELLED[:15]])
def test_fewer_than_two_batches_of_unlabelled_images_are_refused(
    backbone: Backbone, kind: str, unlabelled: Tensor | None
) -> None:
    task = without_labels(backbone, adapting=ADAPTING[kind])._replace(companions=Companions(None, unlabelled))
    got = 0 if unlabelled is None else 15
    with pytest.raises(ValueError, match=f"want at least 16 .* data/raw/target_unlabeled for {kind}.*got {got}"):
        plan(task)


def test_few_labelled_images_of_the_target_are_no_reason_to_refuse(backbone: Backbone) -> None:
    task = task_of(backbone, adapting=ADAPTING["dann"])
    few = task.data._replace(train=Samples(task.data.train.images[:4], task.data.train.labels[:4]))
    start = start_of(task)
    assert len(plan_of(task._replace(data=few), start, 0.01).terms) == 1


def test_blocks_that_the_network_does_not_have_are_refused(backbone: Backbone) -> None:
    with pytest.raises(ValueError, match=r"adapting.blocks: want blocks of the network, got block9. Choose of block1"):
        plan(task_of(backbone, adapting={**ADAPTING["dan"], "blocks": ["block4", "block9"]}))


@pytest.mark.parametrize("kind", ADAPTING)
def test_feature_extraction_has_nothing_to_adapt(backbone: Backbone, kind: str, tmp_path: Path) -> None:
    """It is trained as without, where the evidence and not params.yaml chose the strategy, and the record says so."""
    task = task_of(backbone, "feature_extraction", adapting=ADAPTING[kind])
    assert plan(task).terms == ()
    record = finetune_target(task, tmp_path, tmp_path / "half")
    assert (record.adapting, record.techniques) == ("none", ())


def test_dan_of_blocks_that_never_change_is_refused(backbone: Backbone) -> None:
    low = {**ADAPTING["dan"], "blocks": ["block1", "block2"]}
    with pytest.raises(ValueError, match=r"want blocks that learn.* got block1, block2"):
        plan(task_of(backbone, "top_blocks", adapting=low))
    for choice, named in (("top_blocks", ["block1", "block4"]), ("gradual", ["block1"]), ("surgical", ["block3"])):
        assert plan(task_of(backbone, choice, adapting={**low, "blocks": named})).terms  # type: ignore[arg-type]


@pytest.mark.parametrize("choose_by", ["information_maximisation", "soft_neighbourhood_density"])
def test_a_choice_without_labels_is_refused_where_there_are_labels(backbone: Backbone, choose_by: str) -> None:
    with pytest.raises(ValueError, match=f"want null where the target has labels, got {choose_by}"):
        plan(task_of(backbone, choose_by=choose_by))


def test_without_labels_the_line_to_choose_by_is_printed(backbone: Backbone) -> None:
    with pytest.raises(ValueError, match="the line `  choose_by: information_maximisation`"):
        plan(without_labels(backbone, choose_by=None))


@pytest.mark.parametrize("n", [0, 1, 2])
def test_without_labels_there_must_be_images_to_choose_by(backbone: Backbone, n: int) -> None:
    """Of a single image a score is 0 for every network, so that nothing would choose."""
    want = rf"want at least 3 images for `choose_by: information_maximisation` without labels.* got {n}\."
    with pytest.raises(ValueError, match=want):
        plan(without_labels(backbone)._replace(companions=Companions(None, UNLABELLED[:n])))


def running_means(net: Any) -> list[Tensor]:
    return [value for name, value in net.named_buffers() if name.endswith("running_mean")]


@pytest.mark.parametrize(
    ("labels_from", "companions", "expected"),
    [
        ("target", Companions(), lambda own: own),
        ("target", Companions(SOURCE, UNLABELLED), lambda own: torch.cat([own, UNLABELLED])),
        ("source", Companions(None, UNLABELLED), lambda own: UNLABELLED),
    ],
)
def test_adabn_takes_its_statistics_from_all_images_of_the_target_and_no_other(
    backbone: Backbone, labels_from: str, companions: Companions, expected: Any
) -> None:
    chosen = None if labels_from == "target" else "information_maximisation"
    task = task_of(backbone, companions=companions, labels_from=labels_from, batchnorm="adapt", choose_by=chosen)
    by_hand = network()
    by_hand.load_state_dict(backbone.network.state_dict())
    adapt_batchnorm(by_hand, expected(task.data.train.images))
    for ours, theirs in zip(running_means(start_of(task).network), running_means(by_hand), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("companions", [Companions(), Companions(None, UNLABELLED[:1])])
def test_adabn_without_labels_needs_unlabelled_images(backbone: Backbone, companions: Companions) -> None:
    with pytest.raises(ValueError, match="want at least 3 images for `batchnorm: adapt`"):
        start_of(without_labels(backbone, batchnorm="adapt")._replace(companions=companions))


def test_adabn_without_labels_normalises_the_source_by_itself_and_follows_the_target(backbone: Backbone) -> None:
    """Its start is AdaBN as published; what is served after tuning has statistics of the target as well."""
    task = without_labels(backbone, batchnorm="adapt")
    made = plan(task)
    assert (made.batchnorm, made.settled, len(made.terms)) == ("train", True, 1)
    trained = trainer(task, start_of(task))(RunKey(0, 0.003), lambda n: None, NOTHING)
    by_hand = network()
    by_hand.load_state_dict(trained.network.state_dict())
    adapt_batchnorm(by_hand, UNLABELLED)
    bright = network()
    bright.load_state_dict(trained.network.state_dict())
    adapt_batchnorm(bright, task.data.train.images)
    ours, target, source = (running_means(each)[0] for each in (trained.network, by_hand, bright))
    assert (ours - target).norm() < 0.5 * (ours - source).norm()


def tuned(task: TransferTask, folder: Path) -> TrainingRecord:
    return finetune_target(task, folder, folder / "half")


def wrongly_labelled(task: TransferTask) -> TransferTask:
    """The same task, with validation labels that are all wrong."""
    val = task.data.val
    return task._replace(data=task.data._replace(val=Samples(val.images, 1 - val.labels)))


@pytest.mark.parametrize("choose_by", ["information_maximisation", "soft_neighbourhood_density"])
@pytest.mark.parametrize("choice", ["full", "feature_extraction"])
def test_validation_labels_decide_nothing_where_a_score_without_labels_chooses(
    backbone: Backbone, tmp_path: Path, choose_by: str, choice: Strategy
) -> None:
    task = without_labels(backbone, choose_by=choose_by, rates=[0.001, 0.01])
    params = tiny_params(
        finetune_target={"choose_by": choose_by, "rates": [0.001, 0.01]}, training={"subsample": 0.75, "epochs": 3}
    )
    task = task._replace(strategy=strategy(choice), params=params)
    one, other = tuned(task, tmp_path / "one"), tuned(wrongly_labelled(task), tmp_path / "other")
    chosen = [
        [(run.seed, run.rate, run.best_epoch, run.unlabelled_score, run.weights_sha256) for run in record.runs]
        for record in (one, other)
    ]
    assert chosen[0] == chosen[1]
    for run in one.runs:
        tried = [each.unlabelled_score for each in one.trials if each.seed == run.seed]
        assert run.unlabelled_score == max(each for each in tried if each is not None)
        assert all(each.unlabelled_score <= run.unlabelled_score for each in run.curve)  # type: ignore[operator]


def test_the_recorded_score_is_that_of_the_network_that_is_written(backbone: Backbone, tmp_path: Path) -> None:
    record = tuned(without_labels(backbone, adapting=ADAPTING["coral"]), tmp_path)
    for run in record.runs:
        score = validators.score_by("information_maximisation", UNLABELLED, torch.float32)
        assert score(load_network(tmp_path / f"seed_{run.seed}.safetensors")) == pytest.approx(run.unlabelled_score)


def test_a_score_without_labels_is_the_rank(backbone: Backbone) -> None:
    assert Score(9.0, 0.1, 0.5).rank > Score(0.1, 0.9, 0.4).rank


@pytest.mark.parametrize("kind", ADAPTING)
@pytest.mark.parametrize("views", [None, 2])
def test_the_arm_is_trained_with_each_term(backbone: Backbone, kind: str, views: int | None, tmp_path: Path) -> None:
    task = task_of(backbone, "top_blocks", adapting=ADAPTING[kind], views=views)
    record = tuned(task, tmp_path)
    assert all(len(run.curve) == 2 for run in record.runs)
    assert all(phase.frozen_sha256 is not None for run in record.runs for phase in run.phases)
