"""Links to listed domains (letter U of BEHAVIOURS.md) against the real daemon, the lists served by rbldnsd."""
import os
import shutil
import subprocess
import tempfile
from email.message import EmailMessage

import pytest

from nsd import Nsd
from postern import LOGIN, Postern, Sink, free_port, wait_until

pytestmark = pytest.mark.skipif(not shutil.which("rbldnsd"), reason="needs rbldnsd")

DATA = {
    "multi.test": ("dnset", """:127.0.0.2:listed
test :127.0.0.14:
black.example :127.0.0.2:
grey.example :127.0.0.4:
red.example :127.0.0.8:
all.example :127.0.0.14:
refused.example :127.0.0.1:
full.example :127.0.0.255:
outside.example :192.0.2.2:
example.co.uk :127.0.0.2:
xn--bcher-kva.example :127.0.0.2:
"""),
    "multi.test/numbers": ("ip4set", ":127.0.0.2:listed\n198.51.100.7 :127.0.0.2:\n"),
    "gold.test": ("dnset", ":127.0.0.2:gold\ntest\ngold.example\n"),
    "ivm.test": ("dnset", ":127.0.0.2:ivm\n2.0.0.127\nivm.example\n"),
}
LISTS = {
    "plugin uribl/black": {"zone": "multi.test", "bits": "2", "text": "black"},
    "plugin uribl/grey": {"zone": "multi.test", "bits": "4", "text": "bulk or marketing link"},
    "plugin uribl/red": {"zone": "multi.test", "bits": "8"},
    "plugin uribl/gold": {"zone": "gold.test", "codes": "127.0.0.2"},
    "plugin uribl/ivm": {"zone": "ivm.test", "codes": "127.0.0.2"},
}
REFUSED = "550 5.7.1 Message contains "


@pytest.fixture(scope="module")
def lists():
    """The [dns] section for a daemon that knows the lists."""
    port, place = free_port(), tempfile.mkdtemp(prefix="rbldnsd-")  # readable for whom rbldnsd becomes
    os.chmod(place, 0o755)
    arguments = []
    for name, (kind, text) in DATA.items():
        path = os.path.join(place, name.replace("/", "-"))
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
        os.chmod(path, 0o644)
        arguments.append("%s:%s:%s" % (name.split("/")[0], kind, path))
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    process = subprocess.Popen(["rbldnsd", "-n", "-b", "127.0.0.1/%d" % port, *user, *arguments], stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True)
    wait_until(lambda: "started" in process.stdout.readline(), "rbldnsd")
    yield {"stub-zones": " ".join("%s=127.0.0.1@%d" % (name, port) for name in DATA if "/" not in name)}
    process.terminate()
    process.communicate()
    shutil.rmtree(place)


@pytest.fixture(scope="module")
def gate(tmp_path_factory, lists):
    sink = Sink()
    options = {"server": {"plugins": "auth sender-rules uribl"}, "dns": lists, **LISTS}
    daemon = Postern(tmp_path_factory.mktemp("uribl"), options, sink=sink)
    yield daemon
    daemon.stop()
    sink.close()


def answer(gate, content, recipients=("rcpt@example.org",)):
    """The reply to the message; a refused one is not in the queue."""
    before = gate.accepted()
    with gate.session() as dialog:
        dialog.expect("250", "MAIL FROM:<%s>" % LOGIN)
        for recipient in recipients:
            dialog.expect("250", "RCPT TO:<%s>" % recipient)
        reply = dialog.data(content)
    assert gate.accepted() == before + (reply.code == 250)
    return reply


def text(body):
    return "From: %s\nSubject: x\n\n%s\n" % (LOGIN, body)


@pytest.mark.parametrize("line, body, start", [
    ("U-01", "see http://black.example/x", REFUSED + "black.example (black)"),
    ("U-02", "see http://grey.example/x", REFUSED + "grey.example (bulk or marketing link)"),
    ("U-03", "see http://red.example/x", REFUSED + "red.example (listed in red)"),
    ("U-04", "see http://gold.example/x", REFUSED + "gold.example (listed in gold)"),
    ("U-05", "see http://ivm.example/x", REFUSED + "ivm.example (listed in ivm)"),
    ("U-07", "see http://all.example/x", REFUSED + "all.example (black)"),
    ("U-08", "see http://clean.example/x", "250 2.0.0"),
    ("U-09", "HTTP://user:pass@WWW.Black.Example.:8080/", REFUSED + "black.example"),
    ("U-09", "www.black.example", REFUSED + "black.example"),
    ("U-09", "http://www.b\u00fccher.example/".replace("\u00fc", "%C3%BC"), REFUSED + "xn--bcher-kva.example"),
    ("U-10", "http://a.b.example.co.uk/", REFUSED + "example.co.uk"),
    ("U-10", "http://198.51.100.7/ or so", REFUSED + "198.51.100.7"),
    ("U-10", "http://0xc6336407/", REFUSED + "198.51.100.7"),
    ("U-11", "> you wrote:\n> > http://black.example/", REFUSED + "black.example"),
    ("U-21", "write to info@black.example", "250 2.0.0")])
def test_links(gate, line, body, start):
    """U-01 U-02 U-03 U-04 U-05 U-07 U-08 U-09 U-10 U-11 U-17 U-18 U-21: what is refused, with its domain and category.
    R-15 what is bulk or marketing is so by its links."""
    reply = answer(gate, text(body))
    assert reply.text.startswith(start), "%s: %s" % (line, reply)


def test_why_names_the_list(gate):
    """U-17 the administrator reads which list it was, too."""
    reply = answer(gate, text("see http://grey.example/x"))
    assert reply.code == 550
    wait_until(lambda: " uribl/grey " in gate.ctl("why", "user@example.net"), "the list in posternctl why")


@pytest.mark.parametrize("domain", ["refused", "full", "outside"])
def test_errors_of_lists(gate, domain):
    """U-06 127.0.0.1, 127.0.0.255 and what is outside 127/8 are no listings, and raise an alarm."""
    assert answer(gate, text("http://%s.example/" % domain)).code == 250
    gate.wait_log(r"alarm=uribl.black.error")


def compose(kind):
    message, html = EmailMessage(), '<p>Hello <a href="http&#58;//www.black.example/?q=1">there</a></p>'
    message["From"], message["Subject"] = LOGIN, "a newsletter"
    if kind == "quoted-printable":
        message.set_content(html + " \u00fc" * 60, subtype="html", cte="quoted-printable")
    elif kind == "base64":
        message.set_content(html, subtype="html", cte="base64")
    elif kind == "utf-16":
        message.set_content(html, subtype="html", charset="utf-16", cte="base64")
    elif kind == "alternative":
        message.set_content("nothing here")
        message.add_alternative(html, subtype="html")
        message.add_attachment(b"\x89PNG", maintype="image", subtype="png", filename="x.png")
    elif kind == "forwarded":
        message.set_content("see below")
        message.add_attachment(compose("alternative"))
    return message


@pytest.mark.parametrize("kind", ["quoted-printable", "base64", "utf-16", "alternative", "forwarded"])
def test_encodings(gate, kind):
    """U-09 found in whatever a mail program makes of it."""
    reply = answer(gate, bytes(compose(kind)))
    assert reply.text.startswith(REFUSED + "black.example (black)"), reply


@pytest.mark.parametrize("recipients, code", [
    (["submit.1234567890abcdef@spam.spamcop.net"], 250), (["12345@reports.spamcop.net"], 250),
    (["Abuse@anywhere.example"], 250), (["abuse@anywhere.example", "x@reports.spamcop.net"], 250),
    (["abuse@anywhere.example", "rcpt@example.org"], 550), (["notabuse@anywhere.example"], 550)])
def test_exempt(gate, recipients, code):
    """U-13 U-14 U-15 reports of abuse pass, if nobody else gets them."""
    assert answer(gate, text("http://black.example/"), recipients).code == code


def test_most_domains(gate):
    """U-20 U-23 a thousand domains are asked for; a message with more is refused, whatever they are."""
    links = ["http://d%d.example/" % i for i in range(999)]
    reply = answer(gate, text("\n".join(links + ["http://black.example/"])))
    assert reply.code == 550 and "black.example" in reply.text
    reply = answer(gate, text("\n".join(links + ["http://d999.example", "http://black.example/"])))
    assert reply.code == 550 and "more text, parts or links than can be checked" in reply.text


def test_no_way_around(gate):
    """U-12 nothing of it can be set for an account."""
    assert not any(name.startswith("uribl.") for name in gate.options("account", LOGIN))
    assert gate.ask("account", "set", LOGIN, "uribl.on-limit=pass").returncode != 0


def test_refused_in_the_session(gate):
    """U-18 U-19 the session goes on, nobody gets a bounce or a copy."""
    before = gate.settle()
    with gate.session() as dialog:
        dialog.expect("250", "MAIL FROM:<%s>" % LOGIN)
        dialog.expect("250", "RCPT TO:<rcpt@example.org>")
        assert dialog.data(text("http://black.example")).code == 550
        dialog.mail()
    assert gate.settle() == before + 1


def test_no_copy_of_what_is_refused(make_postern, sink, lists):
    """U-19 a refused message leaves no copy, neither BCC nor mirror; one that passes leaves both."""
    postern = make_postern({"server": {"plugins": "auth sender-rules uribl bcc-mirror"}, "dns": lists, **LISTS,
                            "plugin bcc-mirror": {"bounce-domain": "bcc.example.net", "secret": "0123456789abcdef"},
                            "route hosted": {"for-mode": "hosted", "next-hop": "smtp:[127.0.0.1]:%d" % sink.port, "tls": "none"}},
                           sink=sink)
    postern.ctl("customer", "set", "acme", "postmaster=postmaster@acme.example")
    postern.ctl("domain", "add", "hosted.example", "customer=acme", "mode=hosted")
    postern.ctl("account", "set", LOGIN, "bcc-mirror.bcc=archive@far.example", "bcc-mirror.mirror=sent@hosted.example")
    used = [row["address"] for row in postern.ctl("bcc-mirror", "show", LOGIN, json=True) if row["used"]]
    assert sorted(used) == ["archive@far.example", "sent@hosted.example"]
    with postern.session() as dialog:
        for body, code in (("http://black.example", 550), ("http://clean.example", 250), ("http://grey.example", 550)):
            dialog.expect("250", "MAIL FROM:<%s>" % LOGIN)
            dialog.expect("250", "RCPT TO:<rcpt@example.org>")
            assert dialog.data(text(body)).code == code
    postern.settle()
    assert sorted(message.recipients[0] for message in sink.wait(3)) == ["archive@far.example", "rcpt@example.org", "sent@hosted.example"]
    assert len(sink.messages) == 3 and all("clean.example" in message.text for message in sink.messages)


def test_rehearsal(make_postern, sink, lists, tmp_path):
    """What a rehearsal finds out of a list raises no alarm, and takes none from the message that comes after it."""
    options = {"server": {"plugins": "auth sender-rules uribl"}, "dns": lists, **LISTS}
    postern = make_postern(options, sink=sink)
    (tmp_path / "message").write_text(text("http://refused.example/"))
    told = postern.ctl("explain", "--client", "203.0.113.9", "--login", LOGIN, "--from", LOGIN, "--to", "x@example.org",
                       str(tmp_path / "message"))
    assert "dns refused.example.multi.test A: 127.0.0.1" in told and "uribl.black.error" not in postern.log()
    assert answer(postern, text("http://refused.example/")).code == 250
    postern.wait_log(r"alarm=uribl.black.error", seconds=10)


@pytest.mark.parametrize("how", ["silence", "refusal"])
@pytest.mark.parametrize("on_error, start", [("pass", "250 2.0.0"), ("defer", "451 4.3.0")])
def test_dead_list(make_postern, sink, lists, on_error, start, how):
    """U-16 a list that does not answer, or not to us: passed and logged, or put off; the other lists go on."""
    port = free_port() if how == "silence" else int(lists["stub-zones"].rpartition("@")[2])   # there it is no zone
    dead = {"stub-zones": "%s dead.test=127.0.0.1@%d" % (lists["stub-zones"], port), "timeout": "1s"}
    options = {"server": {"plugins": "auth sender-rules uribl"}, "dns": dead, **LISTS,
               "plugin uribl": {"on-error": on_error}, "plugin uribl/dead": {"zone": "dead.test"}}
    postern = make_postern(options, sink=sink)
    for _ in range(5):
        assert answer(postern, text("http://clean.example/")).text.startswith(start)
    reply = answer(postern, text("http://black.example/"))
    assert reply.code == 550 and "black.example" in reply.text
    postern.wait_log("list dead could not be asked")
    postern.wait_log(r"alarm=uribl.dead.health")
    assert postern.log().count("list dead did not answer 5 times in a row: left out") == 1
    # and while it is left out
    assert answer(postern, text("http://clean.example/")).text.startswith(start)
    assert postern.settle() == (6 if on_error == "pass" else 0)
    assert len(sink.messages) == (6 if on_error == "pass" else 0)


# ---- lists that list everything ----

# As of a domain that was sold, or a resolver that leads to advertisements.
WILDCARDS = {"all.test": "* IN A 127.0.0.2\n", "ads.test": "* IN A 192.0.2.80\n", "quota.test": "* IN A 127.255.255.254\n",
             "empty.test": "ns2 IN A 127.0.0.1\n", "one.test": "test IN A 127.0.0.2\nlisted.example IN A 127.0.0.2\n"}


@pytest.fixture
def wildcards(tmp_path):
    """The [dns] section for zones that answer every query, or none; by a real name server."""
    if not shutil.which("nsd"):
        pytest.skip("needs nsd")
    nsd = Nsd(tmp_path / "nsd", WILDCARDS)
    yield {"stub-zones": nsd.stub_zones()}
    nsd.close()


def wildcard_lists(dns, *names):
    return {"server": {"plugins": "auth sender-rules uribl"}, "dns": dns,
            **{"plugin uribl/" + name: {"zone": name + ".test"} for name in names}}


def test_lists_everything_from_the_first_second(make_postern, sink, wildcards):
    """U-26 a zone that answers every query refuses no mail, also before the self-test had its turn."""
    gate = make_postern(wildcard_lists(wildcards, "all", "ads", "quota"), sink=sink)
    assert answer(gate, text("http://clean.example/")).code == 250


def test_lists_everything(make_postern, sink, wildcards):
    """U-26 U-06 after the self-test either; alarms say what is wrong, other lists go on."""
    gate = make_postern(wildcard_lists(wildcards, "all", "ads", "quota", "empty", "one"), sink=sink)
    wanted = {"uribl.all.health", "uribl.ads.error", "uribl.quota.error", "uribl.empty.health"}
    wait_until(lambda: wanted <= set(gate.alarms()), "alarms")
    raised = gate.alarms()
    assert "lists INVALID" in raised["uribl.all.health"] and "192.0.2.80" in raised["uribl.ads.error"]
    assert "127.255.255.254" in raised["uribl.quota.error"] and "127.0.0.2 or TEST" in raised["uribl.empty.health"]
    assert not {"uribl.one.health", "uribl.one.error", "uribl.ads.health"} & set(raised)
    assert answer(gate, text("http://clean.example/")).code == 250
    assert answer(gate, text("http://listed.example/")).text.startswith(REFUSED + "listed.example (listed in one)")
    assert not any("zone" in row for row in gate.ctl("uribl", "lists", json=True))
    states = {row["list"]: row["state"] for row in gate.ctl("uribl", "lists", json=True)}
    assert states["one"] == "ok" and states["all"].startswith("left out: list all lists INVALID")
    results = {row["check"]: row["result"] for row in gate.ctl("uribl", "doctor", json=True)}
    assert results == {"uribl/all": "look", "uribl/ads": "look", "uribl/quota": "look", "uribl/empty": "look", "uribl/one": "ok"}
    said = {row["list"]: row["meaning"] for row in gate.ctl("uribl", "check", "www.Listed.example.", json=True)}
    assert said == {"all": "LISTED", "ads": "error", "quota": "error", "empty": "not listed", "one": "LISTED"}
    assert "uribl check DOMAIN" in gate.ctl("uribl", "check", "..", code=1)


def test_left_out_lists_and_on_error_defer(make_postern, sink, wildcards):
    """U-16 U-26 with on-error = defer nobody passes a list that is left out for listing everything."""
    gate = make_postern({**wildcard_lists(wildcards, "all"), "plugin uribl": {"on-error": "defer"}}, sink=sink)
    wait_until(lambda: "uribl.all.health" in gate.alarms(), "an alarm")
    assert answer(gate, text("http://clean.example/")).text.startswith("451 4.3.0")
