"""Load and sink of tests/bench: what the other tools believe of them."""
import re
import subprocess

import pytest

from postern import BUILD, free_port, wait_until

LOAD, SINK = BUILD / "tests/bench/smtp-load", BUILD / "tests/bench/smtp-sink"
pytestmark = pytest.mark.skipif(not LOAD.exists(), reason='needs "make bench-tools"')
BARE = re.compile(rb"(?<!\r)\n|\r(?!\n)")


def test_content_has_whole_lines_whatever_the_header_is_long(sink):
    """The header is followed by what is left of a text of whole lines; it is cut at each place of a line once."""
    for length in range(1, 81):
        subprocess.run([LOAD, "-p", str(sink.port), "-n", "1", "-s", "1024", "-d", "r" * length + "@example.org"], check=True,
                       stdout=subprocess.DEVNULL, timeout=60)
    messages = sink.wait(80)
    assert not [message for message in messages if BARE.search(message.data)]
    assert all(1023 <= len(message.data) <= 1024 for message in messages)


def test_content_of_a_file(sink, tmp_path):
    """It goes behind fields of the tool's own; dots are stuffed, and lines end as they must."""
    (tmp_path / "mail").write_text("Content-Type: text/plain\n\none\n.two\n")
    subprocess.run([LOAD, "-p", str(sink.port), "-n", "1", "-F", tmp_path / "mail"], check=True, stdout=subprocess.DEVNULL,
                   timeout=60)
    assert sink.wait(1)[0].data.endswith(b"\r\nContent-Type: text/plain\r\n\r\none\r\n.two\r\n")


class Mixed:
    """A sink of ours with a record, and one mixed load into it."""

    def __init__(self, place, *sink_options):
        self.record, self.sent, self.port = place / "record", place / "sent", free_port()
        self.sink = subprocess.Popen([SINK, "-p", str(self.port), "-R", self.record, *sink_options], stdout=subprocess.DEVNULL)
        wait_until(lambda: subprocess.run([LOAD, "-p", str(self.port), "-m", "0", "-n", "1"], capture_output=True).stdout.count(
            b'"ready":1'), "smtp-sink")

    def load(self, *options):
        subprocess.run([LOAD, "-p", str(self.port), "-o", self.sent, "-M", "a.test:3,b.test:1", *options], check=True,
                       stdout=subprocess.DEVNULL, timeout=60)
        self.sink.terminate()
        self.sink.wait()
        rows = lambda path: [line.split() for line in path.read_text().splitlines()]
        return rows(self.sent), rows(self.record)


def test_mixed_load_arrives_as_it_was_sent(tmp_path):
    """Each message with its recipients, its checksum and its size, pipelined and not, whatever the reply takes."""
    sent, came = Mixed(tmp_path, "-d", "2").load("-n", "200", "-c", "8", "-m", "10", "-s", "300", "-l", "100000")
    assert len(sent) == 200 and {row[0] for row in sent} == {"acknowledged"}
    assert {row[0] for row in came} == {"accepted"}
    assert sorted((row[1], recipient, row[3], row[4]) for row in sent for recipient in row[5:]) == \
        sorted((row[1], row[2], row[4], row[5]) for row in came)
    sizes = sorted(int(row[4]) for row in sent)
    assert sizes[0] < 300 and sizes[100] < 5000 and sizes[-1] > 10000
    assert {len(row) - 5 for row in sent} == {1, 2, 3, 4, 5}


def test_clients_that_leave_and_their_verdicts(tmp_path):
    """What is cut off before the final dot never arrives; what is acknowledged does."""
    sent, came = Mixed(tmp_path, "-d", "20").load("-n", "400", "-c", "8", "-m", "10", "-s", "300", "-l", "10000", "--cut", "50")
    verdicts = {verdict: {row[1] for row in sent if row[0] == verdict} for verdict in ("acknowledged", "unanswered", "incomplete")}
    assert sum(map(len, verdicts.values())) == 400 and all(verdicts.values())
    accepted, left = ({row[1] for row in came if row[0] == what} for what in ("accepted", "left"))
    assert verdicts["acknowledged"] <= accepted
    assert not verdicts["incomplete"] & (accepted | left)
    assert left <= verdicts["unanswered"]


def test_sink_refuses_by_name(tmp_path):
    """"gone" is refused, and the record says so; a client that hears 450 hears 250 some other time."""
    mixed = Mixed(tmp_path, "-b")
    mixed.load("-n", "20", "-m", "1", "--gone", "100")
    rows = [line.split() for line in mixed.record.read_text().splitlines()]
    assert rows and {row[0] for row in rows} == {"refused"} and all(row[2].startswith("gone") for row in rows)
