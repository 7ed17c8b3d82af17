#!/usr/bin/python3
"""sink PORT-FILE FOLDER - takes mail on a free loopback port, one file per message.  For tools/demo."""
import os
import socketserver
import sys

os.makedirs(sys.argv[2], exist_ok=True)


class Session(socketserver.StreamRequestHandler):
    def say(self, line):
        self.wfile.write(line.encode() + b"\r\n")

    def take_message(self):
        lines = []
        while True:
            line = self.rfile.readline()
            if line in (b".\r\n", b""):
                break
            lines.append(line[1:] if line.startswith(b"..") else line)
        name = f"message-{len(os.listdir(sys.argv[2])) + 1}"
        with open(os.path.join(sys.argv[2], name), "wb") as file:
            file.write(self.envelope.encode() + b"".join(lines))

    def handle(self):
        self.envelope = ""
        self.say("220 sink.example ESMTP")
        while True:
            line = self.rfile.readline().decode(errors="replace").strip()
            verb = line.upper()
            if not line or verb == "QUIT":
                self.say("221 Bye")
                return
            if verb.startswith("EHLO"):
                self.say("250-sink.example")
                self.say("250 PIPELINING")
            elif verb == "DATA":
                self.say("354 Go on")
                self.take_message()
                self.say("250 Ok")
                self.envelope = ""
            else:
                if verb.startswith(("MAIL", "RCPT")):
                    self.envelope += f"({line})\n"
                self.say("250 Ok")


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True


with Server(("127.0.0.1", 0), Session) as server:
    with open(sys.argv[1] + ".new", "w", encoding="ascii") as port_file:
        port_file.write(str(server.server_address[1]))
    os.rename(sys.argv[1] + ".new", sys.argv[1])
    server.serve_forever()
