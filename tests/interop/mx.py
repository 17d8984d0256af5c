"""Mail from other servers, on the port where nobody logs in."""

import smtplib

from harness import Lines, case, equal, hostile, japanese, message, run
from submission import for_swaks


@case()
def swaks_delivers(server, folder):
    receiver = server.plain_account()
    original = message(receiver.address, "by swaks", "One\r\n.two\r\n")
    run([
        "swaks", "--server", "127.0.0.1", "--port", server.ports["smtp"], "--ehlo", "mx.example.org",
        "--from", "sender@example.org", "--to", receiver.address,
        "--data", f"@{for_swaks(folder, original)}", "--timeout", "20",
    ])
    receiver.expect_delivered(original)


@case()
def swaks_delivers_under_tls(server, folder):
    receiver = server.plain_account()
    original = message(receiver.address, "by swaks under TLS")
    said = run([
        "swaks", "--server", "127.0.0.1", "--port", server.ports["smtp"], "--ehlo", "mx.example.org", "--tls",
        "--from", "<>", "--to", receiver.address,
        "--data", f"@{for_swaks(folder, original)}", "--timeout", "20",
    ])
    assert b"TLS started" in said, said
    found = receiver.expect_delivered(original)
    assert found[0].lower().startswith(b"return-path: <>"), found[0][:200]
    assert b"ESMTPS" in found[0], found[0][:500]


@case()
def smtplib_delivers_to_several(server, folder):
    one, two = server.plain_account("one"), server.plain_account("two")
    alias = f"both-{one.address}"
    server.admin("alias", "add", alias, one.address, two.address)
    session = smtplib.SMTP("127.0.0.1", server.ports["smtp"], timeout=30)
    first, second = hostile(one.address), japanese(alias)
    session.sendmail("sender@example.org", [one.address, two.address], first, ["BODY=8BITMIME"])
    session.sendmail("sender@example.org", [alias], second)
    refused = session.sendmail("sender@example.org", [two.address, "nobody-here@example.test"], second)
    equal(list(refused), ["nobody-here@example.test"])
    equal(refused["nobody-here@example.test"][0], 550)
    session.quit()
    one.expect_delivered(first, second)
    two.expect_delivered(first, second, second)


@case()
def subaddresses_reach_their_account(server, folder):
    receiver = server.plain_account()
    local, domain = receiver.address.split("@")
    session = smtplib.SMTP("127.0.0.1", server.ports["smtp"], timeout=30)
    original = message(receiver.address)
    session.sendmail("sender@example.org", [f"{local}+lists@{domain}"], original)
    session.sendmail("sender@example.org", [f"{local.upper()}@{domain.upper()}"], original)
    session.quit()
    receiver.expect_delivered(original, original)


@case()
def too_large_is_refused_before_it_is_sent(server, folder):
    receiver = server.plain_account()
    session = smtplib.SMTP("127.0.0.1", server.ports["smtp"], timeout=30)
    session.ehlo()
    largest = int(session.esmtp_features["size"])
    code, answer = session.docmd("MAIL", f"FROM:<sender@example.org> SIZE={largest + 1}")
    equal(code, 552, answer)
    session.quit()
    equal(receiver.messages(), [])


@case()
def a_message_that_goes_in_circles_is_stopped(server, folder):
    """RFC 5321 §6.3."""
    receiver = server.plain_account()
    trace = "".join(f"Received: from a{i}.example by b{i}.example; Sat, 14 Nov 2026 10:00:00 +0900\r\n" for i in range(120))
    session = smtplib.SMTP("127.0.0.1", server.ports["smtp"], timeout=30)
    try:
        session.sendmail("sender@example.org", [receiver.address], trace.encode() + message(receiver.address))
        raise AssertionError("a message with 120 Received fields was taken")
    except smtplib.SMTPDataError as error:
        assert 500 <= error.smtp_code < 600, error
    equal(receiver.messages(), [])


@case()
def pipelined_commands_are_answered_in_order(server, folder):
    receiver = server.plain_account()
    original = message(receiver.address, "pipelined")
    with Lines(server.ports["smtp"]) as wire:
        equal(wire.smtp(b"EHLO mx.example.org\r\n")[0], 250)
        wire.send(
            b"MAIL FROM:<sender@example.org> RET=HDRS ENVID=QQ314159\r\n"
            + f"RCPT TO:<nobody-here@example.test>\r\nRCPT TO:<{receiver.address}> NOTIFY=NEVER\r\nDATA\r\n".encode()
        )
        equal([wire.smtp()[0] for _ in range(4)], [250, 550, 250, 354])
        wire.send(original + b".\r\nQUIT\r\n")
        equal([wire.smtp()[0] for _ in range(2)], [250, 221])
    receiver.expect_delivered(original)
