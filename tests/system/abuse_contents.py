"""Messages that cost whoever looks into them; tools/abuse sends them again and again."""
import base64
import io
import random
import zipfile

HEAD = "From: <content@evil.test>\r\nSubject: %s\r\nMIME-Version: 1.0\r\n"


def message(subject, kind, body):
    return (HEAD % subject + "Content-Type: %s\r\n\r\n" % kind).encode() + body


def attachment(name, octets):
    text = base64.encodebytes(octets).replace(b"\n", b"\r\n")
    return message("archive", 'application/zip; name="%s"\r\nContent-Transfer-Encoding: base64' % name, text)


def links(luck, n):
    """Each to another domain."""
    words = ("".join(luck.choices("abcdefghijklmnop", k=12)) for _ in range(n))
    return message("links", "text/plain", "".join("http://www.%s.example/\r\n" % word for word in words).encode())


def entities(n):
    return message("entities", "text/html", b"<p>" + b"&#x68;&#116;&#x74;&#112;&colon;//&NotEqual;<!-- x -->\r\n" * n)


def parts(n):
    return message("parts", 'multipart/mixed; boundary="b"', b"--b\r\n\r\nhttp://one.example\r\n" * n + b"--b--\r\n")


def levels(n):
    body = b"".join(b'--b%d\r\nContent-Type: multipart/mixed; boundary="b%d"\r\n\r\n' % (i, i + 1) for i in range(n))
    return message("levels", 'multipart/mixed; boundary="b0"', body)


def archive(n):
    octets = io.BytesIO()
    with zipfile.ZipFile(octets, "w") as files:
        for i in range(n):
            files.writestr("folder/file%d.txt" % i, "x")
    return attachment("files.zip", octets.getvalue())


def bomb(mebibytes):
    """Zeros, in a zip in a zip."""
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as files:
        files.writestr("zeros.zip", b"\0" * (mebibytes << 20))
    outer = io.BytesIO()
    with zipfile.ZipFile(outer, "w") as files:
        files.writestr("a.zip", inner.getvalue())
    return attachment("bomb.zip", outer.getvalue())


def begin_lines(n):
    return message("uuencoded", "text/plain", b"begin 644 x.txt\r\n#0V%T\r\n`\r\nend\r\n" * n)


def write_all(place):
    """Into files of the directory `place`; their paths."""
    place.mkdir()
    made = {"few-links": links(random.Random(1), 900), "links": links(random.Random(2), 30_000), "entities": entities(40_000),
            "parts": parts(20_000), "levels": levels(10_000), "archive": archive(8_000), "bomb": bomb(200),
            "uuencoded": begin_lines(20_000)}
    for name, octets in made.items():
        (place / name).write_bytes(octets)
    return [str(place / name) for name in made]
