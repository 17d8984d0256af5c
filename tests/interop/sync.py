"""Programs that keep a local copy: mbsync and offlineimap, both ways, twice."""

import email
import email.policy
import os

from harness import case, equal, hostile, japanese, message, run
from submission import written


def local(maildir):
    """Message-ID to flags and octets, of one maildir."""
    found = {}
    for part in ["cur", "new"]:
        for path in sorted((maildir / part).glob("*")):
            octets = path.read_bytes().replace(b"\r\n", b"\n")
            name = email.message_from_bytes(octets, policy=email.policy.compat32)["Message-ID"]
            assert name not in found, f"{name} is there twice"
            flags = path.name.rsplit(":2,", 1)[1] if ":2," in path.name else ""
            found[name] = (set(flags), octets, path)
    return found


def remote(account, mailbox="INBOX"):
    """The same of the server."""
    session = account.imap()
    status, count = session.select(f'"{mailbox}"', readonly=True)
    assert status == "OK", count
    found = {}
    if count != [b"0"]:
        _, parts = session.uid("FETCH", "1:*", "(FLAGS BODY.PEEK[])")
        for part in parts:
            if isinstance(part, tuple):
                name = email.message_from_bytes(part[1], policy=email.policy.compat32)["Message-ID"]
                assert name not in found, f"{name} is there twice"
                found[name] = (part[0], part[1])
    session.logout()
    return found


def same_both_sides(account, maildir, mailbox="INBOX", ignore=()):
    there, here = remote(account, mailbox), local(maildir)
    equal(set(here), set(there), "the messages here and there")
    for name, (flags, octets, _) in here.items():
        told, original = there[name]
        without = lambda text: b"\n".join(line for line in text.split(b"\n") if not ignore or not line.startswith(ignore))
        equal(without(octets).rstrip(b"\n"), without(original.replace(b"\r\n", b"\n")).rstrip(b"\n"), name)
        for letter, flag in [("S", rb"\Seen"), ("F", rb"\Flagged"), ("R", rb"\Answered")]:
            equal(letter in flags, flag in told, f"{flag!r} of {name}")
    return here


def reflag(path, add):
    base, _, flags = path.name.partition(":2,")
    os.rename(path, path.parent.parent / "cur" / f"{base}:2,{''.join(sorted(set(flags) | set(add)))}")


@case(120)
def mbsync_both_ways(server, folder):
    account = server.plain_account()
    originals = [hostile(), japanese(), message(subject="three"), message(subject="four")]
    for original in originals:
        account.append(original)
    configuration = written(folder, f"""IMAPAccount test
Host localhost
Port {server.ports['imaps']}
User {account.address}
Pass {account.password}
SSLType IMAPS
CertificateFile {server.certificate}

IMAPStore far
Account test

MaildirStore near
SubFolders Verbatim
Path {folder}/mail/
Inbox {folder}/mail/INBOX

Channel all
Far :far:
Near :near:
Patterns *
Create Both
Remove Both
Expunge Both
SyncState *
""".encode(), "mbsyncrc")
    (folder / "mail").mkdir()
    inbox = folder / "mail/INBOX"

    def sync():
        run(["mbsync", "--config", configuration, "--all"], env={"HOME": str(folder), "PATH": "/usr/bin:/bin"})

    ignore = (b"X-TUID: ",)
    for _ in range(2):
        sync()
        here = same_both_sides(account, inbox, ignore=ignore)
        equal(len(here), 4)
    # Flags and a deletion on each side, a new message on each side, then again twice.
    files = [path for _, _, path in local(inbox).values()]
    reflag(files[0], "FS")
    files[1].unlink()
    fresh = message(subject="written here")
    (inbox / "cur" / "1.fresh.local:2,S").write_bytes(fresh.replace(b"\r\n", b"\n"))
    session = account.imap()
    session.select("INBOX")
    session.store("3", "+FLAGS", r"(\Answered $Work)")
    session.store("4", "+FLAGS", r"(\Deleted)")
    session.expunge()
    session.logout()
    account.append(message(subject="written there"))
    for _ in range(2):
        sync()
        here = same_both_sides(account, inbox, ignore=ignore)
        equal(len(here), 4)
    assert any("F" in flags for flags, _, _ in here.values())
    assert any("R" in flags for flags, _, _ in here.values())


@case(120)
def offlineimap_both_ways(server, folder):
    account = server.plain_account()
    for original in [hostile(), japanese(), message(subject="three")]:
        account.append(original)
    session = account.imap()
    session.create("&TxqLcA-")  # 会議
    session.logout()
    account.append(japanese(), "&TxqLcA-")
    configuration = written(folder, f"""[general]
accounts = test
metadata = {folder}/state
ui = quiet
[Account test]
localrepository = near
remoterepository = far
[Repository near]
type = Maildir
localfolders = {folder}/mail
[Repository far]
type = IMAP
remotehost = localhost
remoteport = {server.ports['imaps']}
remoteuser = {account.address}
remotepass = {account.password}
ssl = yes
sslcacertfile = {server.certificate}
maxconnections = 2
""".encode(), "offlineimaprc")
    inbox = folder / "mail/INBOX"

    def sync():
        run(["offlineimap", "-o", "-c", configuration], env={"HOME": str(folder), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"})

    ignore = (b"X-OfflineIMAP: ",)
    for _ in range(2):
        sync()
        equal(len(same_both_sides(account, inbox, ignore=ignore)), 3)
    equal(len(local(folder / "mail/&TxqLcA-")), 1)
    files = [path for _, _, path in local(inbox).values()]
    reflag(files[0], "FS")
    files[1].unlink()
    fresh = message(subject="written here")
    (inbox / "new" / "1.fresh.local").write_bytes(fresh.replace(b"\r\n", b"\n"))
    for _ in range(2):
        sync()
        here = same_both_sides(account, inbox, ignore=ignore)
        equal(len(here), 3)
    assert any("F" in flags for flags, _, _ in here.values())
