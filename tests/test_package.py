"""The package as a host sees it: it brings its data along and imports nothing that it was not asked for."""

import os
import subprocess
import sys
import zipfile

import pytest
from conftest import ROOT

HEAVY = ("torch", "mxnet", "matplotlib", "pooch", "requests", "tqdm")


def loaded_by(code):
    """Names of the heavy modules that a fresh interpreter has loaded after ``code``."""
    code += f"\nimport sys; print(*[name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(done.stdout.split())


def test_the_core_imports_no_framework():
    work = (
        "import d2lutils as d; corpus = d.load_lyrics('sample-lyrics', 500);"
        "list(d.data_iter_random(corpus, 2, 5, seed=0)); d.environment('sample-lyrics')"
    )
    assert loaded_by(work) == set()


def test_the_torch_face_imports_torch_alone():
    assert loaded_by("from d2lutils import torch") <= {"torch", "tqdm"}  # torch.hub loads tqdm


def test_names_for_star_imports_exist():
    import d2lutils
    from d2lutils import engine
    from d2lutils import torch as face

    for module in (d2lutils, face, engine):
        assert [name for name in module.__all__ if not hasattr(module, name)] == []
        assert len(set(module.__all__)) == len(module.__all__)


def test_without_mxnet_the_cure_is_named():
    if "mxnet" in sys.modules:
        pytest.skip("this is the legacy environment")
    with pytest.raises(ImportError, match=r'make mxnet.*kernel "mxnet"'):
        import d2lutils.mxnet  # noqa: F401


def test_the_wheel_brings_manifest_figures_and_samples(tmp_path):
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--wheel-dir", tmp_path, ROOT]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    ours = {
        "manifest.json",
        "figures.json",
        *(f"{folder}/{path.name}" for folder in ("samples", "poem") for path in (ROOT / "data" / folder).iterdir()),
    }
    assert {f"d2lutils/_data/{name}" for name in ours} <= names
    assert not [name for name in names if name.startswith(("tests", "book", "notebooks"))]
    zipfile.ZipFile(wheel).extractall(tmp_path)
    code = "import d2lutils; print(d2lutils.__file__, len(d2lutils.load_lyrics('sample-lyrics')))"
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path, env=env
    )
    assert done.stdout.startswith(str(tmp_path))


def test_figures_have_chinese_glyphs():
    from matplotlib import font_manager, rcParams

    from d2lutils import use_svg_display

    use_svg_display()
    path = font_manager.findfont(rcParams["font.family"][0], fallback_to_default=False)
    glyphs = font_manager.get_font(path).get_charmap()
    assert all(ord(char) in glyphs for char in "困惑度循环神经网络门")
