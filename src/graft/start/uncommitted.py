"""Edits of params.yaml that git does not hold yet: those of a person must not be lost."""

import os
import subprocess
from pathlib import Path

from graft.files import file_sha256, visible, write_whole
from graft.stage import PROVENANCE

WRITTEN = PROVENANCE / "start.txt"
"""the sha256 of params.yaml as `graft start` left it: a file of this content holds no edits but its own"""
NO_REPOSITORY = b"not a git repository"


def uncommitted(path: Path) -> tuple[str, str]:
    """The edits of a file since the last commit, as git shows them, and why git cannot tell.

    Both are empty where there are none, where there is no git and no repository, and where the file is as
    `graft start` left it.

    Args:
        path: of the file.
    """
    if WRITTEN.is_file() and WRITTEN.read_text(encoding="utf-8").strip() == file_sha256(path):
        return "", ""
    try:
        if NO_REPOSITORY in _git(path, "rev-parse", "--git-dir").stderr:  # there `diff` compares any two files
            return "", ""
        done = _git(path, "diff", "--no-ext-diff", "--no-color", "HEAD", "--", path.name)
    except FileNotFoundError:
        return "", ""
    if done.returncode == 0:
        return done.stdout.decode(errors="backslashreplace"), ""
    return "", visible(done.stderr.decode(errors="backslashreplace").strip().partition("\n")[0])


def _git(path: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    command = ["git", "-C", str(path.absolute().parent), *arguments]
    return subprocess.run(command, capture_output=True, check=False, env={**os.environ, "LC_ALL": "C"})


def remember(path: Path) -> None:
    """Note that a file is as `graft start` left it."""
    write_whole(WRITTEN, f"{file_sha256(path)}\n".encode())
