"""Every command of posternctl and every example of the manuals, under the shipped unit; see booted_world.py."""
import re

import pytest

from booted_commands import daemon_commands, examples, local_commands, plugin_commands
from postern import PASSWORD, SOURCE, wait_until

pytestmark = pytest.mark.usefixtures("unharmed")

# The command line of each command: {held} is the id of a held message, {mail} a file on the machine, {segment} a number
# of that spool.  Digits in front are the exit statuses that it may end with, where 0 is not all of them.
COMMANDS = {
    "status": "status", "alarms": "01 alarms", "plugins": "plugins", "hooks": "hooks", "metrics": "metrics",
    "reload": "reload", "listeners": "listeners", "clients": "clients 127.0.0.1", "doctor": "01 doctor", "export": "export",
    "import": "import --dry-run /tmp/import.txt", "why": "why boss@acme.example",
    "audit": "audit limit=5",
    "explain": "explain --client 9.9.9.25 --from someone@example.org --to user@acme.example --listener inbound {mail}",
    "customer add": "customer add other primary=it@other.example", "customer set": "customer set other outbound=yes",
    "customer show": "customer show other", "customer list": "customer list",
    "customer disable": "customer disable other reason=test --hold", "customer enable": "customer enable other",
    "customer remove": "customer remove other",
    "domain add": "domain add gone.example customer=acme mode=outbound-only",
    "domain set": "domain set gone.example mode=hold", "domain show": "domain show gone.example",
    "domain list": "domain list", "domain remove": "domain remove gone.example",
    "account add": "account add boss@acme.example --password-file -",
    "account passwd": "account passwd boss@acme.example --password-file -",
    "account set": "account set boss@acme.example on-refusal=reject", "account show": "account show boss@acme.example",
    "account list": "account list", "account disable": "account disable boss@acme.example reason=test --hold",
    "account enable": "account enable boss@acme.example", "account remove": "account remove boss@acme.example",
    "recipient add": "recipient add info@acme.example", "recipient show": "recipient show info@acme.example",
    "recipient list": "recipient list acme.example", "recipient remove": "recipient remove info@acme.example",
    "usage": "usage acme", "complaint add": "complaint add user@acme.example", "complaint list": "complaint list user@acme.example",
    "block add": "block add 198.51.100.0/24 for=1h reason=test", "block list": "block list",
    "block show": "block show 198.51.100.7", "block lift": "block lift 198.51.100.0/24",
    "queue": "queue", "queue list": "queue list state=held", "queue show": "queue show {held}", "queue cat": "queue cat {held}",
    "queue hold": "queue hold {held} reason=test", "queue retry": "queue retry state=held --yes",
    "queue release": "queue release {held}", "queue bounce": "queue bounce {held}",
    "queue remove": "queue remove 'sender=*@spam.example' --yes",
    "spool": "spool", "spool check": "spool check /srv/postern/lost",
    "spool set-aside": "spool set-aside {segment} /srv/postern/lost", "spool adopt": "spool adopt /srv/postern/lost",
    "store copy": "store copy sqlite:/srv/postern/lost.db sqlite:/srv/postern/copy.db",
    "store init": "store init",
    "backup": "backup /root/backup", "restore": "restore --dry-run /root/backup", "completion": "completion bash",
    "blocking show": "blocking show 198.51.100.7", "blocking forget": "blocking forget 198.51.100.7",
    "dnsbl doctor": "dnsbl doctor", "dnsbl lists": "dnsbl lists", "dnsbl check": "dnsbl check 9.9.9.25",
    "uribl doctor": "uribl doctor", "uribl lists": "uribl lists", "uribl check": "uribl check shop.example",
    "senderverify probe": "senderverify probe someone@example.org",
    "senderverify show": "senderverify show someone@example.org",
    "senderverify forget": "senderverify forget someone@example.org",
    "clamav doctor": "clamav doctor", "clamav check": "clamav check",
    "bcc-mirror show": "bcc-mirror show user@acme.example", "limits usage": "limits usage user@acme.example",
    "iphelper add": "iphelper add held.example host=mx.example.org port=2525", "iphelper list": "iphelper list",
    "iphelper set": "iphelper set held.example port=2526", "iphelper show": "iphelper show held.example",
    "iphelper check": "iphelper check held.example", "iphelper remove": "iphelper remove held.example",
    "standing show": "standing show user@acme.example", "standing add": "standing add user@acme.example",
    "standing list": "standing list user@acme.example",
    "stop": "stop",
}
SILENT = ("stop", "bcc-mirror show")  # with nothing to say
# What the examples of the manuals are about, and is not there yet.
EXAMPLES_NEED = """
[domain held.example]
customer = acme
mode     = hold
[domain example.net]
customer = acme
mode     = outbound-only
[domain example.com]
customer = acme
mode     = hold
[account user@example.net]
password = *
[account example.net]
type     = server
password = *
[account acme.example]
type     = server
password = *
"""
LOST = """[server]
node    = 7
control = /tmp/lost.control
[listener one]
ports   = 5870
[spool]
directory = /srv/postern/lost
[directory]
at = sqlite:/srv/postern/lost.db
[store]
at = memory:
[log]
to       = stderr
refusals = /srv/postern/lost.refusals
"""


@pytest.fixture(scope="module")
def plugins(world):
    """All plugins run, configured as in etc/examples/outbound-service.conf; their names."""
    machine = world.machine
    example = (SOURCE / "etc/examples/outbound-service.conf").read_text()
    names = re.search(r"^plugins\s*= (.*(?:\n .*)*)", example, re.M)[1].split()
    before = machine.read("/etc/postern/postern.conf")
    sections = example[example.index("[level personal]"):].replace("change-this-to-24-random-characters", "a" * 32)
    machine.put("/etc/postern/conf.d/plugins.conf", sections)
    machine.put("/etc/postern/postern.conf", re.sub(r"(?m)^plugins .*", "plugins = " + " ".join(names), before))
    machine.run("posternd -t && systemctl reload postern")
    machine.run("posternctl import -", input=EXAMPLES_NEED)
    yield names
    machine.put("/etc/postern/postern.conf", before)
    machine.run("rm /etc/postern/conf.d/plugins.conf && systemctl restart postern")


@pytest.fixture
def lost_node(world):
    """A spool and a directory that another daemon left behind."""
    machine = world.machine
    machine.put("/tmp/lost.conf", LOST)
    machine.run("posternd -c /tmp/lost.conf 2>/tmp/lost.log & for i in $(seq 200); do posternctl -c /tmp/lost.conf status "
                "&& break; sleep 0.1; done; posternctl -c /tmp/lost.conf stop; wait", user="postern")
    machine.put("/tmp/import.txt", EXAMPLES_NEED)
    yield machine
    machine.run("rm -rf /srv/postern/lost* /srv/postern/copy.db")


def test_every_command(world, plugins, lost_node):
    """Y-01 each command that posternctl, the daemon and the plugins have is carried out, and the daemon lives on."""
    machine = world.machine
    assert set(COMMANDS) == daemon_commands(machine) | local_commands(machine) | plugin_commands(machine, plugins)
    segment = int(machine.run("ls /srv/postern/lost/log | head -1").out)
    known = {"held": world.receive("x@held.example"), "mail": "/tmp/second.eml", "segment": segment}
    world.receive("x@held.example", "y@spam.example")
    pid, failures = machine.show("postern", "MainPID"), []
    for name, line in COMMANDS.items():
        codes, words = re.match(r"(?:(\d+) )?(.*)", line).groups()
        done = machine.run("posternctl " + words.format(**known), code=None, input=PASSWORD)
        if str(done.code) not in (codes or "0") or not (done.out or name in SILENT):
            failures.append("%s: %r" % (name, done))
        if name != "stop" and machine.show("postern", "MainPID") != pid:
            failures.append("%s ended the daemon" % name)
            break
    try:
        assert not failures, "\n".join(failures)
        wait_until(lambda: machine.show("postern", "ActiveState") == "inactive", "the end of the daemon")
    finally:
        machine.run("systemctl start postern")


def test_every_example(world, plugins, same_process):
    """Y-01 each example of the manuals that is a command of ours works as it stands."""
    machine, failures = world.machine, []
    page = (SOURCE / "doc/install.md").read_text()
    for file, line in examples():
        if file.name == "README.md":  # the short form of a page that was carried out
            failures += ["%s: %s is not in doc/install.md" % (file, part) for part in line.split(" && ") if part not in page]
            continue
        done = machine.run(line, code=None)
        if done.code != 0:
            failures.append("%s: %r" % (file, done))
    machine.run("posternctl account enable user@acme.example")
    machine.run("posternctl account set user@acme.example ipfilter.ipv4= ipfilter.ipv6=")
    assert not failures, "\n".join(failures)


def test_configurations_of_examples(world):
    """posternd -t under the booted system finds no mistake in the samples that are installed."""
    machine = world.machine
    machine.run("posternd -t -c /usr/share/doc/postern/examples/outbound-service.conf")
    machine.run("mkdir -p /tmp/sample && cp /etc/postern/postern.conf.new /tmp/sample/postern.conf")
    machine.run("posternd -t -c /tmp/sample/postern.conf")
