"""What strangers and large messages cost, and what the server says about itself over HTTP."""

import smtplib
import urllib.error
import urllib.request

from harness import Lines, Server, case, equal, message


@case(120)
def a_stranger_costs_little_memory(server, folder):
    """Before login a connection costs at most 64 KiB, the half-typed command included."""
    own = Server(server.binary, folder / "own")
    try:
        for protocol, half in [("smtp", b"EHLO client.exam"), ("imap", b"a LOGIN {10}\r\n"), ("pop3", b"USER an")]:
            count, held = 150, []
            warm = [Lines(own.ports[protocol]) for _ in range(20)]
            for wire in warm:
                wire.close()
            before = own.rss_octets()
            try:
                for _ in range(count):
                    wire = Lines(own.ports[protocol])
                    wire.send(half)
                    held.append(wire)
                each = (own.rss_octets() - before) / count
            finally:
                for wire in held:
                    wire.close()
            print(f"interop: one {protocol} connection before login: {each / 1024:.1f} KiB")
            assert each <= 64 * 1024, f"{each / 1024:.0f} KiB for each {protocol} connection"
    finally:
        own.stop()


@case(180)
def a_large_message_passes_through_little_memory(server, folder):
    """50 MB in over SMTP and out over IMAP: resident memory does not rise by 50 MB."""
    own = Server(server.binary, folder / "own")
    try:
        account = own.plain_account()
        line = b"0123456789abcdef" * 4 + b"\r\n"
        original = message(account.address, "large") + line * (49_000_000 // len(line))
        small = message(account.address, "small")
        with smtplib.SMTP("127.0.0.1", own.ports["smtp"], timeout=120) as session:
            session.sendmail("sender@example.org", [account.address], small)
            account.wait_for(1)
            before = own.peak_rss_octets()
            session.sendmail("sender@example.org", [account.address], original)
        found = account.wait_for(2, seconds=60)
        assert found[1].endswith(original), "the large message is not what was sent"
        rise = own.peak_rss_octets() - before
        print(f"interop: memory rose by {rise / 1e6:.1f} MB for a message of {len(original) / 1e6:.0f} MB")
        assert rise < 25_000_000, f"memory rose by {rise / 1e6:.0f} MB"
    finally:
        own.stop()


def get(server, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{server.ports['http']}{path}", timeout=10) as answer:
        return answer.status, answer.read().decode()


@case()
def health_and_metrics_are_served(server, folder):
    equal(get(server, "/livez")[0], 200)
    equal(get(server, "/readyz")[0], 200)
    status, text = get(server, "/metrics")
    equal(status, 200)
    families = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE ")}
    assert families, text[:500]
    assert all(name.startswith(("yubin_", "process_")) for name in families), families
    assert text.endswith("# EOF\n"), text[-200:]
    try:
        get(server, "/nothing-here")
        raise AssertionError("a page that is not there was served")
    except urllib.error.HTTPError as error:
        equal(error.code, 404)
