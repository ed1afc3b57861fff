"""Sixteen tests, each with a server of its own that answers with what only the test knows."""

import subprocess
import sys
import urllib.request

import pytest


@pytest.fixture
def server(port, tmp_path):
    (tmp_path / "name").write_text(str(tmp_path))
    words = [sys.executable, "-u", "-m", "http.server", "--bind", "127.0.0.1", "--directory", tmp_path, str(port)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as running:
        # Its first line comes once it listens; it is empty if the port was another's.
        assert "Serving HTTP" in running.stdout.readline()
        yield f"http://127.0.0.1:{port}"
        running.terminate()


@pytest.mark.parametrize("number", range(16))
def test_it_is_this_tests_server_that_answers(number, server, tmp_path):
    with urllib.request.urlopen(f"{server}/name", timeout=10) as answer:
        assert answer.read().decode() == str(tmp_path)
