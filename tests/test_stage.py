import json
import os
import re
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from graft import stage

SCRIPT = """
from graft import stage
def main() -> None:
    {body}
if __name__ == "__main__":
    stage.run(main)
"""


def _run(folder: Path, body: str, **environment: str) -> subprocess.CompletedProcess[str]:
    (folder / "work_hard.py").write_text(SCRIPT.format(body=body))
    return subprocess.run(
        [sys.executable, "work_hard.py"], cwd=folder, capture_output=True, text=True, env={**os.environ, **environment}
    )


def test_an_error_is_one_sentence_without_a_traceback(tmp_path: Path) -> None:
    done = _run(tmp_path, "raise ValueError('data: want x, got y. Do z.')")
    assert done.returncode == 1
    assert done.stderr == "work_hard\n\ndata: want x, got y. Do z.\n\n"


def test_the_last_error_is_kept_until_a_stage_starts(tmp_path: Path) -> None:
    _run(tmp_path, "raise ValueError('data: want x.')")
    assert (tmp_path / stage.FAILURE).read_text() == "work_hard: data: want x.\n"
    _run(tmp_path, "pass")
    assert not (tmp_path / stage.FAILURE).exists()


def test_a_name_in_an_error_cannot_move_the_cursor(tmp_path: Path) -> None:
    done = _run(tmp_path, r"raise ValueError('data, \x1b[2J\u202e\udcff: want x.\nPaste:\n  y: 1')")
    said = r"data, \x1b[2J\u202e\udcff: want x." + "\nPaste:\n  y: 1\n"
    assert done.stderr == f"work_hard\n\n{said}\n"
    assert (tmp_path / stage.FAILURE).read_text() == f"work_hard: {said}"


def test_the_error_of_a_killed_stage_has_the_memory_of_its_last_run(tmp_path: Path) -> None:
    body = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    assert _run(tmp_path, body).returncode == -9
    said = (tmp_path / stage.FAILURE).read_text()
    assert said.startswith("work_hard: want to run to its end, got killed, most likely by the system for lack of memor")
    assert "Lower training.batch_size" in said
    assert "MiB" not in said
    _run(tmp_path, "pass")
    _run(tmp_path, body)
    said = (tmp_path / stage.FAILURE).read_text()
    assert re.search(r" Its largest process took [\d,]+ MiB the last time\.", said)


@pytest.mark.parametrize(
    "body",
    [
        "raise KeyboardInterrupt",
        "raise RuntimeError('worker died') from KeyboardInterrupt()",
        "raise BaseExceptionGroup('many', [ValueError('x'), KeyboardInterrupt()])",
    ],
)
def test_ctrl_c_is_reported_as_such_even_if_a_library_wrapped_it(tmp_path: Path, body: str) -> None:
    done = _run(tmp_path, body)
    assert done.returncode == 130
    assert done.stderr == (
        "work_hard\n\nwork_hard: want to run to the end, got stopped by Ctrl-C. "
        "Run it again: training resumes where it stopped.\n\n"
    )


def test_an_unforeseen_error_is_one_sentence_and_its_traceback_a_file(tmp_path: Path) -> None:
    done = _run(tmp_path, "dict()['missing']")
    assert done.returncode == 1
    assert done.stderr == (
        "work_hard\n\nwork_hard: want no fault in graft or its libraries, got KeyError: 'missing'. "
        "Report it with reports/provenance/work_hard-trace.txt; GRAFT_DEBUG=1 shows the traceback.\n\n"
    )
    assert "Traceback" in (tmp_path / "reports/provenance/work_hard-trace.txt").read_text()
    assert (tmp_path / stage.FAILURE).read_text() == done.stderr.removeprefix("work_hard\n\n").removesuffix("\n")


def test_the_first_line_has_the_number_of_the_stage_and_its_last_duration(tmp_path: Path) -> None:
    (tmp_path / "dvc.yaml").write_text("stages: {prepare: {}, work_hard: {}, rest: {}}\n")
    assert _run(tmp_path, "pass").stderr == "[2/3] work_hard\n"
    assert re.fullmatch(r"\[2/3\] work_hard \(\d+\.\d s the last time\)\n", _run(tmp_path, "pass").stderr)


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    done = _run(tmp_path, "raise ValueError('data: want x')", GRAFT_DEBUG="1")
    assert "Traceback" in done.stderr


def test_provenance_has_duration_and_machine(tmp_path: Path) -> None:
    assert _run(tmp_path, "import numpy").returncode == 0
    written = json.loads((tmp_path / "reports" / "provenance" / "work_hard.json").read_text())
    assert written["stage"] == "work_hard"
    assert written["device"] == "cpu"
    assert written["precision"] == "float32"
    assert "numpy" in written["packages"]
    assert "torch" not in written["packages"]
    assert written["memory_mib"] > 5


def test_the_memory_of_a_stage_is_that_of_its_largest_process(tmp_path: Path) -> None:
    body = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'b\"x\" * 400 * 2**20'])"
    assert _run(tmp_path, body).returncode == 0
    assert json.loads((tmp_path / stage.PROVENANCE / "work_hard.json").read_text())["memory_mib"] > 400


def test_a_failed_stage_leaves_no_provenance(tmp_path: Path) -> None:
    _run(tmp_path, "raise ValueError('x')")
    assert not list(tmp_path.rglob("*.json"))


def test_arguments_are_paths_and_required(capsys: pytest.CaptureFixture[str]) -> None:
    args = stage.arguments("doc", ("one", "two-words"), ["--one", "a", "--two-words", "b/c"])
    assert (args.one, args.two_words) == (Path("a"), Path("b/c"))
    with pytest.raises(SystemExit):
        stage.arguments("doc", ("one",), [])
    assert "--one" in capsys.readouterr().err


def test_whole_folder_replaces_the_old_one(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old").touch()
    with stage.whole_folder(tmp_path / "out") as folder:
        (folder / "new").touch()
    assert [each.name for each in (tmp_path / "out").iterdir()] == ["new"]
    assert list(tmp_path.iterdir()) == [tmp_path / "out"]


def test_files_left_by_a_killed_run_are_removed(tmp_path: Path) -> None:
    (tmp_path / "out123.tmp" / "out").mkdir(parents=True)
    with stage.whole_folder(tmp_path / "out"):
        pass
    assert [each.name for each in tmp_path.iterdir()] == ["out"]


def test_a_failed_whole_folder_leaves_nothing_behind(tmp_path: Path) -> None:
    def fill_half() -> None:
        with stage.whole_folder(tmp_path / "out") as folder:
            (folder / "new").touch()
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        fill_half()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGHUP])
def test_a_stopped_stage_leaves_no_half_written_files(tmp_path: Path, how: signal.Signals) -> None:
    body = (
        "import pathlib, time\n"
        "    with stage.whole_folder(pathlib.Path('out')) as folder:\n"
        "        (folder / 'half').touch(); time.sleep(60)"
    )
    (tmp_path / "work_hard.py").write_text(SCRIPT.format(body=body))
    # under nohup the tests ignore SIGHUP, and a child would inherit that
    default = partial(signal.signal, how, signal.SIG_DFL)
    process = subprocess.Popen([sys.executable, "work_hard.py"], cwd=tmp_path, preexec_fn=default)
    while not list(tmp_path.glob("out*.tmp/out/half")):
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(how)
    assert process.wait() == 143
    assert list(tmp_path.glob("out*")) == []
    assert (tmp_path / stage.FAILURE).read_text() == (
        "work_hard: want to run to its end, got stopped from outside. Run it again.\n"
    )


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel call is Linux's")
def test_a_stage_dies_with_its_parent(tmp_path: Path) -> None:
    body = "import pathlib, time, os; pathlib.Path('pid').write_text(str(os.getpid())); time.sleep(60)"
    (tmp_path / "work_hard.py").write_text(SCRIPT.format(body=body))
    starter = f"import subprocess, time; subprocess.Popen([{sys.executable!r}, 'work_hard.py']); time.sleep(60)"
    parent = subprocess.Popen([sys.executable, "-c", starter], cwd=tmp_path)
    pid_file = tmp_path / "pid"
    while not (pid_file.exists() and pid_file.read_text()):
        assert parent.poll() is None
        time.sleep(0.05)
    child = int(pid_file.read_text())
    parent.kill()
    parent.wait()
    for _ in range(200):
        if not Path(f"/proc/{child}").exists() or "\nState:\tZ" in Path(f"/proc/{child}/status").read_text():
            return
        time.sleep(0.05)
    pytest.fail("the stage outlived its parent")


def test_a_stage_under_nohup_outlives_its_terminal(tmp_path: Path) -> None:
    (tmp_path / "work_hard.py").write_text(SCRIPT.format(body="import os; os.kill(os.getpid(), 1)"))
    assert subprocess.run(["nohup", sys.executable, "work_hard.py"], cwd=tmp_path).returncode == 0


def test_help_is_not_a_failure(tmp_path: Path) -> None:
    done = _run(tmp_path, "stage.arguments('It works.', ('record',), ['--help'])")
    assert done.returncode == 0
    assert not (tmp_path / stage.FAILURE).exists()


def test_a_truncated_provenance_file_is_ignored(tmp_path: Path) -> None:
    (tmp_path / stage.PROVENANCE).mkdir(parents=True)
    (tmp_path / stage.PROVENANCE / "work_hard.json").write_text("{")
    assert _run(tmp_path, "pass").returncode == 0
    assert json.loads((tmp_path / stage.PROVENANCE / "work_hard.json").read_text())["stage"] == "work_hard"
