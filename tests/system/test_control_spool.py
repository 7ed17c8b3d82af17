"""posternctl spool: figures, check, adopting the mail of a lost node, and segments set aside."""
import pytest

from postern import wait_until


def later(make_sink):
    return make_sink({"RCPT": lambda argument: "450 4.2.1 later"})


def test_figures(postern, sink):
    postern.send()
    sink.wait(1)
    postern.wait_queue(0)
    figures = {row["figure"]: row["value"] for row in postern.ctl("spool", json=True)}
    assert (figures["open"], figures["damaged"], figures["messages"]) == (True, False, 0)
    assert int(figures["segments"]) > 0 and int(figures["transactions"]) == 1 and int(figures["commits"]) >= 1
    assert int(figures["free-octets"]) > 0


def test_check_finds_a_whole_spool_whole(make_postern, make_sink):
    postern = make_postern(sink=later(make_sink))
    postern.send()
    postern.send(content="Subject: large\n\n" + 40000 * "0123456789\n")
    postern.wait_queue(2, "state=deferred")
    postern.stop()
    assert "all is whole" in postern.ctl("spool", "check")
    assert "all is whole" in postern.ctl("spool", "check", postern.place / "spool")


def test_check_finds_damage_and_changes_nothing(make_postern, make_sink):
    postern = make_postern(sink=later(make_sink))
    queue_id = postern.send(content="Subject: large\n\n" + 40000 * "0123456789\n")
    postern.wait_queue(1, "state=deferred")
    postern.stop()
    large = max((path for path in (postern.place / "spool").rglob("*") if path.is_file() and path.stat().st_size < 1 << 20),
                key=lambda path: path.stat().st_size)
    octets = bytearray(large.read_bytes())
    octets[1000] ^= 1
    large.write_bytes(octets)
    done = postern.ask("spool", "check")
    assert done.returncode == 1 and queue_id in done.stdout.decode()
    assert large.read_bytes() == octets
    assert postern.ask("spool", "check", postern.place / "nowhere").returncode == 1


def test_the_mail_of_a_lost_node_is_adopted(make_postern, make_sink):
    lost = make_postern({"server": {"node": "1"}}, sink=later(make_sink))
    lost_ids = [lost.send("a@one.example"), lost.send("b@one.example"), lost.send("c@one.example")]
    lost.wait_queue(3, "state=deferred")
    lost.ctl("queue", "hold", lost_ids[1], "reason=for a while")
    lost.kill()
    sink = make_sink()
    heir = make_postern({"server": {"node": "2"}}, sink=sink)
    assert "adopted 3 messages" in heir.ctl("spool", "adopt", lost.place / "spool")
    messages = sink.wait(2)
    assert sorted(message.recipients[0] for message in messages) == ["a@one.example", "c@one.example"]
    held = heir.wait_queue(1)
    assert (held[0]["id"], held[0]["state"], held[0]["reason"]) == (lost_ids[1], "held", "for a while")
    assert "adopted 0 messages" in heir.ctl("spool", "adopt", lost.place / "spool")
    heir.ctl("queue", "release", lost_ids[1])
    sink.wait(3)
    heir.wait_queue(0)
    lost.start()
    assert lost.queue() == []


@pytest.mark.parametrize("order", ["heir first", "lost first"])
def test_a_third_node_adopts_the_lost_one_and_its_dead_heir(make_postern, make_sink, order):
    """Q-18 the heir cannot write to the lost node's disk, holds what it copied, raises an alarm that says what to do, and dies;
    a third node gets everything once, whatever the order, and both others may come back."""
    sink = make_sink()
    lost = make_postern({"server": {"node": "1"}}, sink=later(make_sink))
    heir = make_postern({"server": {"node": "2"}}, sink=later(make_sink))
    third = make_postern({"server": {"node": "3"}}, sink=sink)
    with lost.session() as dialog:
        for i in range(12):
            dialog.mail("user@example.net", "lost%d@one.example" % i)
    lost.wait_queue(12, "state=deferred")
    evidence = lost.queue()[3]["id"]
    lost.ctl("queue", "hold", evidence, "reason=evidence")
    lost.kill()
    heir.send("own@one.example")
    taken = lost.place / "spool" / "taken"
    taken.symlink_to("/dev/full")
    assert "cannot write" in heir.ctl("spool", "adopt", lost.place / "spool", code=1)
    assert len(heir.queue("state=held")) == 12
    alarm = wait_until(lambda: heir.alarms().get("spool.adoption"), "the alarm")
    assert "12 messages are held" in alarm and "(%s)" % (lost.place / "spool") in alarm and "spool adopt" in alarm
    heir.ctl("queue", "hold", heir.queue("state=held")[0]["id"], "reason=look at it")  # does not make it forget
    taken.unlink()
    heir.kill()
    first, second = (heir, lost) if order == "heir first" else (lost, heir)
    third.ctl("spool", "adopt", first.place / "spool")
    if order == "heir first":
        assert "12 messages are held" in wait_until(lambda: third.alarms().get("spool.adoption"), "the alarm")
    third.ctl("spool", "adopt", second.place / "spool")
    third.ctl("queue", "release", "state=held", "--yes")
    third.settle()
    wait_until(lambda: "spool.adoption" not in third.alarms(), "the alarm's end")
    assert sorted(message.recipients[0] for message in sink.messages) == sorted(
        ["own@one.example"] + ["lost%d@one.example" % i for i in range(12)])
    for node in (lost, heir):
        node.start()
        assert node.queue() == []


def test_adopt_says_what_is_wrong(postern):
    assert "no spool in" in postern.ctl("spool", "adopt", postern.place / "nowhere", code=1)
    assert "owned by another process" in postern.ctl("spool", "adopt", postern.place / "spool", code=1)
    assert "spool knows" in postern.ctl("spool", "frob", code=1)
    assert "spool knows" in postern.ctl("spool", "adopt", code=1)


def test_a_segment_is_set_aside(make_postern, make_sink):
    """What it says, what it refuses, and that the daemon starts and says that there is damage."""
    postern = make_postern(sink=later(make_sink))
    postern.send()
    postern.wait_queue(1, "state=deferred")
    assert "owned by another process" in postern.ctl("spool", "set-aside", "1", postern.place / "spool", code=1)
    postern.stop()
    assert "wants the number" in postern.ctl("spool", "set-aside", code=1)
    assert "wants the number" in postern.ctl("spool", "set-aside", "x", code=1)
    assert "no segment 77" in postern.ctl("spool", "set-aside", "77", code=1)
    assert "segment 1 of" in postern.ctl("spool", "set-aside", "1")
    postern.start()
    assert len(postern.queue()) == 1  # it could be read after all
    assert "segment 1 was set aside" in wait_until(lambda: postern.alarms().get("spool.damage"), "the alarm")
