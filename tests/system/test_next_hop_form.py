"""What goes to a next hop is what it takes: SMTPUTF8 only where it is needed, 8-bit content and long lines encoded anew."""
import email
import random
from email import policy

import pytest

from postern import LOGIN

OLD = ("PIPELINING", "SIZE 0", "DSN", "ENHANCEDSTATUSCODES")
NEW = OLD + ("8BITMIME",)
UTF8 = NEW + ("SMTPUTF8",)
TEXT = "Subject: %s\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n%s\n"
SIGNED = ("Subject: signed\nMIME-Version: 1.0\nContent-Type: multipart/signed; boundary=b; micalg=pgp-sha256;\n"
          " protocol=\"application/pgp-signature\"\n\n--b\nContent-Type: text/plain; charset=utf-8\n\n%s\n--b\n"
          "Content-Type: application/pgp-signature\n\n-----BEGIN PGP SIGNATURE-----\n--b--\n")


@pytest.fixture
def hop(make_postern, sink):
    """A daemon; `hop(extensions)` says what its next hop offers from now on."""
    postern = make_postern(sink=sink)

    def offer(extensions):
        postern.settle()
        sink.extensions = list(extensions)
        postern.stop()
        postern.start()   # no connection is kept that knows other extensions
        return postern
    return offer


def submit(postern, content, recipients=("rcpt@example.org",), mail="BODY=8BITMIME SMTPUTF8", more=""):
    with postern.session() as dialog:
        dialog.expect("250", "MAIL FROM:<%s> %s" % (LOGIN, mail))
        for recipient in recipients:
            dialog.expect("250", "RCPT TO:<%s>%s" % (recipient, more))
        reply = dialog.data(content)
        assert reply.code == 250, reply
    return reply.text.split()[-1]


def last(postern, n=1):
    postern.settle()
    messages = postern.sink.messages[-n:]
    return messages[0] if n == 1 else messages


def fits(message, takes_8bit=False):
    assert takes_8bit or message.data.partition(b"\r\n\r\n")[2].isascii()
    assert max(len(line) for line in message.data.split(b"\r\n")) <= 998


def said(message):
    """The text of a message as a mail reader shows it."""
    parsed = email.message_from_bytes(message.data, policy=policy.default)
    return parsed.get_content().replace("\r\n", "\n")


# ---- SMTPUTF8 ----

@pytest.mark.parametrize("extensions", [OLD, NEW, UTF8], ids=["old", "8bitmime", "smtputf8"])
def test_word_alone(hop, extensions):
    """E-24 the client said SMTPUTF8, everything is ASCII: it is not demanded of the next hop."""
    postern = hop(extensions)
    submit(postern, "Subject: plain\n\nHello.\n")
    message = last(postern)
    assert message.recipients == ["rcpt@example.org"] and "SMTPUTF8" not in message.sender_parameters


def test_header_needs_it(hop):
    """E-24 a header with UTF-8 needs it, a body does not; who did not say it is taken at its word."""
    postern = hop(NEW)
    submit(postern, TEXT % ("plain", "gr\u00fc\u00dfe"))
    message = last(postern)
    assert "gr\u00fc\u00dfe" in message.text and "SMTPUTF8" not in message.sender_parameters
    submit(postern, TEXT % ("gr\u00fc\u00dfe", "x"), mail="BODY=8BITMIME")
    message = last(postern)
    assert "Subject: gr\u00fc\u00dfe" in message.text and message.sender == LOGIN
    submit(postern, TEXT % ("gr\u00fc\u00dfe", "x"))
    report = last(postern)
    assert report.sender == "" and "5.6.7" in report.text
    postern = hop(UTF8)
    submit(postern, TEXT % ("gr\u00fc\u00dfe", "x"))
    assert "SMTPUTF8" in last(postern).sender_parameters


def test_each_recipient_for_itself(hop):
    """E-24 an address with UTF-8 needs it, for itself alone."""
    postern = hop(NEW)
    submit(postern, "Subject: two\n\nx\n", ["a@example.org", "gr\u00fc\u00dfe@example.org", "b@example.org"])
    postern.settle()
    assert [message.recipients for message in postern.sink.messages if message.sender] == [["a@example.org", "b@example.org"]]
    report, = [message for message in postern.sink.messages if not message.sender]
    assert "5.6.7" in report.text and "a@example.org" not in report.text
    postern = hop(UTF8)
    submit(postern, "Subject: two\n\nx\n", ["a@example.org", "gr\u00fc\u00dfe@example.org"])
    assert last(postern).recipients == ["a@example.org", "gr\u00fc\u00dfe@example.org"]


def test_original_recipient(hop):
    """E-24 ORCPT of type utf-8 goes encoded where SMTPUTF8 is not spoken (RFC 6533 3)."""
    postern = hop(NEW)
    submit(postern, "Subject: x\n\nx\n", more=" ORCPT=utf-8;gr\u00fc\u00dfe\\x{2B}x@example.org NOTIFY=FAILURE")
    assert "ORCPT=utf-8;gr\\x{FC}\\x{DF}e\\x{2B}x@example.org" in last(postern).recipient_parameters[0]


# ---- bodies ----

def test_8bit_text(hop):
    """E-23 a next hop without 8BITMIME gets quoted-printable that says the same; with it, nothing changes."""
    text = "gr\u00fc\u00dfe = \n.dot\n" + "\u4e16\u754c" * 100 + "\nend \t\n"
    postern = hop(OLD)
    submit(postern, TEXT % ("x", text))
    message = last(postern)
    fits(message)
    assert "BODY" not in message.sender_parameters
    parsed = email.message_from_bytes(message.data, policy=policy.default)
    assert parsed["Content-Transfer-Encoding"] == "quoted-printable"
    assert said(message) == text + "\n"
    postern = hop(NEW)
    submit(postern, TEXT % ("x", text))
    message = last(postern)
    assert "Content-Transfer-Encoding: 8bit" in message.text and text.replace("\n", "\r\n") in message.text
    assert "BODY=8BITMIME" in message.sender_parameters


def test_8bit_that_was_not_announced(hop):
    """E-23 8-bit content of a client that did not say so is announced, or encoded."""
    postern = hop(NEW)
    submit(postern, "Subject: x\n\ngr\u00fc\u00dfe\n", mail="")
    assert "BODY=8BITMIME" in last(postern).sender_parameters
    postern = hop(OLD)
    submit(postern, "Subject: x\n\ngr\u00fc\u00dfe\n", mail="")
    message = last(postern)
    fits(message)
    assert said(message) == "gr\u00fc\u00dfe\n"


@pytest.mark.parametrize("extensions", [OLD, UTF8], ids=["old", "new"])
def test_long_lines(hop, extensions):
    """E-23 lines over 998 octets are encoded, also where 8 bits are taken; header lines are folded."""
    postern = hop(extensions)
    content = "Subject: x\nReferences: " + " ".join("<%d@example.net>" % i for i in range(500)) + "\n\n" + "y" * 100000 + "\nend\n"
    submit(postern, content)
    message = last(postern)
    fits(message)
    assert said(message) == "y" * 100000 + "\nend\n"
    assert message.header("References") == [" ".join("<%d@example.net>" % i for i in range(500))]
    size = int(message.sender_parameters.split("SIZE=")[1].split()[0])
    assert size == len(message.data)


def test_signed(hop):
    """E-23 what is signed is not touched: long lines go as they are, 8 bits for an old host come back (5.6.3)."""
    postern = hop(OLD)
    submit(postern, SIGNED % ("x" * 2000))
    assert last(postern).data.endswith((SIGNED % ("x" * 2000)).partition("\n\n")[2].replace("\n", "\r\n").encode())
    submit(postern, SIGNED % "gr\u00fc\u00dfe")
    report = last(postern)
    assert report.sender == "" and "5.6.3" in report.text and "gr\u00fc\u00dfe" in report.text   # it comes back whole
    postern = hop(NEW)
    submit(postern, SIGNED % "gr\u00fc\u00dfe")
    assert "gr\u00fc\u00dfe" in last(postern).text


def leaves(octets):
    for part in email.message_from_bytes(octets).walk():
        if not part.is_multipart():
            yield part.get_content_type(), part.get_filename(), (part.get_payload(decode=True) or b"").replace(b"\r\n", b"\n")


def random_message(random, depth=0):
    """A MIME message as Python makes them, with its bodies in 8 bits."""
    kinds = ["text", "html", "binary", "untyped"] + ["mixed", "alternative", "digest", "message"] * (depth < 4)
    kind = random.choice(kinds)
    if kind in ("mixed", "alternative", "digest"):
        boundary = "b%x" % random.getrandbits(40)
        parts = b"".join(b"--%s\r\n%s\r\n" % (boundary.encode(), random_message(random, depth + 1))
                         for _ in range(random.randrange(1, 4)))
        return b"Content-Type: multipart/%s;\r\n\tboundary=\"%s\"\r\n\r\npreamble\r\n%s--%s--\r\n" % (
            b"mixed" if kind == "digest" else kind.encode(), boundary.encode(), parts, boundary.encode())
    if kind == "message":
        return b"Content-Type: message/rfc822\r\n\r\nSubject: inner\r\nMIME-Version: 1.0\r\n" + random_message(random, depth + 1)
    head = {"text": b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n",
            "html": b"Content-Type: text/html; charset=iso-8859-1\r\nContent-Disposition: attachment; filename=a.html\r\n",
            "binary": b"Content-Transfer-Encoding: binary\r\nContent-Type: application/octet-stream; name=x\r\n",
            "untyped": b""}[kind]
    lines = [bytes(random.choice(b"ab=. \t-\x80\xc3\xbc\xff") for _ in range(random.choice([0, 1, 5, 80, 1500])))
             for _ in range(random.randrange(0, 6))]
    return head + b"\r\n" + b"\r\n".join(lines) + b"\r\n"


def test_bodies_survive(hop):
    """E-23 whatever the structure is, Python's email package finds the same bodies before and after."""
    numbers = random.Random(20261129)
    contents = [b"Subject: %d\r\nMIME-Version: 1.0\r\n" % i + random_message(numbers) for i in range(150)]
    postern = hop(OLD)
    with postern.session() as dialog:
        for content in contents:
            dialog.mail(content=content)
    postern.settle()
    got = {int(message.header("Subject")[0]): message for message in postern.sink.messages}
    assert len(got) == 150
    for i, content in enumerate(contents):
        fits(got[i])
        assert list(leaves(got[i].data)) == list(leaves(content)), content


def test_large(hop):
    """E-23 a message that is not kept in memory, too."""
    postern = hop(OLD)
    text = ("gr\u00fc\u00dfe " * 100 + "\n") * 500
    submit(postern, TEXT % ("large", text))
    message = last(postern)
    fits(message)
    assert said(message) == text + "\n"
    assert int(message.sender_parameters.split("SIZE=")[1].split()[0]) == len(message.data)
