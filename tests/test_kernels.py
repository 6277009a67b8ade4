"""A cell in another kernel: its output comes here, its errors too."""

import pytest

from d2lutils.kernels import load_ipython_extension, run_in_kernel


def test_output_comes_back_and_variables_stay(capsys):
    run_in_kernel("python3", "x = 3\nprint('一')")
    run_in_kernel("python3", "x + 1")
    assert capsys.readouterr().out == "一\n4\n"


def test_the_magic_hands_settings_over(capsys):
    magics = {}

    class Shell:
        def register_magic_function(self, function, kind):
            magics[function.__name__, kind] = function

    load_ipython_extension(Shell())
    magics["kernel", "cell"]("python3 folder='/a b/c' n=3", "print(folder, n)")
    assert capsys.readouterr().out == "/a b/c 3\n"


def test_errors_come_back():
    with pytest.raises(RuntimeError, match=r"(?s)failed in the kernel 'python3'.*ZeroDivisionError"):
        run_in_kernel("python3", "1 / 0")


def test_a_dead_kernel_says_so_and_comes_back(capsys):
    with pytest.raises(RuntimeError, match="'python3' died"):
        run_in_kernel("python3", "import os; os._exit(1)")
    run_in_kernel("python3", "print('again')")
    assert capsys.readouterr().out == "again\n"


def test_a_cell_that_takes_too_long_is_stopped(capsys):
    with pytest.raises(RuntimeError, match="more than 1 s in the kernel 'python3'"):
        run_in_kernel("python3", "import time; time.sleep(60)", timeout=1)
    run_in_kernel("python3", "print('free')")
    assert capsys.readouterr().out == "free\n"


def test_warnings_are_not_lost(capsys):
    run_in_kernel("python3", "import sys; print('careful', file=sys.stderr)")
    assert capsys.readouterr().err == "careful\n"


@pytest.mark.parametrize("line", ["", "python3 folder", "python3 folder={folder}", "python3 a b=c"])
def test_settings_that_make_no_sense_are_named(line):
    magics = {}

    class Shell:
        def register_magic_function(self, function, kind):
            magics[kind] = function

    load_ipython_extension(Shell())
    with pytest.raises(ValueError, match=r"write %%kernel NAME variable='\{variable\}'"):
        magics["cell"](line, "1")


def test_an_unknown_kernel_is_named():
    with pytest.raises(LookupError, match=r"no kernel 'nope' here \(known: .*python3.*make mxnet"):
        run_in_kernel("nope", "1")
