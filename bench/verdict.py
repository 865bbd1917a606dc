"""The verdict against known truths, simulated and real.

    python bench/verdict.py [part ...]

Each part is a process of its own and prints a Markdown table for docs/benchmarks.md; the parts are tables of the
verdict_*.py beside this file. A part that fails, or breaks what it promises, ends with exit code 1 and does not stop
the others. The last table says how each ended, and the exit code is 1 if one failed. `pipeline` and the search among
real images need image folders (see their files).
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

BENCH = Path(__file__).resolve().parent
# Parts by file, the quick ones first.
PARTS = {
    "verdict_simulated.py": (
        "plain",
        "accurate",
        "groups",
        "rare",
        "rates",
        "power",
        "promises",
        "pilots",
        "together",
        "equivalent",
    ),
    "verdict_real.py": ("destroyed", "alike", "unlike", "shuffled"),
    "verdict_real_search.py": ("small", "equal", "large"),
    "verdict_real_pipeline.py": ("far", "usps", "mnist", "hymenoptera"),
}
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def main() -> None:
    """Run the parts, and exit with 1 if one failed."""
    file_of = {part: file for file, parts in PARTS.items() for part in parts}
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("parts", nargs="*", metavar="part", help=f"of {', '.join(file_of)}; all where none is named")
    asked = parser.parse_args().parts
    if unknown := [each for each in asked if each not in file_of]:
        parser.error(f"want parts among {', '.join(file_of)}, got {', '.join(unknown)}.")
    endings = {}
    for part in asked or file_of:
        start = time.monotonic()
        command = [sys.executable, str(BENCH / file_of[part]), part]
        code = subprocess.run(command, env={**os.environ, **ONE_THREAD}, check=False).returncode
        endings[part] = (time.monotonic() - start, code)
    print("\n| part | s | ended |\n|---|---:|---|")
    for part, (taken, code) in endings.items():
        print(f"| {part} | {taken:.0f} | {'ok' if code == 0 else f'FAILED: exit code {code}'} |", flush=True)
    sys.exit(any(code for _, code in endings.values()))


if __name__ == "__main__":
    main()
