"""One object says what training minimises, and no other code under src calls a loss."""

import ast
import re

import numpy as np
import pytest
import torch
from tests.house import ROOT

from graft.training.objective import Objective, score_of

LOGITS = torch.tensor([[2.0, 0.0], [0.0, 1.0], [3.0, 0.0]])
LABELS = torch.tensor([0, 1, 1])
# minus the logarithm of the softmax of each label
SURPRISE = np.array([np.log(1 + np.exp(-2)), np.log(1 + np.exp(-1)), np.log(1 + np.exp(3))])


def test_score_is_mean_cross_entropy_and_share_right() -> None:
    logits = torch.tensor([[2.0, 0.0], [0.0, 1.0], [3.0, 0.0]])
    labels = torch.tensor([0, 1, 1])
    expected = np.mean([np.log(1 + np.exp(-2)), np.log(1 + np.exp(-1)), np.log(1 + np.exp(3))])
    score = score_of(logits, labels)
    np.testing.assert_allclose(score.loss, expected, rtol=1e-6)
    np.testing.assert_allclose(score.accuracy, 2 / 3, rtol=1e-6)


def test_the_loss_is_mean_cross_entropy() -> None:
    np.testing.assert_allclose(Objective(0.0, None).data_loss(LOGITS, LABELS), SURPRISE.mean(), rtol=1e-6)


def test_shares_of_classes_are_targets_too() -> None:
    shares = torch.nn.functional.one_hot(LABELS, 2).float()
    objective = Objective(0.0, None)
    np.testing.assert_allclose(objective.data_loss(LOGITS, shares), objective.data_loss(LOGITS, LABELS), rtol=1e-6)


def test_a_weighted_loss_is_a_mean_over_images_not_over_weights() -> None:
    weights = torch.tensor([3.0, 0.5])
    found = Objective(0.0, weights).data_loss(LOGITS, LABELS)
    np.testing.assert_allclose(found, (weights[LABELS].numpy() * SURPRISE).mean(), rtol=1e-6)


def test_smoothing_spreads_a_share_of_the_label_over_all_classes() -> None:
    # of the first two images alone, because the three other classes together are as surprising as the three labels
    surprise, other = SURPRISE[:2], SURPRISE[:2] + np.array([2.0, 1.0])
    expected = (0.9 * surprise + 0.1 * (surprise + other) / 2).mean()
    np.testing.assert_allclose(Objective(0.1, None).data_loss(LOGITS[:2], LABELS[:2]), expected, rtol=1e-6)


# terms take the loss of further images from the objective itself, by `data_loss`
CALLS_A_LOSS = re.compile(r"(cross_entropy|nll|kl_div|(?<!\.data)_loss|Loss)$")


def _losses(tree: ast.AST) -> list[str]:
    """Calls of functions and classes by whose names torch has losses."""
    called = [ast.unparse(each.func) for each in ast.walk(tree) if isinstance(each, ast.Call)]
    return [each for each in called if CALLS_A_LOSS.search(each)]


def test_no_other_code_calls_a_loss() -> None:
    files = [*(ROOT / "src").rglob("*.py"), *(ROOT / "stages").glob("*.py")]
    calling = {str(file.relative_to(ROOT)) for file in files if _losses(ast.parse(file.read_text()))}
    assert calling == {"src/graft/training/objective.py"}


@pytest.mark.parametrize("code", ["F.cross_entropy(a, b)", "nn.CrossEntropyLoss()(a, b)", "F.mse_loss(a, b)"])
def test_a_call_of_a_loss_is_seen(code: str) -> None:
    assert _losses(ast.parse(code))
