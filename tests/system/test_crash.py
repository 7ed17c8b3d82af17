"""Ten kills under load; "tools/crash" does two hundred."""
import json
import subprocess
import sys

import pytest

from postern import BUILD, SOURCE


@pytest.mark.skipif(not (BUILD / "tests/bench/smtp-load").exists(), reason='needs "make bench-tools"')
@pytest.mark.parametrize("size", [1024, 300000])
def test_ten_kills(size):
    """Q-02 every message answered with 250 comes at least once, whenever the daemon is killed."""
    done = subprocess.run([sys.executable, SOURCE / "tools/crash", "10" if size == 1024 else "4", "--build", BUILD,
                           "--size", str(size), "--sessions", "8", "--longest", "0.4"],
                          capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads(done.stdout)
    assert figures["lost"] == 0 and figures["acknowledged"] > 20
