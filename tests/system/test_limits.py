"""Limits (R-11, P-07 of BEHAVIOURS.md) against the real daemon."""
import time

import pytest

from postern import LOGIN, ControlError, wait_until


@pytest.fixture
def gate(make_postern, sink):
    def make(**options):
        return make_postern({"server": {"plugins": "auth sender-rules limits"}, "plugin limits": options}, sink=sink)
    return make


def test_limit_and_usage(gate):
    """R-11 P-07 the limit is told at the message, then at MAIL; a raised one holds at once; usage is shown."""
    postern = gate(messages="2/1d")
    postern.send()
    postern.send()
    with postern.session() as dialog:
        dialog.expect("250", "MAIL FROM:<%s>" % LOGIN)
        dialog.expect("250", "RCPT TO:<rcpt@example.org>")
        dialog.expect("354", "DATA")
        dialog.expect("450 4.7.1", "Subject: a\r\n\r\n.")
        dialog.expect("450 4.7.1", "MAIL FROM:<%s>" % LOGIN)
    rows = postern.ctl("usage", LOGIN, json=True)
    assert [(row["used"], row["allowed"]) for row in rows if row["what"] == "messages"] == [(2, 2)]
    assert "account" in postern.ctl("usage", "acme") and "customer" in postern.ctl("usage", "acme")
    with pytest.raises(ControlError, match="no account and no customer"):
        postern.ctl("usage", "nobody")
    assert "account" in postern.ctl("account", "show", LOGIN)
    postern.ctl("account", "set", LOGIN, "limits.messages=3/1d")
    postern.send()
    with pytest.raises(ControlError, match="not a number and the time"):
        postern.ctl("account", "set", LOGIN, "limits.messages=many")
    assert "3/1d" in postern.options("account", LOGIN)["limits.messages"][0]


def test_counters_survive(gate):
    """R-11 what was counted is still counted behind a restart."""
    postern = gate(messages="2/1d")
    postern.send()
    postern.restart()
    postern.send()
    with pytest.raises(AssertionError, match="450"):
        postern.send()


def test_held_goes_as_windows_allow(gate, sink):
    """R-11 what is held for a limit is released by itself, no more of it in a window than the limit allows, each once."""
    postern = gate(messages="3/2s", **{"at-limit": "hold"})
    while time.time() % 2 > 0.3:  # windows are aligned
        time.sleep(0.02)
    for i in range(8):
        postern.send(content="Subject: %d\n\nx\n" % i)
    held = [row["id"] for row in postern.queue("state=held")]
    assert held and "3 messages per 2s" in postern.ctl("queue", "show", held[0])
    arrived = {}
    while len(sink.messages) < 8:
        arrived[len(sink.messages)] = time.time()
        assert time.time() - arrived[min(arrived)] < 20
        time.sleep(0.02)
    assert sorted(message.header("Subject")[0] for message in sink.messages) == sorted(map(str, range(8)))
    if len(held) == 5:  # else the machine was so slow that the first ones were of two windows
        assert arrived[3] - arrived[min(arrived)] > 1 and arrived[6] - arrived[3] > 1, "three in each window"
    wait_until(lambda: " spool 0 messages" in postern.ctl("status"), "an empty spool")


def test_P_17_words_are_added_to_the_list_that_holds(make_postern, sink):  # P-17
    postern = make_postern({"server": {"plugins": "auth sender-rules limits"},
                            "level big": {"limits.messages": "500/1h 5000/1d"}}, sink=sink)

    def messages():
        return postern.options("account", LOGIN)["limits.messages"]

    postern.ctl("customer", "set", "acme", "level=big")
    postern.ctl("account", "set", LOGIN, "limits.messages+=50000/7d")
    assert messages() == (["500/1h", "5000/1d", "50000/7d"], "account")
    postern.ctl("account", "set", LOGIN, "limits.messages-=500/60m, 50000/168h")
    assert messages() == (["5000/1d"], "account")
    assert "is not in the list" in postern.ctl("account", "set", LOGIN, "limits.messages-=1/1h", code=1)
    assert "no word of the list" in postern.ctl("account", "set", LOGIN, "limits.messages-=5000/1D", code=1)
    assert messages() == (["5000/1d"], "account")
    postern.ctl("account", "set", LOGIN, "limits.messages=")
    postern.ctl("account", "set", LOGIN, "limits.messages-=500/1h")
    assert messages() == (["5000/1d"], "account")
    postern.ctl("customer", "set", "acme", "limits.messages+=7/1h")
    assert postern.options("customer", "acme")["limits.messages"][0] == ["500/1h", "5000/1d", "7/1h"]
    assert "is not a list" in postern.ctl("account", "set", LOGIN, "reason+=more", code=1)
    postern.add_account("other@example.net", "secret", "limits.messages+=9/1h")
    assert postern.options("account", "other@example.net")["limits.messages"][0] == ["500/1h", "5000/1d", "7/1h", "9/1h"]


def to_window(seconds):
    """Waits for the beginning of a window: they are aligned."""
    while time.time() % seconds > 0.3:
        time.sleep(0.02)


def recipients_of(sink):
    return [message.recipients[0] for message in list(sink.messages)]


def test_limits_of_domains_hold_at_release(gate, sink):
    """R-34 what is held for a domain's limit is released as that allows, once, whatever fails meanwhile."""
    postern = gate(**{"domain-messages": "2/2s", "messages": "off", "recipients": "off", "at-limit": "hold"})
    to_window(2)
    for i in range(6):
        postern.send("r%d@example.org" % i)
    arrived = []
    while len(arrived) < 6:
        arrived += [time.time()] * (len(sink.messages) - len(arrived))
        assert not arrived or time.time() - arrived[0] < 20
        time.sleep(0.02)
    assert sorted(recipients_of(sink)) == ["r%d@example.org" % i for i in range(6)]
    assert arrived[4] - arrived[3] > 1, "two in each window"


def test_release_by_the_operator(gate, sink):
    """R-35 the operator's release is not undone, and counts; a domain's share does not hold it again either."""
    postern = gate(**{"messages": "1/1d", "domain-messages": "1/1d", "at-limit": "hold"})
    postern.send("one@example.org")
    held = postern.send(["two@example.org", "three@example.org"])
    sink.wait(1)
    postern.wait_queue(1, "state=held")
    postern.ctl("queue", "release", held)
    wait_until(lambda: " spool 0 messages" in postern.ctl("status"), "an empty spool")
    assert {to for message in sink.messages for to in message.recipients} == {"%s@example.org" % name for name in ("one", "two", "three")}
    used = [row["used"] for row in postern.ctl("usage", LOGIN, json=True) if row["what"] == "messages"]
    assert used == [2]


def test_copies_of_held_mail(make_postern, sink):
    """R-36 copies leave behind their original."""
    postern = make_postern({"server": {"plugins": "auth bcc-mirror limits"},
                            "plugin bcc-mirror": {"bounce-domain": "bcc.example.net", "secret": "0123456789abcdef"},
                            "plugin limits": {"messages": "1/3s", "at-limit": "hold"}}, sink=sink)
    postern.ctl("account", "set", LOGIN, "bcc-mirror.bcc=mirror@example.com")
    to_window(3)
    for i in range(3):
        postern.send("r%d@example.org" % i, content="Subject: s%d\n\nx\n" % i)
    sink.wait(6, 30)
    order = [(message.header("Subject")[0], message.recipients[0]) for message in sink.messages]
    for i in (1, 2):  # the first was not held
        of = [to for subject, to in order if subject == "s%d" % i]
        assert of == ["r%d@example.org" % i, "mirror@example.com"], order


def test_a_message_that_is_too_large(gate):
    """R-37 it is refused for good, not held or put off for ever."""
    for what in ("hold", "defer", "refuse"):
        postern = gate(**{"recipients": "2/1h", "at-limit": what})
        with postern.session() as dialog:
            dialog.expect("250", "MAIL FROM:<%s>" % LOGIN)
            for i in range(3):
                dialog.expect("250", "RCPT TO:<r%d@example.org>" % i)
            reply = dialog.data("Subject: a\n\n")
            assert reply.code == 550 and "this message alone is more than account" in reply.text
