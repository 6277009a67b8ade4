"""The command line: ``python -m d2lutils data list | fetch NAME … | verify``."""

import argparse
import os
import sys

from .data import datasets, fetch, verify
from .errors import DataError

__all__ = ["main"]


def main(argv=None):
    """Run a command; returns the exit code: 0, or 2 with a sentence on stderr for anything the user can mend."""
    args = _parser().parse_args(argv)
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")  # a console that lacks a character shows "?" instead of failing
    try:
        code = args.run(args)
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # `… | head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (DataError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2


def data_list(args):
    """Every data set with its size, state, licence and content."""
    states = _states()
    width = max(map(len, datasets()))
    for name, dataset in datasets().items():
        print(f"{name:{width}}  {_size(dataset.bytes):>8}  {states[name]:7}  {dataset.what} [{dataset.licence}]")
    return 0


def data_fetch(args):
    """Download what is not at hand and say where it lies."""
    for name in args.names:
        paths = fetch(name)
        more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
        print(f"{name}: {paths[0]}{more}")
    return 0


def data_verify(args):
    """Check the sha256 of every file at hand; exit code 2 if one is wrong."""
    wrong = [(name, path) for name, path, state in verify() if state == "wrong"]
    for name, state in _states().items():
        print(f"{name}: {state}")
    for name, path in wrong:
        print(f"{path} of {name} is not what the manifest says; delete it and fetch it again", file=sys.stderr)
    return 2 if wrong else 0


def _states():
    """State of each data set: ok, absent, partly or wrong."""
    by_name = {}
    for name, _, state in verify():
        by_name.setdefault(name, set()).add(state)
    return {
        name: "wrong" if "wrong" in states else "partly" if len(states) > 1 else states.pop()
        for name, states in by_name.items()
    }


def _size(num_bytes):
    return f"{num_bytes / 1e6:.1f} MB" if num_bytes >= 1e6 else f"{num_bytes / 1e3:.0f} kB"


def _parser():
    parser = argparse.ArgumentParser(prog="python -m d2lutils", description="Tools of the course book.")
    topics = parser.add_subparsers(required=True, metavar="COMMAND")
    data = topics.add_parser("data", help="list, download and check the data sets")
    commands = data.add_subparsers(required=True, metavar="list|fetch|verify")
    commands.add_parser("list", help="what there is and what is at hand").set_defaults(run=data_list)
    get = commands.add_parser("fetch", help="download data sets")
    get.add_argument("names", nargs="+", metavar="NAME")
    get.set_defaults(run=data_fetch)
    commands.add_parser("verify", help="check the files at hand").set_defaults(run=data_verify)
    return parser


if __name__ == "__main__":
    sys.exit(main())
