"""The command line: ``python -m d2lutils data list | fetch NAME … | verify``, ``… timemachine``,
``… poem`` and ``… grade``."""

import argparse
import os
import re
import signal
import sys
from pathlib import Path

from .bar import progress_bar
from .data import datasets, fetch, verify
from .decoding import next_token
from .errors import DataError, TrainingDiverged

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
    except (DataError, TrainingDiverged, ValueError, OSError) as error:
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


def timemachine(args):
    """Train document 000's model up to ``--epochs``, resuming where the checkpoint stands, then write."""
    from . import timemachine as program

    corpus, path = program.load_corpus(args.corpus), Path(args.checkpoint)
    for prefix in args.prefix:  # a bad prefix should fail now, not after the training
        program.write(None, corpus.vocab, prefix, 0)
    next_token([0.0, 1.0], 0, args.temperature)  # and a bad temperature
    if path.exists():
        run = program.load_run(path, corpus, resume=args.epochs > 0)
        print(f"resumed {path}: epoch {run.epoch}, step {run.step}")
    elif args.epochs == 0:
        raise ValueError(f"there is no checkpoint {path} to write from; train first, e.g. with --epochs 30")
    else:
        run = program.Run(corpus, program.Settings(seed=args.seed))
    if args.restart_optimizer and run.step == 0 and run.restarted_at == 0 and run.epoch:
        run.restart_optimizer()  # once: the same command, given again after Ctrl-C, must not do it again
    if run.epoch >= args.epochs > 0:
        print(f"already at epoch {run.epoch}; give more --epochs to train on")
    stopped = _train(program, run, path, args.epochs)
    if stopped:
        return 130
    for prefix in args.prefix:
        print("-", program.write(run.model, corpus.vocab, prefix, args.length, args.temperature, args.seed))
    return 0


def poem(args):
    """Write poems with the model that comes with the book, offline."""
    from .poetry import FORMS, load_poem_model, poem_lines

    if args.form is not None and args.form not in FORMS:
        raise ValueError(f"there is no form {args.form!r}; choose one of {', '.join(FORMS)}")
    writer = load_poem_model(args.model)
    how = {"acrostic": args.acrostic, "temperature": args.temperature, "top_k": args.top_k, "top_p": args.top_p}
    for number in range(args.count):
        seed = None if args.seed is None else args.seed + number
        text = writer.write(args.start, args.form, repeats=args.repeats, seed=seed, **how)
        lines = [text] if args.form is None else re.findall("[^。]*。", text)
        print("\n".join(lines) + ("\n" if number + 1 < args.count and len(poem_lines(text)) > 1 else ""))
    return 0


def grade(args):
    """Grade a folder of submitted notebooks; what is done is kept, so the same command goes on after Ctrl-C."""
    from .grading import Limits, grade_folder, load_rows, sandbox, write_csv, write_html

    out = Path(args.out or Path(args.folder, "grades"))
    if not args.scheduler and not sandbox.works(args.sandbox):
        raise ValueError(
            f"{args.sandbox} does not work here; install bubblewrap (apt install bubblewrap), or choose a weaker "
            "--sandbox: unshare cuts off network and processes, not files; none trusts the submissions"
        )
    limits = Limits(args.call_seconds, args.seconds, int(args.memory * 2**30), args.sandbox)
    stopped = False
    signal.signal(signal.SIGINT, signal.default_int_handler)  # also where a script started us without
    try:
        grade_folder(args.folder, out, limits, args.workers, args.scheduler, args.again)
    except KeyboardInterrupt:
        stopped = True
    rows = sorted(load_rows(out).values(), key=lambda row: row["file"])
    write_csv(rows, out / "grades.csv")
    write_html(rows, out / "grades.html")
    print(f"{len(rows)} notebooks: {out / 'grades.csv'}, {out / 'grades.html'}")
    if stopped:
        print("stopped; the same command goes on from there")
    return 130 if stopped else 0


class _Stopped(Exception):
    """Ctrl-C, noticed when a step was complete."""


def _train(program, run, path, num_epochs):
    """Train and save after every epoch; True if Ctrl-C ended it (the step that was running is finished and saved)."""
    asked = []

    def after_step(run, done, total):
        bar.update(done - bar.n)
        bar.set_postfix(loss=f"{run.loss_sum / done:.4f}")
        if asked:
            raise _Stopped

    before = signal.signal(signal.SIGINT, lambda *_: asked.append(True))
    try:
        while run.epoch < num_epochs:
            epoch, windows = run.epoch, len(run.corpus) - run.settings.num_steps
            with progress_bar(windows, "window", desc=f"epoch {epoch}") as bar:
                loss, clips = program.train_epoch(run, after_step)
            program.save_run(path, run)
            print(f"epoch {epoch}  loss {loss:.4f}  clips {clips}  saved {path}", flush=True)
            if asked:
                raise _Stopped
    except _Stopped:
        program.save_run(path, run)
        print(f"\nstopped at epoch {run.epoch}, step {run.step}; saved {path}. The same command goes on from there")
        return True
    finally:
        signal.signal(signal.SIGINT, before)
    return False


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
    machine = topics.add_parser("timemachine", help="train the character RNN of document 000 and let it write")
    machine.add_argument("--epochs", type=_count, default=30, help="train up to this many; 0 only writes (default: 30)")
    machine.add_argument("--checkpoint", default="timemachine.safetensors", help="saved every epoch, resumed if there")
    machine.add_argument("--corpus", help="a text file; default: The Time Machine")
    machine.add_argument("--prefix", action="append", default=[], help="text to continue; may be given several times")
    machine.add_argument("--length", type=_count, default=100, help="characters to write (default: 100)")
    machine.add_argument("--temperature", type=float, default=0.0, help="0 is greedy (default)")
    machine.add_argument("--seed", type=_count, default=0, help="of the initial weights and of the writing")
    machine.add_argument(
        "--restart-optimizer", action="store_true", help="once, when resuming after some epochs: a fresh Adam"
    )
    machine.set_defaults(run=timemachine)
    verse = topics.add_parser("poem", help="write a Tang poem, offline, e.g. poem 月 --form 五绝")
    verse.add_argument("start", nargs="?", default="", help="first character or first line; default: the model begins")
    verse.add_argument("--form", help="五绝, 七绝, 五律 or 七律: lines and their length, not rhyme; default: free")
    verse.add_argument("--acrostic", default="", help="characters that begin the lines in turn (needs --form)")
    verse.add_argument("--count", type=_count, default=1, help="how many poems (default: 1)")
    verse.add_argument("--temperature", type=float, default=0.8, help="0 is greedy (default: 0.8)")
    verse.add_argument("--top-k", type=_count, help="only the k most probable characters")
    verse.add_argument("--top-p", type=float, help="only the most probable characters up to this mass, e.g. 0.9")
    verse.add_argument("--repeats", action="store_true", help="a character may come twice")
    verse.add_argument("--seed", type=_count, help="the same seed gives the same poem; default: a new one each time")
    verse.add_argument("--model", help="a folder with another model")
    verse.set_defaults(run=poem)
    marks = topics.add_parser("grade", help="grade a folder of submitted exercise notebooks")
    marks.add_argument("folder", help="holds the notebooks (.ipynb), in folders of their own or not")
    marks.add_argument("--out", help="where the marks go (default: FOLDER/grades)")
    marks.add_argument("--workers", type=_count, help="how many at once (default: the number of cores)")
    marks.add_argument("--call-seconds", type=_amount, default=20, help="limit of a cell or a call (default: 20)")
    marks.add_argument("--seconds", type=_amount, default=120, help="limit of a notebook (default: 120)")
    marks.add_argument("--memory", type=_amount, default=4, help="limit of a notebook in GiB (default: 4)")
    marks.add_argument("--again", action="store_true", help="forget earlier marks")
    marks.add_argument(
        "--sandbox", choices=("bubblewrap", "unshare", "none"), default="bubblewrap", help="default: bubblewrap"
    )
    marks.add_argument("--scheduler", metavar="ADDRESS", help="of a Dask cluster that shares the work")
    marks.set_defaults(run=grade)
    return parser


def _amount(text):
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text!r}")
    return value


def _count(text):
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 0, got {text!r}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
