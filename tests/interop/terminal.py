"""A person at a terminal: mutt, typed into and read from the screen."""

import os
import subprocess
import time

from harness import JAPANESE_SUBJECT, case, equal, japanese, message
from submission import written


class Terminal:
    """One program in tmux, on a socket of its own."""

    def __init__(self, folder, command):
        self.socket = folder / "tmux"
        environment = {"HOME": str(folder), "PATH": os.environ["PATH"], "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "TERM": "screen"}
        self.environment = environment
        self.tmux("-u", "-f", "/dev/null", "new-session", "-d", "-x", "120", "-y", "40", command)

    def tmux(self, *words):
        done = subprocess.run(
            ["tmux", "-S", str(self.socket), *words], env=self.environment, capture_output=True, timeout=20,
        )
        return done.stdout.decode(errors="replace")

    def screen(self):
        return self.tmux("capture-pane", "-p")

    def type(self, *keys):
        self.tmux("send-keys", *keys)

    def wait_for(self, text, seconds=20):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            screen = self.screen()
            if text in screen:
                return screen
            time.sleep(0.1)
        raise AssertionError(f"no {text!r} on the screen:\n{screen}")

    def close(self):
        self.tmux("kill-server")


@case(90)
def mutt_reads_and_deletes(server, folder):
    account = server.plain_account()
    account.append(japanese())
    kept = message(subject="Second message", body="Second body.\r\n")
    account.append(kept)
    configuration = written(folder, f"""set folder="imaps://localhost:{server.ports['imaps']}/"
set spoolfile="imaps://localhost:{server.ports['imaps']}/INBOX"
set imap_user="{account.address}"
set imap_pass="{account.password}"
set certificate_file="{server.certificate}"
set ssl_verify_host=no
set charset=utf-8
set sort=mailbox-order
set quit=yes
set delete=yes
set mark_old=no
set wait_key=no
""".encode(), "muttrc")
    terminal = Terminal(folder, f"mutt -n -F {configuration}")
    try:
        terminal.wait_for("Second message")
        terminal.wait_for(JAPANESE_SUBJECT)
        terminal.type("1", "Enter")
        time.sleep(0.3)
        terminal.type("Enter")
        screen = terminal.wait_for("明日の会議は10時からです。")
        assert JAPANESE_SUBJECT in screen, screen
        terminal.type("d")
        terminal.wait_for("Second body.")
        terminal.type("q")
        time.sleep(0.3)
        terminal.type("q")
        account.wait_for(1, seconds=20)
    finally:
        terminal.close()
    equal(account.messages(), [kept])
    session = account.imap()
    session.select("INBOX", readonly=True)
    equal(session.search(None, "SEEN"), ("OK", [b"1"]), "what mutt showed is marked as read")
    session.logout()
