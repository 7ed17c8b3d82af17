"""The judgement of tools/crash and tools/storm finds what it is there to find."""
import pytest

from judgement import KILL, STOP, Burst, End, Judgement

MS = 1_000_000
KILLS = [End(KILL, 1000 * MS, 1010 * MS), End(STOP, 2000 * MS, 2010 * MS)]
SENT = "acknowledged 1 500 0000000a 100 r1.1@fast.test gone1.2@fast.test\n"
REPORTED = "refused 0 gone1.2@fast.test 510000000\nfailed 0 gone1.2@fast.test 520000000\n"


def accepted(ms, recipient="r1.1@fast.test", number=1, crc="0000000a"):
    return "accepted %d %s %d %s 100\n" % (number, recipient, ms * MS, crc)


def judge(tmp_path, taken, sent=SENT, bursts=(), copies=()):
    """The kinds of findings, and the figures."""
    (tmp_path / "sent").write_text(sent)
    (tmp_path / "taken").write_text(taken)
    judgement = Judgement(KILLS)
    judgement.read_sent(tmp_path / "sent", copies)
    judgement.read_taken(tmp_path / "taken")
    assert judgement.judge(bursts) == (not judgement.findings)
    return set(judgement.findings), judgement.counts()


@pytest.mark.parametrize("taken, found", [
    (accepted(600) + REPORTED, set()),
    (REPORTED, {"lost"}),                                                     # one did not arrive
    (accepted(600) + "refused 0 gone1.2@fast.test 510000000\n", {"lost"}),    # refused, and nobody told the sender
    (accepted(600, crc="0000000b") + REPORTED, {"changed"}),
    (accepted(600, number=2) + accepted(600) + REPORTED, {"invented"}),
    (accepted(600) + REPORTED + "failed 0 r1.1@fast.test 700000000\n", {"reported_but_arrived"}),
    (REPORTED + "failed 0 r1.1@fast.test 700000000\n", {"reported_without_refusal"}),
    (accepted(801) + accepted(1100) + REPORTED, set()),                       # 199 ms before the kill
    (accepted(1005) + accepted(1100) + REPORTED, set()),                      # while it was killed
    (accepted(799) + accepted(1100) + REPORTED, {"doubled_outside"}),
    (accepted(990) + accepted(995) + REPORTED, {"doubled_outside"}),          # no kill between them
    (accepted(1950) + accepted(2100) + REPORTED, {"doubled_outside"}),        # an orderly stop
    (accepted(600) + REPORTED + "failed 0 gone1.2@fast.test 900000000\n", {"doubled_outside"}),
    (accepted(600) + REPORTED.replace("520", "900") + "failed 0 gone1.2@fast.test 1100000000\n", set()),
])
def test_a_message(tmp_path, taken, found):
    assert judge(tmp_path, taken)[0] == found


def test_an_orderly_stop_waits_for_replies(tmp_path):
    left = "left 1 r1.1@fast.test %d 0000000a 100\n"
    taken = accepted(600) + REPORTED
    assert judge(tmp_path, taken + left % (2005 * MS))[0] == {"abandoned"}
    assert judge(tmp_path, taken + left % (1005 * MS))[0] == set()


def test_messages_that_nobody_acknowledged(tmp_path):
    """All or nothing; nothing at all of what was cut off or refused."""
    of = lambda verdict: SENT.replace("acknowledged", verdict)
    assert judge(tmp_path, "", of("unanswered"))[0] == set()
    assert judge(tmp_path, REPORTED, of("unanswered"))[0] == {"lost"}
    assert judge(tmp_path, accepted(600), of("incomplete"))[0] == {"invented"}
    assert judge(tmp_path, accepted(600), of("refused"))[0] == {"refused_but_arrived"}


def test_copies_are_recipients(tmp_path):
    taken = accepted(600) + REPORTED
    assert judge(tmp_path, taken, copies=("copy@fast.test",))[0] == {"lost"}
    assert judge(tmp_path, taken + accepted(600, "copy@fast.test"), copies=("copy@fast.test",))[0] == set()


def test_bursts(tmp_path):
    """What could not be written may come twice after an end, but not without one; more than 500 are too many."""
    taken, faults = accepted(400) + accepted(1100) + REPORTED, Burst("faults", 300 * MS, 450 * MS)
    found, figures = judge(tmp_path, taken, bursts=[faults])
    assert found == set() and figures["doubled_of_bursts"] == 1
    assert judge(tmp_path, accepted(400) + accepted(700) + REPORTED, bursts=[faults])[0] == {"doubled_outside"}
    recipients = ["r1.%d@fast.test" % i for i in range(501)]
    sent = "acknowledged 1 500 0000000a 100 %s\n" % " ".join(recipients)
    many = "".join(accepted(400, recipient) for recipient in recipients)
    assert judge(tmp_path, many, sent, [Burst("dead", 300 * MS, 450 * MS)])[0] == {"accepted_unwritten"}
    assert judge(tmp_path, many, sent, [faults])[0] == set()
    assert judge(tmp_path, many + many.replace(" 400", " 1100"), sent, [faults])[0] == {"doubled_outside"}
