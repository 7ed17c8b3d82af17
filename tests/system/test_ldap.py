"""examples/ldap-auth, built against the installed files, with a real slapd: a library that blocks, in a hook that may."""
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from postern import BUILD, LOGIN, PASSWORD, PATIENCE, free_port, wait_until

SLAPD = shutil.which("slapd") or ("/usr/sbin/slapd" if Path("/usr/sbin/slapd").exists() else None)
pytestmark = pytest.mark.skipif(not SLAPD or not list(BUILD.glob("plugins/*/.libs/*.so")),
                                reason="needs slapd, and plugins that are loaded")
BASE = "dc=example,dc=net"
ENTRIES = """dn: dc=example,dc=net
objectClass: dcObject
objectClass: organization
dc: example
o: Example

dn: ou=people,dc=example,dc=net
objectClass: organizationalUnit
ou: people

dn: cn=postern,dc=example,dc=net
objectClass: person
cn: postern
sn: postern
userPassword: searching

dn: uid=jane,ou=people,dc=example,dc=net
objectClass: inetOrgPerson
uid: jane
cn: Jane
sn: Doe
mail: jane@example.net
userPassword: janes-secret

dn: uid=twin1,ou=people,dc=example,dc=net
objectClass: inetOrgPerson
uid: twin1
cn: Twin
sn: One
mail: twin@example.net
userPassword: twins-secret

dn: uid=twin2,ou=people,dc=example,dc=net
objectClass: inetOrgPerson
uid: twin2
cn: Twin
sn: Two
mail: twin@example.net
userPassword: twins-secret

dn: uid=a\\2cb\\2a(c),ou=people,dc=example,dc=net
objectClass: inetOrgPerson
uid: a,b*(c)
cn: Odd
sn: Odd
mail: a,b*(c)@example.net
userPassword: odd-secret
"""
CONFIG = """include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
moduleload back_mdb
pidfile %(place)s/pid
allow bind_anon_cred bind_anon_dn
%(tls)s
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="cn=postern,dc=example,dc=net" read by * none
database mdb
directory %(place)s/data
suffix "dc=example,dc=net"
rootdn "cn=root,dc=example,dc=net"
"""


class Slapd:
    """An LDAP server with the entries above; it lets "unauthenticated binds" pass, as some do."""

    def __init__(self, place):
        self.place, self.port = place, free_port()
        (place / "data").mkdir(parents=True)
        self.certificate, key = place / "pem", place / "key"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=ldap", "-addext",
                        "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", self.certificate], check=True, capture_output=True)
        tls = "TLSCertificateFile %s\nTLSCertificateKeyFile %s" % (self.certificate, key)
        (place / "slapd.conf").write_text(CONFIG % {"place": place, "tls": tls})
        subprocess.run([SLAPD.replace("slapd", "slapadd"), "-f", place / "slapd.conf"], input=ENTRIES.encode(), check=True,
                       capture_output=True)
        self.start()

    def start(self):
        self.process = subprocess.Popen([SLAPD, "-f", self.place / "slapd.conf", "-h", "ldap://127.0.0.1:%d ldap://127.0.0.2:%d" % (self.port, self.port), "-d", "stats"],
                                        stdout=subprocess.DEVNULL, stderr=open(self.place / "stderr", "ab"))
        wait_until(self.answers, "slapd")

    def answers(self):
        assert self.process.poll() is None, (self.place / "stderr").read_text()
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            return True
        except OSError:
            return False

    def signal(self, which):
        os.kill(self.process.pid, which)

    def kill(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture
def slapd(tmp_path):
    server = Slapd(tmp_path / "slapd")
    yield server
    server.kill()


@pytest.fixture(scope="module")
def plugins(installed, tmp_path_factory):
    """The plugin, built out of tree; beside it those that were installed."""
    folder = tmp_path_factory.mktemp("ldap-auth") / "ldap-auth"
    shutil.copytree(installed.prefix / "share/doc/postern/examples/ldap-auth", folder)
    installed.run("make && make check && mkdir plugins && cp ldap-auth.so plugins/", folder)
    for plugin in installed.plugins.glob("*.so"):
        shutil.copy(plugin, folder / "plugins")
    return folder / "plugins"


@pytest.fixture
def with_ldap(make_postern, slapd, plugins, sink, installed):
    """A daemon whose logins are slapd's, or, behind those, the directory's (user@example.net)."""
    def make(options=None, chain="auth ldap-auth", host="127.0.0.1"):
        section = {"url": "ldap://%s:%d" % (host, slapd.port), "starttls": "no",
                   "base": "ou=people," + BASE, "search-dn": "cn=postern," + BASE, "search-password": "searching", **(options or {})}
        return make_postern({"server": {"plugins": chain, "plugin-directory": plugins}, "plugin ldap-auth": section},
                            sink=sink, bin=installed.bin)
    return make


BIND = {"bind-dn": "uid=%u,ou=people," + BASE, "base": None, "search-dn": None, "search-password": None}
HOSTILE = ["*", "jane*@example.net", "*e@example.net", "jan%@example.net", "*@example.net", "jane*", "jane@example.net)(uid=*", "*)(|(mail=*", "jane)(|(uid=*))@example.net",
           "jane,ou=people,dc=example,dc=net", "jane@example.net,dc=x", "x+uid=jane@example.net", "\\jane", "jane\\", "jane\\2c",
           "j\u00e4ne@example.net", "jane\x01", " jane", "jane ", "#jane", "\"jane\"", "<jane>", "jane;", "@", "@example.net",
           "uid=jane", "jane" * 80, "jane\t@example.net", "jane\x7f"]


def says(postern, login, password):
    with postern.smtp() as dialog:
        dialog.hello()
        return dialog.auth(login, password).text


@pytest.mark.parametrize("options", [None, BIND], ids=["search", "pattern"])
def test_logins(with_ldap, sink, options):
    """Right and wrong password, unknown user; a login with signs that mean something in DNs and filters is one login.
    Empty passwords are never right, though this server says yes to a bind without one.  Mail passes."""
    postern = with_ldap(options)
    assert says(postern, "jane@example.net", "janes-secret").startswith("235")
    assert says(postern, "jane@example.net", "Janes-secret").startswith("535 5.7.8")
    assert says(postern, "nobody@example.net", "janes-secret").startswith("535 5.7.8")
    assert says(postern, "a,b*(c)@example.net", "janes-secret").startswith("535 5.7.8")
    for login in ("jane@example.net", "nobody@example.net", "", "cn=postern"):
        assert says(postern, login, "").startswith("535 5.7.8"), login
    assert says(postern, LOGIN, PASSWORD).startswith("235"), "the plugin before it"
    postern.send(login="jane@example.net", password="janes-secret", sender="jane@example.net")
    assert sink.wait(1)[0].sender == "jane@example.net"
    assert "plugin failed" not in postern.log()


@pytest.mark.parametrize("options", [None, BIND], ids=["search", "pattern"])
def test_hostile_logins(with_ldap, options):
    """None gets in, with no password that the server knows; none makes it fail; and the right one still gets in."""
    postern = with_ldap(options)
    for login in HOSTILE:
        for password in ("janes-secret", "x", ""):
            assert says(postern, login, password).startswith(("535 5.7.8", "501")), (login, password)
    assert says(postern, "jane@example.net", "janes-secret").startswith("235")
    assert "plugin failed" not in postern.log()


def test_several_entries(with_ldap):
    """A filter that finds two entries lets nobody in, and the log says why."""
    postern = with_ldap()
    assert says(postern, "twin@example.net", "twins-secret").startswith("535 5.7.8")
    postern.wait_log("the filter finds several entries for twin@example.net")


def test_starttls(with_ldap, slapd):
    """With the right authority it works; a certificate of another name, or that nobody vouches for, is a failure, and no
    wrong password."""
    trusted = {"starttls": "yes", "ca-file": slapd.certificate}
    postern = with_ldap(trusted)
    assert says(postern, "jane@example.net", "janes-secret").startswith("235")
    assert "STARTTLS" in (slapd.place / "stderr").read_text()
    for options, host in ((trusted, "127.0.0.2"), ({"starttls": "yes"}, "127.0.0.1")):
        postern = with_ldap(options, host=host)
        assert says(postern, "jane@example.net", "janes-secret").startswith("454 4.7.0")
        postern.wait_log("plugin failed, deferred.*plugin=ldap-auth.*ldap://%s" % host)


def test_searcher_without_rights(with_ldap):
    """Our own mistake is not the client's."""
    postern = with_ldap({"search-password": "wrong"})
    assert says(postern, "jane@example.net", "janes-secret").startswith("454 4.7.0")


def test_configuration(with_ldap, installed):
    """What makes no sense is told when the daemon starts; a search-dn without password would bind as anybody."""
    postern = with_ldap()
    for options, sentence in (({"search-password": None}, "search-dn needs search-password"),
                              ({"base": None, "search-dn": None}, "either bind-dn or base must be set"),
                              ({"starttls": "yes", "url": "ldaps://localhost"}, "starttls belongs to ldap://")):
        before = {title: dict(section) for title, section in postern.sections.items()}
        postern.change({"plugin ldap-auth": options})
        assert sentence in postern.ctl("reload", code=1)
        postern.sections = before
    postern.change({})
    postern.reload()


def test_dead_server(with_ldap, slapd):
    """454, never 535; who needs it not gets in; when it is back all is as before."""
    postern = with_ldap()
    slapd.kill()
    assert says(postern, "jane@example.net", "janes-secret").startswith("454 4.7.0")
    assert says(postern, LOGIN, PASSWORD).startswith("235")
    postern.send()
    slapd.start()
    assert says(postern, "jane@example.net", "janes-secret").startswith("235")


def test_hanging_server(with_ldap, slapd, sink):
    """It takes connections and says nothing: 454 by the deadline; meanwhile greeting and EHLO do not wait for it, and mail
    that does not need it flows."""
    postern = with_ldap({"deadline": "10s", "at-once": "8"})
    slapd.signal(signal.SIGSTOP)
    answers = []

    def guess():
        begun = time.monotonic()
        answers.append((says(postern, "jane@example.net", "janes-secret"), time.monotonic() - begun))
    try:
        threads = [threading.Thread(target=guess) for _ in range(20)]
        for thread in threads:
            thread.start()
        wait_until(lambda: len(answers) >= 12, "those beyond at-once", 10)  # the other 8 wait
        times = []
        for _ in range(10):
            begun = time.monotonic()
            with postern.smtp() as dialog:
                dialog.hello()
                times.append(time.monotonic() - begun)
        assert len(answers) == 12 and min(times) < 0.1, times
        postern.send()
        sink.wait(1)
        for thread in threads:
            thread.join(PATIENCE)
    finally:
        slapd.signal(signal.SIGCONT)
    assert len(answers) == 20 and all(text.startswith("454 4.7.0") for text, _ in answers), answers
    assert max(seconds for _, seconds in answers) < 2 * 10, "the deadline, and a busy machine"
    assert says(postern, "jane@example.net", "janes-secret").startswith("235")
