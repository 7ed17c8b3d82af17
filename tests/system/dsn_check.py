"""A validator of delivery status notifications: RFC 3464, RFC 6522, RFC 6533, and what they stand on (RFC 2045, 2046, 5322)."""
import email
import email.policy
import email.utils
import re

BCHARS = r"[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]"
ATOM = r"[!#$%&'*+\-/0-9=?A-Z^_`a-z{|}~]+"
LABEL = r"[0-9A-Za-z](?:[0-9A-Za-z\-]{0,61}[0-9A-Za-z])?"
HOST = r"(?:%s(?:\.%s)*|\[(?:\d+\.){3}\d+\]|\[IPv6:[0-9a-f:.]+\])" % (LABEL, LABEL)
LOCAL = r'(?:%s(?:\.%s)*|"(?:[^"\\]|\\.)*")' % (ATOM, ATOM)
MESSAGE_FIELDS = {"original-envelope-id", "reporting-mta", "dsn-gateway", "received-from-mta", "arrival-date"}
RECIPIENT_FIELDS = {"original-recipient", "final-recipient", "action", "status", "remote-mta", "diagnostic-code",
                    "last-attempt-date", "final-log-id", "will-retry-until"}
ACTIONS = {"failed", "delayed", "delivered", "relayed", "expanded"}


class Faults(list):
    def need(self, is_good, text, *arguments):
        if not is_good:
            self.append(text % arguments)


def fields_of(octets, faults):
    """[(name, value)] of a block of header fields, unfolded."""
    found = []
    for line in octets.split(b"\r\n"):
        if line[:1] in (b" ", b"\t"):
            faults.need(found, "a folded line without a field: %r", line)
            faults.need(line.strip(), "a folded line of blanks")
            if found:
                found[-1][1] += " " + line.strip().decode("utf-8", "replace")
            continue
        match = re.fullmatch(rb"([!-9;-~]+):(.*)", line, re.S)
        faults.need(match, "no header field: %r", line)
        if match:
            found.append([match.group(1).decode().lower(), match.group(2).strip().decode("utf-8", "replace")])
    return [(name, value) for name, value in found]


def check_date(value, faults):
    try:
        faults.need(email.utils.parsedate_to_datetime(value), "no date: %s", value)
    except (TypeError, ValueError):
        faults.append("no date: %s" % value)


def check_address(value, is_global, faults):
    kind, _, address = value.partition(";")
    kind, address = kind.strip().lower(), address.strip()
    if kind == "rfc822":
        faults.need(re.fullmatch(r"%s@%s" % (LOCAL, HOST), address), "no address: %r", value)
    elif kind == "utf-8":
        faults.need(is_global or address.isascii(), "8-bit octets in a report of 7 bit: %r", value)
        faults.need(not address.isascii() or r"\x{" in address, "utf-8 for an address that needs none: %r", value)
        plain = re.sub(r"\\x\{[0-9A-F]{2,6}\}", "", address)
        faults.need(not re.search(r"[\\+= ]", plain), "not the form of RFC 6533 3: %r", value)
    else:
        faults.need(re.fullmatch(ATOM, kind) and address, "no typed address: %r", value)


def check_mta(value, faults):
    faults.need(re.fullmatch(r"dns;\s*%s" % HOST, value), "no name of an MTA: %r", value)


def check_recipient(fields, is_global, faults):
    names = [name for name, _ in fields]
    have = dict(fields)
    for name in names:
        faults.need(name in RECIPIENT_FIELDS or name.startswith("x-"), "an unknown field of a recipient: %s", name)
        faults.need(names.count(name) == 1, "%s stands more than once", name)
    for name in ("final-recipient", "action", "status"):
        faults.need(name in have, "%s is missing", name)
    for name in ("original-recipient", "final-recipient"):
        if name in have:
            check_address(have[name], is_global, faults)
    faults.need(have.get("action") in ACTIONS, "action %r", have.get("action"))
    faults.need(re.fullmatch(r"[245]\.\d{1,3}\.\d{1,3}", have.get("status", "")), "status %r", have.get("status"))
    classes = {"failed": "45", "delayed": "4"}.get(have.get("action"), "2")
    faults.need(have.get("status", "?")[0] in classes, "%s with status %s", have.get("action"), have.get("status"))
    if "remote-mta" in have:
        check_mta(have["remote-mta"], faults)
    if "diagnostic-code" in have:
        kind, _, text = have["diagnostic-code"].partition(";")
        faults.need(re.fullmatch(ATOM, kind) and text.strip(), "no diagnostic code: %r", have["diagnostic-code"])
        if kind == "smtp":
            faults.need(re.match(r"[2-5]\d\d([ \-]|$)", text.strip()), "no SMTP reply: %r", have["diagnostic-code"])
            faults.need("remote-mta" in have, "an SMTP reply of nobody")
    for name in ("last-attempt-date", "will-retry-until"):
        if name in have:
            check_date(have[name], faults)
    faults.need("will-retry-until" not in have or have["action"] == "delayed", "will-retry-until with %s", have.get("action"))


def check_status(body, is_global, faults):
    faults.need(is_global or body.isascii(), "8-bit octets in message/delivery-status")
    blocks = [block for block in re.split(rb"(?:\r\n){2,}", body.strip(b"\r\n")) if block]
    faults.need(len(blocks) >= 2, "%d blocks of fields", len(blocks))
    about = fields_of(blocks[0], faults)
    have = dict(about)
    for name, _ in about:
        faults.need(name in MESSAGE_FIELDS or name.startswith("x-"), "an unknown field of the message: %s", name)
    faults.need("reporting-mta" in have, "reporting-mta is missing")
    check_mta(have.get("reporting-mta", ""), faults)
    if "arrival-date" in have:
        check_date(have["arrival-date"], faults)
    for block in blocks[1:]:
        check_recipient(fields_of(block, faults), is_global, faults)


def check_part(head, body, faults):
    """(type, encoding) of a part, after a look at its encoding."""
    have = dict(fields_of(head, faults))
    kind = have.get("content-type", "").partition(";")[0].strip().lower()
    encoding = have.get("content-transfer-encoding", "7bit").lower()
    faults.need(encoding in ("7bit", "8bit", "quoted-printable", "base64"), "encoding %s", encoding)
    faults.need(encoding == "8bit" or body.isascii(), "8-bit octets in a part of %s: %s", encoding, kind)
    if kind in ("message/rfc822", "message/delivery-status"):
        faults.need(encoding in ("7bit", "8bit"), "%s with encoding %s", kind, encoding)
    if kind == "message/rfc822":
        faults.need(body.partition(b"\r\n\r\n")[0].isascii(), "a header of message/rfc822 that is not ASCII")
    if kind == "message/global":
        faults.need(not body.partition(b"\r\n\r\n")[0].isascii(), "message/global without need")
    return kind, encoding


def check(octets):
    """Faults of a report, which is everything from its header to its end; an empty list: there are none."""
    faults = Faults()
    faults.need(not re.search(rb"(?<!\r)\n|\r(?!\n)", octets), "a bare CR or LF")
    for line in octets.split(b"\r\n"):
        faults.need(len(line) <= 998, "a line of %d octets: %r", len(line), line[:60])
    message = email.message_from_bytes(octets, policy=email.policy.compat32)
    faults.need(not message.defects, "Python: %s", message.defects)
    faults.need(message.get_content_type() == "multipart/report", "type %s", message.get_content_type())
    boundary = message.get_boundary() or ""
    faults.need(re.fullmatch(BCHARS, boundary), "boundary %r", boundary)
    head, _, body = octets.partition(b"\r\n\r\n")
    have = dict(fields_of(head, faults))
    for name in ("from", "to", "subject", "date", "message-id", "mime-version", "auto-submitted"):
        faults.need(name in have, "%s is missing", name)
    check_date(have.get("date", ""), faults)
    faults.need(body.isascii() or have.get("content-transfer-encoding", "").lower() == "8bit",
                "8-bit octets in a message that does not say so")
    pieces = re.split(rb"\r\n--" + re.escape(boundary.encode()) + rb"(?:--)?[ \t]*(?=\r\n|$)", b"\r\n" + body)
    faults.need(3 <= len(pieces) - 1 <= 4, "%d parts", len(pieces) - 2)
    kinds = []
    for piece in pieces[1:-1]:
        part_head, _, part_body = piece[2:].partition(b"\r\n\r\n")
        kinds.append(check_part(part_head, part_body, faults)[0])
        if len(kinds) == 2:
            check_status(part_body, kinds[1] == "message/global-delivery-status", faults)
    faults.need(kinds[0] == "text/plain", "first part %s", kinds[0])
    faults.need(kinds[1] == "message/" + str(message.get_param("report-type")), "second part %s, but report-type=%s",
                kinds[1], message.get_param("report-type"))
    faults.need(len(kinds) < 3 or kinds[2] in ("message/rfc822", "text/rfc822-headers", "message/global", "message/global-headers"),
                "third part %s", kinds[2:])
    faults.need("global" not in kinds[1] or not have["to"].isascii(), "a global report to an ASCII sender")
    for part in message.walk():
        faults.need(not part.defects, "Python: %s", part.defects)
    return list(faults)
