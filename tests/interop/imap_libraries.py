"""Python's imaplib and IMAPClient."""

import imaplib
import threading
import time

import imapclient

from harness import Scram, case, equal, hostile, japanese, message


def client(server, account):
    session = imapclient.IMAPClient("localhost", server.ports["imaps"], ssl_context=server.tls(), timeout=30)
    session.login(account.address, account.password)
    return session


@case()
def imaplib_gives_back_every_octet(server, folder):
    account = server.plain_account()
    originals = [hostile(), japanese(), message(body=""), message(body="no end of line")]
    for original in originals:
        account.append(original)
    equal(account.messages(), originals)
    session = account.imap()
    session.select("INBOX")
    for number, original in enumerate(originals, 1):
        head, _, body = original.partition(b"\r\n\r\n")
        _, parts = session.fetch(str(number), "(RFC822.SIZE BODY.PEEK[HEADER] BODY.PEEK[TEXT] BODY.PEEK[]<10.20>)")
        octets = [part[1] for part in parts if isinstance(part, tuple)]
        # An empty string need not be a literal, and imaplib does not tell it apart then.
        equal([one for one in octets if one], [one for one in [head + b"\r\n\r\n", body, original[10:30]] if one])
        assert f"RFC822.SIZE {len(original)}".encode() in parts[0][0], parts[0][0]
    session.logout()


@case()
def imaplib_starttls_and_mechanisms(server, folder):
    account = server.plain_account()
    account.append(message())
    for mechanism in ["PLAIN", "LOGIN", "SCRAM-SHA-256"]:
        session = imaplib.IMAP4("localhost", server.ports["imap"], timeout=30)
        session.starttls(server.tls())
        assert f"AUTH={mechanism}" in session.capabilities, session.capabilities
        if mechanism == "PLAIN":
            answers = iter([f"\0{account.address}\0{account.password}".encode()])
            session.authenticate(mechanism, lambda _: next(answers))
        elif mechanism == "LOGIN":
            answers = iter([account.address.encode(), account.password.encode()])
            session.authenticate(mechanism, lambda _: next(answers))
        else:
            scram = Scram(account.address, account.password)
            steps = iter([lambda _: scram.first(), scram.final, lambda last: (scram.check(last), b"")[1]])
            session.authenticate(mechanism, lambda challenge: next(steps)(challenge))
        equal(session.select("INBOX"), ("OK", [b"1"]))
        session.logout()


@case()
def imapclient_mailboxes_with_japanese_names(server, folder):
    account = server.plain_account()
    with client(server, account) as session:
        for name in ["会議", "会議/議事録", "R&D", "Entwürfe"]:
            session.create_folder(name)
        names = {name for _, _, name in session.list_folders()}
        assert {"INBOX", "会議", "会議/議事録", "R&D", "Entwürfe"} <= names, names
        special = {flag for flags, _, _ in session.list_folders() for flag in flags}
        assert {b"\\Drafts", b"\\Sent", b"\\Junk", b"\\Trash", b"\\Archive"} <= special, special
        session.append("会議/議事録", japanese())
        session.rename_folder("会議/議事録", "会議/資料")
        session.select_folder("会議/資料")
        equal(session.search(), [1])
        session.close_folder()
        session.delete_folder("会議/資料")
        assert not session.folder_exists("会議/資料")
        session.subscribe_folder("会議")
        assert "会議" in {name for _, _, name in session.list_sub_folders()}
        session.unsubscribe_folder("会議")
        assert "会議" not in {name for _, _, name in session.list_sub_folders()}


@case()
def imapclient_searches(server, folder):
    account = server.plain_account()
    with client(server, account) as session:
        session.append("INBOX", message(subject="Lunch on Friday", body="Bring the red folder.\r\n"), (b"\\Seen",))
        session.append("INBOX", japanese(), (b"\\Flagged",))
        session.append("INBOX", message(subject="Other", body="Nothing.\r\n", sender="boss@example.org"))
        session.select_folder("INBOX")
        for criteria, expected in [
            (["SUBJECT", "lunch"], [1]),
            (["BODY", "RED FOLDER"], [1]),
            (["FROM", "boss"], [3]),
            (["UNSEEN"], [2, 3]),
            (["FLAGGED"], [2]),
            (["NOT", "FLAGGED", "SEEN"], [1]),
            (["OR", "SEEN", "FLAGGED"], [1, 2]),
            (["LARGER", 10000], []),
            (["SENTSINCE", "14-Nov-2026", "SENTBEFORE", "15-Nov-2026"], [1, 2, 3]),
            (["UID", "2:*"], [2, 3]),
            (["HEADER", "Message-ID", "interop"], [1, 2, 3]),
        ]:
            equal(session.search(criteria), expected, str(criteria))
        equal(session.search(["SUBJECT", "会議"], "UTF-8"), [2])
        equal(session.search(["TEXT", "明日の会議"], "UTF-8"), [2])


@case()
def imapclient_fetches_structure(server, folder):
    account = server.plain_account()
    boundary = "frontier"
    body = (
        f"--{boundary}\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nHello\r\n"
        f"--{boundary}\r\nContent-Type: application/pdf; name=\"a.pdf\"\r\nContent-Transfer-Encoding: base64\r\n"
        f"Content-Disposition: attachment; filename=\"a.pdf\"\r\n\r\nJVBERi0=\r\n--{boundary}--\r\n"
    )
    extra = f"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary={boundary}\r\n"
    account.append(message(subject="=?UTF-8?B?5Lya6K2w?=", body=body, extra=extra))
    with client(server, account) as session:
        session.select_folder("INBOX")
        data = session.fetch([1], ["ENVELOPE", "BODYSTRUCTURE", "BODY.PEEK[1]", "BODY.PEEK[2]", "BODY.PEEK[2.MIME]", "INTERNALDATE"])[1]
        equal(data[b"ENVELOPE"].subject, b"=?UTF-8?B?5Lya6K2w?=")
        equal(data[b"ENVELOPE"].from_[0].host, b"example.org")
        structure = data[b"BODYSTRUCTURE"]
        assert structure.is_multipart
        equal([part[:2] for part in structure[0]], [(b"text", b"plain"), (b"application", b"pdf")] if structure[0][0][0].islower() else [(b"TEXT", b"PLAIN"), (b"APPLICATION", b"PDF")])
        equal(data[b"BODY[1]"], b"Hello")
        equal(data[b"BODY[2]"], b"JVBERi0=")
        assert b"filename=\"a.pdf\"" in data[b"BODY[2.MIME]"], data[b"BODY[2.MIME]"]
        assert b"\\Seen" not in session.get_flags([1])[1]
        session.fetch([1], ["BODY[1]"])
        assert b"\\Seen" in session.get_flags([1])[1]


@case()
def imapclient_moves_copies_and_expunges(server, folder):
    account = server.plain_account()
    originals = [message(subject=f"number {i}") for i in range(5)]
    for original in originals:
        account.append(original)
    with client(server, account) as session:
        session.select_folder("INBOX")
        session.move([2], "Archive")
        session.copy([3], "Archive")
        session.add_flags([1, 3], [b"\\Deleted", b"$Work"])
        session.expunge([1])
        equal(session.search(), [3, 4, 5])
        equal(set(session.get_flags([3])[3]) - {b"\\Recent"}, {b"\\Deleted", b"$Work"})
        session.remove_flags([3], [b"\\Deleted"])
        session.expunge()
        equal(session.search(), [3, 4, 5])
        session.unselect_folder()
    equal(account.messages(), originals[2:])
    equal(account.messages("Archive"), originals[1:3])


@case()
def imapclient_hears_of_new_mail_while_idle(server, folder):
    account = server.plain_account()
    with client(server, account) as session:
        session.select_folder("INBOX")
        session.idle()
        begun = time.monotonic()
        appender = threading.Thread(target=account.append, args=(message(),))
        appender.start()
        heard = []
        while not any(b"EXISTS" in answer for answer in heard) and time.monotonic() - begun < 20:
            heard += session.idle_check(timeout=5)
        appender.join()
        session.idle_done()
        assert (1, b"EXISTS") in heard, heard
        equal(session.search(), [1])


@case()
def two_sessions_see_each_other(server, folder):
    account = server.plain_account()
    for number in range(4):
        account.append(message(subject=str(number)))
    with client(server, account) as one, client(server, account) as two:
        one.select_folder("INBOX")
        two.select_folder("INBOX")
        one.add_flags([2], [b"\\Flagged"])
        one.delete_messages([1])
        one.expunge()
        two.noop()
        equal(two.search(), [2, 3, 4])
        assert b"\\Flagged" in two.get_flags([2])[2]
        equal(two.fetch([4], ["BODY[HEADER.FIELDS (SUBJECT)]"])[4][b"BODY[HEADER.FIELDS (SUBJECT)]"], b"Subject: 3\r\n\r\n")


@case()
def the_examples_of_dev_are_there(server, folder):
    """`yubin dev` begins with a few messages, one of them Japanese."""
    told = server.told["accounts"][0]
    session = imapclient.IMAPClient("localhost", server.ports["imaps"], ssl_context=server.tls(), timeout=30)
    with session:
        session.login(told["name"], told["password"])
        assert session.select_folder("INBOX", readonly=True)[b"EXISTS"] >= 2
