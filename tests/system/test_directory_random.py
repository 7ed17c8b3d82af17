"""Random directories: what is exported makes the same directory again, in any order, and random edits of lists do what a simple
model says.

DIRECTORY_SEED=N begins with the round of that seed, which each failure names; DIRECTORY_ROUNDS=N runs so many (2 where it is not set)."""
import os
import random
import re

import pytest

from postern import PASSWORD, ControlError
from test_redis import redis  # noqa: F401 (a fixture)

ROUNDS = int(os.environ.get("DIRECTORY_ROUNDS", "2"))
SEED = int(os.environ.get("DIRECTORY_SEED", "0")) or random.randrange(1, 10 ** 6)
PLUGINS = {"server": {"plugins": "auth sender-rules ipfilter limits standing bcc-mirror iphelper"},
           "plugin bcc-mirror": {"bounce-domain": "bounce.example.net", "secret": "x" * 40, "most-copies": "6"}}
MODES = ["redirect", "hold", "secondary", "hosted", "forward", "forward-mailbox", "outbound-only"]
TRUTHS = ["yes", "no", "1", "0", "TRUE", "off", "On", "false"]
REASONS = ['"quoted" and #1 # 2', "late \\ backslash", "ends with #", "= equals = and [brackets]", "über die Maßen 日本", ";semicolon; 'single'",
           "  blanks inside   ", '""', "\\\"", "x" * 200, "%s %d %%", "[account x@y.example]"]
LOCALS = ["joe", "J.Doe", "a+b", "o'neil", "x_y-z", "{brace}", "100%", "!#$&*", "UPPER", "a" * 60, "=eq", "#hash", "q?", "`tick`", "~t|p^"]
HOSTS = ["bücher", "XN--BCHER-KVA", "straße", "日本", "UPPER", "a-b", "1", "sub.deep", "ελλάδα", "x" * 60]
PER_TIMES = ["100/1h", "100/60m", "5000/1d", "5000/24h", "7/30s", "1000/7d", "3/1h", "250/12h"]


class Story:
    """A directory under way, in a daemon; `random` decides everything."""

    def __init__(self, postern, seed):
        self.postern, self.random = postern, random.Random(seed)
        self.customers, self.domains, self.accounts, self.recipients = [], {}, [], []

    def any(self, values):
        return self.random.choice(list(values))

    def some(self, values, most=3):
        return self.random.sample(list(values), self.random.randint(0, min(most, len(values))))

    def odd_case(self, text):
        return "".join(self.any((c.lower(), c.upper())) if c.isascii() else c for c in text) if self.random.random() < 0.3 else text

    def mailbox(self):
        return "%s@%s.example" % (self.any(LOCALS), self.any(["one", "TWO", "bücher"]))

    def ctl(self, *words):
        return self.postern.ctl(*words)

    # -- entries --

    def add_customer(self):
        name = self.any(["acme", "Bell", "c-", "x_y.z", "1st"]) + str(len(self.customers))
        self.ctl("customer", "add", name, *self.some(
            ["primary=" + self.mailbox(), "alert=" + self.mailbox(), "postmaster=" + self.mailbox(), "outbound=" + self.any(TRUTHS),
             "limits.messages=" + " ".join(self.some(PER_TIMES)), "limits.at-limit=" + self.any(["refuse", "defer", "hold"]),
             "bcc-mirror.keep-bcc=" + self.any(TRUTHS)], 7))
        self.customers.append(name)

    def domain_options(self, name, customer, mode):
        hosted = [other for other, (owner, how) in self.domains.items() if how == "hosted" and owner == customer and other != name]
        if mode == "forward-mailbox" and not hosted:
            mode = "forward"
        options = ["mode=" + mode]
        if mode == "redirect" or self.random.random() < 0.3:
            options.append("destination=" + self.any(["192.0.2.1:2525", "mx.shop.example", "[2001:db8::1]:26", "2001:DB8::2", "Bücher.example:25"]))
        if mode == "forward-mailbox":
            options.append("forward-to=%s@%s" % (self.any(LOCALS), self.any(hosted)))
        elif mode == "forward" or self.random.random() < 0.2:
            options.append("forward-to=" + self.mailbox())
        options += self.some(["valid-recipients=" + self.any(TRUTHS), "on-missing-host=" + self.any(["defer", "bounce", "hold"])])
        return mode, options

    def add_domain(self):
        name = "%s%d.example" % (self.any(HOSTS).lower().replace("xn--bcher-kva", "bücher"), len(self.domains))
        customer, mode = self.any(self.customers), self.any(MODES)
        mode, options = self.domain_options(name, customer, mode)
        self.ctl("domain", "add", self.odd_case(name), "customer=" + self.odd_case(customer), *options)
        self.domains[name] = (customer, mode)

    def add_account(self, password):
        domain = self.any(self.domains)
        login = self.any(["%s%d@%s" % (self.any(LOCALS[:6]), len(self.accounts), domain), "@" + domain, domain])
        if login in self.accounts:
            return
        self.postern.add_account(login, password, *(["type=server"] if login == domain else []))
        self.accounts.append(login)
        for option in self.some(["reason=" + self.any(REASONS), "enabled=" + self.any(TRUTHS), "bcc-mirror.bcc=" + " ".join("%s@one.example" % local for local in self.some(LOCALS)),
                                 "limits.messages=" + " ".join(self.some(PER_TIMES, 4)), "standing.hold=" + self.any(REASONS),
                                 *(["sender-rules.identities=" + self.any(TRUTHS)] if "@" in login[1:] else []), "ipfilter.ipv4=192.0.2.0/24", "ipfilter.ipv6=2001:DB8::/32",
                                 "clear-received=" + self.any(TRUTHS)], 6):
            self.ctl("account", "set", login, option)

    def add_recipient(self):
        address = "%s%d@%s" % (self.any(LOCALS), len(self.recipients), self.any(self.domains))
        self.ctl("recipient", "add", address)
        self.recipients.append(address)

    # -- changes of entries that are there --

    def change_domain(self):
        """To another customer, or another mode, as far as others allow it."""
        name = self.any(self.domains)
        customer, mode = self.any(self.customers), self.any(MODES)
        mode, options = self.domain_options(name, customer, mode)
        try:
            self.ctl("domain", "set", name, "customer=" + customer, *options)
            self.domains[name] = (customer, mode)
        except ControlError as error:  # mail of others goes into its mailboxes
            assert re.search("hosted|customer|forward", str(error)), error

    def fill(self, password):
        for _ in range(self.random.randint(1, 3)):
            self.add_customer()
        for _ in range(self.random.randint(2, 7)):
            self.add_domain()
        for _ in range(self.random.randint(1, 6)):
            self.add_account(password)
        for _ in range(self.random.randint(0, 5)):
            self.add_recipient()
        for _ in range(self.random.randint(0, 3)):
            self.change_domain()


def sections(text):
    return re.findall(r"^\[.*?(?=^\[|\Z)", text, re.M | re.S)


def check_export(story, empty):
    """The export makes the same directory, whatever the order of its sections, and again changes nothing."""
    text = story.ctl("export")
    parts = sections(text)
    assert "".join(parts) == text[text.index("["):]
    story.random.shuffle(parts)
    path = empty.place / "random.ini"
    path.write_text("".join(parts))
    assert empty.ctl("export") == ""
    assert "%d added, 0 changed" % len(parts) in empty.ctl("import", path)
    assert empty.ctl("export") == text
    assert "%d were so already" % len(parts) in empty.ctl("import", path)
    assert empty.ctl("export") == text


# ---- lists ----

def per_time(word):
    number, _, time = word.partition("/")
    return int(number), int(time[:-1]) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[time[-1]]


class Model:
    """Lists of an account: what they inherit, and their own."""

    def __init__(self, story, login):
        self.story, self.login = story, login
        self.kinds = {"bcc-mirror.bcc": (str.lower, lambda: "%s@one.example" % story.odd_case(story.any(LOCALS)), 6),
                      "limits.messages": (per_time, lambda: story.any(PER_TIMES), 4)}

    def holds(self, name):
        value, source = self.story.postern.options("account", self.login).get(name, ("", None))
        words = value if isinstance(value, list) else (value or "").replace(",", " ").split()
        return words, source

    def change(self):
        name = self.story.any(self.kinds)
        key, new_word, most = self.kinds[name]
        before, source = self.holds(name)
        words = [new_word() for _ in range(self.story.random.randint(1, 3))]
        how = self.story.any("+-")
        if how == "-" and before and self.story.random.random() < 0.7:
            words = self.story.random.sample(before, self.story.random.randint(1, len(before)))
        expected = [key(word) for word in before]
        is_legal = True
        for word in map(key, words):
            if how == "+" and word not in expected:
                expected.append(word)
            elif how == "-":
                is_legal &= word in expected
                if word in expected:
                    expected.remove(word)
        is_legal &= len(expected) <= most and (bool(expected) or name == "bcc-mirror.bcc")
        try:
            self.story.ctl("account", "set", self.login, "%s%s=%s" % (name, how, " ".join(words)))
            done, why = True, None
        except ControlError as error:
            done, why, expected = False, str(error), [key(word) for word in before]
        after, now_from = self.holds(name)
        told = (why, name, how, words, before, source, after, now_from)
        assert done == is_legal, told
        assert [key(word) for word in after] == expected, told


# ---- the tests ----

def run_round(seed, make_daemon):
    daemons = [make_daemon() for _ in range(3)]
    try:
        story = Story(daemons[0], seed)
        story.fill(PASSWORD)
        check_export(story, daemons[1])
        if story.accounts:
            model = Model(story, story.any(story.accounts))
            for _ in range(12):
                model.change()
        check_export(story, daemons[2])
    except BaseException:
        print("DIRECTORY_SEED=%d" % seed)
        raise
    for daemon in daemons:
        daemon.stop()


@pytest.mark.parametrize("store", ["sqlite", "redis"])
def test_P_20_random_directories(make_postern, sink, request, store):
    """P-20 export, import and lists, of directories of any content, in SQLite and in Redis."""
    databases = iter(range(0, 1000, 2))

    def make_daemon():
        options = dict(PLUGINS)
        if store == "redis":
            server = request.getfixturevalue("redis")
            number = next(databases) % 16
            server.ask("-n", str(number), "flushdb")
            server.ask("-n", str(number + 1), "flushdb")
            options.update({"directory": {"at": server.url(number)}, "store": {"at": server.url(number + 1)}})
        return make_postern(options, sink=sink, with_account=False)

    print("DIRECTORY_SEED=%d" % SEED)
    for k in range(ROUNDS):
        run_round(SEED + k, make_daemon)
