"""`graft start`: write params that fit a folder of images, and estimate the time of a run."""

import argparse
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from graft.commands.paths import PARAMS, RAW
from graft.files import printable, visible

if TYPE_CHECKING:
    from graft.params.pipeline import Params
    from graft.start.copying import Copy
    from graft.start.edits import Edits
    from graft.start.starting_point import StartingPoint
    from graft.start.survey import Surveys
    from graft.start.words import Line

BUDGETS = ("smoke", "standard", "thorough")
HELP = "look at your images, write the params that fit, and say how long a run will take"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("--from", dest="folder", metavar="FOLDER", help="copy these images into data/raw/target first")
    parser.add_argument("--network", metavar="NAME", help="small_cnn, or a torchvision name such as resnet18")
    parser.add_argument("--weights", help="pretrain (on data/raw/source), a torchvision weight name, or a file")
    parser.add_argument("--size", type=int, metavar="PX", help="side of the images that the network sees")
    parser.add_argument("--budget", choices=BUDGETS, default="standard", help="how long a run may take")
    parser.add_argument("--dry-run", action="store_true", help="say all of it; write and copy nothing")
    parser.add_argument("--force", action="store_true", help="go on over uncommitted edits and doubtful folders")


def run(args: argparse.Namespace) -> None:
    """Survey the images, choose weights and params, print and write them.

    Raises:
        FileNotFoundError: there is no params.yaml, or there are no images.
        OSError: a folder cannot be written, there is no room, or other images are in the way.
        RuntimeError: weights are not available, or edits of params.yaml are not committed.
        ValueError: images, weights or params cannot be used.
    """
    from graft.params.pipeline import read_params

    # an exit deletes unfinished copies, which the signal alone would not
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    params = read_params(PARAMS)
    _check_committed(args.force or args.dry_run)
    # checked before the images, of which a survey may take a minute
    if args.network is not None:
        from graft.start.starting_point import check_network

        check_network(args.network, args.weights)
    found, copies = _survey(args, params)
    _settle(args, params, found, copies)


def _settle(args: argparse.Namespace, params: "Params", found: "Surveys", copies: "list[Copy]") -> None:
    """Choose weights and values, print and write them; imports torch, which takes seconds."""
    from graft.start import settings, words
    from graft.start.edits import edits
    from graft.start.minutes import minutes
    from graft.start.starting_point import check_at_hand, choose

    learned = found.learned
    choice = choose(params, args.network, args.weights, found.source is not None)
    _say([("weights", _where(choice) or check_at_hand(choice))])
    fitting = edits(PARAMS, settings.settings(choice, learned, params, settings.Options(args.size, args.budget)))
    _say([("note", each) for each in _notes(fitting.params, choice)])
    _say(words.changes(fitting))
    counts = settings.counts(learned, found.source)._replace(n_unlabelled=len(found.unlabelled))
    if found.target is None:
        counts = counts._replace(n_test=len(found.tested))
    ahead = _ahead(found, fitting.params)
    estimate = minutes(fitting.params, counts, settings.pictures(learned))
    if not args.dry_run:
        _write(copies, choice, fitting)
    _say(words.time(estimate, args.budget))
    _say(ahead)
    _say(words.next_steps([*_folders(found), *_own_weights(fitting.params)], args.dry_run))


def _ahead(found: "Surveys", params: "Params") -> "list[Line]":
    """What the run can prove; nothing where no image of the target has a label."""
    from graft.commands.plan import foretold
    from graft.start.sizes import sizes_in

    tested = found.tested if found.target is None else found.target.found
    if not tested:
        return []
    folder = RAW / "target" if found.target is None else found.target.folder
    return foretold(sizes_in(folder, tested, params, 0 if not found.source else len(found.source.found)), params)


def _folders(found: "Surveys") -> list[Path]:
    """Folders of the domains that have images."""
    from graft.preparation.found import FOLDERS

    there = {"target": found.target or found.tested, "source": found.source, "unlabeled": found.unlabelled}
    return [RAW / FOLDERS[domain] for domain, images in there.items() if images]


def _check_committed(go_on: bool) -> None:
    """Print edits of params.yaml that are not committed, and refuse to overwrite them."""
    from graft.start.uncommitted import uncommitted

    edits, why_unknown = uncommitted(PARAMS)
    if why_unknown:
        _say([("note", f"git cannot tell whether {PARAMS} has edits that are not committed: {why_unknown}")])
    if not edits:
        return
    print(printable(edits.rstrip("\n")))
    if not go_on:
        raise RuntimeError(
            f"{PARAMS}: want no edits but committed ones before values are written into it, got those above. "
            f"`git commit {PARAMS}` keeps them, `git checkout HEAD {PARAMS}` drops them; `--force` goes on: it "
            "replaces the values that `--dry-run` lists, and leaves the others."
        )


def _survey(args: argparse.Namespace, params: "Params") -> "tuple[Surveys, list[Copy]]":
    """Survey data/raw or the named folder and print what was found; also returns what to copy."""
    from graft.files import named_path
    from graft.preparation.found import FOLDERS
    from graft.start import copying, words
    from graft.start.survey import survey_all

    folders = {domain: RAW / name for domain, name in FOLDERS.items()}
    if args.folder is not None:
        folders = copying.origins(named_path(args.folder), RAW)
    if not folders["target"].is_dir() and copying.dvc_file(folders["target"]).is_file():
        say_what_is_missing(folders["target"])
    try:
        found = survey_all(folders, params, args.force)
    except FileNotFoundError:
        say_what_is_missing(folders["target"])
        raise
    _say(words.found("target", found.target) if found.target else words.without_labels(len(found.tested)))
    missing: list[Line] = [("source", "no images, which is fine with published weights")]
    _say(words.found("source", found.source) if found.source else missing)
    _say(words.unlabelled(folders["unlabeled"], len(found.unlabelled)) if found.unlabelled else [])
    copies = _planned(found, folders)
    if copies:
        goals = " and ".join(str(each.goal) for each in copies)
        _say(
            [("note", copying.stands_for_others(each.goal)) for each in copies if copying.dvc_file(each.goal).is_file()]
        )
        _say([("copy", f"will be copied to {goals}: {copying.check_room(copies)}")])
    return found, copies


def _planned(found: "Surveys", folders: dict[str, Path]) -> "list[Copy]":
    """What is to be copied to data/raw."""
    from graft.preparation.found import FOLDERS
    from graft.start import copying

    files = {
        "source": found.source.found if found.source else (),
        "target": found.target.found if found.target else found.tested,
        "unlabeled": found.unlabelled,
    }
    planned = [copying.planned(folders[name], RAW / FOLDERS[name], files[name]) for name in files if files[name]]
    return [each for each in planned if each is not None]


def say_what_is_missing(folder: Path) -> None:
    """Refuse to go on without the folder of the target.

    Raises:
        FileNotFoundError: always; the message says where to put images, or to pull them.
    """
    cure = (
        f"Put images under {folder}/<class>/, or let them be copied: `graft start --from FOLDER`. Without labels: put "
        f"them into {folder}_unlabeled/, and labelled images of a source under {folder.with_name('source')}/<class>/."
    )
    if folder.with_name(f"{folder.name}.dvc").is_file():
        cure = "Its .dvc file stands for images that are not here: run `dvc pull`."
    raise FileNotFoundError(f"{folder}: want a folder of images for each class, got no such folder. {cure}")


def _where(choice: "StartingPoint") -> str:
    """Where weights come from that are not downloaded; empty for published weights."""
    if choice.weights == "pretrain":
        return f"{choice.name}, {choice.why}"
    if choice.file is None or choice.kept_as is None:
        return "" if choice.weights != "file" else f"the file of {choice.name} that {PARAMS} names"
    moved = "" if choice.kept_as.absolute() == choice.file.absolute() else f", will be copied to {choice.kept_as}"
    return f"{visible(choice.file)} for {choice.name}{visible(moved)}"


def _notes(params: "Params", choice: "StartingPoint") -> list[str]:
    """What to know before the run; refuses params that would fail later."""
    from graft.commands.check_params import check_ahead
    from graft.reporting.formatting import mirror_note
    from graft.start.copying import check_weights

    if choice.file is not None and choice.kept_as is not None:
        check_weights(choice.file, choice.kept_as)
        there = params.network.model_copy(update={"weights_file": str(choice.file)})
        params = params.model_copy(update={"network": there})
    mirrored = mirror_note(params.recipes[params.training.augmentation].flip)
    return [each for each in (*check_ahead(params, Path.cwd()), mirrored) if each]


def _write(copies: "list[Copy]", choice: "StartingPoint", fitting: "Edits") -> None:
    """Copy files, then write params.yaml: copying is more likely to fail."""
    from graft.start.copying import check_writable, copy_images, copy_weights
    from graft.start.edits import write_edits
    from graft.start.uncommitted import remember

    check_writable(Path())
    if copies:
        copy_images(copies)
    if choice.file is not None and choice.kept_as is not None:
        copy_weights(choice.file, choice.kept_as)
    if fitting.changed:
        write_edits(PARAMS, fitting)
        remember(PARAMS)


def _own_weights(params: "Params") -> list[Path]:
    """The file of weights, if it is in the repository and DVC does not track it."""
    file = Path(params.network.weights_file or "/")
    return [] if file.is_absolute() or file.with_name(f"{file.name}.dvc").is_file() else [file]


def _say(lines: "list[Line]") -> None:
    from graft.start.words import shown

    if lines:
        print(printable(shown(lines)), flush=True)
