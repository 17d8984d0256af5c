"""Sending to other servers, found in a DNS zone of our own: Postfix, and servers that misbehave at every stage."""

import contextlib
import email
import smtplib
import socketserver
import threading
import time

import dkim

from harness import DOMAIN, Strict, case, equal, free_port, hostile, message, run
from names import Names
from postfix import Postfix


class Sender(Strict):
    """A server that sends: names from our own DNS, one port for each domain."""

    def __init__(self, binary, folder, names, ports, more=""):
        routes = "".join(f'[[route]]\ndomain = "{domain}"\nport = {port}\n' for domain, port in ports.items())
        self.more = (
            f'[dns]\nservers = ["127.0.0.1:{names.port}"]\ndnssec = false\n'
            f"[sending]\nipv6 = false\nmta_sts = false\nretry_s = [1, 2]\n{more}{routes}"
        )
        super().__init__(binary, folder)

    def submit(self, account, to, content, **options):
        session = smtplib.SMTP_SSL("localhost", self.ports["submissions"], context=self.tls(), timeout=30)
        session.login(account.address, account.password)
        session.sendmail(account.address, to, content, **options)
        session.quit()

    def wait_until(self, what, check, seconds=30):
        until = time.monotonic() + seconds
        while True:
            queue = self.admin("queue", "list")["messages"]
            if check(queue):
                return queue
            assert time.monotonic() < until, f"not {what}: {queue}\nthe log ends:\n{self.log_tail()}"
            time.sleep(0.05)

    def wait_until_empty(self):
        self.wait_until("empty", lambda queue: not queue)


class Peer:
    """A server that answers as it is told. `plan` maps a stage (connect, EHLO, MAIL, RCPT, DATA, dot) to a list of answers, used up one by one;
    `close` hangs up. Keeps what it took."""

    def __init__(self, plan=None):
        self.plan = {stage: list(answers) for stage, answers in (plan or {}).items()}
        self.taken = []
        self.connections = 0
        peer = self

        class Session(socketserver.StreamRequestHandler):
            def answer(self, stage, otherwise):
                answers = peer.plan.get(stage)
                word = answers.pop(0) if answers else otherwise
                if word == "close":
                    raise ConnectionAbortedError
                self.wfile.write(word.encode() + b"\r\n")
                return word

            def handle(self):
                peer.connections += 1
                with contextlib.suppress(ConnectionError):
                    self.talk()

            def talk(self):
                if not self.answer("connect", "220 peer.test ESMTP").startswith("2"):
                    return
                recipients, sender = [], False
                while line := self.rfile.readline():
                    verb = line.split()[0].upper().decode() if line.split() else ""
                    if verb == "EHLO":
                        self.answer("EHLO", "250-peer.test\r\n250-PIPELINING\r\n250 8BITMIME")
                    elif verb == "MAIL":
                        sender = self.answer("MAIL", "250 ok").startswith("2")
                    elif verb == "RCPT" and not sender:
                        self.wfile.write(b"503 no sender\r\n")
                    elif verb == "RCPT":
                        if self.answer("RCPT", "250 ok").startswith("2"):
                            recipients.append(line.split(b"<")[1].split(b">")[0].decode())
                    elif verb == "DATA":
                        if not recipients:
                            self.wfile.write(b"503 nobody to send it to\r\n")
                        elif self.answer("DATA", "354 go").startswith("3"):
                            content = b""
                            while (text := self.rfile.readline()) not in (b".\r\n", b""):
                                content += text[1:] if text.startswith(b".") else text
                            answer = (peer.plan.get("dot") or ["250"])[0]
                            if answer.startswith("2") or answer == "close":
                                peer.taken.append((sorted(recipients), content))
                            self.answer("dot", "250 2.0.0 taken")
                            recipients = []
                    elif verb == "QUIT":
                        self.wfile.write(b"221 bye\r\n")
                        return
                    else:
                        self.answer(verb, "250 ok")

        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Session)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def zone(*domains):
    records = {}
    for domain in domains:
        records[(domain, "MX")] = [(10, f"mx.{domain}")]
        records[(f"mx.{domain}", "A")] = ["127.0.0.1"]
    return Names(records)


@contextlib.contextmanager
def sender_to(server, folder, peers, more=""):
    """A sender and these peers, by domain."""
    names = zone(*peers)
    ports = {domain: peer.port if isinstance(peer, Peer) else peer for domain, peer in peers.items()}
    sender = Sender(server.binary, folder / "sender", names, ports, more)
    try:
        yield sender
    finally:
        sender.stop()
        names.stop()
        for peer in peers.values():
            if isinstance(peer, Peer):
                peer.stop()


@case(120)
def through_postfix_and_back(server, folder):
    """Yubin to Postfix over STARTTLS, and back to ann: nothing is changed on the way; an unknown recipient comes back as a report."""
    port = free_port()
    with sender_to(server, folder, {"far.test": port}) as sender:
        ann, bob = sender.plain_account("ann"), sender.plain_account("bob")
        key, certificate = folder / "key.pem", folder / "cert.pem"
        run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
             "-subj", "/CN=mx.far.test", "-keyout", key, "-out", certificate])
        postfix = Postfix(folder, f"smtp:[127.0.0.1]:{sender.ports['smtp']}", f"""virtual_alias_domains = far.test
virtual_alias_maps = inline:{{ {{ bob@far.test = {bob.address} }} }}
smtpd_tls_security_level = may
smtpd_tls_cert_file = {certificate}
smtpd_tls_key_file = {key}
smtpd_tls_received_header = yes
""", port)
        try:
            sent = [message("bob@far.test", sender=ann.address), hostile("bob@far.test", sender=ann.address)]
            for content in sent:
                sender.submit(ann, ["bob@far.test"], content, mail_options=["BODY=8BITMIME"])
            found = bob.wait_for(2)
            left = [content.split(b"\r\n\r\n", 1)[1] for content in sent]
            for octets in found:
                assert b"by relay.example.net (Postfix)" in octets, octets[:1500]
                assert b"using TLSv1.3" in octets, octets[:1500]
                match = next((body for body in left if octets.endswith(body)), None)
                assert match is not None, f"changed on the way: {octets[-1500:]!r}"
                left.remove(match)
            sender.submit(ann, ["nobody@far.test", "bob@far.test"], message("nobody@far.test", sender=ann.address))
            bob.wait_for(3)
            report = email.message_from_bytes(ann.wait_for(1)[0])
            equal(report.get_content_type(), "multipart/report")
            status = report.get_payload()[1]
            equal(status.get_content_type(), "message/delivery-status")
            fields = status.get_payload()[1]
            equal((fields["Action"], fields["Final-Recipient"], fields["Status"]), ("failed", "rfc822;nobody@far.test", "5.1.1"))
            sender.wait_until_empty()
            told = str(sender.admin("trace", "nobody@far.test"))
            assert "User unknown in virtual alias table" in told and "TLSv1.3" in told, told
        except AssertionError as error:
            raise AssertionError(f"{error}\nPostfix said:\n{postfix.said()}\nwe said:\n{sender.log_tail()}") from error
        finally:
            postfix.stop()


@case(120)
def refused_for_now_at_every_stage_and_taken_later(server, folder):
    stages = {
        "connect": "421 4.3.2 busy", "EHLO": "421 4.3.2 later", "MAIL": "451 4.3.0 later", "RCPT": "450 4.2.0 greylisted",
        "DATA": "451 4.3.0 later", "dot": "451 4.3.0 no room",
    }
    peers = {f"{stage.lower()}.test": Peer({stage: [answer]}) for stage, answer in stages.items()}
    with sender_to(server, folder, peers) as sender:
        ann = sender.plain_account("ann")
        contents = {}
        for domain in peers:
            contents[domain] = message(f"bob@{domain}", sender=ann.address)
            sender.submit(ann, [f"bob@{domain}"], contents[domain])
        # A destination that turned us away at the door is left alone for half a minute: somebody says that it is back.
        until = time.monotonic() + 60
        while sender.admin("queue", "list")["messages"] and time.monotonic() < until:
            sender.admin("queue", "retry", "--all")
            time.sleep(0.3)
        sender.wait_until_empty()
        for domain, peer in peers.items():
            equal(len(peer.taken), 1, f"what {domain} took")
            recipients, octets = peer.taken[0]
            equal(recipients, [f"bob@{domain}"])
            assert octets.endswith(contents[domain]), octets
        equal(ann.messages(), [], "reports")


@case(120)
def refused_for_good_at_every_stage_and_reported(server, folder):
    stages = {"MAIL": "550 5.7.1 not you", "RCPT": "550 5.1.1 nobody", "DATA": "554 5.6.0 nothing", "dot": "550 5.7.1 spam"}
    peers = {f"{stage.lower()}.test": Peer({stage: [answer]}) for stage, answer in stages.items()}
    with sender_to(server, folder, peers) as sender:
        ann = sender.plain_account("ann")
        for domain in peers:
            sender.submit(ann, [f"bob@{domain}"], message(f"bob@{domain}", sender=ann.address))
        reports = [email.message_from_bytes(octets) for octets in ann.wait_for(len(peers))]
        told = {}
        for report in reports:
            fields = report.get_payload()[1].get_payload()[1]
            told[fields["Final-Recipient"].split("@")[1]] = fields["Diagnostic-Code"]
            equal(fields["Action"], "failed")
        equal(sorted(told), sorted(peers))
        for stage, answer in stages.items():
            assert answer in told[f"{stage.lower()}.test"], told
        assert all(not peer.taken for peer in peers.values())
        sender.wait_until_empty()


@case(60)
def signed_so_that_dkimpy_verifies(server, folder):
    """Two keys, made while the server runs; both signatures hold over what the peer took, and not over anything else."""
    peer = Peer()
    with sender_to(server, folder, {"far.test": peer}) as sender:
        records = {}
        for selector, kind in [("r1", "rsa"), ("e1", "ed25519")]:
            made = sender.admin("domain", "dkim", "add", DOMAIN, "--selector", selector, "--kind", kind)
            records[made["record_name"]] = made["record_text"].encode()
        equal(len(sender.admin("domain", "dkim", "list", DOMAIN)), 2)
        ann = sender.plain_account("ann")
        sender.submit(ann, ["bob@far.test"], hostile("bob@far.test", sender=ann.address), mail_options=["BODY=8BITMIME"])
        without_date = f"From: {ann.address}\r\nSubject: bare\r\nBcc: bob@far.test\r\n\r\nHi.\r\n".encode()
        sender.submit(ann, ["bob@far.test"], without_date)
        sender.wait_until_empty()
        equal(len(peer.taken), 2)
        look = lambda name, timeout=5: records.get(name.decode().rstrip("."))
        for _, octets in peer.taken:
            equal(octets.count(b"DKIM-Signature:"), 2, "signatures")
            for number in range(2):
                assert dkim.DKIM(octets).verify(number, dnsfunc=look), octets[:3000]
                try:
                    held = dkim.DKIM(octets + b"more\r\n").verify(number, dnsfunc=look)
                except dkim.ValidationError:
                    held = False
                assert not held, "a changed body was taken for signed"


@case(60)
def nobody_there_and_dead_after_the_dot(server, folder):
    """A port where nobody listens: the message waits. A peer that dies after the dot: the message is in doubt, and not sent again at once."""
    dead = Peer({"dot": ["close"]})
    with sender_to(server, folder, {"gone.test": free_port(), "dead.test": dead, "good.test": Peer()}) as sender:
        ann = sender.plain_account("ann")
        sender.submit(ann, ["a@gone.test", "b@dead.test", "c@good.test"], message("a@gone.test", sender=ann.address))
        done = lambda queue: queue and {r["state"] for r in queue[0]["recipients"]} == {"deferred", "delivered"}
        queue = sender.wait_until("tried", done)
        reasons = {r["address"]: str(r["reason"]) for r in queue[0]["recipients"]}
        assert "refused" in reasons["a@gone.test"], reasons
        assert "closed" in reasons["b@dead.test"] or "broke" in reasons["b@dead.test"], reasons
        equal((len(dead.taken), dead.connections), (1, 1))
        told = str(sender.admin("trace", "b@dead.test"))
        assert "in doubt" in told, told
        identity = queue[0]["id"]
        sender.admin("queue", "hold", identity)
        assert sender.admin("queue", "show", identity)["held"] is True
        sender.admin("queue", "drop", identity)
        sender.wait_until_empty()


@case(90)
def dns_away_and_back(server, folder):
    """Without DNS nothing bounces; with it back everything goes."""
    peer = Peer()
    names = zone("far.test")
    names.down = True
    sender = Sender(server.binary, folder / "sender", names, {"far.test": peer.port})
    try:
        ann = sender.plain_account("ann")
        for _ in range(20):
            sender.submit(ann, ["bob@far.test"], message("bob@far.test", sender=ann.address))
        sender.wait_until("told of DNS", lambda queue: any("DNS" in str(message) for message in queue), 60)
        names.down = False
        until = time.monotonic() + 60
        while sender.admin("queue", "list")["messages"] and time.monotonic() < until:
            sender.admin("queue", "retry", "--all")
            time.sleep(0.2)
        sender.wait_until_empty()
        equal(len(peer.taken), 20)
        equal(ann.messages(), [], "reports")
    finally:
        sender.stop()
        names.stop()
        peer.stop()


@case(90)
def killed_while_sending(server, folder):
    """kill -9 again and again while messages go out: each arrives, and second copies are those that were under way."""
    peer = Peer()
    with sender_to(server, folder, {"far.test": peer}) as sender:
        ann = sender.plain_account("ann")
        contents = []
        for round in range(4):
            for _ in range(25):
                contents.append(message("bob@far.test", sender=ann.address))
                sender.submit(ann, ["bob@far.test"], contents[-1])
            sender.kill()
            sender.start()
        doubt = lambda queue: all(r["state"] == "sending" for message in queue for r in message["recipients"])
        sender.wait_until("sent", doubt, 60)
        bodies = [octets for _, octets in peer.taken]
        for content in contents:
            # What was under way when the process died waits until the peer has surely given up; it had arrived.
            assert any(octets.endswith(content) for octets in bodies), content[:300]
        assert len(bodies) - len(contents) <= 4 * 10, f"{len(bodies)} copies of {len(contents)}"
