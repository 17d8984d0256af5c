"""What the cases share: the server under test, accounts, messages, and checks. Never assumes a port."""

import email.utils
import hashlib
import hmac
import base64
import imaplib
import itertools
import json
import os
import pathlib
import signal
import socket
import ssl
import subprocess
import threading
import time

imaplib._MAXLINE = 100_000_000  # bodies of tens of megabytes in one response

CASES = []
DOMAIN = "example.test"


def case(seconds=60):
    """Marks a function as a case, with the longest it may take."""

    def mark(function):
        CASES.append((f"{function.__module__}.{function.__name__}", function, seconds))
        return function

    return mark


class Server:
    """`yubin dev` on free ports and a data folder of its own. Stopped by its process id."""

    def __init__(self, binary, folder):
        self.binary = str(binary)
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.data = self.folder / "data"
        self.log = self.folder / "server.log"
        self.process = None
        self.numbers = itertools.count(1)
        self.start()

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [self.binary, "dev", "--json", "--ephemeral", "--data", str(self.data)],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log,
            )
        told = []
        reader = threading.Thread(target=self._read, args=(told,), daemon=True)
        reader.start()
        until = time.monotonic() + 60
        while not told:
            if self.process.poll() is not None or time.monotonic() > until:
                raise AssertionError(f"the server did not get ready; its log ends:\n{self.log_tail()}")
            time.sleep(0.01)
        self.told = told[0]
        self.ports = self.told["ports"]
        self.pid = self.process.pid
        self.certificate = self.told["certificate"]

    def _read(self, told):
        text = ""
        for line in self.process.stdout:
            if not told:
                text += line.decode()
                try:
                    told.append(json.loads(text))
                except ValueError:
                    pass

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError("the server did not end within 30 s of SIGTERM")
        assert self.process.returncode == 0, f"the server ended with {self.process.returncode}"

    def kill(self):
        self.process.kill()
        self.process.wait()

    def log_tail(self):
        return "".join(self.log.read_text(errors="replace").splitlines(True)[-30:])

    def admin(self, *words):
        """Runs the admin command line; its JSON."""
        done = subprocess.run(
            [self.binary, *words, "--json", "--socket", self.told["admin_socket"]],
            stdin=subprocess.DEVNULL, capture_output=True, timeout=60,
        )
        assert done.returncode == 0, f"yubin {' '.join(words)}: {done.returncode}: {done.stdout} {done.stderr}"
        return json.loads(done.stdout) if done.stdout.strip() else None

    def account(self, name="user"):
        """A fresh account: its address and password."""
        address = f"{name}{next(self.numbers)}@{DOMAIN}"
        password = f"pass word {address} é"
        self.admin("account", "add", address, "--password", password)
        return Account(self, address, password)

    def plain_account(self, name="user"):
        """The same with a password that every client's configuration can carry."""
        address = f"{name}{next(self.numbers)}@{DOMAIN}"
        self.admin("account", "add", address, "--password", "open-Sesame-7")
        return Account(self, address, "open-Sesame-7")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def rss_octets(self):
        pages = int(pathlib.Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def peak_rss_octets(self):
        for line in pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
        raise AssertionError("no VmHWM")

    def tls(self):
        """A TLS context that trusts this server's certificate only."""
        return ssl.create_default_context(cafile=self.certificate)


class Strict(Server):
    """`yubin serve` as an operator would run it: passwords under TLS only. What is sent goes nowhere, and nobody is judged, unless `more` says so."""

    more = "[sending]\nenabled = false\n[identity]\ncheck = false\n"

    def start(self):
        for _ in range(5):  # a port that was free may be taken when we come to bind it
            self.ports = {name: free_port() for name in ["smtp", "submission", "submissions", "lmtp", "imap", "imaps", "pop3", "pop3s"]}
            listeners = "".join(
                f'[[listener]]\nprotocol = "{name}"\naddress = "127.0.0.1:{port}"\n' for name, port in self.ports.items()
            )
            self.certificate = self.folder / "cert.pem"
            key = self.folder / "key.pem"
            if not key.exists():
                run([
                    "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", self.certificate,
                ])
            self.configuration = self.folder / "yubin.toml"
            self.configuration.write_text(
                f'[server]\nhostname = "mail.example.test"\ndata = "{self.data}"\n'
                f'[tls]\ncertificate = "{self.certificate}"\nkey = "{key}"\n{self.more}{listeners}'
            )
            self.told = {"admin_socket": str(self.data / "admin.sock")}
            with open(self.log, "ab") as log:
                self.process = subprocess.Popen(
                    [self.binary, "serve", "--config", str(self.configuration)], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                )
            self.pid = self.process.pid
            until = time.monotonic() + 30
            while self.process.poll() is None and time.monotonic() < until:
                try:
                    self.admin("ping")
                    if DOMAIN not in str(self.admin("domain", "list")):
                        self.admin("domain", "add", DOMAIN)
                    return
                except AssertionError:
                    time.sleep(0.05)
        raise AssertionError(f"the server did not get ready; its log ends:\n{self.log_tail()}")


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


class Account:
    """One account of the server."""

    def __init__(self, server, address, password):
        self.server, self.address, self.password = server, address, password

    def imap(self):
        """A logged-in session of imaplib over TLS."""
        session = imaplib.IMAP4_SSL("localhost", self.server.ports["imaps"], ssl_context=self.server.tls(), timeout=60)
        session.authenticate("PLAIN", lambda _: b"\0" + self.address.encode() + b"\0" + self.password.encode())
        return session

    def messages(self, mailbox="INBOX"):
        """Every message of a mailbox, as octets, in order."""
        session = self.imap()
        try:
            status, count = session.select(f'"{mailbox}"', readonly=True)
            assert status == "OK", count
            if count == [b"0"]:
                return []
            status, parts = session.uid("FETCH", "1:*", "(BODY.PEEK[])")
            assert status == "OK", parts
            return [part[1] for part in parts if isinstance(part, tuple)]
        finally:
            session.logout()

    def wait_for(self, count, mailbox="INBOX", seconds=20):
        """The messages of a mailbox, once there are so many."""
        until = time.monotonic() + seconds
        while True:
            messages = self.messages(mailbox)
            if len(messages) >= count or time.monotonic() > until:
                assert len(messages) == count, f"{len(messages)} messages in {mailbox} of {self.address}, not {count}"
                return messages
            time.sleep(0.05)

    def expect_delivered(self, *originals):
        """The inbox holds exactly these messages, octet for octet, below the trace fields."""
        found = self.wait_for(len(originals))
        left = list(originals)
        for message in found:
            match = next((original for original in left if message.endswith(original)), None)
            assert match is not None, f"a message that was not sent so: {message[:3000]!r}"
            left.remove(match)
            check_trace(message[: len(message) - len(match)], self.address)
        return found

    def append(self, message, mailbox="INBOX", flags=""):
        session = self.imap()
        try:
            status, answer = session.append(f'"{mailbox}"', flags, None, message)
            assert status == "OK", answer
        finally:
            session.logout()


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


TRACE = (b"return-path:", b"delivered-to:", b"received:", b"x-original-to:", b"authentication-results:")


def check_trace(head, address):
    """Nothing but trace fields was put before the message; RFC 5321 §4.4."""
    unfolded = head.replace(b"\r\n ", b" ").replace(b"\r\n\t", b" ")
    fields = [line for line in unfolded.split(b"\r\n") if line]
    for field in fields:
        assert field.lower().startswith(TRACE), f"not a trace field: {field!r}"
    names = [field.split(b":")[0].lower() for field in fields]
    assert names.count(b"return-path") == 1, f"Return-Path in {names}"
    assert names[0] == b"return-path", f"Return-Path is not first: {names}"
    assert b"received" in names, f"no Received in {names}"


numbers = itertools.count(1)


def message(to="ann@example.test", subject="Hello", body="Hello.\r\n", sender="sender@example.org", extra=""):
    """A message with CRLF line ends, as octets. Each has its own Message-ID."""
    text = (
        f"From: <{sender}>\r\nTo: <{to}>\r\nSubject: {subject}\r\nDate: Sat, 14 Nov 2026 10:00:00 +0900\r\n"
        f"Message-ID: <{next(numbers)}.{os.getpid()}@interop.example.org>\r\n{extra}\r\n{body}"
    )
    return text.encode()


JAPANESE_SUBJECT = "会議のお知らせ"
JAPANESE_BODY = "お世話になっております。\r\n明日の会議は10時からです。\r\n"


def japanese(to="ann@example.test", sender="sender@example.org"):
    """A message as Japanese mail programs send it: ISO-2022-JP throughout."""
    subject = "=?ISO-2022-JP?B?" + base64.b64encode(JAPANESE_SUBJECT.encode("iso-2022-jp")).decode() + "?="
    head = message(
        to, subject, "", sender,
        "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=ISO-2022-JP\r\nContent-Transfer-Encoding: 7bit\r\n",
    )
    return head + JAPANESE_BODY.encode("iso-2022-jp")


def hostile(to="ann@example.test", sender="sender@example.org"):
    """A legal message that trips careless software: dots, From lines, long lines, 8-bit octets, no final blank line."""
    body = (
        ".\r\n..\r\n.hidden\r\nFrom here on\r\n>From there\r\n"
        + "x" * 990 + "\r\n" + "trailing blanks  \t\r\n\r\n\r\n" + "naïve café – ünïcödé\r\n" + "end"
    )
    return message(to, "dots and From lines", body, sender, "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n") + b"\r\n"


def run(words, stdin=None, ok=(0,), seconds=60, **more):
    """Runs a client. Its output; fails when it fails."""
    done = subprocess.run(
        [str(word) for word in words], input=stdin, capture_output=True, timeout=seconds, **more
    ) if stdin is not None else subprocess.run(
        [str(word) for word in words], stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds, **more
    )
    shown = f"{words[0]} ended with {done.returncode}\n{done.stdout[-3000:].decode(errors='replace')}\n{done.stderr[-3000:].decode(errors='replace')}"
    assert done.returncode in ok, shown
    return done.stdout


def equal(is_, should, what="value"):
    assert is_ == should, f"{what}: {is_!r:.2000} where {should!r:.2000} was due"


class Lines:
    """A raw connection, for what no client would send."""

    def __init__(self, port, greeting=True, seconds=20):
        self.socket = socket.create_connection(("127.0.0.1", port), seconds)
        self.socket.settimeout(seconds)
        self.buffer = b""
        self.greeting = self.line() if greeting else None

    def send(self, octets):
        self.socket.sendall(octets)

    def line(self):
        """One line without its end; nothing at the end of the connection."""
        while b"\r\n" not in self.buffer:
            try:
                more = self.socket.recv(65536)
            except ConnectionError:
                more = b""
            if not more:
                rest, self.buffer = self.buffer, b""
                return rest
            self.buffer += more
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line

    def smtp(self, octets=None):
        """Sends, and reads one whole SMTP reply: its code and its lines."""
        if octets is not None:
            self.send(octets)
        lines = [self.line()]
        while lines[-1][3:4] == b"-":
            lines.append(self.line())
        return int(lines[-1][:3] or 0), lines

    def rest(self):
        """All that comes until the connection ends."""
        everything, self.buffer = self.buffer, b""
        while True:
            try:
                more = self.socket.recv(65536)
            except (ConnectionError, socket.timeout):
                return everything
            if not more:
                return everything
            everything += more

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Scram:
    """The client of SCRAM-SHA-256 (RFC 5802, RFC 7677) without channel binding."""

    def __init__(self, user, password):
        self.password = password.encode()
        self.nonce = base64.b64encode(os.urandom(18)).decode()
        name = user.replace("=", "=3D").replace(",", "=2C")
        self.bare = f"n={name},r={self.nonce}"

    def first(self):
        return ("n,," + self.bare).encode()

    def final(self, server_first):
        text = server_first.decode()
        fields = dict(part.split("=", 1) for part in text.split(","))
        assert fields["r"].startswith(self.nonce), "the server changed our nonce"
        salted = hashlib.pbkdf2_hmac("sha256", self.password, base64.b64decode(fields["s"]), int(fields["i"]))
        without_proof = f"c=biws,r={fields['r']}"
        signed = f"{self.bare},{text},{without_proof}".encode()
        sign = lambda key, what: hmac.new(key, what, "sha256").digest()
        client_key = sign(salted, b"Client Key")
        signature = sign(hashlib.sha256(client_key).digest(), signed)
        proof = bytes(a ^ b for a, b in zip(client_key, signature))
        self.server_signature = sign(sign(salted, b"Server Key"), signed)
        return f"{without_proof},p={base64.b64encode(proof).decode()}".encode()

    def check(self, server_final):
        equal(server_final.decode(), "v=" + base64.b64encode(self.server_signature).decode(), "the server's signature")
