"""The process that runs a submission: it gives up memory, files and cores beyond its limits, then becomes a kernel."""

import os
import sys

from ipykernel.iostream import OutStream

__all__ = ["Quiet", "main"]

FILE_BYTES = 16 << 20  # the largest file that a submission may write
FILES = 128  # open at once
PROCESSES = 256


class Quiet(OutStream):
    """A standard output that nobody reads: a gigabyte costs nothing."""

    def write(self, string):
        return len(string)


def main(argv=None):
    """``kernel.py MEMORY_BYTES CONNECTION_FILE``."""
    import resource

    memory, connection = (argv or sys.argv[1:])[:2]
    bounds = {"AS": int(memory), "FSIZE": FILE_BYTES, "NOFILE": FILES, "CORE": 0, "NPROC": PROCESSES}
    for name, bound in bounds.items():
        kind = getattr(resource, f"RLIMIT_{name}")
        hard = resource.getrlimit(kind)[1]
        bound = bound if hard == resource.RLIM_INFINITY else min(bound, hard)
        resource.setrlimit(kind, (bound, bound))
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    from ipykernel.kernelapp import IPKernelApp

    settings = {
        "IPKernelApp.parent_handle": 0,  # in a sandbox the parent looks as if it had gone
        "IPKernelApp.outstream_class": "d2lutils.grading.kernel.Quiet",
        "HistoryManager.enabled": False,
    }
    IPKernelApp.launch_instance(["-f", connection, *(f"--{name}={value}" for name, value in settings.items())])


if __name__ == "__main__":
    main()
