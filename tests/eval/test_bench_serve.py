"""The load on the service, small: every request is answered and the end is clean."""

from __future__ import annotations

import re

import pytest
from click.testing import CliRunner

from eval.__main__ import cli

pytestmark = pytest.mark.slow


def test_the_command_loads_a_service_and_ends_it() -> None:
    done = CliRunner().invoke(cli, ["bench-serve", "--clients", "3", "--seconds", "2"])
    assert done.exit_code == 0, done.output
    assert "exit code after SIGTERM: 0" in done.stdout
    assert "broken" not in done.stdout
    assert int(re.findall(r"^(\d+) crops", done.stdout, re.M)[0]) >= 1
    assert re.search(r"p50 \d+\.\d+ s, p99 \d+\.\d+ s", done.stdout)
