"""U-25 evasions.py - messages that hide a link or a file from filters, while some mail reader shows it.

Each has the name of what it does, and its octets.  What a reader shows is a link to shown.example, or a file "shown.exe"."""
import base64

from archives import ARCHIVES, HARMLESS
from links import HREFS, NUMBERS, TEXTS

LINK = "http://shown.example/x"
LINK64 = base64.b64encode(b"Look at http://shown.example/x now\r\n").decode()
HIDDEN64 = base64.b64encode(b"nothing here").decode()
HTML64 = base64.b64encode(b"<html><a href='http://shown.example/x'>x</a></html>").decode()


def crlf(text):
    return text.replace("\n", "\r\n").encode("utf-8", "surrogateescape")


def leaf(fields, body=LINK64):
    return crlf(fields + "\n\n" + body + "\n")


def mixed(parameter, delimiter, part="Content-Type: text/plain\nContent-Transfer-Encoding: base64\n\n" + LINK64, head=""):
    """A multipart whose only part matters; `parameter` is what names the boundary."""
    return crlf("MIME-Version: 1.0\n%sContent-Type: multipart/mixed%s\n\npreamble\n--%s\n%s\n--%s--\n"
                % (head, parameter, delimiter, part, delimiter))


def attached(*fields):
    return crlf("MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain\n\nhello\n--b\n%s\n"
                "Content-Transfer-Encoding: base64\n\n%s\n--b--\n" % ("\n".join(fields), HIDDEN64))


def with_file(octets, name="a.zip"):
    return attached("Content-Type: application/octet-stream; name=%s" % name).replace(
        HIDDEN64.encode(), base64.encodebytes(octets).replace(b"\n", b"\r\n"))


def text(words):
    return leaf("Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit", words)


def page(href):
    return leaf("Content-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: 8bit", '<p><a href="%s">x</a></p>' % href)


PLAIN64 = "Content-Type: text/plain\nContent-Transfer-Encoding: base64"

EVASIONS = {
    # -- the boundary --
    "boundary that looks like an encoded word": mixed('; boundary="=?utf-8?Q?bb?="', "=?utf-8?Q?bb?="),
    "boundary that is an encoded word for another": mixed('; boundary="=?utf-8?Q?bb?="', "bb"),
    "quoted boundary with a final blank": mixed('; boundary="b "', "b"),
    "quoted boundary with a final blank, taken as it stands": mixed('; boundary="b "', "b "),
    "boundary with a quote that is not closed": mixed('; boundary="bb', "bb"),
    "boundary with a quote that is not closed, which belongs to it": mixed('; boundary="bb', '"bb'),
    "quote that is not closed, another parameter": mixed('; boundary="bb; charset=utf-8', "bb"),
    "two boundaries, the first holds": mixed("; boundary=b1; boundary=b2", "b1"),
    "two boundaries, the last holds": mixed("; boundary=b1; boundary=b2", "b2"),
    "boundary without a semicolon": mixed(" boundary=bb", "bb"),
    "boundary in capitals with blanks around": mixed(';  BOUNDARY = "bb"', "bb"),
    "boundary with a blank and no quotes, cut": mixed("; boundary=b c", "b"),
    "boundary with a blank and no quotes, whole": mixed("; boundary=b c", "b c"),
    "boundary with backslashes": mixed(r'; boundary="b\c"', "bc"),
    "boundary with backslashes, as they stand": mixed(r'; boundary="b\c"', r"b\c"),
    "boundary behind a comment": mixed(" (comment); boundary=bb", "bb"),
    "boundary in two sections": mixed('; boundary*0=b; boundary*1=c', "bc"),
    "boundary of an extended value": mixed("; boundary*=us-ascii'en'bb", "bb"),
    "boundary behind a semicolon too many": mixed(";; boundary=bb", "bb"),
    "boundary in a folded field": mixed(";\n\tboundary=bb", "bb"),
    "boundary with a slash": mixed("; boundary=a/b", "a/b"),
    "boundary with an equals sign": mixed("; boundary==b=", "=b="),
    "boundary with a question mark": mixed("; boundary=b?c", "b?c"),
    "multipart without a closing delimiter": crlf("Content-Type: multipart/mixed; boundary=b\n\n--b\n%s\n\n%s\n" % (PLAIN64, LINK64)),
    "delimiter with blanks behind": mixed("; boundary=b", "b  \t"),
    # -- the header of a part --
    "line without a colon before the encoding": leaf("Content-Type: text/plain\nno colon here\nContent-Transfer-Encoding: base64"),
    "line without a colon before the type": leaf("no colon here\n" + PLAIN64),
    "line without a colon in a part": mixed("; boundary=b", "b", "nonsense\n%s\n\n%s" % (PLAIN64, LINK64)),
    "two encodings, the first holds": leaf(PLAIN64 + "\nContent-Transfer-Encoding: 7bit"),
    "two encodings, the last holds": leaf("Content-Transfer-Encoding: 7bit\n" + PLAIN64),
    "two types, the first holds": leaf("Content-Type: text/html\nContent-Type: image/png\nContent-Transfer-Encoding: base64", HTML64),
    "two types, the last holds": leaf("Content-Type: image/png\nContent-Type: text/plain\nContent-Transfer-Encoding: base64"),
    "two types, the first is a multipart": crlf(
        "Content-Type: multipart/mixed; boundary=b\nContent-Type: image/png\n\n--b\n%s\n\n%s\n--b--\n" % (PLAIN64, LINK64)),
    "two types, the last is a multipart": crlf(
        "Content-Type: image/png\nContent-Type: multipart/mixed; boundary=b\n\n--b\n%s\n\n%s\n--b--\n" % (PLAIN64, LINK64)),
    "blank before the colon": leaf("Content-Type : text/plain\nContent-Transfer-Encoding : base64"),
    "encoding in capitals": leaf("Content-Type: text/plain\nCONTENT-TRANSFER-ENCODING: BASE64"),
    "encoding with a semicolon": leaf("Content-Type: text/plain\nContent-Transfer-Encoding: base64;"),
    "encoding with a comment": leaf("Content-Type: text/plain\nContent-Transfer-Encoding: base64 (really)"),
    "encoding in quotes": leaf('Content-Type: text/plain\nContent-Transfer-Encoding: "base64"'),
    "encoding on a folded line": leaf("Content-Type: text/plain\nContent-Transfer-Encoding:\n base64"),
    "encoding behind a tab": leaf("Content-Type: text/plain\nContent-Transfer-Encoding:\tbase64"),
    "type without a semicolon": leaf("Content-Type: text/html charset=utf-8\nContent-Transfer-Encoding: base64", HTML64),
    "type without a subtype": leaf("Content-Type: text\nContent-Transfer-Encoding: base64"),
    "type in quotes": leaf('Content-Type: "text/html"\nContent-Transfer-Encoding: base64', HTML64),
    "no type at all": leaf("Content-Transfer-Encoding: base64"),
    "field without a value": leaf("Content-Type:\nContent-Transfer-Encoding: base64"),
    "mailbox line before the header": leaf("From someone@example.org Sun Nov 29 01:00:00 2026\n" + PLAIN64),
    "lines that end with LF alone": leaf(PLAIN64).replace(b"\r\n", b"\n"),
    # -- encodings --
    "base64 goes on behind padding": leaf(PLAIN64, base64.b64encode(b"hello").decode() + LINK64),
    "base64 stops at padding": leaf(PLAIN64, base64.b64encode(b"Look at http://shown.example/ ").decode().rstrip("=")
                                    + base64.b64encode(b"xy").decode() + "AAAA"),
    "base64 with padding inside that is ignored": leaf(PLAIN64, LINK64[:30] + "=" + LINK64[30:]),
    "base64 with other octets in it": leaf(PLAIN64, "!".join(LINK64)),
    "base64 without padding": leaf(PLAIN64, base64.b64encode(b"at http://shown.example").decode().rstrip("=")),
    "base64 on one long line": leaf(PLAIN64, base64.b64encode(b"hello " * 500 + LINK.encode()).decode()),
    "quoted-printable with blanks behind a soft line break": leaf(
        "Content-Type: text/plain\nContent-Transfer-Encoding: quoted-printable", "http://sho=  \nwn.exam=\t\nple/x"),
    "quoted-printable with digits in lower case": leaf(
        "Content-Type: text/plain\nContent-Transfer-Encoding: quoted-printable", "http://shown=2eexample/x"),
    "quoted-printable with mistakes": leaf(
        "Content-Type: text/plain\nContent-Transfer-Encoding: quoted-printable", "a=b = =zz http://sh=6Fwn.example/x ="),
    "uuencoded": leaf("Content-Type: text/plain\nContent-Transfer-Encoding: x-uuencode",
                      "begin 644 a\n" + "6:'1T<#HO+W-H;W=N+F5X86UP;&4O\n" + "`\nend"),
    "message within a message, encoded": leaf("Content-Type: message/rfc822\nContent-Transfer-Encoding: base64",
                                              base64.b64encode(b"Content-Type: text/plain\r\n\r\nhttp://shown.example/x\r\n").decode()),
    # -- names --
    "name without quotes, with a blank": attached("Content-Disposition: attachment; filename=a shown.exe"),
    "filename together with filename*": attached("Content-Disposition: attachment; filename=a.txt; filename*=utf-8''shown.exe"),
    "filename* together with filename": attached("Content-Disposition: attachment; filename*=utf-8''a.txt; filename=shown.exe"),
    "filename twice": attached("Content-Disposition: attachment; filename=a.txt; filename=shown.exe"),
    "filename twice, the other way": attached("Content-Disposition: attachment; filename=shown.exe; filename=a.txt"),
    "name in the disposition": attached("Content-Disposition: attachment; name=shown.exe"),
    "filename in the type": attached("Content-Type: application/octet-stream; filename=shown.exe"),
    "name in the type, another in the disposition": attached("Content-Type: application/octet-stream; name=shown.exe",
                                                             "Content-Disposition: attachment; filename=a.txt"),
    "character set of one type that looks like the name of another": attached(
        'Content-Type: text/plain; charset="utf-8;shown.exe"', "Content-Type: text/plain; charset=utf-8; name=shown.exe"),
    "two dispositions, the first holds": attached("Content-Disposition: attachment; filename=shown.exe", "Content-Disposition: inline"),
    "two dispositions, the last holds": attached("Content-Disposition: inline; filename=a.txt",
                                                 "Content-Disposition: attachment; filename=shown.exe"),
    "disposition without a semicolon": attached("Content-Disposition: attachment filename=shown.exe"),
    "type without a semicolon before the name": attached('Content-Type: application/octet-stream name="shown.exe"'),
    "name with a quote that is not closed": attached('Content-Disposition: attachment; filename="shown.exe'),
    "name behind a quote that is not closed": attached('Content-Disposition: attachment; x="y; filename=shown.exe'),
    "name in sections": attached("Content-Disposition: attachment; filename*0=shown; filename*1=.exe"),
    "name in sections out of order": attached("Content-Disposition: attachment; filename*1=.exe; filename*0=shown"),
    "name in sections, one is missing": attached("Content-Disposition: attachment; filename*0=shown; filename*2=.exe"),
    "name in extended sections": attached("Content-Disposition: attachment; filename*0*=utf-8''sho%77n; filename*1*=%2eexe"),
    "name of an encoded word": attached('Content-Disposition: attachment; filename="=?utf-8?B?c2hvd24uZXhl?="'),
    "name of two encoded words": attached('Content-Disposition: attachment; filename="=?utf-8?Q?shown?= =?utf-8?Q?.exe?="'),
    "name of an encoded word without quotes": attached("Content-Disposition: attachment; filename==?utf-8?Q?shown.exe?="),
    "name with a backslash": attached(r'Content-Disposition: attachment; filename="shown\.exe"'),
    "name with a line end in it": attached('Content-Disposition: attachment; filename="sho\n wn.exe"; name=shown.exe'),
    "name in single quotes": attached("Content-Disposition: attachment; filename='shown.exe'"),
    "name with dots at its end": attached('Content-Disposition: attachment; filename="shown.exe. "'),
    "name in capitals": attached("Content-Disposition: attachment; FILENAME=SHOWN.EXE"),
    "line without a colon before the name": attached("nonsense", "Content-Disposition: attachment; filename=shown.exe"),
    "octets behind the quotes of a name": attached('Content-Disposition: attachment; filename="shown".exe'),
    **{name: with_file(octets) for name, octets in ARCHIVES.items()},
    **{name: text(words) for name, words in TEXTS.items()},
    **{name: page(href) for name, href in HREFS.items()},
    **{"address: " + name: text(words) for name, words in NUMBERS.items()},
}
PLAIN = {name: with_file(octets) for name, octets in HARMLESS.items()}
