"""One notebook, two frameworks: ``%%kernel NAME`` sends a cell to another Jupyter kernel and shows what it prints.

``%load_ext d2lutils.kernels`` makes the magic known. The other kernel keeps its variables until the notebook ends; the
two share nothing but files and the strings given on the first line: ``%%kernel torch folder={folder}``.
"""

import atexit
import shlex
import subprocess
import sys

__all__ = ["load_ipython_extension", "run_in_kernel"]

_running = {}  # name -> client; kernels are started when first asked for


def run_in_kernel(name, code, timeout=600):
    """Run code in the kernel ``name`` and pass its standard output on.

    Args:
        name: as ``jupyter kernelspec list`` shows it. code: source of a cell. timeout: seconds.

    Raises:
        LookupError: there is no such kernel. RuntimeError: the code failed there (with its traceback).
    """
    client = _running.get(name) or _start(name)

    def show(message):
        content = message["content"]
        if message["msg_type"] == "stream" and content["name"] == "stdout":
            sys.stdout.write(content["text"])
        elif message["msg_type"] in ("execute_result", "display_data"):
            print(content["data"]["text/plain"])

    reply = client.execute_interactive(code, output_hook=show, timeout=timeout)["content"]
    if reply["status"] != "ok":
        raise RuntimeError(f"the cell failed in the kernel {name!r}:\n" + "\n".join(reply.get("traceback", ())))


def load_ipython_extension(ipython):
    """Register ``%%kernel``."""

    def kernel(line, cell):
        name, *settings = shlex.split(line) or [""]
        variables = (setting.split("=", 1) for setting in settings)
        run_in_kernel(name, "".join(f"{key} = {value!r}\n" for key, value in variables) + cell)

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
    _running[name] = client
    return client
