"""A name server for the tests: answers from a table, over UDP and TCP. Knows A, MX and TXT; everything else does not exist."""

import socket
import socketserver
import struct
import threading

TYPES = {"A": 1, "MX": 15, "TXT": 16}


def encoded(name):
    labels = [label.encode() for label in name.strip(".").split(".") if label]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def data(kind, value):
    if kind == "A":
        return socket.inet_aton(value)
    if kind == "MX":
        preference, host = value
        return struct.pack(">H", preference) + encoded(host)
    return bytes([len(value)]) + value.encode()


class Names:
    """`records` maps (name, type) to a list of values. `down` makes it silent."""

    def __init__(self, records):
        self.records = records
        self.down = False
        names = self

        class Datagram(socketserver.BaseRequestHandler):
            def handle(self):
                answer = names.answer(self.request[0])
                if answer:
                    self.request[1].sendto(answer, self.client_address)

        class Stream(socketserver.BaseRequestHandler):
            def handle(self):
                head = self.request.recv(2, socket.MSG_WAITALL)
                if len(head) == 2:
                    answer = names.answer(self.request.recv(struct.unpack(">H", head)[0], socket.MSG_WAITALL))
                    if answer:
                        self.request.sendall(struct.pack(">H", len(answer)) + answer)

        self.servers = [socketserver.ThreadingUDPServer(("127.0.0.1", 0), Datagram)]
        self.port = self.servers[0].server_address[1]
        socketserver.ThreadingTCPServer.allow_reuse_address = True
        self.servers.append(socketserver.ThreadingTCPServer(("127.0.0.1", self.port), Stream))
        for server in self.servers:
            server.daemon_threads = True
            threading.Thread(target=server.serve_forever, daemon=True).start()

    def answer(self, question):
        if self.down:
            return None
        labels, at = [], 12
        while question[at]:
            labels.append(question[at + 1 : at + 1 + question[at]].decode().lower())
            at += question[at] + 1
        asked = question[12 : at + 5]
        kind = struct.unpack(">H", question[at + 1 : at + 3])[0]
        name = ".".join(labels)
        found = [(word, value) for (owner, word), values in self.records.items() for value in values
                 if owner == name and TYPES[word] == kind]
        exists = any(owner == name or owner.endswith("." + name) for owner, _ in self.records)
        code = 0 if exists else 3
        head = question[:2] + struct.pack(">HHHHH", 0x8580 | code, 1, len(found), 0 if found else 1, 0)
        body = b"".join(
            b"\xc0\x0c" + struct.pack(">HHIH", TYPES[word], 1, 5, len(octets)) + octets
            for word, octets in ((word, data(word, value)) for word, value in found)
        )
        if not found:  # RFC 2308: a SOA, so that the "no" may be kept
            soa = encoded("ns.test") + encoded("root.test") + struct.pack(">IIIII", 1, 60, 60, 60, 1)
            body += encoded("test") + struct.pack(">HHIH", 6, 1, 1, len(soa)) + soa
        return head + asked + body

    def stop(self):
        for server in self.servers:
            server.shutdown()
            server.server_close()
