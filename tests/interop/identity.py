"""Who really sent it: mail from outside, judged by names in our own DNS; signatures by dkimpy."""

import base64
import imaplib
import re
import smtplib
import time

import dkim
import nacl.signing

from harness import DOMAIN, Strict, case, equal, run
from names import Names

KEY = nacl.signing.SigningKey.generate()
RECORDS = {
    ("good.test", "TXT"): ["v=spf1 ip4:127.0.0.1 -all"],
    ("_dmarc.good.test", "TXT"): ["v=DMARC1; p=reject"],
    ("k1._domainkey.good.test", "TXT"): ["v=DKIM1; k=ed25519; p=" + base64.b64encode(bytes(KEY.verify_key)).decode()],
    ("bank.test", "TXT"): ["v=spf1 -all"],
    ("_dmarc.bank.test", "TXT"): ["v=DMARC1; p=reject"],
    ("_dmarc.shop.test", "TXT"): ["v=DMARC1; p=quarantine"],
    ("mail.example.test", "A"): ["127.0.0.1"],
}


class Judge(Strict):
    """A server that looks at who sent its mail, and does what DMARC asks for."""

    def __init__(self, binary, folder, names):
        self.more = (
            f'[dns]\nservers = ["127.0.0.1:{names.port}"]\ndnssec = false\n'
            '[sending]\nenabled = false\n[identity]\ndmarc = "reject"\n'
        )
        super().__init__(binary, folder)

    def deliver(self, to, sender, content):
        with smtplib.SMTP("127.0.0.1", self.ports["smtp"], local_hostname="mx.good.test", timeout=60) as session:
            session.sendmail(sender, [to], content)

    def header_of(self, account, mailbox="INBOX"):
        """The header of the newest message of a mailbox."""
        with imaplib.IMAP4_SSL("localhost", self.ports["imaps"], ssl_context=self.tls()) as session:
            session.login(account.address, account.password)
            number = session.select(mailbox)[1][0].decode()
            assert number != "0", f"{mailbox} is empty"
            return session.fetch(number, "(BODY.PEEK[HEADER])")[1][0][1].decode()


def letter(sender, to, more=""):
    return f"{more}From: {sender}\r\nTo: {to}\r\nSubject: hello\r\nDate: Mon, 21 Sep 2026 14:13:20 +0000\r\n\r\nHello  there. \r\n".encode()


def expect(header, *results):
    field = header.split("Authentication-Results: mail.example.test", 1)[1]
    for result in results:
        assert result in field, f"{result} is missing:\n{header}"
    equal(header.count("Authentication-Results: mail.example.test"), 1)


@case(seconds=150)
def mail_is_judged_by_what_its_domains_say(server, folder):
    names = Names(RECORDS)
    try:
        with Judge(server.binary, folder / "judge", names) as judge:
            ann = judge.plain_account()
            # Signed by dkimpy, from the right host, with somebody else's results on top.
            forged = "Authentication-Results: mail.example.test; dmarc=pass header.from=bank.test\r\n"
            content = letter("a@good.test", ann.address, forged)
            signature = dkim.sign(
                content, b"k1", b"good.test", base64.b64encode(bytes(KEY)),
                canonicalize=(b"relaxed", b"simple"), signature_algorithm=b"ed25519-sha256",
            )
            judge.deliver(ann.address, "bounce@good.test", signature + content)
            expect(
                judge.header_of(ann), "spf=pass smtp.mailfrom=good.test", "dmarc=pass (p=reject) header.from=good.test",
                "dkim=pass header.d=good.test header.s=k1 header.a=ed25519-sha256",
            )
            # The signature alone is enough; a change breaks it, and nothing is left.
            judge.deliver(ann.address, "list@elsewhere.test", signature + content)
            expect(judge.header_of(ann), "spf=none smtp.mailfrom=elsewhere.test", "dmarc=pass")
            for refused in [
                (signature + content).replace(b"Hello", b"Jello"),
                letter("info@bank.test", ann.address),
                letter("a@good.test", ann.address, "From: b@bank.test\r\n"),
            ]:
                try:
                    judge.deliver(ann.address, "x@elsewhere.test", refused)
                    raise AssertionError("was taken")
                except smtplib.SMTPDataError as error:
                    equal(error.smtp_code, 550)
            judge.deliver(ann.address, "x@elsewhere.test", letter("info@shop.test", ann.address))
            expect(judge.header_of(ann, "Junk"), "dmarc=fail (p=quarantine) header.from=shop.test")
    finally:
        names.stop()


@case(seconds=150)
def mail_comes_in_while_dns_is_silent(server, folder):
    names = Names(RECORDS)
    names.down = True
    try:
        with Judge(server.binary, folder / "silent", names) as judge:
            ann = judge.plain_account()
            judge.deliver(ann.address, "x@bank.test", letter("info@bank.test", ann.address))
            expect(judge.header_of(ann), "spf=temperror", "dmarc=temperror")
            begun = time.monotonic()
            for _ in range(5):
                judge.deliver(ann.address, "x@bank.test", letter("info@bank.test", ann.address))
            assert time.monotonic() - begun < 10, "waits for DNS each time"
    finally:
        names.stop()


@case(seconds=120)
def our_signatures_verify_for_opendkim(server, folder):
    with Strict(server.binary, folder / "signing") as signer:
        ann, bob = signer.plain_account("ann"), signer.plain_account("bob")
        keys = folder / "keys"
        for selector, kind in (("r1", "rsa"), ("e1", "ed25519")):
            made = signer.admin("domain", "dkim", "add", DOMAIN, "--selector", selector, "--kind", kind)
            with keys.open("a") as file:
                file.write(f"{made['record_name']} {made['record_text']}\n")
        content = letter(ann.address, bob.address)
        with smtplib.SMTP_SSL("localhost", signer.ports["submissions"], context=signer.tls(), timeout=30) as session:
            session.login(ann.address, ann.password)
            session.sendmail(ann.address, [bob.address], content)
        with imaplib.IMAP4_SSL("localhost", signer.ports["imaps"], ssl_context=signer.tls()) as session:
            session.login(bob.address, bob.password)
            session.select("INBOX")
            stored = session.fetch("1", "(BODY.PEEK[])")[1][0][1]
        configuration = folder / "opendkim.conf"
        configuration.write_text(f"Mode v\nTestPublicKeys {keys}\nMinimumKeyBits 1024\n")

        def said(octets):
            file = folder / "message.eml"
            file.write_bytes(octets)
            return run(["opendkim", "-x", configuration, "-v", "-t", file]).decode()

        # It tells of one signature of a message; each gets its turn.
        fields = re.findall(rb"DKIM-Signature: .*\r\n(?:[ \t].*\r\n)+", stored)
        equal(len(fields), 2)
        for other, selector in ((fields[1], "r1"), (fields[0], "e1")):
            one = stored.replace(other, b"")
            for octets, word in ((one, "succeeded"), (one + b"more\r\n", "failed")):
                told = said(octets)
                assert f"(s={selector}" in told and word in told, f"{told}\n{octets.decode()}"
