"""Sending with the tools people send with: swaks, msmtp, curl, smtplib."""

import base64
import smtplib

from harness import Scram, case, equal, hostile, japanese, message, run


def written(folder, octets, name="message.eml"):
    path = folder / name
    path.write_bytes(octets)
    return path


def for_swaks(folder, octets):
    """A file whose content swaks sends as these octets: it adds the last line end itself."""
    return written(folder, octets.replace(b"\r\n", b"\n").removesuffix(b"\n"))


def swaks(server, port, account, to, file, *more):
    return run([
        "swaks", "--server", "127.0.0.1", "--port", port, "--ehlo", "client.example.org",
        "--from", account.address, "--to", to, "--data", f"@{file}",
        "--auth-user", account.address, "--auth-password", account.password, "--timeout", "20", *more,
    ])


def swaks_case(mechanism, port_name, *tls):
    def one(server, folder):
        sender, receiver = server.plain_account("sender"), server.plain_account("receiver")
        original = message(receiver.address, f"swaks {mechanism}", "One.\r\n.\r\n..two\r\nthree\r\n", sender.address)
        said = swaks(
            server, server.ports[port_name], sender, receiver.address, for_swaks(folder, original),
            "--auth", mechanism, *tls,
        )
        assert b"235 " in said, said
        receiver.expect_delivered(original)

    one.__name__ = f"swaks_{port_name}_{mechanism.lower()}"
    one.__module__ = __name__
    case()(one)


for mechanism in ["PLAIN", "LOGIN"]:
    swaks_case(mechanism, "submission", "--tls")
    swaks_case(mechanism, "submissions", "--tls-on-connect")


def msmtp_case(auth, port_name, starttls):
    def one(server, folder):
        sender, receiver = server.plain_account("sender"), server.plain_account("receiver")
        configuration = written(folder, f"""account default
host localhost
port {server.ports[port_name]}
tls on
tls_starttls {starttls}
tls_trust_file {server.certificate}
auth {auth}
user {sender.address}
password {sender.password}
from {sender.address}
""".encode(), "msmtprc")
        configuration.chmod(0o600)
        original = japanese(receiver.address, sender.address)
        run(["msmtp", f"--file={configuration}", receiver.address], stdin=original.replace(b"\r\n", b"\n"))
        receiver.expect_delivered(original)

    one.__name__ = f"msmtp_{port_name}_{auth.replace('-', '_')}"
    one.__module__ = __name__
    case()(one)


msmtp_case("plain", "submission", "on")
msmtp_case("scram-sha-256", "submission", "on")
msmtp_case("login", "submissions", "off")


def curl_case(scheme, port_name, *tls):
    def one(server, folder):
        sender, receiver = server.plain_account("sender"), server.plain_account("receiver")
        original = hostile(receiver.address, sender.address)
        run([
            "curl", "--silent", "--show-error", "--cacert", server.certificate, *tls,
            "--user", f"{sender.address}:{sender.password}", "--mail-from", sender.address,
            "--mail-rcpt", receiver.address, "--upload-file", written(folder, original),
            f"{scheme}://localhost:{server.ports[port_name]}/client.example.org",
        ])
        receiver.expect_delivered(original)

    one.__name__ = f"curl_{port_name}"
    one.__module__ = __name__
    case()(one)


curl_case("smtp", "submission", "--ssl-reqd")
curl_case("smtps", "submissions")


@case()
def smtplib_with_utf8_addresses(server, folder):
    """SMTPUTF8 and 8BITMIME, RFC 6531."""
    sender, receiver = server.account("sender"), server.account("receiver")
    session = smtplib.SMTP_SSL("localhost", server.ports["submissions"], context=server.tls(), timeout=30)
    session.ehlo()
    session.user, session.password = sender.address, sender.password
    plain = base64.b64encode(b"\0" + sender.address.encode() + b"\0" + sender.password.encode()).decode()
    code, answer = session.docmd("AUTH", "PLAIN " + plain)
    equal(code, 235, answer)
    original = hostile(receiver.address, sender.address)
    session.sendmail(sender.address, [receiver.address], original, ["SMTPUTF8", "BODY=8BITMIME"])
    session.quit()
    receiver.expect_delivered(original)


@case()
def scram_proves_both_sides(server, folder):
    """SCRAM-SHA-256 over SMTP: the server's signature is checked, too."""
    sender, receiver = server.plain_account("sender"), server.plain_account("receiver")
    session = smtplib.SMTP("localhost", server.ports["submission"], timeout=30)
    session.starttls(context=server.tls())
    session.ehlo()
    assert "SCRAM-SHA-256" in session.esmtp_features["auth"].split(), session.esmtp_features["auth"]
    scram = Scram(sender.address, sender.password)
    code, answer = session.docmd("AUTH", "SCRAM-SHA-256 " + base64.b64encode(scram.first()).decode())
    equal(code, 334, answer)
    code, answer = session.docmd(base64.b64encode(scram.final(base64.b64decode(answer))).decode())
    if code == 334:
        scram.check(base64.b64decode(answer))
        code, answer = session.docmd("")
    equal(code, 235, answer)
    original = message(receiver.address, sender=sender.address)
    session.sendmail(sender.address, [receiver.address], original)
    session.quit()
    receiver.expect_delivered(original)


@case()
def chunks_carry_binary(server, folder):
    """BDAT in pieces, with octets that DATA could not carry; RFC 3030."""
    sender, receiver = server.plain_account("sender"), server.plain_account("receiver")
    session = smtplib.SMTP_SSL("localhost", server.ports["submissions"], context=server.tls(), timeout=30)
    session.login(sender.address, sender.password)
    assert session.has_extn("chunking"), session.esmtp_features
    original = message(
        receiver.address, "binary", "", sender.address,
        "MIME-Version: 1.0\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: 8bit\r\n",
    ) + b".\r\nnaive .\r\n\xff\xfe line\r\n" + bytes(range(128, 256)) + b"\r\n"
    equal(session.docmd("MAIL", f"FROM:<{sender.address}> BODY=8BITMIME")[0], 250)
    equal(session.docmd("RCPT", f"TO:<{receiver.address}>")[0], 250)
    half = len(original) // 2
    for piece, last in [(original[:half], ""), (original[half:], ""), (b"", " LAST")]:
        session.send(f"BDAT {len(piece)}{last}\r\n".encode() + piece)
        code, answer = session.getreply()
        equal(code, 250, answer)
    session.quit()
    receiver.expect_delivered(original)


@case()
def only_own_addresses_may_send(server, folder):
    one, other = server.plain_account("one"), server.plain_account("other")
    session = smtplib.SMTP_SSL("localhost", server.ports["submissions"], context=server.tls(), timeout=30)
    session.login(one.address, one.password)
    refused = False
    try:
        session.sendmail(other.address, [other.address], message(other.address, sender=other.address))
    except smtplib.SMTPResponseException as error:
        refused = 500 <= error.smtp_code < 600
    except smtplib.SMTPRecipientsRefused:
        refused = True
    assert refused, "the address of somebody else was taken"
    equal(other.messages(), [])


@case()
def mail_for_elsewhere_waits_in_the_queue(server, folder):
    """A demonstration sends nothing into the world: the message is kept, shown, and never dropped."""
    sender = server.plain_account("sender")
    session = smtplib.SMTP_SSL("localhost", server.ports["submissions"], context=server.tls(), timeout=30)
    session.login(sender.address, sender.password)
    session.sendmail(sender.address, ["far@elsewhere.example"], message("far@elsewhere.example", sender=sender.address))
    session.quit()
    listed = str(server.admin("queue", "list"))
    assert "far@elsewhere.example" in listed, listed
