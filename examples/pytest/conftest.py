"""A port for each test that nobody else gets, in whatever worker or suite."""

import os
import subprocess

import portpicker
import pytest


def pytest_configure():
    # Workers inherit it.
    if "PORTSERVER_ADDRESS" not in os.environ:
        told = subprocess.run(["wharf", "port", "--server"], stdout=subprocess.PIPE, text=True, check=True)
        os.environ["PORTSERVER_ADDRESS"] = told.stdout.strip()


@pytest.fixture
def port():
    # `pick_unused_port` asks as well, but takes just any port where nobody answers.
    port = portpicker.get_port_from_port_server(os.environ["PORTSERVER_ADDRESS"])
    assert port, "wharf leased no port"
    return port
