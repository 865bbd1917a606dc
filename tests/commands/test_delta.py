"""`graft delta`: a tuned network as what it adds to its backbone, and back."""

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from graft import cli
from graft.networks.networks import build_network, with_new_head
from graft.networks.preprocessing import SMALL_CNN
from graft.networks.saving import save_network
from graft.transfer.tuning.delta import beside, delta_of, read_delta, write_delta
from graft.transfer.tuning.lora import add_lora, layers_of, merge_lora


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A backbone, a network that was tuned from it by LoRA, and its delta beside it."""
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    network = build_network("small_cnn", 5, SMALL_CNN).eval()
    save_network(network, "small_cnn", Path("models/pretrained/backbone.safetensors"))
    save_network(network, "small_cnn", Path("base.safetensors"))
    tuned = with_new_head(network, 3)
    add_lora(tuned, layers_of(tuned, ["block4"]), 2, 4.0)
    for name, value in tuned.named_parameters():
        if "lora_B" in name:
            nn.init.normal_(value)
    factors = merge_lora(tuned)
    save_network(tuned, "small_cnn", Path("seed_0.safetensors"))
    torch.manual_seed(0)
    backbone = build_network("small_cnn", 5, SMALL_CNN)
    write_delta(delta_of(backbone, Path("seed_0.safetensors"), factors, "lora"), beside(Path("seed_0.safetensors")))
    return tmp_path


def test_a_delta_is_written_and_applied(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["delta", "write", "--tuned", "seed_0.safetensors", "--to", "d.safetensors"])
    cli.main(["delta", "apply", "--delta", "d.safetensors", "--to", "again.safetensors"])
    n = Path("d.safetensors").stat().st_size
    share = n / Path("seed_0.safetensors").stat().st_size
    assert capsys.readouterr().out.splitlines() == [
        f"d.safetensors: {n:,} bytes, {share:.1%} of seed_0.safetensors",
        "again.safetensors: the tuned network to the byte",
    ]
    assert Path("again.safetensors").read_bytes() == Path("seed_0.safetensors").read_bytes()


def test_factors_are_taken_from_the_delta_beside_the_network(here: Path) -> None:
    write = ["delta", "write", "--backbone", "base.safetensors", "--tuned", "seed_0.safetensors", "--to"]
    cli.main([*write, "thin.safetensors"])
    assert Path("thin.safetensors").read_bytes() == Path("seed_0.delta.safetensors").read_bytes()
    Path("seed_0.delta.safetensors").unlink()
    cli.main([*write, "thick.safetensors"])
    assert (read_delta(Path("thick.safetensors")).factors, read_delta(Path("thin.safetensors")).kind) == ({}, "lora")
    assert Path("thick.safetensors").stat().st_size > 10 * Path("thin.safetensors").stat().st_size


def test_a_delta_of_another_run_beside_the_network_is_not_taken(here: Path) -> None:
    save_network(with_new_head(build_network("small_cnn", 5, SMALL_CNN), 3), "small_cnn", Path("seed_0.safetensors"))
    cli.main(["delta", "write", "--tuned", "seed_0.safetensors", "--to", "d.safetensors"])
    delta = read_delta(Path("d.safetensors"))
    assert (delta.factors, delta.kind) == ({}, "whole")
    cli.main(["delta", "apply", "--delta", "d.safetensors", "--to", "again.safetensors"])
    assert Path("again.safetensors").read_bytes() == Path("seed_0.safetensors").read_bytes()


def test_another_machine_may_differ_in_the_last_digits(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    delta = read_delta(Path("seed_0.delta.safetensors"))
    write_delta(delta._replace(tuned_sha256="0" * 64), Path("d.safetensors"))
    cli.main(["delta", "apply", "--delta", "d.safetensors", "--to", "again.safetensors"])
    assert capsys.readouterr().out.endswith("the tuned network; the last digits of its weights differ here\n")


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("apply --delta seed_0.safetensors", "want a delta, got the weights of a whole network"),
        ("apply --delta none.safetensors", "none.safetensors: want weights, got no file"),
        ("apply --delta cut.safetensors", "cut.safetensors: want weights that graft wrote, got a damaged file"),
        ("write --tuned seed_0.delta.safetensors", "want a whole network, got a delta"),
        ("write --tuned ./a.safetensors", "--to: want a file of its own, got a.safetensors, which is read"),
        (
            "apply --backbone seed_0.safetensors --delta seed_0.delta.safetensors",
            "want the blocks that the delta was made from",
        ),
    ],
)
def test_a_wrong_file_is_refused_with_one_sentence(here: Path, given: str, sentence: str) -> None:
    Path("cut.safetensors").write_bytes(Path("seed_0.delta.safetensors").read_bytes()[:-1])
    before = {file: file.read_bytes() for file in here.rglob("*") if file.is_file()}
    with pytest.raises(SystemExit) as raised:
        cli.main(["delta", *given.split(), "--to", "a.safetensors"])
    assert sentence in str(raised.value)
    assert {file: file.read_bytes() for file in here.rglob("*") if file.is_file()} == before


def test_a_delta_says_in_its_metadata_what_it_belongs_to(here: Path) -> None:
    content = Path("seed_0.delta.safetensors").read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    about = json.loads(header["__metadata__"]["graft"])
    assert (about["delta"], about["kind"], about["tuned"]["network"], about["tuned"]["n_classes"]) == (
        1,
        "lora",
        "small_cnn",
        3,
    )
    assert about["scales"] == {"blocks.block4.0.weight": 2.0}


def test_a_delta_of_which_a_bit_has_changed_is_refused(here: Path) -> None:
    content = bytearray(Path("seed_0.delta.safetensors").read_bytes())
    content[-1] ^= 1
    Path("changed.safetensors").write_bytes(content)
    with pytest.raises(SystemExit) as ended:
        cli.main(["delta", "apply", "--delta", "changed.safetensors", "--to", "again.safetensors"])
    assert "changed.safetensors: want a delta as it was written, got other numbers in it." in str(ended.value)
    assert not Path("again.safetensors").exists()
