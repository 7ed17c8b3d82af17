"""posternctl audit: who changed what, with before and after; test_roles.py has every command."""
import os
import subprocess

from postern import LOGIN, PASSWORD, wait_until
from test_redis import redis  # noqa: F401, a fixture


def audit(postern, *words):
    return postern.ctl("audit", *words, json=True)


def newest(postern, *words):
    return audit(postern, "limit=1", *words)[0]


def test_entries_have_before_and_after(postern):
    """Y-20 each change of an entry: who, command, entry, options, before and after; nothing of passwords; newest first."""
    postern.ctl("customer", "set", "acme", "primary=it@acme.example")
    postern.ctl("customer", "set", "acme", "primary=noc@acme.example", "level=")
    row = newest(postern)
    assert (row["who"], row["command"], row["kind"], row["name"]) == ("root", "customer set", "customer", "acme")
    assert (row["options"], row["before"], row["after"]) == (["primary"], "primary=it@acme.example", "primary=noc@acme.example")
    postern.set_password(LOGIN, "another password")
    row = newest(postern)
    assert (row["command"], row["before"], row["after"]) == ("account passwd", "password=(hidden)", "password=(hidden)")
    assert "$" not in postern.ctl("audit") and PASSWORD not in postern.ctl("audit")
    assert [r["command"] for r in audit(postern)][-3:] == ["account add", "domain add", "customer add"]
    postern.ctl("customer", "set", "acme", "primary=noc@acme.example")
    postern.ctl("customer", "set", "acme", "primary=not an address", code=1)
    assert newest(postern)["command"] == "account passwd"  # nothing changed since
    assert "audit" not in postern.ctl("export")


def test_removal_records_what_went_with_it(postern):
    """Y-20 a domain that is removed leaves a record of each of its accounts, with what they had."""
    postern.ctl("domain", "remove", "example.net")
    rows = audit(postern, "domain=example.net", "limit=2")
    assert [(r["kind"], r["name"], r["command"], r["after"]) for r in rows] == [
        ("domain", "example.net", "domain remove", None), ("account", LOGIN, "domain remove", None)]
    assert "mode=outbound-only" in rows[0]["before"] and "type=single" in rows[1]["before"]


def test_import_records_each_entry_that_changed(postern, tmp_path):
    """Y-20 of an import the entries that are not as they were, and none of a dry run."""
    text = tmp_path / "import.txt"
    text.write_text("[customer acme]\nprimary = it@acme.example\n[customer new]\n[domain new.example]\ncustomer = new\nmode = hold\n")
    n = len(audit(postern))
    postern.ctl("import", "--dry-run", text)
    assert len(audit(postern)) == n
    postern.ctl("import", text)
    postern.ctl("import", text)
    rows = audit(postern)[:-n]
    assert sorted((r["command"], r["kind"], r["name"]) for r in rows) == [
        ("import", "customer", "acme"), ("import", "customer", "new"), ("import", "domain", "new.example")]


def test_commands_record_words_and_answer(postern):
    """Y-20 queue, block, reload: one record of the command with its selector and what came of it, refused ones included."""
    postern.sink.close()
    with postern.smtp() as dialog:
        dialog.login()
        for _ in range(2):
            queue_id = dialog.mail()
            postern.wait_log("deferred .*queue=" + queue_id)
    postern.ctl("queue", "hold", "account=" + LOGIN, "--yes")
    row = newest(postern, "account=" + LOGIN)
    assert (row["command"], row["name"], row["after"]) == ("queue hold", "account=" + LOGIN, "2 messages of 1 account: 2 held.")
    n = len(audit(postern))
    postern.ctl("queue", "remove", "account=" + LOGIN, "--dry-run")
    assert len(audit(postern)) == n
    postern.ctl("account", "disable", LOGIN, "--hold")
    rows = audit(postern, "limit=2")
    assert [(r["command"], r["kind"]) for r in rows] == [("account disable", None), ("account disable", "account")]
    assert rows[1]["after"] == "enabled=no" and "held" in rows[0]["after"]
    postern.reload({"server": {"soft-errors": "7"}})
    assert newest(postern)["command"] == "reload" and newest(postern)["after"]
    postern.change({"server": {"soft-errors": "many"}})
    postern.ctl("reload", code=1)
    assert "nothing was changed" in newest(postern)["after"]
    postern.change({"server": {"soft-errors": "8"}})
    postern.process.send_signal(1)
    row = wait_until(lambda: (lambda r: r if r["name"] == "SIGHUP" else None)(newest(postern)), "the record of a SIGHUP")
    assert (row["who"], row["command"]) == ("daemon", "reload")


def test_commands_of_plugins_change_in_the_name_of_who_gives_them(make_postern, sink):
    """Y-20 what a plugin's command saves is recorded with the person, the command, before and after."""
    postern = make_postern({"server": {"plugins": "auth sender-rules iphelper"}}, sink=sink)
    postern.ctl("domain", "add", "moves.example", "customer=acme", "mode=hold")
    postern.ctl("iphelper", "add", "moves.example", "host=mx.example.org", "port=25")
    row = newest(postern, "domain=moves.example")
    assert (row["who"], row["command"], row["kind"]) == ("root", "iphelper add", "domain")
    assert "iphelper.host=mx.example.org" in row["after"] and row["before"] is None


def test_filters_and_words(postern):
    """Y-20 customer=, domain=, account=, who=, since=, limit=; anything else is an error."""
    postern.ctl("customer", "add", "other")
    assert {r["customer"] for r in audit(postern, "customer=acme")} == {"acme"}
    assert {r["name"] for r in audit(postern, "account=" + LOGIN.upper())} == {LOGIN}
    assert audit(postern, "who=nobody") == [] and len(audit(postern, "who=root")) == 4
    assert len(audit(postern, "since=1h")) == 4 and audit(postern, "since=2100-01-01") == []
    assert len(audit(postern, "since=2026-01-01 10:00", "limit=2")) == 2
    for word in ("limit=0", "limit=x", "since=soon", "colour=red", "acme"):
        assert postern.ask("audit", word).returncode == 1, word


def test_root_by_sudo_is_named(postern):
    """Y-20 the login user of a root session is in the record, if it is known; nobody else can claim one."""
    words = [postern.bin / "posternctl", "-c", postern.config, "customer", "set", "acme", "alert=a@acme.example"]
    subprocess.run(words, check=True, env=dict(os.environ, SUDO_USER="alice"), cwd=postern.place)
    login = open("/proc/self/loginuid").read().strip() if os.path.exists("/proc/self/loginuid") else "4294967295"
    if login == "4294967295":
        assert (newest(postern)["who"], newest(postern)["login"]) == ("root", "alice")
        assert audit(postern, "who=alice")


def test_every_node_shows_it_and_redis_expires_it(make_postern, sink, redis):
    """Y-20 records are in the directory: another node shows them; the server lets them go by itself after keep-audit."""
    options = redis.options()
    options["directory"]["keep-audit"] = "2h"
    one = make_postern(options, sink=sink)
    two = make_postern(redis.options(server={"node": "1"}), sink=sink, with_account=False)
    one.ctl("customer", "set", "acme", "alert=a@acme.example")
    row = newest(two)
    assert (row["name"], row["after"]) == ("acme", "alert=a@acme.example")
    assert len(audit(two)) == 4 and {r["node"] for r in audit(two)} == {row["node"]}
    keys = [key for key in redis.ask("KEYS", "*audit/*").split() if redis.ask("PTTL", key) != "-1"]
    times = [int(redis.ask("PTTL", key)) for key in keys]
    assert len(times) == 4 and all(7100000 < time <= 7200000 for time in times), redis.ask("KEYS", "*")


def test_a_record_that_cannot_be_written_is_in_the_log(make_postern, sink, redis):
    """Y-20 with the directory away a change of the directory is refused; what works without it is done, and its record is logged."""
    postern = make_postern(redis.options(), sink=sink)
    redis.stop()
    wait_until(lambda: postern.ask("customer", "set", "acme", "alert=a@acme.example").returncode == 1, "an error")
    postern.ctl("block", "add", "198.51.100.0/24", "reason=abuse")
    line = postern.wait_log(r".*audit record not written.*").group(0)
    assert all(text in line for text in ("who=root", "block add", "198.51.100.0/24", "is blocked")), line
    assert "cannot be read" in postern.ctl("audit", code=1)
    redis.start()


def test_a_copied_directory_has_the_records(make_postern, sink, redis):
    """Y-20 store copy takes the records along, from SQLite to Redis, more than a page of them, in their order."""
    postern = make_postern(sink=sink)
    for n in range(6):
        text = postern.place / "import.txt"
        text.write_text("".join("[customer c%d]\nprimary = it%d@acme.example\n" % (each, n) for each in range(40)))
        postern.ctl("import", text)
    before = audit(postern, "limit=1000")
    assert len(before) == 243 and [row["name"] for row in before[:2]] == ["c39", "c38"]
    postern.stop()
    assert "copied" in postern.ctl("store", "copy", "directory", redis.url(0))
    postern.change({"directory": {"at": redis.url(0)}})
    postern.start()
    assert audit(postern, "limit=1000") == before
    assert len(audit(postern, "customer=c7", "limit=1000")) == 6
