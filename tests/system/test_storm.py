"""One round of a storm of disk faults; "tools/storm" does half an hour of them."""
import json
import os
import random
import subprocess
import sys

import pytest

from postern import BUILD, SOURCE
from storm import CHANCE, KINDS, LIBRARY, Control, Loss


def is_sanitized():
    """A sanitizer does not let a library be loaded before it."""
    octets = (BUILD / "core/daemon/posternd").read_bytes()
    return b"__asan_init" in octets or b"__tsan_init" in octets


pytestmark = pytest.mark.skipif(not LIBRARY.exists() or is_sanitized(), reason='needs "make bench-tools" without sanitizers')


def test_one_round():
    """Q-02 nothing is lost or changed, and little comes twice, while writes, syncs, reads and renames of the spool fail."""
    done = subprocess.run([sys.executable, SOURCE / "tools/storm", "0", "--build", BUILD, "--rate", "120", "--largest", "500000",
                           "--window", "2000"],
                          capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads(done.stdout)
    assert figures["lost"] == 0 and figures["changed"] == 0 and figures["acknowledged"] > 50
    assert figures["bursts"] >= 2 and figures["failed"]["write_eio"] > 0 and figures["failed"]["sync"] > 0


CHILD = """
import os, sys
def sync():
    try:
        os.fsync(fd)
        print("synced")
    except OSError as error:
        print(error.strerror)
def chance(kind, millionths):
    with open(sys.argv[2], "r+b") as file:
        os.pwrite(file.fileno(), millionths.to_bytes(4, "little"), int(kind))
sync_at, write_at, read_at = map(int, sys.argv[3:])
fd = os.open(sys.argv[1], os.O_RDWR)
os.pwrite(fd, b"B" * 8192, 4096)
chance(sync_at, 1000000)
sync()
chance(sync_at, 0)
sync()
os.pwrite(fd, b"C" * 10, 8192)
sync()
print(os.pread(fd, 1, 4096).decode())
chance(write_at, 1000000)
print(os.pwrite(fd, b"D" * 100, 0) < 100)
chance(read_at, 1000000)
try:
    os.pread(fd, 1, 0)
except OSError as error:
    print(error.strerror)
"""


def test_a_failed_sync_is_as_on_linux(tmp_path):
    """The next sync succeeds, what was read from the cache is gone after a restart, and what was written again is not."""
    spool = tmp_path / "spool"
    for folder in ("log", "content"):
        (spool / folder).mkdir(parents=True)
    file = spool / "log" / "segment"
    file.write_bytes(b"A" * 16384)
    control = Control(tmp_path / "storm", spool, 1)
    places = [str(CHANCE + 4 * KINDS.index(kind)) for kind in ("sync", "write_short", "read_eio")]
    done = subprocess.run([sys.executable, "-c", CHILD, file, control.path, *places], capture_output=True, text=True,
                          env={**os.environ, **control.environment()}, timeout=60)
    assert done.stdout.split("\n")[:6] == ["Input/output error", "synced", "synced", "B", "True", "Input/output error"], done.stderr
    assert control.failed()["sync"] == 1 and control.failed()["write_short"] == 1
    assert Loss(control).happen(random.Random(1), 1) == 1
    octets = file.read_bytes()
    assert octets[4096:8192] == b"A" * 4096, "the page whose sync failed"
    assert octets[8192:8202] == b"C" * 10 and octets[8202:12288] == b"B" * 4086, "the page that was written again"
