"""The DNS service against real servers on loopback: nsd with zones of ours, unbound as a forwarder, and silence."""
import os
import re
import shutil
import socket
import subprocess
import time

import pytest

BUILD = os.environ.get("TOP_BUILDDIR", os.getcwd())
CHECK = os.path.join(BUILD, "tests/system/dns-check")

ZONE = """$ORIGIN zone.test.
$TTL 300
@ IN SOA ns hostmaster 1 3600 600 86400 60
@ IN NS ns
ns IN A 127.0.0.1
@ IN MX 20 mx2
@ IN MX 10 mx1
a IN 77 A 192.0.2.1
a IN 77 A 192.0.2.2
six IN AAAA 2001:db8::1
text IN TXT "one " "and two"
alias IN 50 CNAME a
nullmx IN MX 0 .
2.0.0.127.list IN A 127.0.0.4
"""

pytestmark = pytest.mark.skipif(not shutil.which("nsd") or not shutil.which("unbound"), reason="needs nsd and unbound")


def free_port():
    """Free on loopback for UDP and for TCP, which the servers bind, too."""
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp:
            udp.bind(("127.0.0.1", 0))
            try:
                tcp.bind(udp.getsockname())
                return udp.getsockname()[1]
            except OSError:
                continue


def wait_for(port):
    query = bytes.fromhex("abcd01000001000000000000") + b"\x04zone\x04test\x00\x00\x06\x00\x01"
    for _ in range(100):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(0.1)
            try:
                s.sendto(query, ("127.0.0.1", port))
                s.recv(1000)
                return
            except OSError:
                time.sleep(0.05)
    raise AssertionError("no DNS server at port %d" % port)


def run_nsd(place, port, zone, file):
    (place / "nsd.conf").write_text(f"""server:
  ip-address: 127.0.0.1@{port}
  username: ""
  chroot: ""
  zonesdir: "{place}"
  database: ""
  pidfile: "{place}/nsd.pid"
  xfrdfile: "{place}/xfrd.state"
  zonelistfile: "{place}/zone.list"
remote-control:
  control-enable: no
zone:
  name: {zone}
  zonefile: {file}
""")
    process = subprocess.Popen(["nsd", "-d", "-c", str(place / "nsd.conf")], stderr=subprocess.DEVNULL)
    wait_for(port)
    return process


@pytest.fixture(scope="module")
def nsd(tmp_path_factory):
    place = tmp_path_factory.mktemp("nsd")
    port = free_port()
    (place / "zone.test").write_text(ZONE)
    process = run_nsd(place, port, "zone.test", "zone.test")
    yield port
    process.terminate()
    process.wait()


def run_forwarder(place, port, nsd):
    (place / "unbound.conf").write_text(f"""server:
  interface: 127.0.0.1@{port}
  username: ""
  chroot: ""
  directory: "{place}"
  pidfile: ""
  use-syslog: no
  do-not-query-localhost: no
  module-config: "iterator"
  local-zone: "test." nodefault
remote-control:
  control-enable: no
stub-zone:
  name: zone.test
  stub-addr: 127.0.0.1@{nsd}
forward-zone:
  name: "."
  forward-addr: 127.0.0.1@1
""")
    process = subprocess.Popen(["unbound", "-d", "-c", str(place / "unbound.conf")], stderr=subprocess.DEVNULL)
    wait_for(port)
    return process


SIGNED = """$ORIGIN signed.test.
$TTL 300
@ IN SOA ns hostmaster 1 3600 600 86400 60
@ IN NS ns
ns IN A 127.0.0.1
good IN A 192.0.2.1
forged IN A 192.0.2.2
"""


@pytest.fixture
def signed(tmp_path):
    """An nsd with a signed zone, one record of which was changed after it was signed; its port and the anchor."""
    if not shutil.which("ldns-signzone"):
        pytest.skip("needs ldns-signzone")
    (tmp_path / "zone").write_text(SIGNED)
    key = subprocess.run(["ldns-keygen", "-a", "ECDSAP256SHA256", "-k", "signed.test"], cwd=tmp_path, check=True,
                         capture_output=True, text=True).stdout.strip()
    subprocess.run(["ldns-signzone", "-n", "zone", key], cwd=tmp_path, check=True)
    signed_zone = (tmp_path / "zone.signed").read_text()
    assert "192.0.2.2" in signed_zone
    (tmp_path / "zone.signed").write_text(signed_zone.replace("192.0.2.2", "192.0.2.3"))
    port = free_port()
    process = run_nsd(tmp_path, port, "signed.test", "zone.signed")
    yield port, str(tmp_path / (key + ".key"))
    process.terminate()
    process.wait()


def test_dnssec(signed):
    port, anchor = signed
    names = ["good.signed.test/A", "forged.signed.test/A", "none.signed.test/A", "good.signed.test/X", "forged.signed.test/X"]
    a = ask("--stub", f"signed.test=127.0.0.1@{port}", "--anchor", anchor, *names)
    assert (a[names[0]][0], a[names[0]][4]) == ("found", ["secure"])
    assert (a[names[1]][0], a[names[1]][4]) == ("unsure", ["bogus"])
    assert (a[names[2]][0], a[names[2]][4]) == ("none", ["secure"])
    assert (a[names[3]][0], a[names[3]][4]) == ("found", ["secure"])
    assert a[names[4]][0] == "unsure"


def test_without_an_anchor_nothing_is_validated(signed):
    port, _ = signed
    a = ask("--stub", f"signed.test=127.0.0.1@{port}", "good.signed.test/A", "forged.signed.test/A")
    assert (a["good.signed.test/A"][0], a["good.signed.test/A"][4]) == ("found", [])
    assert a["forged.signed.test/A"][0] == "found"


@pytest.fixture(scope="module")
def forwarder(tmp_path_factory, nsd):
    port = free_port()
    process = run_forwarder(tmp_path_factory.mktemp("unbound"), port, nsd)
    yield port
    process.terminate()
    process.wait()


@pytest.fixture
def silence():
    """A server that never answers."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        yield s.getsockname()[1]


def ask(*arguments):
    out = subprocess.run([CHECK, *arguments], capture_output=True, text=True, timeout=60)
    assert out.returncode == 0, out.stderr
    assert out.stderr == ""
    answers = {}
    for line in out.stdout.splitlines():
        m = re.match(r"(\S+) (\w+)((?: \w+)*) ttl=(\d+) ms=(\d+)(.*)", line)
        answers[m[1]] = (m[2], re.findall(r"\[(.*?)\]", m[6]), int(m[4]), int(m[5]), m[3].split())
    return answers


QUESTIONS = ["a.zone.test/A", "six.zone.test/AAAA", "text.zone.test/TXT", "alias.zone.test/A", "zone.test/MX",
             "a.zone.test/TXT", "nosuch.zone.test/A", "zone.test/X", "a.zone.test/X", "nullmx.zone.test/X",
             "nosuch.zone.test/X", "text.zone.test/X", "2.0.0.127.list.zone.test/A"]


def check_answers(a):
    assert a["a.zone.test/A"][0] == "found"
    assert sorted(a["a.zone.test/A"][1]) == ["192.0.2.1", "192.0.2.2"]
    assert a["a.zone.test/A"][2] == 77
    assert a["six.zone.test/AAAA"][:2] == ("found", ["2001:db8::1"])
    assert a["text.zone.test/TXT"][:2] == ("found", ["one and two"])
    assert a["alias.zone.test/A"][0] == "found"
    assert a["alias.zone.test/A"][2] == 50  # I-33: the least of the chain
    assert sorted(a["zone.test/MX"][1]) == ["10 mx1.zone.test", "20 mx2.zone.test"]
    assert a["a.zone.test/TXT"][0] == "none"
    assert a["nosuch.zone.test/A"][0] == "none"
    assert 0 < a["nosuch.zone.test/A"][2] <= 60
    assert a["zone.test/X"][:2] == ("found", ["10 mx1.zone.test", "20 mx2.zone.test"])
    assert a["a.zone.test/X"][:2] == ("found", ["0 a.zone.test"])
    assert a["nullmx.zone.test/X"][:2] == ("found", [])
    assert a["nosuch.zone.test/X"][0] == "none"
    assert a["text.zone.test/X"][0] == "none"
    assert a["2.0.0.127.list.zone.test/A"][:2] == ("found", ["127.0.0.4"])


def test_stub_zone(nsd):
    check_answers(ask("--stub", f"zone.test=127.0.0.1@{nsd}", *QUESTIONS))


def test_forwarder(forwarder):
    check_answers(ask("--server", f"127.0.0.1@{forwarder}", *QUESTIONS))


def test_failure_is_not_none(forwarder):
    """The forwarder answers SERVFAIL for what it cannot reach."""
    answers = ask("--server", f"127.0.0.1@{forwarder}", "elsewhere.example/A", "elsewhere.example/X")
    assert answers["elsewhere.example/A"][0] == "unsure"
    assert answers["elsewhere.example/X"][0] == "unsure"


def test_silence_ends_by_our_time(silence):
    answers = ask("--server", f"127.0.0.1@{silence}", "--timeout", "1000", "a.example/A", "a.example/X")
    for status, _, _, ms, _ in answers.values():
        assert status == "unsure"
        assert 900 <= ms <= 1500


def test_dead_names_do_not_delay_a_healthy_one(nsd, silence):
    dead = [f"n{i}.dead.test/A" for i in range(1000)]
    answers = ask("--stub", f"dead.test=127.0.0.1@{silence}", "--stub", f"zone.test=127.0.0.1@{nsd}", "--timeout", "3000",
                  *dead[:500], "a.zone.test/A", *dead[500:], "six.zone.test/AAAA")
    assert answers["n0.dead.test/A"][0] == "unsure"
    assert answers["a.zone.test/A"][0] == "found"
    assert answers["six.zone.test/AAAA"][0] == "found"
    assert answers["six.zone.test/AAAA"][3] < 2500  # milliseconds, of 3000


def test_bad_settings(tmp_path):
    for arguments in (["--server", "nonsense"], ["--stub", "zone.test"], ["--anchor", str(tmp_path / "missing")]):
        out = subprocess.run([CHECK, *arguments, "a.zone.test/A"], capture_output=True, text=True, timeout=30)
        assert out.returncode == 1
        assert out.stderr.startswith("dns: ")
