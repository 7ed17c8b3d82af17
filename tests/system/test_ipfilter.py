"""Source connection filters (letter F of BEHAVIOURS.md) against the real daemon, hosts by an nsd of ours."""
import re
import subprocess

import pytest

from postern import BUILD, LOGIN, PASSWORD, SOURCE, Dialog, Postern, Sink, wait_until

DENIED = "554 5.7.1 Client host rejected: Access denied"
ANY, SERVER = "@example.net", "example.net"
LEVELS = {"level personal": {"ipfilter.alternates": "no"}, "level personal-plus": {"like": "personal"},
          "level standard": {"ipfilter.alternates": "yes"}}


@pytest.fixture(scope="module")
def gate(tmp_path_factory, dns):
    """A client's address is what PROXY says."""
    sink = Sink()
    options = {"server": {"plugins": "auth sender-rules ipfilter"}, "listener submission": {"proxies": "127.0.0.1"}, **dns, **LEVELS}
    daemon = Postern(tmp_path_factory.mktemp("gate"), options, sink=sink)
    daemon.ctl("domain", "add", "example.org", "customer=acme", "mode=outbound-only")
    daemon.ctl("customer", "set", "acme", "level=standard")
    daemon.add_account(ANY, PASSWORD)
    daemon.add_account(SERVER, PASSWORD, "type=server")
    yield daemon
    daemon.stop()
    sink.close()


def connect(gate, client):
    family = "TCP6 %s ::1" if ":" in client else "TCP4 %s 192.0.2.1"
    return Dialog(gate.ports["submission"], first=("PROXY " + family % client + " 4711 25\r\n").encode())


def login(gate, client, who):
    """The reply to AUTH; where it is positive a message goes out."""
    with connect(gate, client) as dialog:
        dialog.hello()
        reply = dialog.auth(who)
        if reply.code == 235:
            dialog.mail("x@example.net" if who != LOGIN else LOGIN)
        else:
            dialog.expect("530", "MAIL FROM:<user@example.net>")
        return reply


def metric(gate, name):
    return {row["metric"]: int(row["value"]) for row in gate.ctl("metrics", json=True)}.get(name, 0)


class Filters:
    """Sets options of an account, and takes them back."""

    def __init__(self, gate, who, **options):
        self.gate, self.who = gate, who
        self.options = {"ipfilter." + name.replace("_", "-"): value for name, value in options.items()}

    def __enter__(self):
        self.gate.ctl("account", "set", self.who, *["%s=%s" % option for option in self.options.items()])

    def __exit__(self, *_):
        self.gate.ctl("account", "set", self.who, *["%s=" % name for name in self.options])


@pytest.mark.parametrize("who", [LOGIN, ANY])
@pytest.mark.parametrize("client", ["192.0.2.1", "203.0.113.9", "2001:db8::1"])
def test_no_filter(gate, who, client):
    """F-01 without a filter the right credentials are enough from anywhere."""
    assert login(gate, client, who).code == 235


def test_server_without_filter(gate):
    """F-02 a mail server without any filter may not submit from anywhere; posternctl says what to set."""
    for client in ("192.0.2.1", "2001:db8::1", "127.0.0.1"):
        assert login(gate, client, SERVER).text.startswith(DENIED)
    gate.ctl("account", "remove", SERVER)
    assert "It may not submit yet: set ipfilter.ipv4 or ipfilter.ipv6." in gate.add_account(SERVER, PASSWORD, "type=server")


@pytest.mark.parametrize("line, who, options, client, is_let_in", [
    ("F-02", SERVER, {"ipv4": "192.0.2.0/24"}, "192.0.2.77", True),
    ("F-02", SERVER, {"ipv4": "192.0.2.0/24"}, "2001:db8::1", False),
    ("F-02", SERVER, {"ipv6": "2001:db8::/32"}, "192.0.2.77", False),
    ("F-02", SERVER, {"ipv6": "2001:db8::/32"}, "2001:db8::1", True),
    ("F-03", LOGIN, {"ipv4": "192.0.2.1"}, "192.0.2.1", True),
    ("F-03", LOGIN, {"ipv4": "192.0.2.1"}, "192.0.2.2", False),
    ("F-04", ANY, {"ipv4": "192.0.2.0/24"}, "192.0.2.255", True),
    ("F-04", ANY, {"ipv4": "192.0.2.0/24"}, "192.0.3.0", False),
    ("F-05", LOGIN, {"ipv6": "2001:db8::1"}, "2001:db8::1", True),
    ("F-05", LOGIN, {"ipv6": "2001:db8::1"}, "2001:db8::2", False),
    ("F-05", LOGIN, {"ipv6": "2001:db8:1::/48"}, "2001:db8:1:ffff::9", True),
    ("F-05", LOGIN, {"ipv6": "2001:db8:1::/48"}, "2001:db8:2::9", False),
    ("F-06", LOGIN, {"ipv4": "192.0.2.1"}, "2001:db8::1", True),
    ("F-06", ANY, {"ipv6": "2001:db8::1"}, "203.0.113.1", True),
    ("F-07", LOGIN, {"ipv4": "127.0.0.1"}, "192.0.2.1", False),
    ("F-07", LOGIN, {"ipv4": "127.0.0.1"}, "2001:db8::1", True),
    ("F-07", LOGIN, {"ipv6": "::1"}, "2001:db8::1", False),
    ("F-08 F-14", LOGIN, {"ipv4": "homes.example.org"}, "127.0.0.6", True),
    ("F-08 F-14", LOGIN, {"ipv4": "homes.example.org"}, "127.0.0.7", True),
    ("F-08", LOGIN, {"ipv4": "homes.example.org"}, "127.0.0.8", False),
    ("F-08", LOGIN, {"ipv6": "homes.example.org"}, "2001:db8::a", True),
    ("F-08", LOGIN, {"ipv6": "homes.example.org"}, "2001:db8::b", False),
    ("F-08", SERVER, {"ipv4": "homes.example.org"}, "127.0.0.6", True),
    ("F-09", SERVER, {"ipv4": "192.0.2.0/24", "ipv4_alternate": "203.0.113.7"}, "203.0.113.7", True),
    ("F-09", SERVER, {"ipv4": "192.0.2.0/24", "ipv4_alternate": "203.0.113.7"}, "192.0.2.9", True),
    ("F-09", SERVER, {"ipv4": "192.0.2.0/24", "ipv4_alternate": "203.0.113.7"}, "203.0.113.8", False),
    ("F-09", LOGIN, {"ipv6": "2001:db8::1", "ipv6_alternate": "2001:db8:5::/48"}, "2001:db8:5::9", True),
    ("F-13", LOGIN, {"ipv4": "192.0.2.1", "ipv6": "::1"}, "::ffff:192.0.2.1", True),
    ("F-13", LOGIN, {"ipv4": "192.0.2.1"}, "::ffff:192.0.2.2", False)])
def test_filter(gate, line, who, options, client, is_let_in):
    """F-02 F-03 F-04 F-05 F-06 F-07 F-08 F-09 F-13 F-14: who is let in; F-15 who is not is counted."""
    before, mismatches = gate.accepted(), metric(gate, "plugin.ipfilter.mismatch")
    with Filters(gate, who, **options):
        reply = login(gate, client, who)
    assert reply.text.startswith("235" if is_let_in else DENIED), "%s: %s" % (line, reply)
    assert gate.accepted() == before + is_let_in
    assert metric(gate, "plugin.ipfilter.mismatch") == mismatches + (not is_let_in)


def test_mismatches_block(make_postern, sink):
    """F-15 a client that knows the password and comes from elsewhere is blocked after as many mismatches as failed logins."""
    client, other = "127.0.0.5", "127.0.0.6"
    gate = make_postern({"server": {"plugins": "blocking auth sender-rules ipfilter"},
                         "plugin blocking": {"never": "192.0.2.0/24", "auth-failures": "3/10m", "logins": "off", "errors": "off"}},
                        sink=sink)
    gate.ctl("account", "set", LOGIN, "ipfilter.ipv4=" + other)
    for n in (1, 2, 3):  # a threshold of 3 is met by 3: what is left to chance begins at a quarter less
        with gate.smtp(source=client) as dialog:
            dialog.hello()
            assert dialog.auth().text.startswith(DENIED)
        wait_until(lambda: blocks(gate) or failures(gate, client) == n, "the count of failure %d" % n)
        assert bool(blocks(gate)) == (n == 3)
    wait_until(lambda: blocks(gate) == [client], "the block of " + client)
    with gate.smtp(source=client, greet=False) as dialog:
        assert dialog.reply().text.startswith("421 4.7.0")
    with gate.smtp(source=other) as dialog:
        dialog.login()
        dialog.mail()


def failures(gate, client):
    """Failed authentications that are counted of it."""
    return {row["what"]: row["value"] for row in gate.ctl("blocking", "show", client, json=True)}["auth-failures"]


def blocks(gate):
    return [row["network"] for row in gate.ctl("block", "list", json=True)]


def test_real_addresses(make_postern, sink):
    """F-03 F-07 the address of the connection itself, without PROXY."""
    gate = make_postern({"server": {"plugins": "auth sender-rules ipfilter"}}, sink=sink)
    for value, code in (("127.0.0.1", 235), ("127.0.0.2", 554), ("127.0.0.0/8", 235)):
        gate.ctl("account", "set", LOGIN, "ipfilter.ipv4=" + value)
        with gate.smtp() as dialog:
            dialog.hello()
            assert dialog.auth().code == code


def test_alternates_by_level(gate):
    """F-09 a lower level cannot set an alternate, and one that it has is ignored; other options can still be set; without
    a level there is none."""
    gate.ctl("customer", "set", "acme", "level=")
    assert "alternate filters need a level that has them" in gate.ctl("account", "set", LOGIN, "ipfilter.ipv4-alternate=203.0.113.7", code=1)
    gate.ctl("customer", "set", "acme", "level=personal")
    assert "level personal has no alternate filters" in gate.ctl(
        "account", "set", LOGIN, "ipfilter.ipv4=192.0.2.1", "ipfilter.ipv4-alternate=203.0.113.7", code=1)
    assert "ipfilter.ipv4" not in [name for name, row in gate.options("account", LOGIN).items() if row[1] == "account"]
    gate.ctl("customer", "set", "acme", "level=standard")
    with Filters(gate, LOGIN, ipv4="192.0.2.1", ipv4_alternate="203.0.113.7"):
        assert gate.options("account", LOGIN)["ipfilter.ipv4-alternate"] == ("203.0.113.7", "account")
        assert login(gate, "203.0.113.7", LOGIN).code == 235
        for level in ("personal-plus", ""):
            gate.ctl("customer", "set", "acme", "level=" + level)
            assert login(gate, "203.0.113.7", LOGIN).text.startswith(DENIED)
        gate.ctl("account", "set", LOGIN, "identities=yes")
        gate.ctl("account", "set", LOGIN, "identities=")
    gate.ctl("customer", "set", "acme", "level=standard")


@pytest.mark.parametrize("host", ["absent.example.org", "nobody.answers.example"])
def test_host_that_does_not_resolve(gate, host):
    """F-10 a name that is missing, or that nobody answers for: 4xx, never open; it is no failed login."""
    failures, unresolved = metric(gate, "event.auth-failure"), metric(gate, "plugin.ipfilter.unresolved")
    with Filters(gate, LOGIN, ipv4=host):
        assert login(gate, "192.0.2.1", LOGIN).text.startswith("454 4.7.0")
        assert login(gate, "2001:db8::1", LOGIN).code == 235
    assert metric(gate, "event.auth-failure") == failures
    assert metric(gate, "plugin.ipfilter.unresolved") == unresolved + 1


def test_host_that_does_not_resolve_in_reject_mode(gate):
    """F-10 an account that wants errors for good gets 5xx."""
    gate.ctl("account", "set", LOGIN, "on-refusal=reject")
    with Filters(gate, LOGIN, ipv4="absent.example.org"):
        reply = login(gate, "192.0.2.1", LOGIN)
    gate.ctl("account", "set", LOGIN, "on-refusal=automatic")
    assert reply.text.startswith("550 5.7.0")


@pytest.mark.parametrize("assignment, complaint", [
    ("ipfilter.ipv4=198.51.100.7/24", "198.51.100.7/24 has host bits; did you mean 198.51.100.0/24?"),
    ("ipfilter.ipv6=2001:db8::1/64", "did you mean 2001:db8::/64?"),
    ("ipfilter.ipv4=192.0.2.0/33", "0 to 32"),
    ("ipfilter.ipv4=2001:db8::1", "set ipv6"),
    ("ipfilter.ipv6=192.0.2.1", "set ipv4"),
    ("ipfilter.ipv4=300.1.2.3", "not an IPv4 address"),
    ("ipfilter.ipv4=localhost", "not a full host name"),
    ("ipfilter.ipv4-alternate=home.example.org", "not a host name"),
    ("ipfilter.ipv4-alternate=203.0.113.9/24", "did you mean 203.0.113.0/24?"),
    ("ipfilter.ipv4=home.example.org ipfilter.ipv4-type=ip", "ipv4-type is ip"),
    ("ipfilter.ipv4-type=host ipfilter.ipv4=192.0.2.1", "ipv4-type is host"),
    ("ipfilter.ipv4-type=name", "none of: auto, ip, host")])
def test_bad_values(gate, assignment, complaint):
    """F-12 what makes no sense is refused when it is set, and the answer offers what would."""
    assert complaint in gate.ctl("account", "set", LOGIN, *assignment.split(), code=1)
    assert not [name for name, row in gate.options("account", LOGIN).items() if name.startswith("ipfilter.ipv") and row[1] == "account"]


def test_import_is_checked(gate):
    """F-12 import refuses what posternctl account set refuses, with its line."""
    path = gate.place / "accounts.ini"
    hashed = next(line for line in gate.ctl("export").splitlines() if line.startswith("password"))
    path.write_text("[account new@example.net]\n%s\nipfilter.ipv4 = 198.51.100.7/24\n" % hashed)
    complaint = gate.ctl("import", path, code=1)
    assert "accounts.ini:1" in complaint and "did you mean 198.51.100.0/24?" in complaint
    path.write_text("[account new@example.net]\n%s\nipfilter.ipv4 = 198.51.100.0/24\n" % hashed)
    gate.ctl("import", path)
    assert login(gate, "192.0.2.1", "new@example.net").text.startswith(DENIED)
    gate.ctl("account", "remove", "new@example.net")


def test_changed_filter(gate):
    """F-03 a filter that is changed holds from the next message of a session on."""
    with connect(gate, "192.0.2.1") as dialog:
        dialog.login()
        dialog.mail()
        with Filters(gate, LOGIN, ipv4="192.0.2.2"):
            dialog.expect(DENIED, "MAIL FROM:<user@example.net>")
        dialog.mail()


def test_hidden(make_postern, sink):
    """F-03 Q12 with hide-mismatch a client does not learn that the password was right."""
    gate = make_postern({"server": {"plugins": "auth sender-rules ipfilter"}, "plugin ipfilter": {"hide-mismatch": "yes"}}, sink=sink)
    gate.ctl("account", "set", LOGIN, "ipv4=192.0.2.1")
    replies = set()
    for password in (PASSWORD, "wrong"):
        with gate.smtp() as dialog:
            dialog.hello()
            replies.add(dialog.auth(password=password).text)
    assert len(replies) == 1 and replies.pop().startswith("535 5.7.8")


@pytest.mark.parametrize("options", [{"server": {"plugins": "auth sender-rules"}},
                                     {"server": {"plugins": "auth sender-rules ipfilter"}, "plugin ipfilter": {"mode": "warn"}}])
def test_server_while_nobody_filters(make_postern, sink, options):
    """F-02 a mail server stays closed while ipfilter is not loaded, or only warns; a reload opens it."""
    gate = make_postern(options, sink=sink)
    said = gate.add_account(SERVER, PASSWORD, "type=server")
    assert ("plugin ipfilter, which filters its sources, is not in force" if "plugin ipfilter" in options else
            "no plugin that filters the sources of mail servers is loaded") in said
    with gate.session(SERVER) as dialog:
        dialog.expect("554 5.7.1", "MAIL FROM:<x@elsewhere.example>")
    gate.reload({"server": {"plugins": "auth sender-rules ipfilter"}, "plugin ipfilter": {"mode": "enforce"}})
    gate.ctl("account", "set", SERVER, "ipfilter.ipv4=127.0.0.1")
    with gate.session(SERVER) as dialog:
        dialog.mail("x@elsewhere.example")


def test_levels_are_checked(gate):
    """F-09 a mistaken value of a level is named with its line, and nothing changes."""
    text = gate.config.read_text()
    gate.config.write_text(text + "\n[level odd]\nipfilter.alternates = maybe\nipfilter.ipv4 = 192.0.2.1\n")
    complaint = gate.ctl("reload", code=1)
    gate.config.write_text(text)
    line = text.count("\n") + 3
    assert "postern.conf:%d: [level odd] ipfilter.alternates: \"maybe\" is neither yes nor no" % line in complaint
    assert "postern.conf:%d: [level odd] ipfilter.ipv4: cannot be set in a level" % (line + 1) in complaint


def test_sample(gate):
    """The sample of the outbound service names only what there is."""
    text = (SOURCE / "etc/examples/outbound-service.conf").read_text()
    path = gate.place / "sample.conf"
    path.write_text(re.sub(r"(?m)^user .*", "user = root", text).replace(
        "[server]\n", "[server]\nplugin-directory = %s\n" % (gate.place / "plugins")))
    done = subprocess.run([BUILD / "core/daemon/posternd", "-t", "-c", path], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
