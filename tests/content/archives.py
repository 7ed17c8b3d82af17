"""archives.py - archives that hide a file "shown.exe", or that they are encrypted, from filters; some program unpacks each."""
import io
import struct
import zipfile
import zlib

TEXT = b"hello"


class Member:
    """A file of a zip archive: what its local header says, and what the directory says."""

    def __init__(self, name, data=TEXT, flags=0, method=0, extra=b"", size=None, local_name=None, local_flags=None, local_extra=None):
        self.name, self.flags, self.method, self.extra = name, flags, method, extra
        self.local_name = name if local_name is None else local_name
        self.local_flags = flags if local_flags is None else local_flags
        self.local_extra = extra if local_extra is None else local_extra
        self.data, self.size = data, len(data) if size is None else size

    def local(self):
        return b"PK\3\4" + struct.pack("<HHHHHLLLHH", 20, self.local_flags, self.method, 0, 0x21, zlib.crc32(self.data), self.size,
                                       self.size, len(self.local_name), len(self.local_extra)) + self.local_name + self.local_extra + self.data

    def central(self, offset):
        return b"PK\1\2" + struct.pack("<HHHHHHLLLHHHHHLL", 20, 20, self.flags, self.method, 0, 0x21, zlib.crc32(self.data), len(self.data),
                                       len(self.data), len(self.name), len(self.extra), 0, 0, 0, 0, offset) + self.name + self.extra


def end_record(entries, size, offset, comment=b""):
    return b"PK\5\6" + struct.pack("<HHHHLLH", 0, 0, entries, entries, size, offset, len(comment)) + comment


def zip64_end(entries, size, offset, at):
    record = b"PK\6\6" + struct.pack("<QHHLLQQQQ", 44, 45, 45, 0, 0, entries, entries, size, offset)
    locator = b"PK\6\7" + struct.pack("<LQL", 0, at, 1)
    return record + locator + end_record(0xffff, 0xffffffff, 0xffffffff)


def zip_of(*members, before=b"", between=b"", comment=b"", is_64=False, directory=None):
    """A zip archive; `directory`: the members that its directory has, instead of all."""
    body, offsets = before, {}
    for member in members:
        offsets[member] = len(body)
        body += member.local()
    central = b"".join(member.central(offsets.get(member, 0)) for member in (members if directory is None else directory))
    count = len(members if directory is None else directory)
    start = len(body) + len(between)
    end = zip64_end(count, len(central), start, start + len(central)) if is_64 else end_record(count, len(central), start, comment)
    return body + between + central + end


NOTE, SHOWN = Member(b"note.txt"), Member(b"shown.exe")
GOOD, BAD = zip_of(NOTE), zip_of(SHOWN)
MASKED = Member(b"0", flags=0x2000 | 1)


def unicode_path(name):
    return struct.pack("<HHBL", 0x7075, 5 + len(name), 1, 0) + name


def written_in_a_stream():
    """By a program that could not go back: sizes stand behind the data."""
    class Pipe(io.RawIOBase):
        octets = b""

        def writable(self):
            return True

        def write(self, octets):
            Pipe.octets += bytes(octets)
            return len(octets)

    with zipfile.ZipFile(Pipe(), "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("note.txt", TEXT)
        made.writestr("shown.exe", TEXT)
    return Pipe.octets


def rar_number(value):
    octets = b""
    while value > 0x7f:
        octets += bytes([value & 0x7f | 0x80])
        value >>= 7
    return octets + bytes([value])


def rar5_header(body):
    size = rar_number(len(body))
    return struct.pack("<L", zlib.crc32(size + body)) + size + body


def rar5_of(name, extra=b""):
    """A rar archive of version 5 with one file, stored."""
    flags = 2 | (1 if extra else 0)
    head = rar_number(2) + rar_number(flags) + (rar_number(len(extra)) if extra else b"") + rar_number(len(TEXT))
    head += rar_number(4) + rar_number(len(TEXT)) + rar_number(0o644) + struct.pack("<L", zlib.crc32(TEXT)) + b"\0\1"
    head += rar_number(len(name)) + name + extra
    return b"Rar!\x1a\7\1\0" + rar5_header(b"\1\0\0") + rar5_header(head) + TEXT + rar5_header(b"\5\0\0")


def rar4_of(name, flags=0, main_flags=0):
    """The same of version 4."""
    def block(kind, flags, body):
        rest = struct.pack("<BHH", kind, flags, 7 + len(body)) + body
        return struct.pack("<H", zlib.crc32(rest) & 0xffff) + rest

    body = struct.pack("<LLBLLBBHL", len(TEXT), len(TEXT), 2, zlib.crc32(TEXT), 0x21, 29, 0x30, len(name), 0x20) + name
    return b"Rar!\x1a\7\0" + block(0x73, main_flags, bytes(6)) + block(0x74, 0x8000 | flags, body) + TEXT + block(0x7b, 0x4000, b"")


# AES-256 with a salt of 16 octets, as WinRAR 5 writes it.
RAR5_ENCRYPTED = rar_number(48) + b"\1" + b"\0\0\x0f" + bytes(16) + bytes(16) + bytes(12) + b"\0"
# 7-Zip 26.02: "7zz a -psecret c.7z notes.txt", and with -mhe=on, and "-tzip -mem=AES256".
SEVEN_CONTENT = bytes.fromhex(
    "377abcaf271c0004e67a8d4710000000000000006a0000000000000063662caaf04b793b1a7c4a475ddb99f4c9a555d80104060001091000070b01000224"
    "06f1070112530f2ec45aaff0762db0328ace476b3d51132121010001000c0a0600080a0120303a36000005011901001115006e006f007400650073002e00"
    "7400780074000000140a01003c847f95a97fdd01150601002080a4810000")
SEVEN_NAMES = bytes.fromhex(
    "377abcaf271c0004e165e88680000000000000002e00000000000000a594117f2e55a14c9b0546ba77bae0efaf561d0d0e325f949df2d8725b4e8f83c649"
    "ead351bc58bf8d59bb57dc6ce5368936812946b50a9e3e696b2ecf2be0eb1da91a1ac375fc5e76b71bed7685e6a275b1c97f9681acb6dc3d559365dd6b48"
    "36f893bdca92ee85e018c7cc7dc08ae8c73b41119498db0bf29123d3886ecb8921c2c52b17061001097000070b0100012406f1070112530f6c84633a47ac"
    "75ab51eadc4f80d9e26c0c6a0a01cd588ae90000")
ZIP_AES = bytes.fromhex(
    "504b0304330001006300cc137d5d00000000220000000600000009000b006e6f7465732e7478740199070002004145030000b1a692081d9fd4e85c1efb82"
    "daeeb5090d034fdf7f2eb31b8ef6b5cd7a86c7bd3a5e504b01023f03330001006300cc137d5d00000000220000000600000009002f000000000000002080"
    "a481000000006e6f7465732e7478740a00200000000000010018003c847f95a97fdd01000000000000000000000000000000000199070002004145030000"
    "504b0506000000000100010066000000540000000000")

ARCHIVES = {
    # -- which directory --
    "two zip archives, the first holds": BAD + GOOD,
    "two zip archives, the last holds": GOOD + BAD,
    "three zip archives, the middle holds": GOOD + BAD + GOOD,
    "zip archive in the comment of another": zip_of(NOTE, comment=BAD),
    "zip archive with a directory that leaves a file out": zip_of(NOTE, SHOWN, directory=[NOTE]),
    "zip archive with a file in its directory alone": zip_of(NOTE, directory=[NOTE, SHOWN]),
    "zip archive between members and directory": zip_of(NOTE, between=SHOWN.local()),
    "zip archive with octets behind": BAD + bytes(100000),
    "zip archive without an end": SHOWN.local(),
    "zip archive without an end, the second file": NOTE.local() + SHOWN.local(),
    "zip archive whose directory is cut": BAD[:-22],
    "zip archive with two end records": BAD[:-22] + end_record(1, 55, 39) + end_record(1, 55, 0),
    "zip archive with an end record of no entries": BAD + end_record(0, 0, 0),
    "zip64 archive": zip_of(NOTE, SHOWN, is_64=True),
    "zip64 archive behind a text": zip_of(NOTE, SHOWN, before=b"hello\r\n", is_64=True),
    "zip archive whose end says another offset": BAD[:-22] + end_record(1, 55, 12345678),
    "zip archive with sizes behind the data": written_in_a_stream(),
    # -- what stands before --
    "text before a zip archive": b"Dear reader,\r\n" + BAD,
    "text before a zip archive, offsets count it": zip_of(SHOWN, before=b"Dear reader,\r\n"),
    "2 KiB before a zip archive": bytes(2048) + BAD,
    "300 KiB before a zip archive": b"x" * 300000 + BAD,
    "mark of a part before a zip archive": b"PK\7\10" + BAD,
    "mark of a single part before a zip archive": b"PK00" + BAD,
    "picture before a zip archive": b"GIF89a" + bytes(800) + BAD,
    "rar archive before a zip archive": rar5_of(b"note.txt") + BAD,
    "zip archive before a rar archive": GOOD + rar5_of(b"shown.exe"),
    "text before a rar archive": b"Dear reader,\r\n" + rar5_of(b"shown.exe"),
    "text before an old rar archive": b"Dear reader,\r\n" + rar4_of(b"shown.exe"),
    "false signature before a rar archive": b"Rar!\x1a\7\0 is a signature\r\n" + rar5_of(b"shown.exe"),
    # -- names --
    "name that begins with NUL": zip_of(Member(b"\0shown.exe")),
    "name with NUL within": zip_of(Member(b"shown\0.exe")),
    "name with NUL behind": zip_of(Member(b"shown.exe\0.txt")),
    "name with NUL before and behind": zip_of(Member(b"\0shown.exe\0.txt")),
    "name of its own before the data": zip_of(Member(b"note.txt", local_name=b"shown.exe")),
    "name of its own in the directory": zip_of(Member(b"shown.exe", local_name=b"note.txt")),
    "name in an extra field": zip_of(Member(b"note.txt", extra=unicode_path(b"shown.exe"))),
    "name in an extra field before the data": zip_of(Member(b"note.txt", local_extra=unicode_path(b"shown.exe"))),
    "name in an extra field that begins with NUL": zip_of(Member(b"note.txt", extra=unicode_path(b"\0shown.exe"))),
    "name in an extra field behind another": zip_of(Member(b"note.txt", extra=b"\x55\x54\1\0\0" + unicode_path(b"shown.exe"))),
    "name in a folder, with a backslash": zip_of(Member(b"a\\shown.exe")),
    "name of 5,000 octets": zip_of(Member(b"x/" * 2500 + b"shown.exe")),
    # -- sizes --
    "size that covers the next file": zip_of(Member(b"note.txt", size=5 + len(SHOWN.local())), SHOWN, directory=[NOTE]),
    "size of 4 GiB": zip_of(Member(b"note.txt", size=0xffffffff), SHOWN, directory=[NOTE]),
    "size of nothing": zip_of(Member(b"note.txt", size=0), SHOWN, directory=[NOTE]),
    "file that the directory does not have, with a flag of sizes behind": zip_of(
        Member(b"note.txt", flags=8, size=0), SHOWN, directory=[NOTE]),
    # -- encrypted --
    "ZipCrypto": zip_of(Member(b"note.txt", flags=1)),
    "AES": ZIP_AES,
    "AES without the flag": zip_of(Member(b"note.txt", method=99)),
    "strong encryption": zip_of(Member(b"note.txt", flags=0x41)),
    "one encrypted file among others": zip_of(NOTE, Member(b"b.txt", flags=1), Member(b"c.txt")),
    "encrypted before the data alone": zip_of(Member(b"note.txt", local_flags=1)),
    "encrypted in the directory alone": zip_of(Member(b"note.txt", flags=1, local_flags=0)),
    "encrypted directory": MASKED.local() + b"PK\6\10\0\0\0\0" + bytes(60) + end_record(1, 68, len(MASKED.local())),
    "entry that says it is masked before another": zip_of(MASKED, SHOWN),
    "7z with encrypted content": SEVEN_CONTENT,
    "7z with encrypted names": SEVEN_NAMES,
    "7z with encrypted names behind a text": b"Dear reader,\r\n" + SEVEN_NAMES,
    "rar with encrypted content": rar5_of(b"note.txt", RAR5_ENCRYPTED),
    "rar with encrypted names": b"Rar!\x1a\7\1\0" + rar5_header(b"\4\0\0\0\x0f" + bytes(16)) + bytes(64),
    "old rar with encrypted content": rar4_of(b"note.txt", flags=4),
    "old rar with encrypted names": rar4_of(b"note.txt", main_flags=0x80),
}

# What is no evasion: nothing is found in it.
HARMLESS = {
    "zip archive": GOOD,
    "zip archive with a comment": zip_of(NOTE, comment=b"hello"),
    "zip archive within another, stored": zip_of(Member(b"in.dat", BAD)),
    "encrypted 7z archive within a zip archive, stored": zip_of(Member(b"in.dat", SEVEN_NAMES)),
    "empty zip archive": end_record(0, 0, 0),
    "rar archive": rar5_of(b"note.txt"),
    "old rar archive": rar4_of(b"note.txt"),
    "letters of a signature": b"PK is short for PKWARE, PK\3\4 begins a file, Rar! too",
    "header that can be none": b"PK\3\4" + b"\xff" * 26,
}
