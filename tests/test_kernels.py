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


def test_an_unknown_kernel_is_named():
    with pytest.raises(LookupError, match=r"no kernel 'nope' here \(known: .*python3.*make mxnet"):
        run_in_kernel("nope", "1")
