"""Colab rehearsed: an empty folder, an environment that has torch and the newest NumPy, the notebook file alone."""

import json
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import nbformat
import pytest
from conftest import ROOT

import notebooks
from d2lutils import __version__

HOSTS_OWN = ["torch==2.13.0", "numpy", "scipy", "matplotlib", "ipykernel", "tqdm", "safetensors", "requests"]
TORCH = [name for name in notebooks.names() if notebooks.build(name).metadata.kernelspec.name == "python3"]


class Host:
    """A stand-in for a Colab machine.

    Attributes:
        python: of its environment. wheel: our package as built. env: what its kernels see.
    """

    def __init__(self, folder):
        self.folder, self.python = folder, folder / "venv" / "bin" / "python"
        self.wheel = build_wheel(folder)
        venv.create(folder / "venv", with_pip=True)
        pip_install(self.python, *HOSTS_OWN)
        standin, startup = folder / "standin", folder / "ipython" / "profile_default" / "startup"
        for path, text in (
            (standin / "google" / "colab" / "__init__.py", ""),
            (startup / "00-colab.py", f"import sys; sys.path.append({str(standin)!r}); import google.colab"),
        ):
            path.parent.mkdir(parents=True)
            path.write_text(text)
        spec = {"argv": [str(self.python), "-m", "ipykernel_launcher", "-f", "{connection_file}"],
                "display_name": "Colab", "language": "python"}  # fmt: skip
        kernel = folder / "jupyter" / "kernels" / "colab" / "kernel.json"
        kernel.parent.mkdir(parents=True)
        kernel.write_text(json.dumps(spec))
        (folder / "home").mkdir()
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("D2LUTILS", "PYTHON", "MPL", "TQDM"))}
        self.env |= {"IPYTHONDIR": str(folder / "ipython"), "HOME": str(folder / "home"), "TQDM_DISABLE": "1",
                     "PATH": f"{folder / 'venv' / 'bin'}:{os.environ['PATH']}"}  # fmt: skip

    def versions(self):
        done = subprocess.run([self.python, "-m", "pip", "list", "--format", "json"], capture_output=True, check=True)
        return {each["name"]: each["version"] for each in json.loads(done.stdout)}


def build_wheel(folder):
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--wheel-dir", folder, ROOT]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = Path(folder).glob("*.whl")
    return wheel


def pip_install(python, *packages):
    done = subprocess.run([python, "-m", "pip", "install", "-q", *packages], capture_output=True, text=True)
    if "No matching distribution" in done.stderr or "ConnectionError" in done.stderr:
        pytest.skip(f"PACKAGE INDEX MISSING: {done.stderr.strip().splitlines()[-1][:200]}")
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    return Host(tmp_path_factory.mktemp("colab"))


@pytest.mark.parametrize("name", TORCH)
def test_the_notebook_alone_runs_top_to_bottom(name, host, tmp_path, monkeypatch):
    from nbclient import NotebookClient

    before = host.versions()
    notebook = nbformat.read(notebooks.NOTEBOOKS / f"{name}.ipynb", as_version=4)
    address = f'"d2lutils @ git+{notebooks.setup_cell().split("git+")[1].split(chr(34))[0]}"'
    for cell in notebook.cells:
        cell.source = cell.source.replace(address, str(host.wheel)).replace("fast = False", "fast = True")
        if cell.cell_type == "code":
            cell.outputs = []
    notebook.metadata.kernelspec = {"name": "colab", "display_name": "Colab"}
    monkeypatch.setenv("JUPYTER_PATH", str(host.folder / "jupyter"))
    client = NotebookClient(notebook, timeout=300, kernel_name="colab", resources={"metadata": {"path": tmp_path}})
    client.execute(env=host.env)
    setup = next(cell for cell in notebook.cells if "setup" in cell.metadata.get("tags", ()))
    said = "".join(output.get("text", "") for output in setup.outputs)
    assert f"d2lutils {__version__}。设备：" in said
    assert "更改运行时类型" in said
    after = host.versions()
    assert {package: after[package] for package in before} == before
    assert after["d2lutils"] == __version__
    assert not list(tmp_path.iterdir())


def test_the_mxnet_notebook_says_what_to_do():
    code = "import sys\nsys.modules['google.colab'] = sys\n" + notebooks.setup_cell("mxnet")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1
    assert "make mxnet" in done.stderr
    assert "Traceback" not in done.stderr
    top = [cell.source for cell in notebooks.build("gru-mxnet").cells[:5] if cell.cell_type == "markdown"]
    assert "Colab" in "".join(top)


@pytest.mark.parametrize("version", ["3.12", "3.13"])
def test_the_core_runs_on_colabs_present_and_next_python(version, tmp_path):
    found = _python(version)
    if not found:
        pytest.skip(f"PYTHON {version} MISSING: the wheel cannot be tried on it here")
    subprocess.run([found, "-m", "venv", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    pip_install(python, build_wheel(tmp_path))
    code = (
        "import d2lutils as d; from d2lutils.exercises import check, exercises; check('rnn-1', lambda X, V: X);"
        "print(d.progress(), len(exercises()), len(d.load_lyrics('sample-lyrics')), d.next_token([0, 9.0], 0, 0.0))"
    )
    env = {"D2LUTILS_PROGRESS": str(tmp_path / "progress.json"), "PATH": os.environ["PATH"]}
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, cwd=tmp_path, env=env)
    assert done.returncode == 0, done.stderr
    assert "✗ rnn-1 不对" in done.stdout


def _python(version):
    """Path of an interpreter, or None; a version manager's shim may be there without its Python."""
    for name in (f"python{version}", *sorted(Path.home().glob(f".pyenv/versions/{version}*/bin/python"))):
        if shutil.which(name) and subprocess.run([name, "-c", ""], capture_output=True).returncode == 0:
            return name
    return None
