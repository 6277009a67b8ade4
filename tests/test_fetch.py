"""Data comes whole and right, or not at all: every fault of a real network, against a server on this machine."""

import hashlib
import http.server
import io
import json
import multiprocessing
import os
import socket
import subprocess
import sys
import threading
import zipfile
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from d2lutils import DataError, data
from d2lutils import __main__ as command_line
from d2lutils.data import fetching, loaders, manifest

BODY = ("想要有直升机\n" * 4000).encode()


class Server(http.server.ThreadingHTTPServer):
    """Answers /good and misbehaves at the other paths; counts the requests."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.hits = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def url(self, path):
        return f"http://127.0.0.1:{self.server_port}/{path}"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.hits.append(self.path)
        kind = self.path.strip("/").split("-")[0]
        getattr(self, kind)()

    def answer(self, body, length=None, status=200):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def good(self):
        self.answer(BODY)

    def wrong(self):
        self.answer(BODY[::-1])

    def short(self):
        self.answer(BODY[: len(BODY) // 2])

    def html(self):
        self.answer(b"\n<!DOCTYPE html><html><body>Please log in</body></html>")

    def missing(self):
        self.answer(b"not here", status=404)

    def cut(self):
        """Promises everything, sends half, hangs up."""
        self.answer(BODY[: len(BODY) // 2], length=len(BODY))
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    server = Server()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def toy(monkeypatch, server):
    """Put a data set "toy" into the manifest whose files come from the given paths of the server."""

    def make(*paths, body=BODY, name="toy.txt", files=1):
        urls = tuple(server.url(path) for path in paths)
        one = manifest.DataFile(f"toy/{name}", len(body), hashlib.sha256(body).hexdigest(), urls)
        parts = tuple(replace(one, path=f"toy/{i}-{name}" if files > 1 else one.path) for i in range(files))
        known = {**manifest.datasets(), "toy": manifest.Dataset("toy", "a toy", "CC0", parts)}
        for module in (manifest, fetching, data, command_line):
            monkeypatch.setattr(module, "datasets", lambda: known)
        return parts[0]

    return make


def left_over(cache):
    """Whatever lies in the cache but locks."""
    return [path for path in cache.rglob("*") if path.is_file() and path.suffix != ".lock"]


def test_a_good_file_comes_once_and_is_kept(toy, server, empty_cache):
    toy("good")
    for _ in range(2):
        (path,) = data.fetch("toy", progress=False)
        assert path.read_bytes() == BODY
    assert path.is_relative_to(empty_cache)
    assert server.hits == ["/good"]


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("wrong", "does not match"),
        ("short", f"{len(BODY) // 2} bytes came, expected {len(BODY)}"),
        ("html", "web page came instead"),
        ("missing", "404"),
        ("cut", "."),
    ],
)
def test_a_fault_is_reported_and_nothing_is_kept(toy, empty_cache, fault, message):
    toy(fault)
    with pytest.raises(DataError, match=message) as caught:
        data.fetch("toy", progress=False)
    text = str(caught.value)
    assert str(empty_cache) in text
    assert "python -m d2lutils data fetch toy" in text
    assert "D2LUTILS_DATA" in text
    assert left_over(empty_cache) == []


@pytest.mark.parametrize("fault", ["wrong", "short", "html", "missing", "cut"])
def test_after_any_fault_the_mirror_is_asked(toy, server, empty_cache, fault):
    toy(fault, "good")
    (path,) = data.fetch("toy", progress=False)
    assert path.read_bytes() == BODY
    assert server.hits == [f"/{fault}", "/good"]
    assert left_over(empty_cache) == [path]


def test_no_server_at_all(toy, monkeypatch, empty_cache):
    file = toy("good")
    gone = replace(file, urls=("http://127.0.0.1:9/nothing",))
    known = {"toy": manifest.Dataset("toy", "", "", (gone,))}
    monkeypatch.setattr(manifest, "datasets", lambda: known)
    with pytest.raises(DataError, match="no connection"):
        data.fetch("toy", progress=False)


def test_a_damaged_file_in_the_cache_is_replaced(toy, empty_cache):
    toy("good")
    (path,) = data.fetch("toy", progress=False)
    path.write_bytes(BODY[:-1])
    assert data.fetch("toy", progress=False)[0].read_bytes() == BODY


def test_a_folder_of_ones_own_comes_first_and_is_never_changed(toy, server, empty_cache, tmp_path, monkeypatch):
    file = toy("good")
    mine = tmp_path / "mine" / file.path
    mine.parent.mkdir(parents=True)
    mine.write_bytes(BODY)
    monkeypatch.setenv("D2LUTILS_DATA", str(tmp_path / "mine"))
    assert data.fetch("toy", progress=False) == [mine]
    mine.write_bytes(b"something else")
    with pytest.raises(DataError, match=f"(?s){mine}.*sha256.*expected {file.sha256}"):
        data.fetch("toy", progress=False)
    assert mine.read_bytes() == b"something else"
    assert server.hits == []


def test_many_files_come_side_by_side_with_one_bar(toy, server, empty_cache, capsys):
    toy("good", files=20)
    assert len(data.fetch("toy")) == 20
    assert len(server.hits) == 20
    bar = capsys.readouterr().err
    assert "toy" in bar
    assert "\n" not in bar.strip()  # one line, redrawn


def _fetch_in_child(cache, known, results):
    os.environ["D2LUTILS_CACHE"] = cache
    manifest.datasets = fetching.datasets = lambda: known
    results.put(hashlib.sha256(data.fetch("toy", progress=False)[0].read_bytes()).hexdigest())


def test_eight_processes_at_once_download_once(toy, server, empty_cache):
    file = toy("good")
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    arguments = (str(empty_cache), manifest.datasets(), results)
    children = [context.Process(target=_fetch_in_child, args=arguments) for _ in range(8)]
    for child in children:
        child.start()
    assert {results.get(timeout=60) for _ in children} == {file.sha256}
    for child in children:
        child.join(timeout=60)
        assert child.exitcode == 0
    assert server.hits == ["/good"]


@contextmanager
def _as_nobody():
    """Root may write everywhere, so give the rights away for a moment."""
    if os.geteuid() == 0:
        os.seteuid(65534)
        try:
            yield
        finally:
            os.seteuid(0)
    else:
        yield


def test_nothing_but_the_bar_is_written(server, empty_cache, tmp_path):
    """In a process of its own, as a notebook sees it: no log of pooch, no advice of its bar."""
    sha = hashlib.sha256(BODY).hexdigest()
    code = (
        "from d2lutils.data import fetching, manifest\n"
        f"file = manifest.DataFile('toy/toy.txt', {len(BODY)}, {sha!r}, ({server.url('good')!r},))\n"
        "fetching.get_dataset = lambda name: manifest.Dataset('toy', '', '', (file,))\n"
        "print(fetching.fetch('toy', progress=False)[0].name)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("toy.txt\n", "")


@pytest.mark.parametrize(("value", "message"), [("nowhere/at/all", "is no folder"), ("~nobody-here/x", "resolved")])
def test_a_folder_of_ones_own_that_is_none(monkeypatch, value, message):
    monkeypatch.setenv("D2LUTILS_DATA", value)
    with pytest.raises(DataError, match=rf"D2LUTILS_DATA is set to .*{message}"):
        data.fetch("sample-lyrics")


def test_a_cache_that_may_not_be_written(toy, empty_cache):
    toy("good")
    empty_cache.mkdir()
    empty_cache.chmod(0o555)
    for folder in empty_cache.parents[:3]:  # pytest's own folders are private
        folder.chmod(0o755)
    with _as_nobody(), pytest.raises(DataError, match=r"cannot be written.*D2LUTILS_CACHE"):
        data.fetch("toy", progress=False)


def test_a_cache_path_that_is_no_folder(toy, tmp_path, monkeypatch, empty_cache):
    toy("good")
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("D2LUTILS_CACHE", str(tmp_path / "file"))
    with pytest.raises(DataError, match="cannot be written"):
        data.fetch("toy", progress=False)


def _fetch_with_a_full_disk(cache, known, results):
    import resource
    import signal

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(BODY) // 3, len(BODY) // 3))
    try:
        _fetch_in_child(cache, known, results)
    except DataError as error:
        results.put(str(error))


def test_a_disk_that_fills_up_half_way(toy, empty_cache):
    toy("good")
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    child = context.Process(target=_fetch_with_a_full_disk, args=(str(empty_cache), manifest.datasets(), results))
    child.start()
    assert "cannot be written" in results.get(timeout=60)
    child.join(timeout=60)
    assert left_over(empty_cache) == []


def _zip(members):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return stream.getvalue()


@pytest.mark.parametrize("name", ["../evil.txt", "a/../../evil.txt", "/evil.txt", "C:\\evil.txt"])
def test_a_zip_that_leads_out_of_itself_is_refused(name, tmp_path):
    with pytest.raises(DataError, match="leads out of the archive"):
        loaders._unzip(_zip({name: "x"}), Path("toy.zip"), None)
    assert not list(tmp_path.parent.rglob("evil.txt"))


def test_a_zip_that_is_none_or_holds_the_wrong_files():
    with pytest.raises(DataError, match="not a readable zip"):
        loaders._unzip(b"PK?", Path("toy.zip"), None)
    with pytest.raises(DataError, match=r"exactly one file, it holds \['a', 'b'\]"):
        loaders._unzip(_zip({"a": "", "b": ""}), Path("toy.zip"), None)
    assert loaders._unzip(_zip({"d/a": "1", "d/b": "2"}), Path("toy.zip"), "b") == b"2"


def test_an_unknown_name_offers_the_closest():
    with pytest.raises(DataError, match="did you mean jaychou-201"):
        data.fetch("jaychou-2O18")


def test_the_manifest_is_complete():
    for dataset in manifest.datasets().values():
        assert dataset.what
        assert dataset.licence
        for file in dataset.files:
            assert len(file.sha256) == 64
            pinned = all("/main/" not in url and "/master/" not in url for url in file.urls)
            assert pinned
            assert len(file.urls) == (0 if dataset.name.startswith("sample-") else 2)
    assert len(manifest.get_dataset("quan-tangshi").files) == 58
    assert json.loads((manifest.bundled_dir() / "manifest.json").read_text(encoding="utf-8"))


def test_command_line(toy, empty_cache, capsys):
    toy("good")
    assert command_line.main(["data", "list"]) == 0
    assert "toy" in (listing := capsys.readouterr().out)
    assert "absent" in listing
    assert command_line.main(["data", "fetch", "toy"]) == 0
    path = Path(capsys.readouterr().out.split(": ", 1)[1].strip())
    assert command_line.main(["data", "verify"]) == 0
    path.write_bytes(b"")
    assert command_line.main(["data", "verify"]) == 2
    assert "delete it and fetch it again" in capsys.readouterr().err
    assert command_line.main(["data", "fetch", "no-such-thing"]) == 2
    assert "Known:" in capsys.readouterr().err


def test_command_line_in_a_pipe_and_on_an_old_console(empty_cache):
    """`… | head` ends quietly, and a console that lacks a character still shows the list."""
    listing = [sys.executable, "-m", "d2lutils", "data", "list"]
    old = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(listing, capture_output=True, env=old, check=True)
    assert b"jaychou-2018" in done.stdout
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(listing, stdout=write, stderr=subprocess.PIPE, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, b"")
