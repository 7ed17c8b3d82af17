"""Every command of the daemon, for test_audit.py and test_roles.py: how it is given, and what it needs.

LOOK: support may; SECRET: operators, no record; ENTRY: operators, records of entries; CHANGE: operators, a record of the
command; OWNER: root and the daemon's user alone, a record.  {id} is a message of the queue, {lost} a directory without a spool."""
import re

from booted_commands import verbs
from postern import SOURCE

LOOK, SECRET, ENTRY, CHANGE, OWNER = "look", "secret", "entry", "change", "owner"

# In this order; "stop" is last.
COMMANDS = {
    "help": (LOOK, "help"), "status": (LOOK, "status"), "alarms": (LOOK, "alarms"), "plugins": (LOOK, "plugins"),
    "hooks": (LOOK, "hooks"), "metrics": (LOOK, "metrics"), "listeners": (LOOK, "listeners"),
    "clients": (LOOK, "clients 127.0.0.1"), "doctor": (LOOK, "doctor"), "why": (LOOK, "why user@example.net"),
    "audit": (LOOK, "audit limit=5"), "explain": (LOOK, "explain --client 192.0.2.1 --from a@example.net --to b@example.org"),
    "usage": (LOOK, "usage user@example.net"), "complaint list": (LOOK, "complaint list user@example.net"),
    "complaint add": (CHANGE, "complaint add user@example.net"),
    "customer": (LOOK, "customer"), "customer list": (LOOK, "customer list"), "customer show": (LOOK, "customer show acme"),
    "customer add": (ENTRY, "customer add other primary=it@other.example"),
    "customer set": (ENTRY, "customer set other primary=noc@other.example"),
    "customer disable": (ENTRY, "customer disable other"), "customer enable": (ENTRY, "customer enable other"),
    "customer remove": (ENTRY, "customer remove other"),
    "domain": (LOOK, "domain"), "domain list": (LOOK, "domain list"), "domain show": (LOOK, "domain show example.net"),
    "domain add": (ENTRY, "domain add gone.example customer=acme mode=hold"),
    "domain set": (ENTRY, "domain set gone.example valid-recipients=yes"),
    "recipient": (LOOK, "recipient"), "recipient add": (ENTRY, "recipient add info@gone.example"),
    "recipient list": (LOOK, "recipient list gone.example"), "recipient show": (LOOK, "recipient show info@gone.example"),
    "recipient remove": (ENTRY, "recipient remove info@gone.example"),
    "iphelper add": (CHANGE, "iphelper add gone.example host=mx.example.org port=2525"),
    "iphelper set": (CHANGE, "iphelper set gone.example port=2526"), "iphelper list": (LOOK, "iphelper list"),
    "iphelper show": (LOOK, "iphelper show gone.example"), "iphelper check": (CHANGE, "iphelper check gone.example"),
    "iphelper remove": (CHANGE, "iphelper remove gone.example"),
    "domain remove": (ENTRY, "domain remove gone.example"),
    "account": (LOOK, "account"), "account list": (LOOK, "account list"), "account show": (LOOK, "account show user@example.net"),
    "account add": (ENTRY, "account add new@example.net --password-file -"),
    "account passwd": (ENTRY, "account passwd new@example.net --password-file -"),
    "account set": (ENTRY, "account set new@example.net on-refusal=reject"),
    "account disable": (ENTRY, "account disable new@example.net reason=test"),
    "account enable": (ENTRY, "account enable new@example.net"), "account remove": (ENTRY, "account remove new@example.net"),
    "backup": (OWNER, "backup {backup}"), "export": (SECRET, "export"), "import": (ENTRY, "import {import}"),
    "block list": (LOOK, "block list"), "block show": (LOOK, "block show 198.51.100.7"),
    "block add": (CHANGE, "block add 198.51.100.0/24 for=1h reason=test"), "block lift": (CHANGE, "block lift 198.51.100.0/24"),
    "queue": (LOOK, "queue"), "queue list": (LOOK, "queue list"), "queue show": (LOOK, "queue show {id}"),
    "queue cat": (SECRET, "queue cat {id}"), "queue hold": (CHANGE, "queue hold {id}"),
    "queue release": (CHANGE, "queue release {id}"), "queue retry": (CHANGE, "queue retry account=user@example.net --yes"),
    "queue bounce": (CHANGE, "queue bounce sender=nobody@example.net --yes"), "queue remove": (CHANGE, "queue remove {id}"),
    "spool": (LOOK, "spool"), "spool adopt": (CHANGE, "spool adopt {lost}"),
    "limits usage": (LOOK, "limits usage acme"), "standing show": (LOOK, "standing show user@example.net"),
    "standing list": (LOOK, "standing list user@example.net"), "standing add": (CHANGE, "standing add user@example.net"),
    "blocking show": (LOOK, "blocking show 192.0.2.1"), "blocking forget": (CHANGE, "blocking forget 192.0.2.1"),
    "bcc-mirror show": (LOOK, "bcc-mirror show user@example.net"),
    "reload": (CHANGE, "reload"), "stop": (CHANGE, "stop"),
}
# Of plugins that need servers to be loaded: by their tables alone.
PLUGIN_VERBS = {
    "clamav doctor": LOOK, "clamav check": LOOK, "dnsbl doctor": LOOK, "dnsbl lists": LOOK, "dnsbl check": LOOK,
    "senderverify show": LOOK, "senderverify forget": CHANGE, "senderverify probe": CHANGE,
    "uribl doctor": LOOK, "uribl lists": LOOK, "uribl check": LOOK,
}
PLUGINS = "auth sender-rules blocking iphelper limits standing bcc-mirror"


def known_commands(postern):
    """ "queue hold", "status", "iphelper add", …: by what the daemon says that it has."""
    found = {"help"}
    for row in postern.ctl("help", json=True):
        arguments = row["arguments"] or ""
        mine = verbs(arguments)
        found.update("%s %s" % (row["command"], verb) for verb in mine)
        if not mine or arguments.startswith("["):
            found.add(row["command"])
    for plugin in PLUGINS.split():
        found.update(re.findall(r"^  (%s [a-z-]+) " % plugin, postern.ask(plugin).stderr.decode(), re.M))
    return found


def declared_verbs():
    """{"dnsbl lists": LOOK, …} of all plugins of the tree, by their tables of commands."""
    found = {}
    for path in SOURCE.glob("plugins/*/*.c"):
        table = re.search(r"^static const PtnCommand commands\[\] = \{(.*?)\{ 0 \}", path.read_text(), re.M | re.S)
        if table is None or path.name.startswith("test-"):
            continue
        for verb, rest in re.findall(r'\{ "([a-z-]+)",((?:[^{}"]|"[^"]*")*)\}', table[1]):
            found["%s %s" % (path.parent.name, verb)] = LOOK if ".reads_only = true" in rest else CHANGE
    return found
