"""Addresses of ours that get mail from outside while no listener takes it: posternd -t and posternctl doctor say so."""
import re
import subprocess

import pytest

from postern import BUILD, SOURCE, Dialog, free_port

PLUGINS = {"bcc-mirror": {"bounce-domain": "bcc.example.net", "secret": "change-this-to-24-random-characters"},
           "senderverify": {"probe-sender": "probe@example.net"},
           "standing": {"address": "fbl@example.net", "reporters": "192.0.2.0/24", "secret": "change-this-to-24-random-characters"}}
SAID = ["[plugin bcc-mirror] bounce-domain = bcc.example.net: no listener has inbound = yes, so bounces of copies cannot come in here",
        "[plugin senderverify] probe-sender = probe@example.net: no listener has inbound = yes",
        "[plugin standing] address = fbl@example.net: no listener has inbound = yes, so complaint reports cannot"]


@pytest.fixture
def gate(make_postern, sink):
    def make(options=None):
        return make_postern({"server": {"plugins": "auth sender-rules " + " ".join(PLUGINS)},
                             **{"plugin " + name: settings for name, settings in PLUGINS.items()}, **(options or {})}, sink=sink)
    return make


def check(path):
    done = subprocess.run([BUILD / "core/daemon/posternd", "-t", "-c", path], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stderr


def test_nobody_receives(gate):
    """V-16 R-17 B-04 each address is named, with the line of its option; domains of the directory by doctor alone."""
    postern = gate({"server": {"plugins": "auth sender-rules " + " ".join(PLUGINS), "postmaster": "pm@example.net"}})
    said, doctor = check(postern.config), postern.ask("doctor").stdout.decode()
    for sentence in SAID + ["[server] postmaster = pm@example.net: no listener"]:
        assert sentence in said and sentence in doctor, sentence
    assert all("warning: " in line and ("postern.conf:" in line or "alarm " in line) for line in said.splitlines())
    assert "domain of the directory" not in doctor
    postern.ctl("domain", "add", "held.example", "customer=acme", "mode=hold")
    assert "mail for 1 domain of the directory cannot come in here: held.example" in postern.ask("doctor").stdout.decode()
    for i in range(4):
        postern.ctl("domain", "add", "held%d.example" % i, "customer=acme", "mode=hold")
    assert "mail for 5 domains of the directory" in postern.ask("doctor").stdout.decode()


def test_a_listener_receives(gate):
    port = free_port()
    postern = gate({"listener mx": {"addresses": "127.0.0.1", "ports": port, "inbound": "yes"}})
    postern.ctl("domain", "add", "held.example", "customer=acme", "mode=hold")
    assert "inbound" not in check(postern.config) and "inbound" not in postern.ask("doctor").stdout.decode()
    with Dialog(port) as dialog:
        dialog.hello()
        dialog.mail("", "probe@example.net")


def test_a_plugin_that_is_not_listed_receives_nothing(gate):
    postern = gate({"server": {"plugins": "auth sender-rules"}, **{"plugin " + name: None for name in PLUGINS}})
    assert "inbound" not in check(postern.config) and "inbound" not in postern.ask("doctor").stdout.decode()


def test_the_sample_receives(gate):
    """C-10 its port 25 takes mail for our addresses, and logins as its other ports do."""
    text = (SOURCE / "etc/examples/outbound-service.conf").read_text()
    postern = gate()
    path = postern.place / "sample.conf"
    path.write_text(re.sub(r"(?m)^user .*", "user = root", text).replace(
        "[server]\n", "[server]\nplugin-directory = %s\n" % (postern.place / "plugins")))
    assert "inbound" not in check(path)
    printed = subprocess.run([BUILD / "core/daemon/posternd", "--print-config", "-c", path], capture_output=True, text=True).stdout
    listeners = {part.splitlines()[0].rstrip("]"): {key.strip(): value.strip() for key, _, value in (
        line.partition("=") for line in part.splitlines()[1:] if "=" in line)} for part in printed.split("[listener ")[1:]}
    on_25 = next(options for options in listeners.values() if "25" in options["ports"].split())
    other = listeners["submission"]
    assert on_25.pop("inbound").startswith("yes") and other.pop("inbound").startswith("no")
    assert on_25["auth"] == other["auth"] and on_25["auth-without-tls"] == other["auth-without-tls"] and on_25["tls"] == other["tls"]
