"""What a reload puts into force, what it says of that, and what it leaves behind: nothing."""
import re
from pathlib import Path

from postern import BUILD

PLUGINS = ("ipfilter auth sender-rules nullsender-rewrite restrictions dnsbl blocking uribl attachments limits standing "
           "iphelper")
EARLY, LATE = 100, 500        # reloads after which memory is measured
MOST_GROWTH_KIB = 2048        # between the two; tables of options that stay need some 20 KiB a reload


def memory_kib(postern):
    text = Path("/proc/%d/status" % postern.process.pid).read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", text).group(1))


def is_sanitized():
    """AddressSanitizer keeps what was freed; it finds leaks itself, at the end."""
    return b"__asan_init" in (BUILD / "core/daemon/posternd").read_bytes()


def test_many_reloads(make_postern):
    """Y-23: Five hundred reloads, and the tables of options of those before are gone."""
    postern = make_postern({"server": {"plugins": PLUGINS}})
    early = 0
    for i in range(LATE):
        assert "reloaded:" in postern.reload({"server": {"banner-name": "Name%d" % i}})
        if i == EARLY:
            early = memory_kib(postern)
    growth = memory_kib(postern) - early
    print("memory: %d KiB after %d reloads, %d KiB more after %d" % (early, EARLY, growth, LATE))
    assert is_sanitized() or growth < MOST_GROWTH_KIB
