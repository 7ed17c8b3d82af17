"""Real servers at the other end: several exchangers, replies before the end of a connection, limits, TLS and loops."""
import contextlib
import ssl

import pytest

from nsd import Nsd
from postern import LOGIN, Sink, free_port, make_certificate, wait_until

ZONE = {"hosts.test": """pair IN MX 10 one
pair IN MX 20 two
us IN MX 10 one
us IN MX 20 here
us IN MX 20 two
here IN A 127.0.3.9
local IN MX 10 localhost
localhost IN A 127.0.0.1
one IN A 127.0.3.1
two IN A 127.0.3.2
stores IN A 127.0.3.1
stores IN A 127.0.3.2
both IN A 127.0.0.1
both IN AAAA ::1
six IN AAAA ::1
"""}
LATER = {"delivery": {"retry": "300s .. 4000s"}}
ONE_BY_ONE = {"delivery": {**LATER["delivery"], "per-connection": "1"}}  # messages of a connection


@pytest.fixture(scope="module")
def hosts(tmp_path_factory):
    nsd = Nsd(tmp_path_factory.mktemp("nsd"), ZONE)
    yield {"dns": {"stub-zones": nsd.stub_zones()}, "route all": {"to": "example.net"}}
    nsd.close()


@pytest.fixture
def pair(make_sink):
    """The exchangers of pair.hosts.test."""
    return make_sink(host="127.0.3.1", port=25), make_sink(host="127.0.3.2", port=25)


@pytest.mark.parametrize("verb, reply", [
    ("CONNECT", "554 5.3.2 not here"), ("CONNECT", "421 4.3.2 busy"), ("CONNECT", ""), ("EHLO", "421 4.3.2 busy"), ("EHLO", ""),
    ("MAIL", "450 4.7.1 grey"), ("MAIL", "421 4.7.0 later"), ("MAIL", ""), ("RCPT", "450 4.2.0 grey"), ("RCPT", "421 4.7.0 later"),
    ("RCPT", ""), ("DATA", "451 4.3.0 no"), ("DATA", ""), (".", "451 4.3.0 no"), (".", "421 4.3.2 bye")])
@pytest.mark.parametrize("extensions", [("PIPELINING",), ()])
def test_next_exchanger(make_postern, sink, hosts, pair, verb, reply, extensions):
    """Q-33 whatever the first exchanger defers, the second one gets at once, and once."""
    one, two = pair
    one.extensions = list(extensions)
    one.replies = {verb: lambda argument: reply}
    postern = make_postern({**hosts, **LATER}, sink=sink)
    postern.send("a@pair.hosts.test")
    assert two.wait(1)[0].recipients == ["a@pair.hosts.test"]
    postern.wait_log(r"delivered .*to=a@pair.hosts.test .*relay=two.hosts.test")
    assert one.messages == [] and len(two.messages) == 1 and "deferred" not in postern.log()


def test_only_the_deferred_go_on(make_postern, sink, hosts, pair):
    """Q-33 whom the first exchanger took or refused, the second is not asked for."""
    one, two = pair
    one.replies = {"RCPT": lambda argument: "450 4.2.0 grey" if "grey" in argument else
                   "550 5.1.1 no" if "bad" in argument else None}
    postern = make_postern({**hosts, **LATER}, sink=sink)
    postern.send(["good@pair.hosts.test", "grey@pair.hosts.test", "bad@pair.hosts.test"])
    assert two.wait(1)[0].recipients == ["grey@pair.hosts.test"]
    assert one.wait(1)[0].recipients == ["good@pair.hosts.test"]
    assert "bad@pair.hosts.test" in sink.wait(1)[0].text


def test_both_defer(make_postern, sink, hosts, pair):
    """Q-33 the last one that answered is quoted; a lost reply behind the dot is no reason to send it elsewhere."""
    one, two = pair
    one.replies, two.replies = {"RCPT": "450 4.2.0 grey"}, {"MAIL": "451 4.3.0 full"}
    postern = make_postern({**hosts, **LATER}, sink=sink)
    postern.send("a@pair.hosts.test")
    postern.wait_log(r"deferred .*to=a@pair.hosts.test .*relay=two.hosts.test.*reply=\"451 4.3.0 full\"")
    one.replies, two.replies = {".": ""}, {}
    postern.send("b@pair.hosts.test")
    postern.wait_log(r"deferred .*to=b@pair.hosts.test .*relay=one.hosts.test.*reply=\"4.4.2 ")
    assert two.messages == []


def test_next_exchanger_that_does_not_help(make_postern, sink, hosts, pair):
    """Q-33 a second exchanger that hangs up, or cannot carry the message, leaves a recipient what the first one said."""
    one, two = pair
    one.replies, two.replies = {"RCPT": "450 4.2.0 grey"}, {"MAIL": ""}
    postern = make_postern({**hosts, **LATER}, sink=sink)
    postern.send("a@pair.hosts.test")
    postern.wait_log(r"deferred .*to=a@pair.hosts.test .*relay=one.hosts.test.*reply=\"450 4.2.0 grey\"")
    two.replies, two.extensions = {}, ["SIZE 10"]
    postern.send("b@pair.hosts.test")
    postern.wait_log(r"deferred .*to=b@pair.hosts.test .*relay=one.hosts.test.*reply=\"450 4.2.0 grey\"")
    assert sink.messages == []


@pytest.mark.parametrize("verb, n", [(".", 1), ("RCPT", 2)])
def test_mailbox_that_is_full(make_postern, make_sink, sink, hosts, verb, n):
    """Q-33 what LMTP says of a mailbox behind the dot is final: no second server is asked, which before the dot would be."""
    stores = [make_sink({verb: "452 4.2.2 full"}, host=host, port=2424) for host in ("127.0.3.1", "127.0.3.2")]
    postern = make_postern({**hosts, **LATER, "route stores": {"to": "stores.example", "next-hop": "lmtp:stores.hosts.test:2424"}}, sink=sink)
    postern.send("a@stores.example")
    postern.wait_log(r"deferred .*to=a@stores.example .*reply=\"452 4.2.2 full\"")
    assert sum(store.connections for store in stores) == n


def test_next_exchanger_for_each_message(make_postern, sink, hosts, pair):
    """Q-33 over a connection that is kept, each message's deferred recipients are offered to the second exchanger."""
    one, two = pair
    one.replies = {"RCPT": lambda argument: "450 4.2.0 grey" if "grey" in argument else None}
    postern = make_postern({**hosts, **LATER}, sink=sink)
    with postern.session() as dialog:
        for i in range(3):
            dialog.mail(recipients=["good%d@pair.hosts.test" % i, "grey%d@pair.hosts.test" % i])
    assert sorted(message.recipients[0] for message in two.wait(3)) == ["grey%d@pair.hosts.test" % i for i in range(3)]
    assert len(one.wait(3)) == 3 and one.connections < 3 and "deferred" not in postern.log()


# ---- what was said before the end ----

@pytest.mark.parametrize("verb, reply, event", [
    ("DATA", "554 5.7.1 spam", "bounced"), ("DATA", "451 4.7.1 later", "deferred"), ("MAIL", "550 5.7.1 no", "bounced"),
    ("MAIL", "451 4.7.1 later", "deferred"), ("RCPT", "550 5.1.1 no", "bounced"), ("RCPT", "450 4.7.1 later", "deferred"),
    ("EHLO", "554 5.7.1 no", "deferred"), ("EHLO", "451 4.7.1 later", "deferred"), ("DATA", "421 4.7.1 later", "deferred"),
    ("CONNECT", "554 5.7.1 no", "deferred")])
@pytest.mark.parametrize("extensions", [("PIPELINING",), ()])
def test_reply_and_close(make_postern, make_sink, verb, reply, event, extensions):
    """Q-31 a reply holds although the server hangs up right behind it."""
    closing = make_sink(extensions=extensions)
    closing.replies = {verb: lambda argument: (reply, "close")}
    postern = make_postern({"route bad": {"to": "example.org", "next-hop": "smtp:[127.0.0.1]:%d" % closing.port}, **LATER},
                           sink=make_sink())
    postern.send()
    postern.wait_log(r"%s .*to=rcpt@example.org .*reply=\"[^\"]*%s" % (event, reply))


def test_421_in_a_kept_session(make_postern, make_sink):
    """Q-31 a server that takes three messages a session, and says 421 without hanging up: all twenty come, at once."""
    count = {}

    def mail(argument, session):
        count[session] = count.get(session, 0) + 1
        return "421 4.7.0 three are enough" if count[session] > 3 else None
    sink = make_sink({"MAIL": mail})
    postern = make_postern({"delivery": {**LATER["delivery"], "per-destination": "1"}}, sink=sink)
    with postern.session() as dialog:
        for i in range(20):
            dialog.mail(content="Subject: %d\n\nx\n" % i)
    assert sorted(int(message.header("Subject")[0]) for message in sink.wait(20)) == list(range(20))
    assert "deferred" not in postern.log()


# ---- too many recipients ----

@pytest.mark.parametrize("extensions", [("PIPELINING",), ()])
def test_hundred_at_a_time(make_postern, make_sink, extensions):
    """Q-35 250 recipients for a server that takes 100 in a transaction: three transactions, one connection, no pause."""
    given = {}

    def rcpt(argument, session):
        if len(session.recipients) >= 100:
            given[session] = given.get(session, 0) + 1
            return "452 4.5.3 Too many recipients"
    sink = make_sink({"RCPT": rcpt}, extensions=extensions)
    postern = make_postern({**LATER, "server": {"max-recipients": "1000"}}, sink=sink)
    names = ["r%d@example.org" % i for i in range(250)]
    postern.send(names)
    messages = sink.wait(3)
    assert [len(message.recipients) for message in messages] == [100, 100, 50]
    assert sorted(name for message in messages for name in message.recipients) == sorted(names)
    assert sink.connections == 1 and sum(given.values()) <= 100 and "deferred" not in postern.log()


# ---- TLS and pipelining that break ----

@pytest.fixture
def demanding(make_sink, tmp_path):
    """Makes servers whose TLS, of one version, demands a certificate of the client."""
    def make(version, is_wrapped=False):
        sink = make_sink(extensions=("STARTTLS",), certificate=make_certificate(tmp_path, "sink.example.org"), is_wrapped=is_wrapped)
        sink.tls.verify_mode = ssl.CERT_REQUIRED
        sink.tls.minimum_version = sink.tls.maximum_version = version
        return sink
    return make


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_client_certificate_demanded(make_postern, demanding, version):
    """Q-36 the alert of TLS 1.3 comes behind our handshake: in clear, then, and at once the next time."""
    sink = demanding(version)
    postern = make_postern({"route all": {"tls": "may"}, **ONE_BY_ONE}, sink=sink)
    postern.send()
    assert sink.wait(1)[0].tls is None
    postern.wait_log("next hop limited .*without=STARTTLS")
    assert [verb for verb, _ in sink.commands].count("STARTTLS") == 1
    postern.send()
    sink.wait(2)
    assert [verb for verb, _ in sink.commands].count("STARTTLS") == 1 and "deferred" not in postern.log()
    postern.reload({"route all": {"tls": "encrypt"}})
    postern.send("encrypted@example.org")
    postern.wait_log("deferred .*to=encrypted@example.org")
    assert len(sink.messages) == 2


@pytest.mark.parametrize("reply", [("454 4.7.0 not now", "close"), ("421 4.7.0 bye", "close"), ("220 go", "close"),
                                   ("220 go", "noise"), ("500 5.5.1 what", "close"), "454 4.7.0 not now", ""])
def test_starttls_that_breaks(make_postern, make_sink, reply):
    """Q-36 STARTTLS that is refused, with or without the end of the connection, or answered by noise: in clear, then."""
    sink = make_sink({"STARTTLS": lambda argument: reply}, extensions=("STARTTLS",))
    postern = make_postern({"route all": {"tls": "may"}, **LATER}, sink=sink)
    postern.send()
    assert sink.wait(1)[0].tls is None and "deferred" not in postern.log()


class OneCommandAtATime(Sink):
    """Offers PIPELINING; what comes behind the first line of a packet is lost, or ends the connection."""
    closes = False

    def serve(self, connection):
        with connection, contextlib.suppress(ConnectionError):
            self.talk(connection)

    def talk(self, connection):
        connection.sendall(b"220 odd\r\n")
        in_data = False
        while octets := connection.recv(65536):
            if in_data:
                if octets.endswith(b"\r\n.\r\n"):
                    in_data = False
                    self.take(octets)
                    connection.sendall(b"250 2.0.0 taken\r\n")
                continue
            verb = octets.split(b"\r\n")[0].split()[0].upper()
            if octets.count(b"\r\n") > 1 and self.closes:
                return
            connection.sendall({b"EHLO": b"250-odd\r\n250 PIPELINING\r\n", b"DATA": b"354 go\r\n"}.get(verb, b"250 ok\r\n"))
            in_data = verb == b"DATA"


@pytest.mark.parametrize("closes", [True, False])
def test_broken_pipelining(make_postern, sink, closes):
    """Q-36 a server that offers PIPELINING and loses what comes in one burst gets its mail command by command."""
    odd = OneCommandAtATime()
    odd.closes = closes
    postern = make_postern({"route odd": {"to": "example.org", "next-hop": "smtp:[127.0.0.1]:%d" % odd.port},
                            "delivery": {**ONE_BY_ONE["delivery"], "command-timeout": "2s"}}, sink=sink)
    postern.send()
    odd.wait(1)
    postern.wait_log("next hop limited .*without=PIPELINING")
    postern.send()
    odd.wait(2)
    assert odd.connections == 3 and "deferred" not in postern.log()
    odd.close()


# ---- loops ----

def test_loops(make_postern, sink, hosts, pair):
    """Q-37 better exchangers than ourselves only, under whatever name we are in the list; loopback is a loop."""
    one, two = pair
    one.replies = {"RCPT": "450 4.2.0 grey"}
    postern = make_postern({**hosts, **LATER, "server": {"own-addresses": "127.0.3.9"}}, sink=sink)
    for _ in range(3):
        postern.send("a@us.hosts.test")
    wait_until(lambda: len([1 for verb, _ in one.commands if verb == "RCPT"]) >= 3, "the better exchanger")
    assert two.connections == 0
    port = free_port()
    postern.reload({"listener in": {"addresses": "0.0.0.0", "ports": port, "inbound": "yes", "tls": "none"}})
    postern.send("a@local.hosts.test")
    assert "5.4.6" in sink.wait(1)[0].text
    postern.ctl("domain", "add", "self.example", "customer=acme", "mode=redirect", "destination=127.0.0.1:%d" % port)
    postern.send("a@self.example")
    assert "5.4.6" in sink.wait(2)[1].text
    assert all(message.recipients == [LOGIN] for message in sink.messages)


# ---- routes: TLS from the start, certificates, sources ----

def by(sink, scheme="smtps", **more):
    return {"route all": {"next-hop": "%s:[127.0.0.1]:%d" % (scheme, sink.port), "tls": "may", **more}, **LATER}


def test_smtps(make_postern, make_sink, tmp_path):
    """Q-38 TLS from the start, with whoever answers, or only with a certificate that is good; never in clear."""
    certificate = make_certificate(tmp_path, "127.0.0.1")
    wrapped = make_sink(certificate=certificate, is_wrapped=True)
    postern = make_postern(by(wrapped), sink=wrapped)
    postern.send()
    assert wrapped.wait(1)[0].tls
    assert "STARTTLS" not in [verb for verb, _ in wrapped.commands]
    plain = make_sink(extensions=("STARTTLS",), certificate=certificate)
    postern.reload({"route all": {"next-hop": "smtps:[127.0.0.1]:%d" % plain.port}, "delivery": {"greeting-timeout": "2s"}})
    postern.send("plain@example.org")
    postern.wait_log("deferred .*to=plain@example.org")
    postern.reload({"route all": {"next-hop": "smtps:[127.0.0.1]:%d" % wrapped.port, "tls": "verify"}})
    postern.send("verified@example.org")
    postern.wait_log("deferred .*to=verified@example.org .*ertificate")
    assert plain.messages == [] and len(wrapped.messages) == 1
    postern.change({"route all": {"tls": "none"}})
    assert "TLS from the start" in postern.ctl("reload", code=1)


@pytest.mark.parametrize("scheme, is_wrapped", [("smtp", False), ("smtps", True)])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_client_certificate(make_postern, demanding, tmp_path, scheme, is_wrapped, version):
    """Q-38 a next hop that demands a certificate gets that of the route."""
    ours = make_certificate(tmp_path, "mail.example.net")
    sink = demanding(version, is_wrapped)
    sink.tls.load_verify_locations(ours[0])
    postern = make_postern(by(sink, scheme, tls="encrypt"), sink=sink)
    postern.send("first@example.org")
    postern.wait_log("deferred .*to=first@example.org")
    postern.reload({"route all": {"certificate": ours[0], "key": ours[1]}})
    postern.send("second@example.org")
    certificate = sink.wait(1)[0].certificate
    assert ("DNS", "mail.example.net") in certificate["subjectAltName"] or "mail.example.net" in str(certificate["subject"])
    postern.change({"route all": {"key": None}})
    assert "belong together" in postern.ctl("reload", code=1)
    postern.change({"route all": {"key": str(tmp_path / "nowhere.pem")}})
    assert "nowhere.pem" in postern.ctl("reload", code=1)


def test_sources(make_postern, make_sink, sink):
    """Q-38 all from-addresses are used; a route has its own."""
    other = make_sink()
    addresses = ["127.0.4.1", "127.0.4.2", "127.0.4.3"]
    postern = make_postern({"delivery": {**ONE_BY_ONE["delivery"], "from-addresses": " ".join(addresses)},
                            "route other": {"to": "other.example", "next-hop": "smtp:[127.0.0.1]:%d" % other.port,
                                            "from-addresses": "127.0.4.9"}}, sink=sink)
    for _ in range(3):
        with postern.session() as dialog:
            for _ in range(20):
                dialog.mail()
    sink.wait(60)
    assert set(sink.clients) == set(addresses)
    postern.send("a@other.example")
    other.wait(1)
    assert other.clients == ["127.0.4.9"]
    postern.change({"route other": {"from-addresses": "nobody"}})
    assert "nobody" in postern.ctl("reload", code=1)


def test_family(make_postern, make_sink, hosts):
    """Q-38 with IPv4 sources alone nothing goes out by IPv6."""
    port = free_port()
    six, four = make_sink(host="::1", port=port), make_sink(host="127.0.0.1", port=port)
    postern = make_postern({**hosts, "delivery": {**ONE_BY_ONE["delivery"], "from-addresses": "127.0.4.1"},
                            "route both": {"to": "both.example", "next-hop": "smtp://both.hosts.test:%d" % port},
                            "route six": {"to": "six.example", "next-hop": "smtp://six.hosts.test:%d" % port}}, sink=four)
    for i in range(5):
        postern.send("a@both.example")
    four.wait(5)
    postern.send("a@six.example")
    postern.wait_log("deferred .*to=a@six.example .*4.4.1 six.hosts.test has only addresses of a family")
    assert six.connections == 0
