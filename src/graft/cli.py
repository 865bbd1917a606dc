"""The command line `graft`: everything that is not a stage of the pipeline.

Each entry of COMMANDS is a command, implemented by one file of `commands`.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from graft.commands import bank, check_params, check_release, delta, plan, schema, shard, start, summary
from graft.files import printable

COMMANDS = {
    "start": start,
    "plan": plan,
    "check-params": check_params,
    "schema": schema,
    "summary": summary,
    "check-release": check_release,
    "shard": shard,
    "bank": bank,
    "delta": delta,
}


def main(argv: Sequence[str] | None = None) -> None:
    """Run a command. If it fails, exit with code 1 and one sentence (GRAFT_DEBUG=1 shows the traceback)."""
    parser = argparse.ArgumentParser(prog="graft", description="commands beside the stages of the pipeline")
    parsers = parser.add_subparsers(dest="command", required=True)
    for name, command in COMMANDS.items():
        command.add_options(parsers.add_parser(name, help=command.HELP))
    args = parser.parse_args(argv)
    from graft.stage import check_own_code

    try:
        check_own_code()
        COMMANDS[args.command].run(args)
        sys.stdout.flush()
    except BrokenPipeError:
        # a reader such as `head` closed the pipe; Python must not fail again when it flushes at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (Exception, KeyboardInterrupt) as error:
        if os.environ.get("GRAFT_DEBUG") == "1":
            raise
        _say(f"graft {args.command}", error)


def _say(command: str, error: BaseException) -> NoReturn:
    """Exit with the sentence for an error."""
    from graft import endings, stage

    if endings.is_interrupt(error):
        sys.exit(endings.INTERRUPTED)
    sys.exit(printable(endings.sentence(command, error, stage.PROVENANCE)))


if __name__ == "__main__":
    main()
