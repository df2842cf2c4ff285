"""Downloads from a server on this machine that does what real ones do on bad days."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from flambeau.vision.datasets import download
from flambeau.vision.datasets.download import fetch

CONTENT = bytes(range(256)) * 1000
MD5 = hashlib.md5(CONTENT).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """The path says how to behave."""

    def do_GET(self):
        server = self.server
        server.requests.append((self.path, self.headers.get("Range")))
        how = self.path.split("/")[1]
        count = sum(path == self.path for path, _ in server.requests)
        start = 0
        asked = self.headers.get("Range")
        if asked and how != "norange":
            start = int(asked.removeprefix("bytes=").rstrip("-"))
        body = CONTENT[start:]
        if how == "missing":
            self.send_error(404)
            return
        if how == "busy" and count < 3:
            self.send_error(503)
            return
        if how == "wrong":
            body = b"<html>hello</html>"
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")
        if how == "short":  # it announces more than it has
            self.send_header("Content-Length", str(len(body) + 100))
        elif how != "silent":
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        cut = 100_000 if how in ("cut", "norange") and count < 3 else None
        if how == "crumbs":
            cut = 70_000
        elif how == "drops":
            cut = 10
        elif how == "stuck":
            self.wfile.write(body[:1000])
            server.stuck.set()
            server.go_on.wait(60)
            return
        self.wfile.write(body[:cut])
        self.close_connection = True

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        http.requests = []
        http.stuck, http.go_on = threading.Event(), threading.Event()
        thread = threading.Thread(target=http.serve_forever, daemon=True)
        thread.start()
        http.url = f"http://127.0.0.1:{http.server_port}"
        yield http
        http.shutdown()
        thread.join()


def test_a_file_is_fetched_and_not_fetched_again(server, tmp_path):
    path = tmp_path / "folder" / "file.gz"
    for _ in range(2):
        fetch([f"{server.url}/good/file.gz"], path, MD5, quiet=True)
    assert path.read_bytes() == CONTENT
    assert len(server.requests) == 1
    assert os.listdir(path.parent) == ["file.gz"]


def test_a_wrong_file_in_its_place_is_replaced(server, tmp_path):
    path = tmp_path / "file.gz"
    path.write_bytes(CONTENT[:1000])
    fetch([f"{server.url}/good/file.gz"], path, MD5, quiet=True)
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize("how", ["cut", "norange", "busy", "silent"])
def test_a_connection_that_breaks_is_taken_up_again(server, tmp_path, how):
    path = tmp_path / "file.gz"
    fetch([f"{server.url}/{how}/file.gz"], path, MD5, quiet=True)
    assert path.read_bytes() == CONTENT
    if how == "cut":
        ranges = [asked for _, asked in server.requests]
        assert ranges == [None, "bytes=100000-", "bytes=200000-"]


def test_a_connection_that_breaks_again_and_again_gets_there_if_it_brings_something(
    server, tmp_path
):
    path = tmp_path / "file.gz"
    fetch([f"{server.url}/crumbs/file.gz"], path, MD5, quiet=True)
    assert path.read_bytes() == CONTENT
    assert len(server.requests) == 4
    with pytest.raises(RuntimeError, match="the connection ended before the file did"):
        fetch([f"{server.url}/drops/file.gz"], tmp_path / "other.gz", MD5, quiet=True)
    assert len(server.requests) == 7
    assert os.listdir(tmp_path) == ["file.gz"]


@pytest.mark.parametrize("how", ["missing", "wrong", "short"])
def test_the_next_mirror_is_tried_and_nothing_wrong_is_kept(server, tmp_path, how):
    path = tmp_path / "file.gz"
    urls = [f"{server.url}/{how}/file.gz", f"{server.url}/good/file.gz"]
    if how == "short":  # the file is whole, if its length was not announced rightly
        fetch(urls[:1] + urls[1:], path, MD5, quiet=True)
    else:
        fetch(urls, path, MD5, quiet=True)
    assert path.read_bytes() == CONTENT
    with pytest.raises(RuntimeError, match="Error downloading file.gz") as caught:
        fetch(urls[:1], tmp_path / "other" / "file.gz", MD5, quiet=True)
    assert f"Tried {urls[0]}, got:" in str(caught.value)
    assert os.listdir(tmp_path / "other") == []


def test_a_server_that_is_not_there_is_reported(tmp_path, monkeypatch):
    monkeypatch.setattr(download, "TIMEOUT", 1.0)
    with pytest.raises(RuntimeError, match="put the file at .*file.gz yourself"):
        fetch(["http://127.0.0.1:9/file.gz"], tmp_path / "file.gz", MD5, quiet=True)
    assert os.listdir(tmp_path) == []


def test_several_downloads_at_once_do_not_disturb_each_other(server, tmp_path):
    path = tmp_path / "file.gz"
    errors = []

    def run():
        try:
            fetch([f"{server.url}/good/file.gz"], path, MD5, quiet=True)
            assert path.read_bytes() == CONTENT
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert os.listdir(tmp_path) == ["file.gz"]


def test_processes_at_once_and_one_that_is_killed_leave_a_whole_file(server, tmp_path):
    path = tmp_path / "file.gz"
    program = (
        "import sys; from flambeau.vision.datasets.download import fetch; "
        "fetch([sys.argv[1]], sys.argv[2], sys.argv[3], quiet=True)"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    processes: list[subprocess.Popen[bytes]] = []

    def start(how: str) -> None:
        command = [sys.executable, "-c", program, f"{server.url}/{how}/file.gz", str(path), MD5]
        processes.append(subprocess.Popen(command, env=environment))

    try:
        start("stuck")
        assert server.stuck.wait(60)  # it is in the middle of its download
        start("good")
        start("good")
        assert [process.wait(60) for process in processes[1:]] == [0, 0]
    finally:
        for process in processes:
            process.kill()
            process.wait()
        server.go_on.set()
    assert path.read_bytes() == CONTENT
