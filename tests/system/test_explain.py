"""posternctl explain: what each plugin would say of a message that is not sent."""
import pytest

from postern import LOGIN, PASSWORD, ControlError, Postern, Sink


@pytest.fixture(scope="module")
def gate(tmp_path_factory, dns):
    sink = Sink()
    daemon = Postern(tmp_path_factory.mktemp("gate"), dns, sink=sink)
    daemon.add_account("sub@example.net", PASSWORD, "sender-rules.subdomains=yes", "sender-rules.identities=yes")
    daemon.add_account("gone@example.net", PASSWORD)
    daemon.ctl("account", "disable", "gone@example.net", "reason=stolen password")
    yield daemon
    daemon.stop()
    sink.close()


def explain(gate, *words, **more):
    return gate.ctl("explain", "--client", "203.0.113.9", *words, **more)


def test_accepted_and_not_sent(gate):
    def counted():
        return {row["metric"]: row["value"] for row in gate.ctl("metrics", json=True)
                if row["value"] != 0 and not row["metric"].startswith(("control", "dns"))}
    before = counted()
    told = explain(gate, "--login", LOGIN, "--from", LOGIN, "--to", "x@example.org", "--to", "y@example.org")
    assert "It would be accepted." in told
    assert "goes to <x@example.org>" in told and "goes to <y@example.org>" in told
    assert "adds Received: from client.invalid (unknown [203.0.113.9])" in told
    assert "sender-rules" in told and "next" in told
    gate.wait_queue(0)
    assert gate.sink.messages == [] and gate.accepted() == 0
    assert "message accepted" not in gate.log() and "authenticated" not in gate.log()
    assert counted() == before


def test_refused_by_a_plugin(gate):
    told = explain(gate, "--login", LOGIN, "--from", "boss@example.net", "--to", "x@example.org")
    assert "It would be refused: 553 5.7.1 <boss@example.net>" in told
    row = [line for line in told.splitlines() if "sender-rules" in line][-1]
    assert row.split()[0] == "mail" and "553 5.7.1" in row
    assert "refused" not in gate.log() and "boss@example.net" not in gate.ctl("why", "boss@example.net")


def test_what_was_asked(gate):
    told = explain(gate, "--login", "sub@example.net", "--from", "x@sub.example.net", "--to", "x@example.org")
    assert "It would be accepted." in told
    assert "dns sub.example.net exchangers: " in told
    told = explain(gate, "--login", "sub@example.net", "--from", "x@nowhere.example.net", "--to", "x@example.org")
    assert "dns nowhere.example.net exchangers: none" in told and "It would be refused: 450 4.1.8" in told


def test_refused_by_the_engine(gate):
    told = explain(gate, "--from", LOGIN, "--to", "x@example.org", "--listener", "submission")
    assert "It would be refused: 530 5.7.0 Authentication required" in told
    told = explain(gate, "--login", "gone@example.net", "--from", "gone@example.net", "--to", "x@example.org")
    assert "It would be refused: 421 4.7.0" in told and "stolen password" in told


def test_a_message_of_a_file(gate, tmp_path):
    file = tmp_path / "message"
    file.write_text("Received: a\n" * 60 + "Subject: x\n\n.dot\n")
    told = explain(gate, "--login", LOGIN, "--from", LOGIN, "--to", "x@example.org", str(file))
    assert "It would be refused: 554 5.4.6" in told
    file.write_text("Subject: x\nDate: Mon, 1 Jan 2024 00:00:00 +0000\nBcc: z@example.org\n\n.dot\n.\nQUIT\n")
    told = explain(gate, "--login", LOGIN, "--from", LOGIN, "--to", "x@example.org", str(file))
    assert "It would be accepted." in told and "adds Date" not in told and "adds Message-ID" in told
    assert 'loses its header fields "bcc"' in told


def test_as_json(gate):
    rows = gate.ctl("explain", "--client", "203.0.113.9", "--login", LOGIN, "--from", LOGIN, "--to", "x@example.org", json=True)
    assert any(row["plugin"] == "sender-rules" and row["stage"] == "mail" and row["answer"] == "next" and float(row["ms"]) >= 0
               for row in rows)


@pytest.mark.parametrize("words, complaint", [
    (("--from", LOGIN), "explain what?"),
    (("--from", LOGIN, "--to", "no address"), "--to"),
    (("--from", "x\r\nRCPT TO:<y@example.org>", "--to", "x@example.org"), "--from"),
    (("--from", LOGIN, "--to", "x@example.org", "--login", "nobody@example.net"), "there is no account"),
    (("--from", LOGIN, "--to", "x@example.org", "--listener", "none"), "there is no [listener none]"),
    (("--from", LOGIN, "--to", "x@example.org", "--helo", "a b"), "--helo"),
    (("--from", LOGIN, "--to", "x@example.org", "--frm", "x"), "no option --frm"),
    (("--from", LOGIN, "--to"), "--to needs a value"),
])
def test_mistakes(gate, words, complaint):
    assert complaint in explain(gate, *words, code=1)


def test_no_address_of_a_client(gate):
    with pytest.raises(ControlError):
        gate.ctl("explain", "--client", "here", "--from", LOGIN, "--to", "x@example.org")
