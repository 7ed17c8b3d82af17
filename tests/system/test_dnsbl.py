"""Clients that DNS lists know (letter D of BEHAVIOURS.md): the real daemon, lists by a real rbldnsd, slow and dead ones
by a server of ours.  Clients have public addresses by PROXY, since loopback is not looked up."""
import shutil
import socket
import subprocess
import threading
import time

import pytest

from postern import LOGIN, Dialog, Postern, Sink, free_port, wait_until

BLOCKED = "554 5.7.1"
KEY = "abcdefghijklmnopq1234567zz"
XBL = """:127.0.0.4:See https://list.example/query/$
127.0.0.2
203.0.113.4
203.0.113.5 :127.0.0.5:five
203.0.113.6 :127.0.0.6:six
203.0.113.7 :127.0.0.7:seven
203.0.113.12 :127.0.0.2:SBL
203.0.113.13 :127.0.0.3:CSS
203.0.113.19 :127.0.0.9:DROP
203.0.113.20 :127.0.0.10:PBL
203.0.113.21 :127.0.0.11:PBL
203.0.113.52 :127.255.255.252:mistyped
203.0.113.54 :127.255.255.254:public resolver
203.0.113.55 :127.255.255.255:too many
10.1.2.3
127.0.0.9
"""
XBL6 = ":127.0.0.4:six\n2001:db8::bad\n0:0:0:0:0:ffff:7f00:2\n"
AUTHBL = ":127.0.0.20:AuthBL $\n127.0.0.2\n203.0.113.30\n203.0.113.31\n"
ZONES = {"xbl.test": {"ip4set": XBL, "ip6trie": XBL6}, "authbl.test": {"ip4set": AUTHBL},
         KEY + ".xbl.dq.test": {"ip4set": ":127.0.0.4:blocked, you asked %s.xbl.dq.test\n127.0.0.2\n203.0.113.4\n" % KEY},
         "all.test": {"ip4trie": ":127.0.0.2:all\n0.0.0.0/0\n"}, "gone.test": {"ip4set": ":127.0.0.2:gone\n203.0.113.99\n"}}
LISTS = {"plugin dnsbl/xbl": {"zone": "xbl.test", "codes": "127.0.0.4-127.0.0.7"},
         "plugin dnsbl/authbl": {"zone": "authbl.test", "codes": "127.0.0.20", "ipv6": "no"}}


class SlowList:
    """Answers NXDOMAIN after `delay` seconds; None: never."""

    def __init__(self, delay=None):
        self.delay, self.asked = delay, []
        self.socket = socket.socket(type=socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                query, client = self.socket.recvfrom(2000)
            except OSError:
                return
            self.asked.append(query)
            if self.delay is not None:
                threading.Timer(self.delay, self.answer, (query, client)).start()

    def answer(self, query, client):
        end = query.index(b"\0", 12) + 5
        soa = b"\x04slow\x04test\0" + b"\0\x06\0\x01\0\0\0\x01\0\x16" + b"\0\0" + b"\0\0\0\x01" * 5
        try:
            self.socket.sendto(query[:2] + b"\x84\x03\0\x01\0\0\0\x01\0\0" + query[12:end] + soa, client)
        except OSError:
            pass

    def close(self):
        self.socket.close()


@pytest.fixture
def make_slow():
    made = []

    def make(delay=None):
        made.append(SlowList(delay))
        return made[-1]
    yield make
    for each in made:
        each.close()


def run_rbldnsd(place, port, zones):
    words = []
    place.chmod(0o755)  # it refuses to run as root
    for zone, sets in zones.items():
        for kind, text in sets.items():
            (place / (zone + "." + kind)).write_text(text)
            words.append("%s:%s:%s.%s" % (zone, kind, zone, kind))
    process = subprocess.Popen(["rbldnsd", "-n", "-u", "nobody", "-c", "1", "-w", str(place), "-b", "127.0.0.1/%d" % port,
                                *words], stdout=subprocess.DEVNULL)
    query = b"\xab\xcd\x01\0\0\x01\0\0\0\0\0\0\x012\x010\x010\x03127\x03xbl\x04test\0\0\x01\0\x01"

    def answers():
        with socket.socket(type=socket.SOCK_DGRAM) as s:
            s.settimeout(0.1)
            s.sendto(query, ("127.0.0.1", port))
            try:
                return s.recv(1000)
            except OSError:
                return None
    wait_until(answers, "rbldnsd")
    return process


@pytest.fixture(scope="module")
def lists(tmp_path_factory):
    """The port of an rbldnsd with ZONES."""
    if not shutil.which("rbldnsd"):
        pytest.skip("needs rbldnsd")
    port = free_port()
    process = run_rbldnsd(tmp_path_factory.mktemp("rbldnsd"), port, ZONES)
    yield port
    process.terminate()
    process.wait()


def settings(stubs, items=None, **common):
    """Options of a daemon whose clients come by PROXY."""
    return {"server": {"plugins": "auth sender-rules ipfilter dnsbl"}, "listener submission": {"proxies": "127.0.0.1"},
            "dns": {"stub-zones": " ".join("%s=127.0.0.1@%d" % stub for stub in stubs.items())},
            "plugin dnsbl": common, **(LISTS if items is None else items)}


@pytest.fixture(scope="module")
def gate(tmp_path_factory, lists):
    sink = Sink()
    daemon = Postern(tmp_path_factory.mktemp("gate"), settings(dict.fromkeys(ZONES, lists)), sink=sink)
    wait_until(lambda: "not tested" not in daemon.ctl("dnsbl", "lists"), "the self-test")
    yield daemon
    daemon.stop()
    sink.close()


def connect(gate, client, **more):
    family = "TCP6 %s ::1" if ":" in client else "TCP4 %s 192.0.2.1"
    return Dialog(gate.ports["submission"], first=("PROXY " + family % client + " 4711 25\r\n").encode(), **more)


def answer(gate, client, recipient="rcpt@example.org"):
    """What a logged-in client gets: the first refusal, or the end of a message."""
    with connect(gate, client) as dialog:
        dialog.login()
        for line in ("MAIL FROM:<user@example.net>", "RCPT TO:<%s>" % recipient):
            reply = dialog.ask(line)
            if reply.code != 250:
                return reply
        return dialog.data("Subject: x\n\ny\n")


def metric(gate, name):
    rows = {row["metric"]: int(row["value"]) for row in gate.ctl("metrics", json=True)}
    return rows.get("plugin.dnsbl." + name, 0)


# ---- listed, and not ----

@pytest.mark.parametrize("last", [4, 5, 6, 7])
def test_xbl(gate, last):
    """D-01 D-03 a client on the XBL is refused, whoever it is; the reply has the list's reason."""
    before = gate.accepted()
    reply = answer(gate, "203.0.113.%d" % last)
    assert reply.text.startswith("%s Service unavailable; Client host [203.0.113.%d] blocked using xbl.test" % (BLOCKED, last))
    assert "; " + {4: "See https://list.example/query/203.0.113.4", 5: "five", 6: "six", 7: "seven"}[last] in reply
    assert gate.accepted() == before


def test_authbl(gate):
    """D-02 D-03 a client on the AuthBL is refused."""
    reply = answer(gate, "203.0.113.30")
    assert reply.text == BLOCKED + " Service unavailable; Client host [203.0.113.30] blocked using authbl.test; AuthBL 203.0.113.30"
    wait_until(lambda: " dnsbl/authbl " in gate.ctl("why", "203.0.113.30"), "the list in posternctl why")
    told = gate.ctl("explain", "--client", "203.0.113.30", "--login", "user@example.net", "--from", "user@example.net",
                    "--to", "rcpt@example.org")
    assert " dnsbl/authbl " in told and "It would be refused: " + BLOCKED in told and "authbl.test A: 127.0.0.20" in told


def test_each_message(gate):
    """D-01 each message of the session is refused; the session stays usable."""
    with connect(gate, "203.0.113.4") as dialog:
        dialog.login()
        for _ in range(3):
            dialog.expect(BLOCKED, "MAIL FROM:<user@example.net>")
        dialog.expect("250", "NOOP")
        dialog.expect("221", "QUIT")


@pytest.mark.parametrize("client", ["203.0.113.200", "2001:db8::600d", "198.51.100.1"])
def test_not_listed(gate, client):
    """D-04 a client that is not listed: no effect."""
    assert answer(gate, client).code == 250


@pytest.mark.parametrize("last", [12, 13, 19, 20, 21])
def test_other_codes(gate, last):
    """D-05 codes of other lists in the same zone: no effect."""
    assert answer(gate, "203.0.113.%d" % last).code == 250


@pytest.mark.parametrize("code", [252, 254, 255])
def test_error_codes(gate, code):
    """D-06 an error code lists nobody; it is logged, and an alarm until the list answers properly."""
    assert answer(gate, "203.0.113.%d" % (code - 200)).code == 250
    text = "list xbl (xbl.test) answers 127.255.255.%d" % code
    assert text in gate.alarms()["dnsbl.xbl.error"] and text in gate.log()
    assert answer(gate, "203.0.113.200").code == 250
    assert answer(gate, "203.0.113.201").code == 250
    assert "dnsbl.xbl.error" not in gate.alarms()


def test_ipv6(gate):
    """D-08 IPv6 clients are looked up in nibbles."""
    assert answer(gate, "2001:db8::bad").text.startswith(
        BLOCKED + " Service unavailable; Client host [2001:db8::bad] blocked using xbl.test")


@pytest.mark.parametrize("client", ["10.1.2.3", "127.0.0.9"])
def test_private_clients(gate, client):
    """D-09 private and loopback clients are not looked up, though the list has them."""
    assert answer(gate, client).code == 250
    assert "LISTED" in gate.ctl("dnsbl", "check", client)


def test_no_way_around(gate):
    """D-10 an account has no option against it. D-11 recipients that are exempt from content filters are not from this."""
    for option in ("dnsbl.mode=off", "dnsbl.exempt=203.0.113.4", "dnsbl.threshold=9"):
        gate.ctl("account", "set", "user@example.net", option, code=1)
        gate.ctl("customer", "set", "acme", option, code=1)
    for recipient in ("abuse@example.org", "x@reports.spamcop.net"):
        assert answer(gate, "203.0.113.4", recipient).text.startswith(BLOCKED)


def test_commands(gate):
    """An administrator sees how the lists do, and what they say."""
    rows = {row["list"]: row for row in gate.ctl("dnsbl", "lists", json=True)}
    assert rows["xbl"]["zone"] == "xbl.test" and rows["xbl"]["action"] == "reject" and rows["authbl"]["state"] == "ok"
    said = {row["list"]: row["meaning"] for row in gate.ctl("dnsbl", "check", "203.0.113.4", json=True)}
    assert said == {"xbl": "LISTED", "authbl": "not listed"}
    assert "ADDRESS" in gate.ctl("dnsbl", "check", "nonsense", code=1)
    assert metric(gate, "listed.xbl") > 0


# ---- configuration ----

def test_actions_and_keys(make_postern, lists, sink, tmp_path):
    """D-10 zone, key, codes, action and text are settings; a key is in no reply and in no log."""
    secret = tmp_path / "dqs"
    secret.write_text(KEY + ".xbl.dq.test\n")
    items = {"plugin dnsbl/dqs": {"zone": "@%s" % secret, "codes": "127.0.0.4", "ipv6": "no"},
             "plugin dnsbl/tagged": {"zone": "authbl.test", "codes": "127.0.0.20", "action": "tag", "ipv6": "no"},
             "plugin dnsbl/later": {"zone": "xbl.test", "codes": "127.0.0.5", "action": "defer",
                                    "text": "see https://help.example/%{client}"}}
    gate = make_postern(settings(dict.fromkeys(ZONES, lists), items), sink=sink)
    wait_until(lambda: "not tested" not in gate.ctl("dnsbl", "lists"), "the self-test")
    reply = answer(gate, "203.0.113.4")
    assert reply.text == BLOCKED + " Service unavailable; Client host [203.0.113.4] blocked using xbl.dq.test"
    reply = answer(gate, "203.0.113.5")
    assert reply.text == ("450 4.7.1 Service unavailable; Client host [203.0.113.5] blocked using xbl.test; "
                          "see https://help.example/203.0.113.5")
    assert answer(gate, "203.0.113.31").code == 250
    assert sink.wait(1)[0].header("X-Postern-DNSBL") == ["[203.0.113.31] listed by authbl.test (127.0.0.20)"]
    said = gate.log() + gate.ctl("dnsbl", "lists") + gate.ctl("dnsbl", "check", "203.0.113.4") + gate.stderr()
    assert KEY not in said and "xbl.dq.test" in said
    told = gate.ctl("explain", "--client", "203.0.113.4", "--login", LOGIN, "--from", LOGIN, "--to", "x@example.org")
    assert KEY not in told and "dns 4.113.0.203.(hidden) A: 127.0.0.4" in told


def test_told_at_rcpt(make_postern, lists, sink):
    """D-01 with refuse-at = rcpt a listed client is told at RCPT, and the log knows whom it wrote to."""
    options = settings(dict.fromkeys(ZONES, lists))
    options["server"]["refuse-at"] = "rcpt"
    gate = make_postern(options, sink=sink)
    with connect(gate, "203.0.113.4") as dialog:
        dialog.login()
        dialog.expect("250", "MAIL FROM:<user@example.net>")
        dialog.expect(BLOCKED + " Service unavailable", "RCPT TO:<rcpt@example.org>")
        dialog.expect("55", "DATA")
    assert "rcpt@example.org" in gate.wait_log(r"refused .*plugin=dnsbl.*").group(0)
    assert gate.accepted() == 0


def test_mistakes(make_postern, sink, lists):
    """D-10 a mistaken item is named with its line, and nothing changes."""
    gate = make_postern(settings(dict.fromkeys(ZONES, lists)), sink=sink)
    gate.change({"plugin dnsbl/xbl": {"codes": "127.0.0.4-127.0.0"}, "level x": {"ipfilter.alternates": "maybe"}})
    complaint = gate.ctl("reload", code=1)
    assert "[plugin dnsbl/xbl] codes: \"127.0.0.4-127.0.0\" is neither an address nor a range" in complaint
    assert "[level x] ipfilter.alternates: \"maybe\" is neither yes nor no" in complaint
    assert "postern.conf:" in complaint
    assert answer(gate, "203.0.113.4").text.startswith(BLOCKED)


# ---- lists in trouble ----

def test_self_test(make_postern, sink, lists):
    """D-06 a list that lists everything is left out, one without its test entry raises an alarm; others go on."""
    items = {**LISTS, "plugin dnsbl/all": {"zone": "all.test", "ipv6": "no"}, "plugin dnsbl/gone": {"zone": "gone.test", "ipv6": "no"}}
    gate = make_postern(settings(dict.fromkeys(ZONES, lists), items), sink=sink)
    wait_until(lambda: {"dnsbl.all.health", "dnsbl.gone.health"} <= set(gate.alarms()), "alarms")
    assert "lists 127.0.0.1" in gate.alarms()["dnsbl.all.health"]
    assert "127.0.0.2" in gate.alarms()["dnsbl.gone.health"]
    assert answer(gate, "203.0.113.200").code == 250
    assert answer(gate, "203.0.113.4").text.startswith(BLOCKED)
    assert answer(gate, "203.0.113.99").text.startswith(BLOCKED)


def test_lists_everything_from_the_first_second(make_postern, sink, lists):
    """D-06 also before the self-test had its turn nobody is refused by a list that lists everything."""
    gate = make_postern(settings(dict.fromkeys(ZONES, lists), {"plugin dnsbl/all": {"zone": "all.test", "ipv6": "no"}}), sink=sink)
    assert answer(gate, "203.0.113.200").code == 250
    assert "LISTED" in gate.ctl("dnsbl", "check", "203.0.113.200")


def test_dead_lists_delay_nobody_at_the_door(make_postern, sink, make_slow):
    """D-07 with every list dead greeting and EHLO come within 100 ms, mail passes, and after some failures at once."""
    dead = make_slow()
    items = {"plugin dnsbl/dead%d" % i: {"zone": "dead%d.test" % i} for i in range(5)}
    gate = make_postern(settings({"dead%d.test" % i: dead.port for i in range(5)}, items, patience="3"), sink=sink)
    waits = []
    for n in range(3):
        begun = time.monotonic()
        with connect(gate, "203.0.113.%d" % (100 + n)) as dialog:
            greeted = time.monotonic()
            dialog.hello()
            waits.append((greeted - begun, time.monotonic() - greeted))
            assert dialog.auth().code == 235
            dialog.mail()
    print("greeting and EHLO, ms:", [[round(1000 * t, 1) for t in pair] for pair in waits])
    assert min(greeting for greeting, _ in waits) < 0.1 and min(hello for _, hello in waits) < 0.1  # the machine may be busy
    assert "did not answer" in gate.log() and "does not answer" in gate.log()
    wait_until(lambda: len([name for name in gate.alarms() if name.endswith(".health")]) == 5, "alarms")
    begun = time.monotonic()
    assert answer(gate, "203.0.113.110").code == 250
    assert time.monotonic() - begun < 1
    assert gate.accepted() == 4
    assert any(b"\003100\003113\0010\003203" in query for query in dead.asked)
    assert not any(b"\003110\003113\0010\003203" in query for query in dead.asked)


@pytest.mark.parametrize("on_error", ["pass", "defer"])
def test_lookups_of_clients_that_leave(make_postern, sink, make_slow, on_error):
    """D-07 lookups under way are on the budget of the client that began them, its name among them, though it has left; what
    they keep from being asked is settled by on-error, and is no failure of the list."""
    dead = make_slow()
    stubs = dict.fromkeys(("dead.test", "113.0.203.in-addr.arpa"), dead.port)
    gate = make_postern({**settings(stubs, {"plugin dnsbl/dead": {"zone": "dead.test"}}, patience="1000", **{"on-error": on_error}),
                         "clients": {"lookups": "11"}}, sink=sink)

    def row():
        return gate.ctl("clients", "203.0.113.9", json=True)[0]

    for n in range(10):
        with connect(gate, "203.0.113.9"):
            pass
        if n == 0:
            wait_until(lambda: row()["connections"] == 0, "the end of the connection")
            assert row()["lookups"] == 2   # its name, and the list
    wait_until(lambda: row()["connections"] == 0, "the end of the connections")
    assert row()["lookups"] == 11
    failures = metric(gate, "failed.dead")
    reply = answer(gate, "203.0.113.9")
    assert reply.code == (250 if on_error == "pass" else 451)
    # what an account asks is on its own budget
    assert answer(gate, "203.0.113.8").code == (250 if on_error == "pass" else 451)
    rows = {row["metric"]: int(row["value"]) for row in gate.ctl("metrics", json=True)}
    assert rows["limit.lookups"] >= 9 and metric(gate, "failed.dead") >= failures


def test_limit_of_a_session(make_postern, sink, make_slow):
    """D-07 a list that a limit of lookups keeps from being asked is settled by on-error; the log says why."""
    dead = make_slow(delay=0)
    items = {"plugin dnsbl/n%d" % n: {"zone": "n%d.test" % n} for n in range(12)}
    gate = make_postern({**settings({"n%d.test" % n: dead.port for n in range(12)}, items),
                         "server": {"plugins": "auth sender-rules ipfilter dnsbl", "max-lookups": "10"}}, sink=sink)
    assert answer(gate, "203.0.113.9").code == 250
    assert "could not be asked: a limit of lookups is reached" in gate.log()
    assert metric(gate, "failed.n11") == 0


def test_dead_lists_and_on_error_defer(make_postern, sink, make_slow, lists):
    """D-07 on-error = defer: 4xx, also while the list is left out; what a living list says counts nevertheless."""
    stubs = {**dict.fromkeys(ZONES, lists), "dead.test": make_slow().port}
    gate = make_postern(settings(stubs, {**LISTS, "plugin dnsbl/dead": {"zone": "dead.test"}}, **{"on-error": "defer", "patience": "1"}),
                        sink=sink)
    for _ in range(3):
        assert answer(gate, "203.0.113.200").code == 451
    assert answer(gate, "203.0.113.4").text.startswith(BLOCKED)
    assert gate.accepted() == 0


def test_a_slow_list_is_awaited(make_postern, sink, make_slow):
    """D-07 a slow answer is awaited."""
    slow = make_slow(0.3)
    gate = make_postern(settings({"slow.test": slow.port}, {"plugin dnsbl/slow": {"zone": "slow.test"}}), sink=sink)
    begun = time.monotonic()
    with connect(gate, "203.0.113.100") as dialog:
        dialog.login()
        dialog.mail()
        assert time.monotonic() - begun > 0.25
    assert metric(gate, "failed.slow") == 0


def test_a_list_comes_back(make_postern, sink, tmp_path):
    """D-07 a list that was left out is tried again, without a client that waits, and its alarm ends."""
    if not shutil.which("rbldnsd"):
        pytest.skip("needs rbldnsd")
    port = free_port()
    gate = make_postern(settings({"xbl.test": port}, {"plugin dnsbl/xbl": {"zone": "xbl.test", "codes": "127.0.0.4-127.0.0.7"}},
                                 patience="1", pause="1s", **{"pause-most": "2s"}), sink=sink)
    assert answer(gate, "203.0.113.4").code == 250
    wait_until(lambda: "dnsbl.xbl.health" in gate.alarms(), "an alarm")
    assert "dnsbl.xbl.health" in gate.ctl("status")
    process = run_rbldnsd(tmp_path, port, {"xbl.test": ZONES["xbl.test"]})
    try:
        wait_until(lambda: "dnsbl.xbl.health" not in gate.alarms(), "the end of the alarm")
        assert answer(gate, "203.0.113.4").text.startswith(BLOCKED)
        assert "answers again" in gate.log()
    finally:
        process.terminate()
        process.wait()


def test_a_reload_lowers_the_alarms_of_lists_that_are_gone(make_postern, sink, lists):
    """D-10 a list that is taken out of the configuration takes its alarms along."""
    gate = make_postern(settings(dict.fromkeys(ZONES, lists), {**LISTS, "plugin dnsbl/gone": {"zone": "gone.test"}}), sink=sink)
    wait_until(lambda: "dnsbl.gone.health" in gate.alarms(), "an alarm")
    gate.reload({"plugin dnsbl/gone": None})
    wait_until(lambda: "dnsbl.gone.health" not in gate.alarms(), "the end of the alarm")
    assert answer(gate, "203.0.113.99").code == 250
