"""Tests marked `gpu` on one CUDA device: none may fail, and none may be skipped.

Only the files with such tests are collected: others import packages that need not be installed, such as DVC.
"""

import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from pathlib import Path

import torch
from gpu_clock import Table, run

ROOT = Path(__file__).resolve().parents[1]


def marked() -> list[str]:
    """Files of tests/ that use the mark, in order."""
    files = sorted((ROOT / "tests").rglob("test_*.py"))
    return [str(each.relative_to(ROOT)) for each in files if "pytest.mark.gpu" in each.read_text(encoding="utf-8")]


def counts(report: Path) -> dict[str, int]:
    """Number of tests, failures, errors and skipped tests in a JUnit report."""
    suite = ET.parse(report).getroot().find("testsuite")
    assert suite is not None
    return {name: int(suite.attrib[name]) for name in ("tests", "failures", "errors", "skipped")}


def tests(device: torch.device) -> None:
    """Run the tests in a process of their own, which sets its own number of threads.

    Raises:
        RuntimeError: a test failed or was skipped, or there was none.
    """
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        options = ["-m", "gpu", "-q", "-p", "no:cacheprovider", f"--junit-xml={report}"]
        subprocess.run([sys.executable, "-m", "pytest", *options, *marked()], cwd=ROOT, stdout=sys.stderr, check=False)
        if not report.is_file():
            raise RuntimeError("tests: want a report of pytest, got none. See its output above.")
        found = counts(report)
    print(f"\n| tests marked gpu | {' | '.join(found)} |\n|---|{'---:|' * len(found)}")
    print(f"| {len(marked())} files | {' | '.join(map(str, found.values()))} |", flush=True)
    wanted_skipped = 0 if device.type == "cuda" else found["tests"]
    if not found["tests"] or found["failures"] or found["errors"] or found["skipped"] != wanted_skipped:
        raise RuntimeError(f"tests: want all tests marked gpu to pass, got {found}.")


TABLES: dict[str, Table] = {"tests": tests}

if __name__ == "__main__":
    run(TABLES, __doc__)
