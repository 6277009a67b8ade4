"""Document 000's program: stopped, killed and resumed it must end where an uninterrupted run ends, bit for bit."""

import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from d2lutils import TrainingDiverged, Vocab, load_tensors, save_tensors
from d2lutils import __main__ as command_line
from d2lutils import timemachine as program
from d2lutils.data import load_time_machine

SETTINGS = program.Settings(num_hiddens=8, num_steps=8, batch_size=64)


@pytest.fixture(scope="module")
def corpus():
    return load_time_machine("sample-prose", 700)


def weights(run):
    return {**run.model.state_dict(), **run.optimizer.state_dict()}


def assert_equal(one, other):
    assert (one.epoch, one.step, one.loss_sum, one.clips) == (other.epoch, other.step, other.loss_sum, other.clips)
    assert one.losses == other.losses
    for name, array in weights(one).items():
        np.testing.assert_array_equal(array, weights(other)[name])


def test_training_lowers_the_loss_and_counts_every_window_once(corpus):
    run, seen = program.Run(corpus, SETTINGS), []
    for _ in range(5):
        program.train_epoch(run, lambda run, done, total: seen.append((done, total)))
    assert run.losses == sorted(run.losses, reverse=True)
    assert run.losses[0] < np.log(27) * 1.01
    assert seen[:11] == [(min(64 * (i + 1), 692), 692) for i in range(11)]


@pytest.mark.parametrize("stop_after", [1, 5, 11, 12, 20])
def test_a_run_stopped_after_any_step_goes_on_as_if_it_had_not(corpus, tmp_path, stop_after):
    class Stop(Exception):
        pass

    whole, run, steps = program.Run(corpus, SETTINGS), program.Run(corpus, SETTINGS), []
    for _ in range(3):
        program.train_epoch(whole)

    def after_step(run, done, total):
        steps.append(1)
        if len(steps) == stop_after:
            raise Stop

    def endless():
        while True:
            program.train_epoch(run, after_step)

    with pytest.raises(Stop):
        endless()
    program.save_run(tmp_path / "run", run)
    resumed = program.load_run(tmp_path / "run", corpus)
    assert_equal(resumed, run)
    while resumed.epoch < 3:
        program.train_epoch(resumed)
    assert_equal(resumed, whole)


def test_a_fresh_optimiser_is_remembered(corpus, tmp_path):
    run = program.Run(corpus, SETTINGS)
    program.train_epoch(run)
    run.restart_optimizer()
    program.save_run(tmp_path / "run", run)
    resumed = program.load_run(tmp_path / "run", corpus)
    assert (resumed.restarted_at, resumed.optimizer.num_steps) == (1, 0)


def test_writing_continues_greedily_and_with_a_seed(corpus):
    run = program.Run(corpus, SETTINGS)
    text = program.write(run.model, corpus.vocab, "the time", 20)
    assert text.startswith("the time")
    assert len(text) == 28
    warm = [program.write(run.model, corpus.vocab, "a", 30, temperature=2.0, rng=seed) for seed in (1, 1, 2)]
    assert warm[0] == warm[1] != warm[2]
    for prefix, message in (("", "prefix is empty"), ("Time", "'T'")):
        with pytest.raises(ValueError, match=message):
            program.write(run.model, corpus.vocab, prefix, 3)


def test_a_blow_up_stops_before_the_step(corpus):
    run = program.Run(corpus, SETTINGS)
    run.model.dense.b[0] = np.nan
    with pytest.raises(TrainingDiverged, match="the loss is nan at step 1 of epoch 0"):
        program.train_epoch(run)
    assert run.step == 0


def test_files_that_do_not_fit_are_refused(corpus, tmp_path):
    path, run = tmp_path / "run", program.Run(corpus, SETTINGS)
    program.save_run(path, run)
    other = load_time_machine("sample-prose", 900)
    with pytest.raises(ValueError, match=r"trained on another text than 'sample-prose'"):
        program.load_run(path, other)
    assert program.load_run(path, other, resume=False).settings == SETTINGS
    save_tensors(path, {"W": np.ones(2)}, corpus.vocab)
    with pytest.raises(ValueError, match="no run of this program"):
        program.load_run(path, corpus)
    save_tensors(path, {"W": np.ones(2)}, Vocab("abc"))
    with pytest.raises(ValueError, match="another vocabulary"):
        program.load_run(path, corpus)


@pytest.fixture
def text(tmp_path, corpus):
    path = tmp_path / "text.txt"
    path.write_text(corpus.text(), encoding="utf-8")
    return path


def start(text, checkpoint, *more):
    command = [sys.executable, "-m", "d2lutils", "timemachine", "--corpus", text, "--checkpoint", checkpoint, *more]
    env = {**os.environ, "TQDM_DISABLE": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)


def test_the_command_trains_resumes_and_writes(text, tmp_path):
    checkpoint = tmp_path / "run.safetensors"
    out, err = start(text, checkpoint, "--epochs", "2").communicate()
    assert err == ""
    assert [line.split()[:2] for line in out.splitlines()] == [["epoch", "0"], ["epoch", "1"]]
    out, err = start(text, checkpoint, "--epochs", "3", "--prefix", "the", "--length", "5").communicate()
    assert out.splitlines()[0] == f"resumed {checkpoint}: epoch 2, step 0"
    assert out.splitlines()[1].startswith("epoch 2  loss ")
    assert len(out.splitlines()[2]) == len("- the") + 5
    out, _ = start(text, checkpoint, "--epochs", "0", "--prefix", "a", "--temperature", "1").communicate()
    assert len(out.splitlines()[1]) == len("- a") + 100


def test_ctrl_c_saves_says_where_and_loses_nothing(text, tmp_path):
    checkpoint = tmp_path / "run.safetensors"
    process = start(text, checkpoint, "--epochs", "100000")
    for _ in range(5):
        process.stdout.readline()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, "")
    assert f"saved {checkpoint}. The same command goes on from there" in out
    run, whole = program.load_run(checkpoint, program.load_corpus(text)), tmp_path / "whole.safetensors"
    assert run.epoch >= 5
    for path in (checkpoint, whole):
        start(text, path, "--epochs", str(run.epoch + 2)).communicate()
    assert_equal(program.load_run(checkpoint, run.corpus), program.load_run(whole, run.corpus))


def test_killed_at_fifty_moments_it_ends_where_it_should(text, tmp_path):
    """kill -9, resume, kill -9, …: the file is whole every time, and the end is that of an undisturbed run."""
    checkpoint, moments = tmp_path / "run.safetensors", random.Random(0)
    corpus, epochs, kills = program.load_corpus(text), [], 0
    while kills < 50:
        process = start(text, checkpoint, "--epochs", "1000000")
        for _ in range(moments.randint(1, 3)):  # "resumed …", then epochs, however slow the machine
            process.stdout.readline()
        time.sleep(moments.uniform(0, 0.06))
        process.kill()
        process.communicate()
        kills += 1
        if checkpoint.exists():
            epochs.append(program.load_run(checkpoint, corpus).epoch)
    assert epochs == sorted(epochs)
    assert epochs[-1] > 10
    whole = tmp_path / "whole.safetensors"
    start(text, whole, "--epochs", str(epochs[-1])).communicate()
    assert_equal(program.load_run(checkpoint, corpus), program.load_run(whole, corpus))
    whole.unlink()
    assert {path.name for path in tmp_path.iterdir()} <= {"run.safetensors", "run.safetensors.part", "text.txt"}


@pytest.mark.parametrize(
    ("content", "arguments", "message"),
    [
        (b"", [], "holds no letters"),
        ("一二三".encode(), [], "holds no letters"),
        (b"\xff\xfe", [], "is no text in UTF-8"),
        (b"too short", [], "at least 33 tokens"),
        (None, [], "No such file"),
        (b"some text " * 20, ["--prefix", "Zeit!"], "'Z'"),
        (b"some text " * 20, ["--prefix", ""], "prefix is empty"),
        (b"some text " * 20, ["--epochs", "0"], "no checkpoint"),
        (b"some text " * 20, ["--temperature", "-1"], "temperature must be above 0, got -1"),
    ],
)
def test_bad_input_is_a_sentence_and_exit_code_2(tmp_path, capsys, content, arguments, message):
    path = tmp_path / "text.txt"
    if content is not None:
        path.write_bytes(content)
    checkpoint = str(tmp_path / "run")
    code = command_line.main(["timemachine", "--corpus", str(path), "--checkpoint", checkpoint, *arguments])
    assert code == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_damaged_checkpoints_are_a_sentence_and_stay(text, tmp_path, capsys):
    checkpoint = tmp_path / "run"
    start(text, checkpoint, "--epochs", "1").communicate()
    for data in (b"", checkpoint.read_bytes()[:-5], b"PK\x03\x04 not ours"):
        checkpoint.write_bytes(data)
        assert command_line.main(["timemachine", "--corpus", str(text), "--checkpoint", str(checkpoint)]) == 2
        assert str(checkpoint) in capsys.readouterr().err
        assert checkpoint.read_bytes() == data
    with pytest.raises(SystemExit) as wrong:
        command_line.main(["timemachine", "--epochs", "-1"])
    assert wrong.value.code == 2


def test_the_file_holds_what_it_needs(text, tmp_path):
    start(text, tmp_path / "run", "--epochs", "1").communicate()
    tensors, info = load_tensors(tmp_path / "run")
    assert {"program", "settings", "progress", "vocab_sha256", "corpus_sha256"} <= set(info)
    assert {name.split(".")[0] for name in tensors} == {"model", "optimizer"}
