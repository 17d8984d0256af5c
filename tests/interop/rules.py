"""Rules for incoming mail: scripts come in over ManageSieve, and mail goes where they say."""

import pathlib
import smtplib

from harness import case, equal, message, run
from sievelib.managesieve import Client

SCRIPT = """require ["fileinto", "mailbox", "imap4flags"];
if header :contains "subject" "請求書" { fileinto :create :flags "\\\\Flagged" "請求書"; }
elsif header :contains "subject" "spam" { discard; }
"""


def client(server, account):
    """A session under TLS. The library verifies against the system's authorities, which do not know a test's certificate."""
    manage = Client("127.0.0.1", server.ports["sieve"])
    assert manage.connect(account.address, account.password, starttls=False, authmech="PLAIN"), manage.errmsg
    return manage


@case()
def sievelib_manages_scripts_and_mail_follows_them(server, folder):
    account = server.plain_account()
    manage = client(server, account)
    assert manage.checkscript(SCRIPT), manage.errmsg
    assert manage.putscript("regeln", SCRIPT), manage.errmsg
    assert not manage.putscript("wrong", 'fileinto "x";')
    assert b"line 1, column 1" in manage.errmsg, manage.errmsg
    assert manage.setactive("regeln"), manage.errmsg
    equal(manage.listscripts(), ("regeln", []))
    equal(manage.getscript("regeln").replace("\r\n", "\n").strip(), SCRIPT.strip())
    assert not manage.deletescript("regeln"), "it runs"
    manage.logout()
    with smtplib.SMTP("127.0.0.1", server.ports["smtp"], timeout=30) as session:
        for subject in ["=?utf-8?b?6KuL5rGC5pu4?= 42", "spam", "hello"]:
            session.sendmail("x@elsewhere.test", [account.address], message(subject=subject))
    account.wait_for(1)
    account.wait_for(1, "&istsQmb4-")  # 請求書
    manage = client(server, account)
    assert manage.setactive("") and manage.deletescript("regeln"), manage.errmsg
    equal(manage.listscripts(), (None, []))
    manage.logout()


@case()
def sieve_commands_of_the_command_line(server, folder):
    account = server.plain_account()
    script = pathlib.Path(folder) / "rules.sieve"
    script.write_text(SCRIPT)
    mail = pathlib.Path(folder) / "mail.eml"
    mail.write_bytes(message(subject="spam"))
    equal(run([server.binary, "sieve", "check", script]), b"The script is valid.\n")
    told = run([server.binary, "sieve", "explain", script, mail]).decode()
    assert "line 3: discard" in told and "So it does: drop the message." in told, told
    server.admin("sieve", "put", account.address, "main", str(script), "--activate")
    listed = server.admin("sieve", "list", account.address)
    equal([(row["name"], row["active"]) for row in listed], [("main", True)])
    server.admin("sieve", "deactivate", account.address)
    server.admin("sieve", "remove", account.address, "main")
    equal(server.admin("sieve", "list", account.address), [])
