"""posternd -t: what a start would find is found before it, with a sentence that says what to do."""
import os
import pwd
import socket
import stat
import subprocess
import time

import pytest

from postern import BUILD, PATIENCE, REPORTS, free_port, wait_until

NOBODY = pwd.getpwnam("nobody")


class Place:
    """A configuration that is right, and what it needs; a case adds its mistake."""

    def __init__(self, path):
        self.path, self.config = path, path / "postern.conf"
        self.port = free_port()
        (path / "plugins").mkdir()
        for plugin in BUILD.glob("plugins/*/.libs/*.so"):
            (path / "plugins" / plugin.name).symlink_to(plugin)

    def sections(self):
        return {"server": {"plugins": "auth sender-rules", "plugin-directory": self.path / "plugins", "user": "root",
                           "hostname": "mail.example.net", "control": self.path / "run/control"},
                "listener one": {"addresses": "127.0.0.1", "ports": self.port},
                "spool": {"directory": self.path / "spool"},
                "directory": {"at": "sqlite:%s" % (self.path / "directory.db")},
                "store": {"at": "sqlite:%s" % (self.path / "store.db")},
                "log": {"to": self.path / "log", "refusals": self.path / "refusals"}}

    def check(self, changes, path=None):
        sections = self.sections()
        for title, options in changes.items():
            sections.setdefault(title, {}).update(options)
        config = path or self.config
        config.write_text("".join("[%s]\n%s\n" % (title, "".join("%s = %s\n" % (key, value) for key, value in options.items()
                                                                     if value is not None))
                                  for title, options in sections.items()))
        done = subprocess.run([BUILD / "core/daemon/posternd", "-t", "-c", config], capture_output=True, text=True, timeout=PATIENCE)
        assert not REPORTS.search(done.stderr), done.stderr
        return done

    def certificate(self, name="mail.example.net", days=30, stem="tls"):
        certificate, key = self.path / ("%s.pem" % stem), self.path / ("%s.key" % stem)
        request = self.path / "request.csr"
        subprocess.run(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key,
                        "-out", request, "-subj", "/CN=%s" % name, "-addext", "subjectAltName=DNS:%s" % name],
                       check=True, capture_output=True)
        subprocess.run(["openssl", "x509", "-req", "-in", request, "-signkey", key, "-days", str(days), "-copy_extensions", "copy",
                        "-out", certificate], check=True, capture_output=True)
        request.unlink()
        return {"certificate": certificate, "key": key}


@pytest.fixture
def place(tmp_path):
    os.chmod(tmp_path, 0o755)
    for parent in tmp_path.parents:   # of a user who is not root, too
        if os.access(parent, os.W_OK) and parent != parent.parent and not parent.stat().st_mode & stat.S_IXOTH:
            os.chmod(parent, parent.stat().st_mode | stat.S_IXOTH)
    return Place(tmp_path)


# ---- within the configuration ----

ROUTE = "smtp:[192.0.2.1]:25"
CASES = {
    # ---- words and values ----
    "unknown option": ({"server": {"hostnam": "x"}}, 'did you mean "hostname"?'),
    "unknown section": ({"sever": {"x": "y"}}, 'did you mean "server"?'),
    "unknown choice": ({"listener one": {"tls": "sometimes"}}, "tls"),
    "number beyond its range": ({"server": {"soft-errors": "-1"}}, "soft-errors"),
    "size of nothing": ({"server": {"max-message": "12 elephants"}}, "max-message"),
    "time range upside down": ({"delivery": {"retry": "4s .. 1s"}}, "retry"),
    "network of nothing": ({"server": {"etrn-clients": "10.0.0.0/99"}}, "etrn-clients"),
    "header prefix of two words": ({"server": {"header-prefix": "X Mail"}}, "X Mail"),
    "exempt recipient of no form": ({"server": {"exempt-recipients": "-x.example"}}, "is none of local@"),
    "templates that are no directory": ({"server": {"templates": "/nosuch"}}, "is not a directory"),
    "log of no kind": ({"log": {"to": "jounal"}}, "is none of stderr, journal"),
    "syslog facility of no kind": ({"log": {"to": "syslog:moon"}}, "no such syslog facility"),
    "secret in a file that is missing": ({"route x": {"to": "*", "next-hop": "smtp://me@relay.example.org", "tls": "verify",
                                                      "password": "@/nosuch"}}, "/nosuch"),
    # ---- plugins ----
    "plugin that does not exist": ({"server": {"plugins": "auth nosuch"}}, "nosuch"),
    "plugin listed twice": ({"server": {"plugins": "auth sender-rules auth"}}, "auth is listed twice"),
    "section of a plugin that is not listed": ({"plugin clamav": {"server": "unix:/x"}},
                                               "the plugin is installed, and not listed in [server] plugins"),
    "item of a plugin that is not listed": ({"plugin dnsbl/x": {"zone": "x.example"}},
                                            "the plugin is installed, and not listed in [server] plugins"),
    "section of a plugin that is not there": ({"plugin nosuch": {"x": "y"}}, "no such section"),
    "option of a plugin unknown": ({"plugin auth": {"nosuch": "y"}}, "no such option"),
    "plugin that would not start": ({"server": {"plugins": "auth senderverify"}}, "set probe-sender"),
    "plugin whose options contradict": ({"server": {"plugins": "auth standing"}, "plugin standing": {"address": "fbl@example.net"}},
                                        "address needs a secret"),
    "server of a scanner": ({"server": {"plugins": "auth clamav"}, "plugin clamav": {"server": "nowhere at all"}}, "clamav"),
    # ---- levels ----
    "level like none": ({"level a": {"like": "nosuch"}}, "there is no [level nosuch]"),
    "levels in a ring": ({"level a": {"like": "b"}, "level b": {"like": "a"}}, "in a ring: a, b, a"),
    "option of a level unknown": ({"level a": {"auth.nosuch": "1"}}, "no such option"),
    "level of a plugin that is not loaded": ({"level a": {"limits.messages": "5/1h"}}, "plugin limits is not loaded"),
    # ---- listeners ----
    "listener for nobody": ({"listener one": {"auth": "no"}}, "takes no mail from anybody"),
    "address of no form": ({"listener one": {"addresses": "nowhere"}}, "is not an IP address"),
    "port beyond its range": ({"listener one": {"ports": "70000"}}, "is not a port"),
    "port taken twice": ({"listener two": {"addresses": "127.0.0.1", "ports": "%(port)s"}}, "is also taken by [listener one]"),
    "address of another machine": ({"listener one": {"addresses": "192.0.2.1"}}, "192.0.2.1 is no address of this machine"),
    # ---- delivery ----
    "expire below retry": ({"delivery": {"expire": "1m", "retry": "5m .. 1h"}}, "expire is below retry"),
    "two routes for a domain": ({"route a": {"to": "x.example y.example", "next-hop": ROUTE},
                                 "route b": {"to": "Y.example", "next-hop": ROUTE}}, "has a way already, [route a]"),
    "two routes for all": ({"route a": {"to": "*", "next-hop": ROUTE}, "route b": {"to": "*", "next-hop": ROUTE}},
                           "has a way already"),
    "two routes for a mode": ({"route a": {"for-mode": "hosted hold", "next-hop": ROUTE},
                               "route b": {"for-mode": "hosted", "next-hop": ROUTE}}, "for-mode"),
    "route to nowhere": ({"route a": {"to": "*", "next-hop": "gopher://x"}}, "no next hop"),
    "route for no mail": ({"route a": {"next-hop": ROUTE}}, "which mail goes this way?"),
    "password without a user": ({"route a": {"to": "*", "next-hop": "smtp://relay.example.org", "password": "x"}}, "password"),
    "login in clear": ({"route a": {"to": "*", "next-hop": "smtp://me@relay.example.org", "password": "x"}}, "in clear"),
    "trust that is missing": ({"delivery": {"trust": "/nosuch"}}, "/nosuch"),
    # ---- the machine ----
    "user that does not exist": ({"server": {"user": "nosuch"}}, 'there is no user "nosuch"'),
    "group that does not exist": ({"server": {"control-group": "nosuch"}}, 'there is no group "nosuch"'),
    "log in no directory": ({"log": {"to": "%(path)s/nosuch/log"}}, "there is no directory"),
    "spool that is a file": ({"spool": {"directory": "%(path)s/postern.conf"}}, "is no directory"),
    "spool below a file": ({"spool": {"directory": "%(path)s/postern.conf/spool"}}, "cannot be made"),
    "certificate that is missing": ({"tls": {"certificate": "/nosuch.pem", "key": "/nosuch.key"}}, "/nosuch.pem"),
    "certificate for a name alone": ({"tls a.example": {"certificate": "%(path)s/tls.pem", "key": "%(path)s/tls.key"}}, "[tls]"),
    "store of no kind": ({"store": {"at": "mysql://x"}}, "names no store"),
    "directory that is no database": ({"directory": {"at": "sqlite:%(path)s/postern.conf"}}, "directory"),
    "resolver of no form": ({"dns": {"servers": "nowhere"}}, "nowhere"),
    "trust anchor that is missing": ({"dns": {"trust-anchor": "/nosuch"}}, "/nosuch"),
}


@pytest.mark.parametrize("name", CASES)
def test_mistake(place, name):
    changes, sentence = CASES[name]
    words = {"port": place.port, "path": place.path}
    place.certificate()
    changes = {title: {key: value % words for key, value in options.items()} for title, options in changes.items()}
    done = place.check(changes)
    assert done.returncode == 1 and sentence in done.stderr, done.stderr
    assert not (place.path / "spool").exists()
    started = subprocess.run([BUILD / "core/daemon/posternd", "-c", place.config], capture_output=True, text=True, timeout=PATIENCE)
    assert started.returncode == 1, started.stderr   # a mistake is what prevents a start


def test_nothing_is_wrong(place):
    """Nothing is said, made, or written, and what is there is used as it is."""
    place.certificate()
    for changes in ({}, {"tls": {"certificate": place.path / "tls.pem", "key": place.path / "tls.key"}},
                    {"listener one": {"addresses": "192.0.2.1", "freebind": "yes"}},
                    {"route a": {"for-mode": "hosted", "next-hop": ROUTE}, "route b": {"for-mode": "redirect", "next-hop": ROUTE}}):
        done = place.check(changes)
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert sorted(path.name for path in place.path.iterdir()) == ["plugins", "postern.conf", "tls.key", "tls.pem"]


# ---- what can be wrong without preventing a start ----

def test_warnings(place):
    expired, other = place.certificate(days=0, stem="old"), place.certificate("other.example", stem="other")
    warnings = {"is expired": {"tls": expired}, "is not good for mail.example.net": {"tls": other},
                "sender-rules comes before auth": {"server": {"plugins": "sender-rules auth"}},
                "Connection refused": {"store": {"at": "redis://127.0.0.1:%d/0" % free_port()}},
                "the secret is the one of the sample": {"server": {"plugins": "auth bcc-mirror"},
                                                        "plugin bcc-mirror": {"secret": "change-this-to-something",
                                                                               "bounce-domain": "bounces.example.net"}}}
    time.sleep(1.1)   # the validity of the first one ended as it was made
    for sentence, changes in warnings.items():
        done = place.check(changes)
        assert done.returncode == 0 and sentence in done.stderr, (sentence, done.stderr)
        assert done.stderr.startswith("warning: ")


def test_key_of_another_certificate(place):
    one, two = place.certificate(stem="one"), place.certificate(stem="two")
    done = place.check({"tls": {"certificate": one["certificate"], "key": two["key"]}})
    assert done.returncode == 1 and "two.key" in done.stderr, done.stderr


# ---- as the user that it will run as ----

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become another user")


@needs_root
@pytest.mark.parametrize("what", ["key", "spool", "log", "directory"])
def test_rights_of_the_user(place, what):
    """Root may read and write everything; the daemon's user may not."""
    tls = place.certificate()
    for name in ("spool", "refusals", "run"):
        (place.path / name).mkdir()
    (place.path / "log").touch()
    given = [place.path, *tls.values(), *(place.path / name for name in ("spool", "refusals", "run", "log"))]
    for path in given:
        os.chown(path, NOBODY.pw_uid, NOBODY.pw_gid)
    changes = {"server": {"user": "nobody"}, "tls": tls}
    done = place.check(changes)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    taken, sentence = {"key": (tls["key"], "tls.key"), "spool": (place.path / "spool", "cannot write to the directory"),
                       "log": (place.path / "log", "cannot write to"), "directory": (place.path, "cannot write to the directory")}[what]
    os.chown(taken, 0, 0)
    os.chmod(taken, 0o600 if taken.is_file() else 0o755)
    done = place.check(changes)
    assert done.returncode == 1 and sentence in done.stderr, done.stderr


# ---- beside a running daemon ----

def test_ports(make_postern, sink, tmp_path):
    """The ports of the daemon of this configuration are not in use; those of another program are."""
    postern = make_postern(sink=sink)
    check = [BUILD / "core/daemon/posternd", "-t", "-c"]
    done = subprocess.run([*check, postern.config], capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    other = tmp_path / "other.conf"
    other.write_text(postern.config.read_text().replace(str(postern.place / "control"), str(tmp_path / "control")))
    done = subprocess.run([*check, other], capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 1 and "port %d: another program has it" % postern.ports["submission"] in done.stderr, done.stderr
    with socket.create_server(("127.0.0.1", free_port())) as server:
        port = server.getsockname()[1]
        other.write_text(postern.config.read_text().replace(str(postern.ports["submission"]), str(port)))
        done = subprocess.run([*check, other], capture_output=True, text=True, timeout=PATIENCE)
        assert done.returncode == 1 and "port %d: another program has it" % port in done.stderr, done.stderr
    rows = postern.ctl("listeners", json=True)
    assert {int(row["port"]) for row in rows} == set(postern.ports.values())


def test_level_that_entries_have(make_postern, sink, tmp_path):
    """A level that went out of the configuration, and not out of the entries, is told of."""
    postern = make_postern({"level big": {}}, sink=sink)
    postern.ctl("customer", "set", "acme", "level=big")
    check = [BUILD / "core/daemon/posternd", "-t", "-c"]
    done = subprocess.run([*check, postern.config], capture_output=True, text=True, timeout=PATIENCE)
    assert "level" not in done.stderr
    other = tmp_path / "other.conf"
    other.write_text(postern.config.read_text().replace("[level big]", ""))
    for _ in range(2):   # the running daemon is asked, then the directory is looked into
        done = subprocess.run([*check, other], capture_output=True, text=True, timeout=PATIENCE)
        assert done.returncode == 0 and "there is no [level big], which customer acme has" in done.stderr, done.stderr
        postern.stop()


def test_level_that_vanished(make_postern, sink):
    """A customer whose level went out of the configuration is an alarm: after a reload, after a start, and until it has another."""
    postern = make_postern({"level big": {}, "level small": {}}, sink=sink)
    postern.ctl("customer", "set", "acme", "level=big")
    postern.reload({"level big": None})
    wait_until(lambda: "there is no [level big], which customer acme has" in postern.alarms().get("level.missing", ""), "the alarm")
    postern.restart()
    wait_until(lambda: "level.missing" in postern.alarms(), "the alarm after a start")
    postern.ctl("customer", "set", "acme", "level=small")
    wait_until(lambda: "level.missing" not in postern.alarms(), "the end of the alarm")
    postern.ctl("customer", "add", "other", "level=nosuch")
    wait_until(lambda: "customer other" in postern.alarms().get("level.missing", ""), "the alarm of the other")
    postern.reload({"level nosuch": {}})
    wait_until(lambda: "level.missing" not in postern.alarms(), "the end of that")


# ---- reload ----

def test_reload_says_what_it_did_not_apply(make_postern, sink):
    """An option that needs a restart is named, by each reload and as an alarm, until it is back or the daemon was started anew."""
    postern = make_postern(sink=sink)
    before = postern.config.read_text()
    section = "[spool]\n"
    assert section in before
    postern.config.write_text(before.replace(section, section + "large = 512K\n"))
    for _ in range(2):
        assert "not in force: [spool] large: a change needs a restart" in postern.ctl("reload")
    assert [row["alarm"] for row in postern.ctl("alarms", json=True)] == ["config.restart"]
    postern.config.write_text(before)
    assert "not in force" not in postern.ctl("reload")
    assert postern.ctl("alarms", json=True) == []


def test_reload_finds_the_same_mistakes(make_postern, sink):
    postern = make_postern(sink=sink)
    text = postern.config.read_text()
    for mistake, sentence in (("[listener x]\nports = %d\nauth = no\n" % free_port(), "takes no mail from anybody"),
                              ("[level a]\nlike = a\n", "in a ring"),
                              ("[plugin clamav]\naction = tag\n", "not listed in [server] plugins"),
                              ("[listener x]\naddresses = 192.0.2.1\nports = %d\n" % free_port(), "192.0.2.1")):
        postern.config.write_text(text + mistake)
        with pytest.raises(Exception, match=sentence.replace("[", r"\[")):
            postern.ctl("reload")
    postern.config.write_text(text)
    postern.ctl("reload")
