"""Postfix delivering to us, over SMTP and over LMTP: an instance of its own below the scratch folder, on loopback."""

import os
import pathlib
import pwd
import shutil
import smtplib
import socket
import subprocess
import tempfile
import time

from harness import DOMAIN, case, free_port, hostile, japanese, message, run


class Postfix:
    """One Postfix that hands everything for our domain to one next hop. Needs root, as Postfix does."""

    def __init__(self, folder, transport, more="", port=None):
        # Its daemons drop their rights, so the folder must be reachable for them.
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="yubin-postfix-"))
        self.folder.chmod(0o755)
        for name in ["etc", "queue", "data"]:
            (self.folder / name).mkdir(mode=0o755)
        os.chown(self.folder / "data", pwd.getpwnam("postfix").pw_uid, -1)
        self.port = port or free_port()
        self.log = self.folder / "mail.log"
        (self.folder / "etc/main.cf").write_text(f"""compatibility_level = 3.6
queue_directory = {self.folder}/queue
data_directory = {self.folder}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
myhostname = relay.example.net
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
relay_domains = {DOMAIN}
relay_transport = {transport}
default_transport = error:nothing leaves this test
alias_maps =
alias_database =
local_recipient_maps =
relay_recipient_maps =
message_size_limit = 104857600
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_peername_lookup = no
disable_dns_lookups = yes
smtp_tls_security_level = may
smtpd_tls_security_level = none
smtpd_forbid_bare_newline = no
smtputf8_enable = yes
maillog_file_prefixes = {self.folder}
maillog_file = {self.log}
alternate_config_directories =
import_environment = MAIL_CONFIG TZ LANG
{more}""")
        services = ["pickup unix n - n 60 1 pickup", "cleanup unix n - n - 0 cleanup", "qmgr unix n - n 300 1 qmgr",
                    "tlsmgr unix - - n 1000? 1 tlsmgr", "rewrite unix - - n - - trivial-rewrite", "bounce unix - - n - 0 bounce",
                    "defer unix - - n - 0 bounce", "trace unix - - n - 0 bounce", "verify unix - - n - 1 verify",
                    "flush unix n - n 1000? 0 flush", "proxymap unix - - n - - proxymap", "smtp unix - - n - - smtp",
                    "relay unix - - n - - smtp", "lmtp unix - - n - - lmtp", "showq unix n - n - - showq", "error unix - - n - - error",
                    "retry unix - - n - - error", "discard unix - - n - - discard", "anvil unix - - n - 1 anvil",
                    "scache unix - - n - 1 scache", "postlog unix-dgram n - n - 1 postlogd",
                    f"127.0.0.1:{self.port} inet n - n - - smtpd"]
        (self.folder / "etc/master.cf").write_text("\n".join(services) + "\n")
        # Postfix looks for its own default files whatever folder it is told.
        for name, text in [("main.cf", "compatibility_level = 3.6\n"), ("master.cf", "")]:
            path = pathlib.Path("/etc/postfix") / name
            if not path.exists():
                path.write_text(text)
        done = subprocess.run(
            ["/usr/sbin/postfix", "-c", str(self.folder / "etc"), "start"], stdin=subprocess.DEVNULL, capture_output=True, timeout=30,
        )
        assert done.returncode == 0, done.stderr.decode(errors="replace") + self.said()
        until = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                break
            except OSError:
                assert time.monotonic() < until, "Postfix did not come up: " + self.said()
                time.sleep(0.05)

    def said(self):
        return self.log.read_text(errors="replace")[-3000:] if self.log.exists() else ""

    def send(self, recipients, octets, options=()):
        session = smtplib.SMTP("127.0.0.1", self.port, timeout=30)
        session.sendmail("sender@example.org", recipients, octets, list(options))
        session.quit()

    def wait_until_empty(self, seconds=30):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if b"Mail queue is empty" in run(["/usr/sbin/postqueue", "-c", self.folder / "etc", "-p"]):
                return
            time.sleep(0.1)
        raise AssertionError("Postfix still has mail: " + self.said())

    def stop(self):
        subprocess.run(
            ["/usr/sbin/postfix", "-c", str(self.folder / "etc"), "stop"], stdin=subprocess.DEVNULL, capture_output=True, timeout=60,
        )
        shutil.rmtree(self.folder, ignore_errors=True)


def through(server, folder, transport, protocol):
    one, two = server.plain_account("one"), server.plain_account("two")
    postfix = Postfix(folder, transport)
    try:
        originals = [hostile(one.address), japanese(one.address), message(one.address, "long", "0123456789" * 9 + "\r\n" * 5000)]
        for original in originals:
            postfix.send([one.address, two.address], original, ["BODY=8BITMIME"])
        # One recipient that does not exist must not hold the other up.
        last = message(two.address, "last")
        postfix.send(["nobody-here@" + DOMAIN, two.address], last)
        try:
            found = one.wait_for(3)
            for receiver, expected in [(one, originals), (two, [*originals, last])]:
                found = receiver.wait_for(len(expected))
                left = list(expected)
                for octets in found:
                    match = next((original for original in left if octets.endswith(original.split(b"\r\n\r\n", 1)[1])), None)
                    assert match is not None, f"not what was sent: {octets[:2000]!r}"
                    left.remove(match)
                    assert b"by relay.example.net (Postfix)" in octets, octets[:2000]
                    assert protocol in octets, octets[:1000]
        except AssertionError as error:
            raise AssertionError(f"{error}\nPostfix said:\n{postfix.said()}") from error
        postfix.wait_until_empty()
    finally:
        postfix.stop()


@case(90)
def postfix_delivers_over_smtp(server, folder):
    through(server, folder, f"smtp:[127.0.0.1]:{server.ports['smtp']}", b"with ESMTP")


@case(90)
def postfix_delivers_over_lmtp(server, folder):
    through(server, folder, f"lmtp:inet:127.0.0.1:{server.ports['lmtp']}", b"with LMTP")
