"""posternctl queue: looking, selecting, changing."""
import json
import os
import pty
import re
import subprocess

import pytest

from postern import LOGIN, Postern, Sink

TEXT = "Subject: one\n\nbody\n.\n"
LATER = {"RCPT": lambda argument: "450 4.2.1 come back later"}


def fill(postern):
    """Four deferred messages of two accounts to three domains."""
    postern.add_account("@example.net", "otherword")
    postern.ids = [postern.send("a@one.example", TEXT), postern.send(["b@one.example", "c@two.example"], TEXT),
                   postern.send("d@Two.example", "Subject: big\n\n" + 3000 * "0123456789abcdef\n"),
                   postern.send("e@three.example", TEXT, sender="info@example.net", login="@example.net", password="otherword")]
    postern.wait_queue(4, "state=deferred")
    return postern


@pytest.fixture
def full(make_postern, make_sink):
    return fill(make_postern(sink=make_sink(LATER)))


@pytest.fixture(scope="module")
def looked_at(tmp_path_factory):
    """The same, for those who change nothing."""
    sink = Sink(LATER)
    postern = Postern(tmp_path_factory.mktemp("full"), sink=sink)
    yield fill(postern)
    postern.stop()
    sink.close()


def ids(rows):
    return [row["id"] for row in rows]


def test_the_summary_is_by_state_and_destination_oldest_first(looked_at):
    rows = looked_at.ctl("queue", json=True)
    assert [(row["state"], row["destination"], row["messages"]) for row in rows] == [
        ("deferred", "one.example", 2), ("deferred", "two.example", 2), ("deferred", "three.example", 1)]
    assert rows[1]["size"] > 50000
    assert looked_at.ctl("queue").splitlines()[0].split() == ["STATE", "DESTINATION", "MESSAGES", "SIZE", "OLDEST", "NEXT"]


def test_the_list_says_who_and_why(looked_at):
    rows = looked_at.queue()
    assert ids(rows) == looked_at.ids
    assert rows[1]["recipients"] == ["b@one.example", "c@two.example"]
    assert (rows[3]["account"], rows[3]["sender"], rows[3]["attempts"]) == ("@example.net", "info@example.net", 1)
    assert "450 4.2.1 come back later" in rows[0]["reason"]
    assert rows[0]["next"] > rows[0]["arrived"]


@pytest.mark.parametrize("selectors, expected", [
    (["account=user@example.net"], [0, 1, 2]), (["account=USER@*"], [0, 1, 2]), (["account=*"], [0, 1, 2, 3]),
    (["customer=acme"], [0, 1, 2, 3]), (["customer=other"], []),
    (["sender=info@example.net"], [3]), (["sender=*@example.net"], [0, 1, 2, 3]), (["sender=<>"], []),
    (["recipient=c@two.example"], [1]), (["recipient=*@two.example"], [1, 2]), (["recipient=*@*e*.e*e"], [0, 1, 3]),
    (["domain=two.example"], [1, 2]), (["domain=t*.example"], [1, 2, 3]), (["domain=two"], []),
    (["age<1h"], [0, 1, 2, 3]), (["age>1h"], []), (["size>10K"], [2]), (["size<10K"], [0, 1, 3]),
    (["state=deferred"], [0, 1, 2, 3]), (["state=held"], []), (["state=active"], []),
    (["domain=two.example", "size<10K"], [1]), (["account=user@*", "domain=one.example", "age<1h"], [0, 1]),
])
def test_selectors(looked_at, selectors, expected):
    assert ids(looked_at.queue(*selectors)) == [looked_at.ids[i] for i in expected]


def test_ids_select_too_in_either_case(looked_at):
    assert ids(looked_at.queue(looked_at.ids[2].lower())) == [looked_at.ids[2]]
    assert ids(looked_at.queue(looked_at.ids[2], looked_at.ids[0])) == [looked_at.ids[0], looked_at.ids[2]]
    assert ids(looked_at.queue(looked_at.ids[2], looked_at.ids[0], "size>10K")) == [looked_at.ids[2]]


@pytest.mark.parametrize("words, complaint", [
    (["list", "acount=x"], 'did you mean "account"'), (["list", "nonsense"], "neither an id nor a selector"),
    (["list", "age=5m"], "age>VALUE or <VALUE"), (["list", "account>5"], "account=VALUE"),
    (["list", "age>soon"], "not a time"), (["list", "size>big"], "not a size"), (["list", "state=lost"], "held"),
    (["show"], "id of one message"), (["show", "account=x"], "id of one message"), (["cat", "0000000000000"], "no message"),
    (["remove"], "which messages"), (["hold", "--hold", "x"], "takes no --hold"), (["frob"], "queue knows"),
    (["list", "--yes"], "takes no --yes"),
])
def test_what_makes_no_sense_is_said(looked_at, words, complaint):
    assert complaint in looked_at.ctl("queue", *words, code=1)
    assert len(looked_at.queue()) == 4


def test_show_has_everything_but_the_text(looked_at):
    rows = looked_at.ctl("queue", "show", looked_at.ids[1], json=True)
    facts = {row["what"]: row["value"] for row in rows if "what" in row}
    assert (facts["id"], facts["state"], facts["sender"], facts["account"], facts["customer"], facts["attempts"]) == (
        looked_at.ids[1], "deferred", LOGIN, LOGIN, "acme", 1)
    assert facts["session"] and facts["arrived"] < facts["next"]
    assert [(row["recipient"], row["status"]) for row in rows if "recipient" in row] == [
        ("b@one.example", "pending"), ("c@two.example", "pending")]
    assert "come back later" in looked_at.ctl("queue", "show", looked_at.ids[1])


def test_cat_prints_the_message_as_it_would_be_sent(looked_at):
    octets = looked_at.ask("queue", "cat", looked_at.ids[0]).stdout
    assert octets.startswith(b"Received: ") and octets.endswith(b"\r\n\r\nbody\r\n.\r\n")
    assert b"\n" not in octets.replace(b"\r\n", b"")
    big = looked_at.ask("queue", "cat", looked_at.ids[2]).stdout
    assert big.endswith(3000 * b"0123456789abcdef\r\n")
    assert list(json.loads(looked_at.ask("queue", "cat", looked_at.ids[0], "--json").stdout)[0]) == ["base64"]


def on_a_terminal(postern, *words):
    """What posternctl shows there."""
    ours, its = pty.openpty()
    shown = b""
    with subprocess.Popen([postern.bin / "posternctl", "-c", postern.config, *words], stdin=subprocess.DEVNULL, stdout=its):
        os.close(its)
        try:
            while octets := os.read(ours, 65536):
                shown += octets
        except OSError:
            pass   # its end is closed
    os.close(ours)
    return shown.decode()


def test_cat_on_a_terminal_hides_nothing(full):
    """Neither an escape sequence nor a NUL keeps what is behind it from being seen."""
    queued = full.send("f@one.example", "Subject: seen\n\nbefore\0behind\n\x1b[8mthe end\n.\n")
    full.wait_queue(5)
    shown = on_a_terminal(full, "queue", "cat", queued)
    assert "before\N{REPLACEMENT CHARACTER}behind" in shown and "\\u001b[8mthe end" in shown
    assert b"before\0behind" in full.ask("queue", "cat", queued).stdout


def test_one_id_acts_at_once_and_selectors_ask_first(full):
    full.ctl("queue", "remove", full.ids[0])
    assert ids(full.queue()) == full.ids[1:]
    assert "would remove 3 messages of 2 accounts" in full.ctl("queue", "remove", "age>0s", code=1)
    assert "would remove 3 messages of 2 accounts" in full.ctl("queue", "remove", "age>0s", "--dry-run")
    assert "would hold " + full.ids[1] in full.ctl("queue", "hold", full.ids[1], "--dry-run")
    assert full.queue("state=held") == [] and len(full.queue()) == 3
    assert "1 message of 1 account: 1 removed" in full.ctl("queue", "remove", "sender=info@*", "--yes")
    assert ids(full.queue()) == full.ids[1:3]
    assert "no message matches" in full.ctl("queue", "remove", "sender=info@*", "--yes")
    assert "no message" in full.ctl("queue", "remove", full.ids[0], code=1)


def test_hold_and_release(full):
    full.ctl("queue", "hold", full.ids[0], "reason=looks odd")
    held = full.queue("state=held")
    assert ids(held) == [full.ids[0]] and held[0]["reason"] == "looks odd"
    full.restart()
    assert ids(full.queue("state=held")) == [full.ids[0]]
    full.ctl("queue", "release", full.ids[0])
    full.wait_queue(4, "state=deferred")
    assert [row["attempts"] for row in full.queue(full.ids[0])] == [2]


@pytest.mark.parametrize("reason, complaint", [
    ("two\nlines", "one line of UTF-8"), ("x" * 201, "at most 200"),
    ("adoption from spool 0123456789abcdef0123456789abcdef", "the words of postern's own holds"),
    ("adoption from spool 0123456789abcdef0123456789abcdef; held 0: x", "the words of postern's own holds"),
    ("mail for a.example is accepted and held", "the words of postern's own holds")])
def test_Q_15_hold_checks_its_reason(full, reason, complaint):
    """Q-15 a reason by which the queue would take the hold for one of an adoption, or of a domain, is refused."""
    assert complaint in full.ctl("queue", "hold", full.ids[0], "reason=" + reason, code=1)
    assert not full.queue("state=held")


def test_retry_does_not_end_a_hold(full):
    """Q-15: the answer says so, and which command does."""
    held, free = full.ids[:2]
    full.ctl("queue", "hold", held)
    for words in ((), ("--dry-run",)):
        answer = full.ctl("queue", "retry", held, *words, code=1)
        assert "%s is held" % held in answer and "queue release" in answer and "due" not in answer
    answer = full.ctl("queue", "retry", "account=" + LOGIN, "--dry-run")
    assert "would retry 3 messages" in answer and "1 message is held" in answer
    answer = full.ctl("queue", "retry", "account=" + LOGIN, "--yes")
    assert "2 due now" in answer and "1 message is held" in answer
    assert ids(full.queue("state=held")) == [held]
    full.wait_queue(3, "state=deferred")
    assert "%s is not held" % free in full.ctl("queue", "release", free)
    assert "would release" not in full.ctl("queue", "release", free, "--dry-run")
    answer = full.ctl("queue", "release", "account=" + LOGIN, "--yes")
    assert "1 released" in answer and "2 messages are not held" in answer
    full.wait_queue(4, "state=deferred")


def test_retry_tries_at_once(make_postern, make_sink):
    sink = make_sink({"RCPT": ["450 4.2.1 later"]})
    postern = make_postern(sink=sink)
    queue_id = postern.send()
    postern.wait_queue(1, "state=deferred")
    postern.ctl("queue", "retry", queue_id)
    assert len(sink.wait(1)) == 1
    postern.wait_queue(0)


def test_bounce_returns_to_the_sender(make_postern, make_sink):
    sink = make_sink({"RCPT": lambda argument: None if LOGIN in argument else "450 4.2.1 later"})
    postern = make_postern(sink=sink)
    queue_id = postern.send()
    postern.wait_queue(1, "state=deferred")
    postern.ctl("queue", "bounce", queue_id)
    report = sink.wait(1)[0]
    assert (report.sender, report.recipients) == ("", [LOGIN])
    assert re.search(r"Status: 5\.4\.7", report.text) and "returned by the administrator" in report.text
    postern.wait_queue(0)


def test_a_held_message_can_be_bounced(make_postern, make_sink):
    sink = make_sink({"RCPT": lambda argument: None if LOGIN in argument else "450 4.2.1 later"})
    postern = make_postern(sink=sink)
    queue_id = postern.send()
    postern.wait_queue(1, "state=deferred")
    postern.ctl("queue", "hold", "account=*", "--yes")
    assert ids(postern.queue("state=held")) == [queue_id]
    postern.ctl("queue", "bounce", "state=held", "--yes")
    assert sink.wait(1)[0].recipients == [LOGIN]
    postern.wait_queue(0)


def test_disable_with_hold_holds_what_the_account_has_queued(full):
    answer = full.ctl("account", "disable", LOGIN, "reason=stolen", "--hold")
    assert "3 messages" in answer
    assert ids(full.queue("state=held")) == full.ids[:3]
    full.ctl("customer", "disable", "acme", "--hold")
    assert ids(full.queue("state=held")) == full.ids
    assert "takes no --hold" in full.ctl("account", "enable", LOGIN, "--hold", code=1)
