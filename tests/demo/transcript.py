#!/usr/bin/python3
"""transcript PORT TLS-PORT - replays the manual test of a submission service against a gateway, line by line: in
clear, after STARTTLS, and over implicit TLS.  Every reply is compared; the first that differs ends it.  For tools/demo."""
import re
import socket
import ssl
import sys

EHLO = ["250-smtpauth.example.net", "250-PIPELINING", "250-SIZE 209715200", "250-VRFY", "250-ETRN", "250-STARTTLS",
        "250-AUTH PLAIN LOGIN", "250-AUTH=PLAIN LOGIN", "250-ENHANCEDSTATUSCODES", "250-8BITMIME", "250 DSN"]
MESSAGE = ["Subject: test", "", "test", "."]


class Talk:
    def __init__(self, port, from_start=False):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        if from_start:
            self.secure()
        else:
            self.file = self.socket.makefile("rb")

    def secure(self):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # the demo's own certificate
        self.socket = context.wrap_socket(self.socket, server_hostname="smtpauth.example.net")
        self.file = self.socket.makefile("rb")
        print(f"   ({self.socket.version()})")

    def say(self, *lines):
        for line in lines:
            print(f"C: {line}")
            self.socket.sendall(line.encode() + b"\r\n")

    def hear(self, *expected):
        for pattern in expected:
            line = self.file.readline().decode().rstrip("\r\n")
            print(f"S: {line}")
            if not re.fullmatch(pattern if pattern.startswith("250 2.0.0 Ok: queued") else re.escape(pattern), line):
                sys.exit(f"expected: {pattern}")

    def submit(self):
        self.say("AUTH PLAIN AHVzZXJAZXhhbXBsZS5uZXQAbXlwYXNzd29yZA==")
        self.hear("235 2.7.0 Authentication successful")
        self.say("MAIL FROM:<user@example.net>")
        self.hear("250 2.1.0 Ok")
        self.say("RCPT TO:<user@example.net>")
        self.hear("250 2.1.5 Ok")
        self.say("DATA")
        self.hear("354 End data with <CR><LF>.<CR><LF>")
        self.say(*MESSAGE)
        self.hear(r"250 2.0.0 Ok: queued as [0-9A-Z]+")
        self.say("QUIT")
        self.hear("221 2.0.0 Bye")


def main():
    port, tls_port = int(sys.argv[1]), int(sys.argv[2])
    secured = [line for line in EHLO if "STARTTLS" not in line]
    talk = Talk(port)
    talk.hear("220 smtpauth.example.net ESMTP Postern")
    talk.say("EHLO example.net")
    talk.hear(*EHLO)
    talk.submit()
    talk = Talk(port)
    talk.hear("220 smtpauth.example.net ESMTP Postern")
    talk.say("EHLO example.net")
    talk.hear(*EHLO)
    talk.say("STARTTLS")
    talk.hear("220 2.0.0 Ready to start TLS")
    talk.secure()
    talk.say("EHLO example.net")
    talk.hear(*secured)
    talk.submit()
    talk = Talk(tls_port, from_start=True)
    talk.hear("220 smtpauth.example.net ESMTP Postern")
    talk.say("EHLO example.net")
    talk.hear(*secured)
    talk.submit()


main()
