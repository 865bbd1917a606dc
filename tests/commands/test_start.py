import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import torch
import torchvision
from tests.house import ROOT
from tests.start.folders import classes, picture

from graft import cli
from graft.params.pipeline import Params, read_params
from graft.start import minutes, timing
from graft.start.minutes import Counts, RunMinutes

GIT = ("git", "-c", "user.name=a", "-c", "user.email=a@localhost")
FREE = re.compile(r"[0-9.,]+ GB free")
PRETRAIN = ("--weights", "pretrain", "--network", "small_cnn")


def _quick(params: Params, counts: Counts, pictures: Sequence[Path]) -> RunMinutes:
    assert all(each.is_file() for each in pictures)
    return RunMinutes(counts.n_train, {"train_scratch": counts.n_train}, counts.n_train, counts.n_train)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The top of a repository with params.yaml alone; beside it, photos with a source and a target."""
    folder = tmp_path / "graft"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setattr(minutes, "minutes", _quick)
    shutil.copy(ROOT / "params.yaml", folder)
    for command in (("init", "-q"), ("add", "params.yaml"), ("commit", "-qm", "first")):
        subprocess.run([*GIT, *command], check=True)
    for domain in ("source", "target"):
        classes(tmp_path / "photos" / domain, 20)
    before = signal.getsignal(signal.SIGTERM)
    yield folder
    signal.signal(signal.SIGTERM, before)


def _start(*options: str) -> None:
    cli.main(["start", *options])


def _refused(*options: str) -> str:
    return _refused_by("start", *options)


def _refused_by(*command: str) -> str:
    with pytest.raises(SystemExit) as caught:
        cli.main(command)
    return str(caught.value)


def _files(folder: Path) -> dict[str, bytes]:
    return {each.relative_to(folder).as_posix(): each.read_bytes() for each in folder.rglob("*") if each.is_file()}


def test_from_a_folder_to_params_that_can_be_run(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _start("--from", str(here.parent / "photos"), *PRETRAIN)
    params = read_params(here / "params.yaml")
    assert (params.prepare_data.dataset, params.network.weights) == ("folders", "pretrain")
    assert _files(here / "data/raw") == _files(here.parent / "photos")
    said = capsys.readouterr().out
    assert "target    40 images in 2 classes" in said
    assert "source    40 images in 2 classes" in said
    assert "prepare_data.dataset: example -> folders  (your images, and no longer the example's)" in said
    assert "time      about 28 minutes on this machine alone (standard): train_scratch 28\n" in said
    assert said.endswith("git add data/raw/target.dvc data/raw/source.dvc\n          make repro\n")


def test_what_the_run_can_prove_is_told_as_plan_tells_it(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timing, "costs_here", lambda *_: timing.Costs(0, 0, 0, 0, 0, 0, 1, 1))
    _start("--from", str(here.parent / "photos"), *PRETRAIN)
    lines = capsys.readouterr().out.splitlines()
    (told,) = (line for line in lines if line.startswith("plan "))
    assert "seeds and 6 test images" in told
    refusal = _refused_by("plan")
    assert capsys.readouterr().out.splitlines()[-1] == told
    # with 6 test images no margin is wide enough
    assert f"note      {refusal}" in lines


def test_a_pattern_of_groups_that_does_not_fit_is_told_before_anything_is_written(here: Path) -> None:
    text = (here / "params.yaml").read_text().replace("group_pattern: null", "group_pattern: '(patient[0-9]+)'")
    (here / "params.yaml").write_text(text)
    before = _files(here)
    said = _refused("--from", str(here.parent / "photos"), *PRETRAIN, "--force")
    assert "want a match of prepare_data.group_pattern" in said
    assert _files(here) == before


def test_the_same_again_changes_nothing_and_says_so(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--from", str(here.parent / "photos"), *PRETRAIN)
    _start(*options)
    before = _files(here)
    capsys.readouterr()
    _start(*options)
    assert _files(here) == before
    assert "params.yaml says all of this already: nothing changes" in capsys.readouterr().out


def test_another_budget_needs_no_commit_in_between(here: Path) -> None:
    _start("--from", str(here.parent / "photos"), *PRETRAIN, "--budget", "smoke")
    smoke = (here / "params.yaml").read_bytes()
    _start(*PRETRAIN, "--budget", "thorough")
    assert (here / "params.yaml").read_bytes() != smoke


def test_edits_by_hand_are_shown_and_kept(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--from", str(here.parent / "photos"), *PRETRAIN)
    edited = (here / "params.yaml").read_text().replace("folds: 5", "folds: 7")
    (here / "params.yaml").write_text(edited)
    assert "want no edits but committed ones" in _refused(*options)
    assert "+  folds: 7" in capsys.readouterr().out
    assert _files(here / "data") == {}
    assert (here / "params.yaml").read_text() == edited
    _start(*options, "--force")
    assert read_params(here / "params.yaml").select_strategy.folds == 7


@pytest.mark.parametrize("staged", [False, True])
def test_the_advice_drops_edits(here: Path, staged: bool) -> None:
    committed = (here / "params.yaml").read_bytes()
    (here / "params.yaml").write_bytes(committed + b"# of a person\n")
    if staged:
        subprocess.run([*GIT, "add", "params.yaml"], check=True)
    found = re.search(r"`git (checkout [^`]*)`", _refused())
    assert found is not None
    subprocess.run([*GIT, *found[1].split()], check=True)
    assert (here / "params.yaml").read_bytes() == committed


def test_a_dry_run_says_the_same_and_writes_nothing(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--from", str(here.parent / "photos"), *PRETRAIN)
    before = _files(here)
    _start(*options, "--dry-run")
    dry = FREE.sub("", capsys.readouterr().out)
    assert _files(here) == before
    assert list(here.glob("data/*")) == []
    _start(*options)
    assert FREE.sub("", capsys.readouterr().out).partition("next  ")[0] == dry.partition("next  ")[0]


def test_a_dry_run_shows_edits_by_hand_and_goes_on(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edited = (here / "params.yaml").read_text().replace("folds: 5", "folds: 7")
    (here / "params.yaml").write_text(edited)
    _start("--from", str(here.parent / "photos"), *PRETRAIN, "--dry-run")
    said = capsys.readouterr().out
    assert "+  folds: 7" in said
    assert "the same command without --dry-run does it" in said
    assert (here / "params.yaml").read_text() == edited


def test_weights_of_another_folder_are_brought_along(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save(torchvision.models.squeezenet1_1().state_dict(), here.parent / "net.pth")
    _start("--from", str(here.parent / "photos" / "target"), "--weights", "../net.pth", "--size", "64")
    network = read_params(here / "params.yaml").network
    assert (network.name, network.weights_file) == ("squeezenet1_1", "models/weights/net.pth")
    assert (here / "models/weights/net.pth").read_bytes() == (here.parent / "net.pth").read_bytes()
    said = capsys.readouterr().out
    assert "../net.pth for squeezenet1_1, will be copied to models/weights/net.pth" in said
    assert "dvc add models/weights/net.pth\n" in said
    assert "source    no images" in said


def test_weights_that_cannot_be_had_leave_everything_as_it_was(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for scheme in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(scheme, "http://127.0.0.1:9")  # where nothing listens
    monkeypatch.setenv("TORCH_HOME", str(here.parent / "cache"))
    before = _files(here)
    said = _refused("--from", str(here.parent / "photos"))
    assert said.startswith("graft start: want IMAGENET1K_V1 of mobilenet_v2 on this machine or from https://")
    assert _files(here) == before


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "data/raw/target: want a folder of images for each class, got no such folder. Put images under"),
        (("--from", "../none"), "graft start, --from: want a folder of images, got none at ../none"),
        (("--from", "../photos/target/cat"), "want images in class folders, got 20 outside"),
        (("--from", "../photos/target", "--network", "resnet"), "graft start, --network: want small_cnn or a"),
        (("--from", "../photos", *PRETRAIN, "--size", "5000"), "params.yaml, images.size_px: want less than or equal"),
    ],
)
def test_what_cannot_be_is_said_and_nothing_written(here: Path, options: tuple[str, ...], said: str) -> None:
    before = _files(here)
    assert said in _refused(*options)
    assert _files(here) == before


def test_a_network_that_is_unknown_is_told_before_the_images_are_looked_at(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "got resnet19. Did you mean" in _refused("--from", "../photos", "--network", "resnet19")
    assert capsys.readouterr().out == ""


def test_images_that_dvc_stands_for_are_to_be_pulled(here: Path) -> None:
    (here / "data/raw").mkdir(parents=True)
    (here / "data/raw/target.dvc").write_text("outs: []")
    assert _refused().endswith("Its .dvc file stands for images that are not here: run `dvc pull`.")


def _unlabelled(folder: Path) -> Path:
    for number in range(7):
        picture(folder / f"target_unlabeled/day{number % 2}/{number}.png", colour=(10 * number, 7, 7))
    return folder


def test_unlabelled_images_are_counted_and_tracked_and_what_reads_them_is_said(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _start("--from", str(_unlabelled(here.parent / "photos")), *PRETRAIN)
    assert _files(here / "data/raw") == _files(here.parent / "photos")
    said = capsys.readouterr().out
    assert "unlabeled 7 files in" in said
    assert "which are never labelled; `batchnorm: adapt` and `adapting: dan, coral or dann` under" in said
    assert said.endswith("target.dvc data/raw/source.dvc data/raw/target_unlabeled.dvc\n          make repro\n")
    assert "labels    " not in said


def test_without_a_labelled_target_the_source_is_surveyed_and_values_are_proposed(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    classes(_unlabelled(here / "data/raw") / "source", 20)
    _start(*PRETRAIN)
    said = capsys.readouterr().out
    assert (
        "labels    the target has none to train on: both arms learn those of the source, and there will be no" in said
    )
    assert "          batchnorm: adapt\n" in said.replace("            ", "          ")
    assert "            # adapting: {kind: coral, strength: 100.0}\n" in said
    # without it no run would end
    assert "            choose_by: information_maximisation\n" in said
    assert "source    40 images in 2 classes" in said
    assert "plan " not in said
    assert read_params(here / "params.yaml").prepare_data.dataset == "folders"
    assert "git add data/raw/source.dvc data/raw/target_unlabeled.dvc\n" in said


def test_a_named_folder_may_hold_a_source_and_unlabelled_images_alone(here: Path) -> None:
    photos = here.parent / "unlabelled"
    classes(_unlabelled(photos) / "source", 20)
    _start("--from", str(photos), *PRETRAIN)
    assert _files(here / "data/raw") == _files(photos)


def test_the_proposed_values_are_taken_as_they_are_pasted(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    classes(_unlabelled(here / "data/raw") / "source", 20)
    _start(*PRETRAIN)
    said = capsys.readouterr().out
    lines = re.findall(r"^ {12}(?:# )?((?:batchnorm|adapting|choose_by): .+)$", said, re.MULTILINE)
    assert [line.split(":")[0] for line in lines] == ["choose_by", "batchnorm", "adapting"]
    text = re.sub(
        r"\n  batchnorm: null[^\n]*", "".join(f"\n  {line}" for line in lines), (here / "params.yaml").read_text()
    )
    (here / "params.yaml").write_text(text)
    settings = read_params(here / "params.yaml").finetune_target
    assert (settings.batchnorm, settings.choose_by) == ("adapt", "information_maximisation")


def test_labelled_test_images_of_an_else_unlabelled_target_are_planned_with(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timing, "costs_here", lambda *_: timing.Costs(0, 0, 0, 0, 0, 0, 1, 1))
    classes(_unlabelled(here / "data/raw") / "source", 20)
    classes(here / "data/raw/target/test", 9)
    _start(*PRETRAIN)
    said = capsys.readouterr().out
    assert "and its 18 labelled test images give the verdict" in said
    assert "seeds and 18 test images" in said


def test_without_unlabelled_images_a_missing_target_is_told_with_the_way_to_do_without_labels(here: Path) -> None:
    classes(here / "data/raw/source", 20)
    said = _refused(*PRETRAIN)
    assert "data/raw/target: want a folder of images for each class, got no such folder." in said
    assert "put them into data/raw/target_unlabeled/, and labelled images of a source under data/raw/source/" in said


def test_a_target_that_dvc_stands_for_is_pulled_and_not_done_without(here: Path) -> None:
    classes(_unlabelled(here / "data/raw") / "source", 20)
    (here / "data/raw/target.dvc").write_text("outs: []")
    assert _refused(*PRETRAIN).endswith("Its .dvc file stands for images that are not here: run `dvc pull`.")


def test_images_that_a_copy_takes_the_place_of_are_named(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "data/raw").mkdir(parents=True)
    (here / "data/raw/target.dvc").write_text("outs: []")
    _start("--from", str(here.parent / "photos"), *PRETRAIN)
    said = capsys.readouterr().out
    assert said.count("data/raw/target.dvc stands for images that are not here, and after `dvc add` for those of") == 1
    assert "source.dvc stands" not in said


def test_a_file_that_is_no_yaml_is_said_first(here: Path) -> None:
    (here / "params.yaml").write_text("a: [")
    assert _refused().startswith("params.yaml, line 1: want YAML, got")


def test_the_command_costs_nothing_until_it_runs() -> None:
    code = "import sys, graft.commands.start; print(sorted(set(sys.modules) & {'numpy', 'torch', 'pydantic', 'PIL'}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
