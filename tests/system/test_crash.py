"""Two dozen ends under mixed load; "tools/crash 1000" does a thousand."""
import json
import subprocess
import sys

import pytest

from postern import BUILD, SOURCE


@pytest.mark.skipif(not (BUILD / "tests/bench/smtp-load").exists(), reason='needs "make bench-tools"')
def test_two_dozen_ends():
    """Q-02 every recipient of a message answered with 250 is served, whenever the daemon is killed, and hardly one twice."""
    done = subprocess.run([sys.executable, SOURCE / "tools/crash", "24", "--build", BUILD, "--longest", "1.5", "--rate", "60",
                           "--window", "2000"],
                          capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads(done.stdout)
    assert figures["kills"] >= 16 and figures["stops"] >= 2
    assert figures["acknowledged"] > 100 and figures["refused"] > 0 and figures["lost"] == 0
