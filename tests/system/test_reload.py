"""What a reload puts into force, what it reports, and that it leaves nothing behind."""
import re
import signal
import subprocess
from pathlib import Path

import pytest

from postern import BUILD, LOGIN, SOURCE, Dialog, free_port, make_certificate, wait_until

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
    """Y-23: After five hundred reloads no tables of options of earlier configurations remain."""
    postern = make_postern({"server": {"plugins": PLUGINS}})
    early = 0
    for i in range(LATE):
        assert "reloaded:" in postern.reload({"server": {"banner-name": "Name%d" % i}})
        if i == EARLY:
            early = memory_kib(postern)
    growth = memory_kib(postern) - early
    print("memory: %d KiB after %d reloads, %d KiB more after %d" % (early, EARLY, growth, LATE))
    assert is_sanitized() or growth < MOST_GROWTH_KIB


RELOADER = BUILD / "tests/plugins/.libs/reloader.so"


@pytest.fixture
def with_reloader(make_postern, sink, tmp_path):
    """A daemon with the plugin of tests/plugins/reloader.c, which is of an older minor version of the API."""
    def make(options=None):
        folder = tmp_path / "plugins"
        folder.mkdir()
        for plugin in list(BUILD.glob("plugins/*/.libs/*.so")) + [RELOADER]:
            (folder / plugin.name).symlink_to(plugin)
        return make_postern({"server": {"plugins": "auth reloader", "plugin-directory": folder}, **(options or {})},
                            sink=sink)
    return make


def starts(postern):
    return int(postern.ctl("reloader", "show", json=True)[0]["starts"])


def test_older_plugin_goes_on(with_reloader):
    """Y-24: A plugin of an older minor version starts again when its options change, and then alone."""
    postern = with_reloader()
    assert starts(postern) == 1
    for i in range(3):
        answer = postern.reload({"server": {"banner-name": "Name%d" % i}})
        assert "[server]" in answer and "restarted" not in answer
    assert starts(postern) == 1
    assert "plugin reloader restarted" in postern.reload({"plugin reloader": {"word": "other"}})
    assert starts(postern) == 2


def test_level_restarts_plugins(with_reloader):
    """Y-24: Levels are options of all plugins, which start again, and the answer says so."""
    postern = with_reloader()
    answer = postern.reload({"level some": {"like": "some-other"}, "level some-other": {}})
    assert "[level]" in answer and "plugin auth restarted" in answer and "plugin reloader restarted" in answer
    assert starts(postern) == 2


def test_plugins_use_the_new_name(with_reloader, sink):
    """Y-24: Plugins greet other servers by the name in force, without a restart of the plugins."""
    postern = with_reloader()
    for options, name in (({}, "mail.example.net"), ({"delivery": {"helo": "out.example.net"}}, "out.example.net"),
                          ({"delivery": {"helo": None}, "server": {"hostname": "new.example.net"}}, "new.example.net")):
        if options:
            assert "restarted" not in postern.reload(options)
        assert postern.ctl("reloader", "greet", sink.port, json=True)[0]["code"] in (250, "250")
        assert sink.commands[-1] == ("EHLO", name)


def test_plugins_see_new_settings(with_reloader):
    """Y-24: Facts of [server] that plugins read are those in force, without a restart of the plugins."""
    postern = with_reloader()
    assert "restarted" not in postern.reload({"server": {"header-prefix": "X-Other", "monitors": "192.0.2.0/24"}})
    row = postern.ctl("reloader", "show", json=True)[0]
    assert (row["prefix"], row["monitors"]) == ("X-Other", "192.0.2.0/24")


def test_a_number_waits_for_the_restart(with_reloader):
    """Y-24: Until then plugins, too, see the number that the node has."""
    postern = with_reloader()
    assert "not in force: [server] node: a change needs a restart" in postern.reload({"server": {"node": "7"}})
    assert int(postern.ctl("reloader", "show", json=True)[0]["node"]) == 0
    postern.restart()
    assert int(postern.ctl("reloader", "show", json=True)[0]["node"]) == 7


def test_origins_name_the_new_lines(with_reloader):
    """Y-24: An option that did not change is shown with the line where it stands now."""
    postern = with_reloader({"plugin reloader": {"word": "some"}})
    before = postern.options("account", LOGIN)["reloader.word"]
    postern.config.write_text("# one more line\n" + postern.config.read_text())
    assert "nothing changed" in postern.ctl("reload")
    after = postern.options("account", LOGIN)["reloader.word"]
    assert before[0] == after[0] == "some"
    assert int(after[1].rsplit(":", 1)[1]) == int(before[1].rsplit(":", 1)[1]) + 1


# ---- every option ----

MANUAL = SOURCE / "doc/postern.conf.5.md"
# Values of types that have no order; what is not here is another number, size, time or word of the option's own.
WORDS = {
    ("server", "hostname"): "other.example.net", ("server", "postmaster"): "other@example.net",
    ("server", "templates"): "%(place)s/texts", ("server", "exempt-recipients"): "abuse@", ("server", "user"): "daemon",
    ("server", "plugins"): "sender-rules auth", ("server", "plugin-directory"): "%(place)s/more-plugins",
    ("server", "control"): "%(place)s/control-2", ("server", "control-group"): "daemon", ("server", "support-group"): "daemon",
    ("server", "header-prefix"): "X-Other", ("server", "ehlo-without"): "DSN", ("listener", "ports"): "%(port)d",
    ("spool", "directory"): "%(place)s/spool-2", ("directory", "at"): "sqlite:%(place)s/directory-2.db",
    ("store", "at"): "sqlite:%(place)s/store-2.db", ("directory", "trust"): "%(place)s/one.pem",
    ("store", "trust"): "%(place)s/one.pem", ("dns", "servers"): "127.0.0.1@%(port)d", ("dns", "trust-anchor"): "%(place)s/one.pem",
    ("dns", "stub-zones"): "example.org=127.0.0.1@%(port)d", ("log", "to"): "%(place)s/log-2", ("log", "format"): "text",
    ("log", "refusals"): "%(place)s/refusals-2", ("delivery", "helo"): "out.example.net", ("delivery", "spf-record"): "spf.example.net",
    ("delivery", "trust"): "%(place)s/one.pem", ("delivery", "retry"): "400s .. 4000s", ("route", "to"): "example.org",
    ("route", "for-mode"): "redirect", ("route", "next-hop"): "smtp:[127.0.0.1]:%(port)d", ("route", "certificate"): "%(place)s/one.pem",
    ("route", "key"): "%(place)s/one.key", ("tls", "certificate"): "%(place)s/two.pem", ("tls", "key"): "%(place)s/two.key",
    ("level", "like"): "other",
}
# Those that would be a mistake beside the others here.
NOT_HERE = {("route", "password"), ("log", "format")}


def manual_options():
    """Of each section: {option: (type, whether it needs a restart)}."""
    options, section = {}, None
    text = MANUAL.read_text()
    for match in re.finditer(r"^## \[(\w+)(?: NAME)?\]$|^\*\*([a-z0-9-]+)\*\* \((.*)\)\n:   (.*)$", text, re.M):
        if match[1]:
            section = options.setdefault(match[1], {})
        elif section is not None:
            section[match[2]] = re.sub("; (?:default|required|not set).*", "", match[3]), "at the next start" in match[4]
    return options


def another_value(section, name, kind, value, facts):
    """Valid, and not `value`."""
    if (section, name) in WORDS:
        return WORDS[section, name] % facts
    if kind == "yes or no":
        return "no" if value == "yes" else "yes"
    if kind.startswith("number"):
        least, most = map(int, re.search(r"(\d+) to (\d+)", kind).groups())
        return str(int(value) + 1 if int(value) < most else least)
    if kind.startswith(("time", "size")):
        unit = re.search(r"[a-zA-Z]*$", value)[0]
        return "%d%s" % (int(value[:len(value) - len(unit)]) + 1, unit)
    if "network" in kind:
        return "192.0.2.0/24"
    if name.endswith("addresses"):
        return "127.0.0.1 127.0.0.3"
    if " or " in kind and "address" not in kind:
        return next(word for word in re.split(", | or ", kind) if word != value)
    return "other"


def printed(config):
    """What --print-config says: {section: {option: value}}, of what is set or preset."""
    done = subprocess.run([BUILD / "core/daemon/posternd", "-c", config, "--print-config"], capture_output=True, check=True)
    sections = {}
    for line in done.stdout.decode().splitlines():
        if line.startswith("["):
            section = sections.setdefault(line[1:-1], {})
        elif " = " in line:
            name, value = line.split(" = ", 1)
            section[name] = value.removesuffix(" # preset").strip('"')
    return sections


def test_every_option(make_postern, tmp_path):
    """Y-24: With every option of the core changed the answer names each that waits for a restart, and no other."""
    one, two = make_certificate(tmp_path, "one"), make_certificate(tmp_path, "two")
    postern = make_postern({"tls": {"certificate": one[0], "key": one[1]}, "level some": {}, "level other": {}})
    (tmp_path / "texts").mkdir()
    (tmp_path / "more-plugins").mkdir()
    for plugin in BUILD.glob("plugins/*/.libs/*.so"):
        (tmp_path / "more-plugins" / plugin.name).symlink_to(plugin)
    facts = {"place": tmp_path, "port": free_port()}
    titles = {"listener": "listener submission", "route": "route all", "level": "level some"}
    before, waiting, changes = printed(postern.config), set(), {}
    for section, options in manual_options().items():
        title = titles.get(section, section)
        for name, (kind, needs_restart) in options.items():
            if (section, name) in NOT_HERE:
                continue
            value = before.get(title, {}).get(name, "")
            changes.setdefault(title, {})[name] = other = another_value(section, name, kind, value, facts)
            assert other != value, "[%s] %s = %s" % (section, name, value)
            if needs_restart:
                waiting.add("[%s] %s" % (section, name))
    postern.change(changes)
    postern.process.send_signal(signal.SIGHUP)
    log = tmp_path / "log-2"
    said = wait_until(lambda: log.exists() and re.search(r'reloaded text="(.*)"', log.read_text()) or
                      postern.log().count("not reloaded"), "the end of the reload")
    assert not isinstance(said, int), re.findall("not reloaded.*", postern.log())
    named, not_in_force = said[1].split("; not in force: ")
    assert set(not_in_force.removesuffix(": a change needs a restart").split(", ")) == waiting
    assert not [section for section, options in manual_options().items() if options and "[%s]" % section not in named]
    with Dialog(facts["port"]) as dialog:
        assert dialog.greeting.raw == ["220 other.example.net ESMTP other"]
        hello = dialog.hello()
        assert "SIZE %d" % (201 << 20) in hello and "DSN" not in hello
    postern.stop()


def test_every_plugin(make_postern):
    """Y-24: A plugin starts with its new options at once."""
    postern = make_postern({"server": {"plugins": PLUGINS}})
    for options in ({}, {"deadline": "11s"}):
        answer = postern.reload({"plugin " + name: options for name in PLUGINS.split()})
        assert re.findall(r"plugin (\S+) restarted", answer) == (PLUGINS.split() if options else [])
        assert "not in force" not in answer


def test_kept_connections_end(make_postern, sink):
    """Y-24: Mail that comes after a reload does not go over a connection that was opened by the settings before it."""
    postern = make_postern(sink=sink)
    names = lambda: [argument for verb, argument in list(sink.commands) if verb == "EHLO"]
    with postern.session() as dialog:
        dialog.mail()
        dialog.mail()
    sink.wait(2)
    before = len(names())
    assert set(names()) == {"mail.example.net"}
    postern.reload({"delivery": {"helo": "out.example.net"}})
    postern.send()
    sink.wait(3)
    assert names()[before:] == ["out.example.net"]
