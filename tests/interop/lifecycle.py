"""Starting, stopping, being killed: on the same data folder."""

import json
import os
import pathlib
import smtplib
import subprocess
import time

from harness import Account, Server, case, equal, hostile, japanese, message, run


@case(90)
def killed_and_started_again_it_has_everything(server, folder):
    own = Server(server.binary, folder / "own")
    try:
        account = own.plain_account()
        originals = [hostile(account.address), japanese(account.address), message(account.address)]
        session = smtplib.SMTP("127.0.0.1", own.ports["smtp"], timeout=30)
        for original in originals:
            session.sendmail("sender@example.org", [account.address], original, ["BODY=8BITMIME"])
        own.kill()
        begun = time.monotonic()
        own.start()
        assert time.monotonic() - begun < 2, f"ready only after {time.monotonic() - begun:.1f} s"
        Account(own, account.address, account.password).expect_delivered(*originals)
        report = own.admin("fsck", "--bodies")
        equal(report["problems"], [])
    finally:
        own.stop()


@case(60)
def a_graceful_stop_says_goodbye(server, folder):
    own = Server(server.binary, folder / "own")
    account = own.plain_account()
    session = account.imap()
    session.select("INBOX")
    session.send(b"x IDLE\r\n")
    assert session.readline().startswith(b"+")
    own.stop()
    rest = session.readline()
    while rest and not rest.startswith(b"* BYE"):
        rest = session.readline()
    assert rest.startswith(b"* BYE"), rest


@case(60)
def dev_leaves_nothing_behind(server, folder):
    """Without --data everything is in a folder that ends with the process."""
    temporary = folder / "tmp"
    temporary.mkdir()
    process = subprocess.Popen(
        [server.binary, "dev", "--json", "--ephemeral"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, env={**os.environ, "TMPDIR": str(temporary)},
    )
    try:
        text = ""
        data = None
        for line in process.stdout:
            text += line.decode()
            if text.count("{") == text.count("}"):
                break
        data = pathlib.Path(json.loads(text)["data"])
        assert data.exists(), data
    finally:
        process.terminate()
        process.wait(30)
    equal(process.returncode, 0)
    assert not data.exists(), f"{data} was left behind"
    equal(list(temporary.iterdir()), [])


@case(60)
def the_command_line_answers(server, folder):
    equal(server.admin("ping")["pid"], server.pid)
    account = server.plain_account()
    shown = server.admin("account", "show", account.address)
    assert account.address in str(shown), shown
    assert "open-Sesame" not in str(shown), shown
    listed = server.admin("mailbox", "list", account.address)
    for name in ["INBOX", "Drafts", "Sent", "Junk", "Trash", "Archive"]:
        assert name in str(listed), listed
    done = subprocess.run(
        [server.binary, "account", "show", "nobody-here@example.test", "--json", "--socket", server.told["admin_socket"]],
        capture_output=True, timeout=20,
    )
    equal(done.returncode, 3)
    assert b"yubin" in run([server.binary, "version"])
    assert b"_yubin" in run([server.binary, "completions", "bash"])
    assert b".TH" in run([server.binary, "man"])
    server.admin("account", "disable", account.address)
    session = smtplib.SMTP_SSL("localhost", server.ports["submissions"], context=server.tls(), timeout=30)
    try:
        session.login(account.address, account.password)
        raise AssertionError("a disabled account could log in")
    except smtplib.SMTPAuthenticationError:
        pass


@case(30)
def a_wrong_configuration_is_explained(server, folder):
    """File, line and column, and what may have been meant."""
    file = folder / "yubin.toml"
    file.write_text('[server]\nhostname = "mail.example.com"\n[limits]\nconection = 5\n')
    done = subprocess.run([server.binary, "config", "check", "--config", str(file)], capture_output=True, timeout=20)
    equal(done.returncode, 2)
    said = (done.stdout + done.stderr).decode()
    assert f"{file}:4:1" in said, said
    assert "connections" in said, said
