"""Edits of params.yaml that are not committed: the user's own must not be lost."""

import os
import subprocess
from pathlib import Path

from graft.files import file_sha256, visible, write_whole
from graft.stage import PROVENANCE

# holds the sha256 of params.yaml as `graft start` wrote it: a file with this content has no edits of the user's
WRITTEN = PROVENANCE / "start.txt"
NO_REPOSITORY = b"not a git repository"


def uncommitted(path: Path) -> tuple[str, str]:
    """Edits of a file since the last commit, as git prints them, and why git cannot tell.

    Both are empty if there are no edits, no git or no repository, or if the file is as `graft start` wrote it.

    Args:
        path: the file.
    """
    if WRITTEN.is_file() and WRITTEN.read_text(encoding="utf-8").strip() == file_sha256(path):
        return "", ""
    try:
        # outside of a repository git compares any two files
        if NO_REPOSITORY in _git(path, "rev-parse", "--git-dir").stderr:
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
    """Note that a file is as `graft start` wrote it."""
    write_whole(WRITTEN, f"{file_sha256(path)}\n".encode())
