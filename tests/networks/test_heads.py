import torch
from torch import nn

from graft.networks.heads import make_head


def test_linear_head_is_one_layer() -> None:
    head = make_head(5, 3, "linear")
    assert isinstance(head, nn.Linear)
    assert (head.in_features, head.out_features) == (5, 3)


def test_mlp_gives_one_logit_a_class() -> None:
    assert make_head(5, 3, "mlp")(torch.randn(4, 5)).shape == (4, 3)


def test_mlp_is_not_linear() -> None:
    head = make_head(5, 3, "mlp").eval()
    x = torch.randn(4, 5, generator=torch.Generator().manual_seed(0))
    assert not torch.allclose(head(x) + head(-x), 2 * head(0 * x), atol=1e-3)


def test_mlp_drops_out_and_norms_in_training_alone() -> None:
    torch.manual_seed(0)
    head, x = make_head(5, 3, "mlp"), torch.randn(8, 5)
    assert not torch.equal(head(x), head(x))
    head.eval()
    assert torch.equal(head(x), head(x))
    assert torch.allclose(head(x)[:1], head(x[:1]), atol=1e-6)  # the other rows do not count
