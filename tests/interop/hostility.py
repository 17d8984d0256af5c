"""What attackers try at the socket: relaying, smuggling, commands before TLS, other protocols."""

import base64
import smtplib
import ssl
import time

from harness import Lines, Server, Strict, case, equal, message, quoted

FAR = "elsewhere.example"


def relay_forms(port):
    """Recipients that lead away, however they are written: nmap's list and more."""
    host, at = "example.test", "[127.0.0.1]"
    return [
        f"u@{FAR}", f"u%{FAR}@{at}", f"u%{FAR}@{host}", f'"u@{FAR}"', f'"u%{FAR}"', f"u@{FAR}@{at}", f'"u@{FAR}"@{at}',
        f"u@{FAR}@{host}", f"@{at}:u@{FAR}", f"@{host}:u@{FAR}", f"{FAR}!u", f"{FAR}!u@{at}", f"{FAR}!u@{host}",
        f"u@{FAR}.", "u@[IPv6:2001:db8::1]", "u@[192.0.2.1]", f"@a.example,@b.example:u@{FAR}", f"postmaster%{FAR}",
        f"user+x%{FAR}@{host}", f'"u@{FAR}"@{host}', f"u\\@{FAR}@{host}", f"<u@{FAR}>", f"u@{FAR}\x00.example.test",
    ]


@case()
def nothing_is_relayed(server, folder):
    """Without a login no form of recipient leads away, whoever the sender claims to be."""
    before = server.admin("queue", "list")
    taken = []
    for sender in ["", f"a@{FAR}", "ann@example.test", "a@[127.0.0.1]"]:
        for port in ["smtp", "submission"]:
            wire = None
            for form in relay_forms(port):
                if wire is None:
                    wire = Lines(server.ports[port])
                    wire.smtp(b"EHLO client.example.org\r\n")
                wire.smtp(b"RSET\r\n")
                code, _ = wire.smtp(f"MAIL FROM:<{sender}>\r\n".encode())
                if 200 <= code < 300:
                    code, lines = wire.smtp(f"RCPT TO:<{form}>\r\n".encode("latin-1"))
                    if 200 <= code < 300:
                        taken.append((port, sender, form, lines))
                if code in (0, 421) or not 200 <= code < 600:
                    wire.close()
                    wire = None
                elif wire and len(relay_forms(port)) and relay_forms(port).index(form) % 6 == 5:
                    wire.close()  # before the limit of errors ends the session
                    wire = None
            if wire:
                wire.close()
    equal(taken, [], "relayed")
    equal(server.admin("queue", "list"), before, "the queue")


# What a careless receiver takes for the end of the message; threats known since December 2023.
FALSE_ENDS = [
    b"\n.\n", b"\n.\r", b"\r.\n", b"\r.\r", b"\n.\r\n", b"\r.\r\n", b"\r\n.\r\r\n", b"\r\r\n.\r\r\n", b"\r\n.\n",
    b"\r\n.\r", b"\r\n\x00.\r\n",
]


def smuggle(server, port, hello, false_end, split):
    receiver = server.plain_account()
    inner = (
        b"MAIL FROM:<admin@example.test>\r\nRCPT TO:<" + receiver.address.encode() + b">\r\nDATA\r\n"
        + message(receiver.address, "SMUGGLED", sender="admin@example.test") + b".\r\n"
    )
    outer = message(receiver.address, "outer", "text").rstrip(b"\r\n")
    with Lines(server.ports[port]) as wire:
        equal(wire.smtp(hello)[0], 250)
        equal(wire.smtp(b"MAIL FROM:<sender@example.org>\r\n")[0], 250)
        equal(wire.smtp(b"RCPT TO:<" + receiver.address.encode() + b">\r\n")[0], 250)
        equal(wire.smtp(b"DATA\r\n")[0], 354)
        whole = outer + false_end + inner
        try:
            if split:
                at = len(outer)
                wire.send(whole[:at])
                for octet in false_end:
                    time.sleep(0.002)
                    wire.send(bytes([octet]))
                wire.send(inner)
            else:
                wire.send(whole)
            code, lines = wire.smtp()
            wire.send(b"QUIT\r\n")
            rest = wire.rest()
        except ConnectionError:
            code, lines, rest = 0, [], b""
    found = receiver.messages()
    assert len(found) <= 1, f"{false_end!r}: {len(found)} messages came of one"
    for one in found:
        assert one.split(b"\r\n\r\n")[0].count(b"\r\nSubject: outer") == 1, f"{false_end!r}: the smuggled one was delivered"
    if b"\x00" not in false_end:
        assert 500 <= code < 600, f"{false_end!r}: answered {lines!r}"
        equal(found, [], f"{false_end!r}: delivered")
    assert b"354" not in rest, f"{false_end!r}: the smuggled command was carried out: {rest!r}"


@case(120)
def nothing_is_smuggled_past_data(server, folder):
    """Only CR LF . CR LF ends a message; a bare CR or LF is refused, however the segments fall."""
    for false_end in FALSE_ENDS:
        for split in [False, True]:
            smuggle(server, "smtp", b"EHLO mx.example.org\r\n", false_end, split)


@case(120)
def nothing_is_smuggled_through_lmtp(server, folder):
    """The inner hop is no exception."""
    for false_end in FALSE_ENDS:
        smuggle(server, "lmtp", b"LHLO relay.example.test\r\n", false_end, False)


def tls_after(server, wire):
    """The handshake on a raw connection; whatever was read already is lost on purpose."""
    context = server.tls()
    return context.wrap_socket(wire.socket, server_hostname="localhost")


def nothing_carried_over(server, wire, probe):
    """After the handshake the first answer is to what was sent under TLS, or the connection is gone."""
    try:
        tls = tls_after(server, wire)
    except (ssl.SSLError, ConnectionError, OSError):
        return None  # dropped: as good
    tls.settimeout(1)
    try:
        early = tls.recv(1000)
        assert early == b"", f"answered what was sent in the clear: {early!r}"
        return None
    except (TimeoutError, ssl.SSLWantReadError):
        pass
    tls.settimeout(20)
    tls.sendall(probe)
    return tls.recv(4000)


@case()
def smtp_forgets_what_came_before_tls(server, folder):
    for port in ["smtp", "submission"]:
        for injected in [b"RSET\r\n", b"EHLO evil.example\r\nMAIL FROM:<a@b.example>\r\n"]:
            with Lines(server.ports[port]) as wire:
                equal(wire.smtp(b"EHLO client.example.org\r\n")[0], 250)
                code, _ = wire.smtp(b"STARTTLS\r\n" + injected)
                if code == 220:
                    answer = nothing_carried_over(server, wire, b"MAIL FROM:<a@b.example>\r\n")
                    # The greeting was forgotten, too: MAIL must wait for a new EHLO.
                    assert answer is None or answer[:1] == b"5", answer
                else:
                    assert code == 0 or code >= 500, code


@case()
def imap_forgets_what_came_before_tls(server, folder):
    account = server.plain_account()
    login = f"b LOGIN {quoted(account.address)} {quoted(account.password)}\r\n".encode()
    with Lines(server.ports["imap"]) as wire:
        wire.send(b"a STARTTLS\r\n" + login)
        answer = wire.line()
        if answer.startswith(b"a OK"):
            answer = nothing_carried_over(server, wire, b"c SELECT INBOX\r\n")
            assert answer is None or answer.startswith((b"c BAD", b"c NO")), answer
        else:
            assert answer == b"" or b"BAD" in answer or b"BYE" in answer, answer


@case()
def pop3_forgets_what_came_before_tls(server, folder):
    account = server.plain_account()
    with Lines(server.ports["pop3"]) as wire:
        wire.send(f"STLS\r\nUSER {account.address}\r\nPASS {account.password}\r\n".encode())
        answer = wire.line()
        if answer.startswith(b"+OK"):
            answer = nothing_carried_over(server, wire, b"STAT\r\n")
            assert answer is None or answer.startswith(b"-ERR"), answer
        else:
            assert answer == b"" or answer.startswith(b"-ERR"), answer


@case()
def a_web_browser_is_sent_away(server, folder):
    """A request of another protocol ends the connection before its body can be read as commands."""
    for port in ["smtp", "submission"]:
        for request in [b"GET / HTTP/1.1\r\n", b"POST / HTTP/1.1\r\n", b"CONNECT a.example:25 HTTP/1.1\r\n"]:
            with Lines(server.ports[port]) as wire:
                wire.send(request + b"Host: x\r\n\r\nEHLO a.example\r\nMAIL FROM:<a@b.example>\r\n")
                rest = wire.rest()
                assert b"250" not in rest, rest


@case()
def passwords_are_not_taken_in_the_clear(server, folder):
    with Strict(server.binary, folder / "strict") as strict:
        account = strict.plain_account()
        with Lines(strict.ports["imap"]) as wire:
            assert b"AUTH=PLAIN" not in wire.greeting.upper(), wire.greeting
            assert b"LOGINDISABLED" in wire.greeting.upper(), wire.greeting
            wire.send(f"a LOGIN {quoted(account.address)} {quoted(account.password)}\r\n".encode())
            answer = wire.line()
            assert answer.startswith((b"a NO", b"a BAD")), answer
        with Lines(strict.ports["pop3"]) as wire:
            wire.send(f"USER {account.address}\r\n".encode())
            answer = wire.line()
            if answer.startswith(b"+OK"):
                wire.send(f"PASS {account.password}\r\n".encode())
                answer = wire.line()
            assert answer.startswith(b"-ERR"), answer
        with Lines(strict.ports["submission"]) as wire:
            code, lines = wire.smtp(b"EHLO client.example.org\r\n")
            equal(code, 250)
            offered = [line.upper().split() for line in lines if line[4:8].upper() == b"AUTH"]
            assert not any({b"PLAIN", b"LOGIN"} & set(words) for words in offered), offered
            code, _ = wire.smtp(b"AUTH PLAIN " + base64.b64encode(f"\0{account.address}\0{account.password}".encode()) + b"\r\n")
            assert code in (502, 503, 504, 530, 534, 538), code
            code, _ = wire.smtp(b"MAIL FROM:<" + account.address.encode() + b">\r\n")
            assert code in (530, 503, 550), code
        equal(len(account.messages()), 0)  # under TLS the same password is good


@case()
def too_much_before_login_ends_the_session(server, folder):
    """A literal announced before login is refused before it is read, and a line without end is cut off."""
    with Lines(server.ports["imaps"], greeting=False) as wire:
        tls = tls_after(server, wire)
        assert tls.recv(4000).startswith(b"* OK")
        tls.sendall(b"a LOGIN {4294967295}\r\n")
        answer = tls.recv(4000)
        assert not answer.startswith(b"+"), answer
    with Lines(server.ports["smtp"]) as wire:
        try:
            for _ in range(64):
                wire.send(b"x" * 65536)
        except ConnectionError:
            pass
        answer = wire.rest()
        assert b"250" not in answer, answer[:200]


@case()
def an_unknown_user_looks_like_a_wrong_password(server, folder):
    with Server(server.binary, folder / "own") as own:  # failures slow down everybody at this address
        account = own.plain_account()
        answers, took = [], []
        for name in [account.address, "nobody-at-all@example.test"]:
            begun = time.monotonic()
            session = smtplib.SMTP_SSL("localhost", own.ports["submissions"], context=own.tls(), timeout=30)
            try:
                session.login(name, "wrong")
            except smtplib.SMTPAuthenticationError as error:
                answers.append((error.smtp_code, error.smtp_error))
            took.append(time.monotonic() - begun)
            session.close()
        equal(answers[0], answers[1], "the two answers")
        equal(answers[0][0], 535)
