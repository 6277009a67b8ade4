"""One notebook, two frameworks: ``%%kernel NAME`` sends a cell to another Jupyter kernel and shows what it prints.

``%load_ext d2lutils.kernels`` makes the magic known. The other kernel keeps its variables until the notebook ends; the
two share nothing but files and the strings given on the first line: ``%%kernel torch folder='{folder}'``.
"""

import atexit
import queue
import re
import shlex
import subprocess
import sys
import time

__all__ = ["load_ipython_extension", "run_in_kernel"]

_running = {}  # name -> (manager, client); kernels are started when first asked for


def run_in_kernel(name, code, timeout=600):
    """Run code in the kernel ``name`` and pass on what it prints.

    Args:
        name: as ``jupyter kernelspec list`` shows it. code: source of a cell. timeout: seconds.

    Raises:
        LookupError: there is no such kernel. RuntimeError: the code failed there (with its traceback), took too long,
            or the kernel died.
    """
    manager, client = _running.get(name) or _start(name)
    end, failure = time.monotonic() + timeout, ""
    message_id = client.execute(code, allow_stdin=False, stop_on_error=False)
    while True:
        try:
            message = client.get_iopub_msg(timeout=1)
        except queue.Empty:
            if not manager.is_alive():
                _running.pop(name)
                raise RuntimeError(
                    f"the kernel {name!r} died (out of memory?) and its variables are lost; run its cells again"
                ) from None
            if time.monotonic() > end and not failure:
                failure = f"the cell took more than {timeout} s in the kernel {name!r} and was stopped"
                manager.interrupt_kernel()
            continue
        if message["parent_header"].get("msg_id") != message_id:
            continue
        kind, content = message["msg_type"], message["content"]
        if kind == "stream":
            getattr(sys, content["name"]).write(content["text"])
        elif kind in ("execute_result", "display_data"):
            print(content["data"].get("text/plain", f"({', '.join(content['data'])})"))
        elif kind == "error" and not failure:
            failure = f"the cell failed in the kernel {name!r}:\n" + "\n".join(content["traceback"])
        elif kind == "status" and content["execution_state"] == "idle":
            break
    if failure:
        raise RuntimeError(failure)


def load_ipython_extension(ipython):
    """Register ``%%kernel``."""

    def kernel(line, cell):
        name, *settings = shlex.split(line) or [""]
        wrong = [s for s in settings if not re.fullmatch(r"[A-Za-z_]\w*=(?!\{\w+\}$).*", s)]
        if not name or wrong:
            raise ValueError(
                f"%%kernel {line}: {'no kernel is named' if not name else f'cannot read {wrong[0]!r}'}; write "
                "%%kernel NAME variable='{variable}', with a variable that exists"
            )
        pairs = (setting.split("=", 1) for setting in settings)
        run_in_kernel(name, "".join(f"{key} = {value!r}\n" for key, value in pairs) + cell)

    ipython.register_magic_function(kernel, "cell")


def _start(name):
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel
    from jupyter_client.manager import start_new_kernel

    try:
        manager, client = start_new_kernel(kernel_name=name, stderr=subprocess.DEVNULL)
    except NoSuchKernel:
        known = ", ".join(sorted(KernelSpecManager().find_kernel_specs()))
        raise LookupError(f"there is no kernel {name!r} here (known: {known}); run `make mxnet` once") from None

    def stop():
        client.stop_channels()
        manager.shutdown_kernel(now=True)

    atexit.register(stop)
    _running[name] = manager, client
    return manager, client
