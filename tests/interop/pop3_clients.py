"""Fetching over POP3: poplib, curl, getmail, fetchmail."""

import poplib

from harness import case, equal, hostile, japanese, message, run
from submission import written


def filled(server, count=3):
    account = server.plain_account()
    originals = [hostile(), japanese(), message(body="three\r\n")][:count]
    for original in originals:
        account.append(original)
    return account, originals


def lines(octets):
    """As POP3 clients keep a message: its lines, without the last end."""
    return octets[:-2].split(b"\r\n") if octets.endswith(b"\r\n") else octets.split(b"\r\n")


@case()
def poplib_reads_and_deletes(server, folder):
    account, originals = filled(server)
    session = poplib.POP3_SSL("localhost", server.ports["pop3s"], context=server.tls(), timeout=30)
    session.user(account.address)
    session.pass_(account.password)
    equal(session.stat(), (3, sum(map(len, originals))))
    for number, original in enumerate(originals, 1):
        equal(session.retr(number)[1], lines(original))
    equal(session.top(2, 1)[1], lines(originals[1])[: lines(originals[1]).index(b"") + 2])
    names = [line.split()[1] for line in session.uidl()[1]]
    equal(len(set(names)), 3)
    session.dele(1)
    session.rset()
    session.dele(2)
    session.quit()
    equal(account.messages(), [originals[0], originals[2]])
    again = poplib.POP3("localhost", server.ports["pop3"], timeout=30)
    again.stls(server.tls())
    assert "TOP" in again.capa() and "UIDL" in again.capa(), again.capa()
    again.user(account.address)
    again.pass_(account.password)
    equal([line.split()[1] for line in again.uidl()[1]], [names[0], names[2]])
    again.quit()


@case()
def a_broken_connection_deletes_nothing(server, folder):
    account, originals = filled(server)
    session = poplib.POP3_SSL("localhost", server.ports["pop3s"], context=server.tls(), timeout=30)
    session.user(account.address)
    session.pass_(account.password)
    session.dele(1)
    session.close()
    equal(account.messages(), originals)


@case()
def curl_retrieves(server, folder):
    account, originals = filled(server)
    base = [
        "curl", "--silent", "--show-error", "--cacert", server.certificate, "--user", f"{account.address}:{account.password}",
    ]
    for number, original in enumerate(originals, 1):
        equal(run([*base, f"pop3s://localhost:{server.ports['pop3s']}/{number}"]), original)
    listed = run([*base, "--ssl-reqd", f"pop3://localhost:{server.ports['pop3']}/"])
    equal([int(line.split()[1]) for line in listed.splitlines()], [len(original) for original in originals])


@case(90)
def getmail_empties_the_mailbox(server, folder):
    account, originals = filled(server)
    taker, got = taking_script(folder)
    configuration = written(folder, f"""[retriever]
type = SimplePOP3SSLRetriever
server = localhost
port = {server.ports['pop3s']}
username = {account.address}
password = {account.password}
ca_certs = {server.certificate}

[destination]
type = MDA_external
path = {taker}
allow_root_commands = true
unixfrom = false

[options]
delete = true
delivered_to = false
received = false
""".encode(), "getmailrc")
    configuration.chmod(0o600)
    words = ["getmail", f"--getmaildir={folder}", f"--rcfile={configuration}"]
    run(words, env={"HOME": str(folder), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"})
    # getmail writes its own Return-Path into what it hands on.
    without = [[line for line in one if not line.startswith(b"Return-Path:")] for one in taken(got)]
    equal(sorted(without), sorted(strip(one) for one in originals))
    equal(account.messages(), [])


def taking_script(folder):
    """A program that stores its input in a file of its own, and the folder of these files."""
    got = folder / "got"
    got.mkdir()
    script = written(folder, f"#!/bin/sh\nexec cat > '{got}/'$(date +%s%N)\n".encode(), "take")
    script.chmod(0o700)
    return script, got


def taken(got):
    return [strip(path.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")) for path in sorted(got.iterdir())]


def strip(octets):
    """Local tools end each message with exactly one line end; what was sent may have more or none."""
    return octets.rstrip(b"\r\n").split(b"\r\n")


@case(90)
def fetchmail_fetches_once(server, folder):
    account, originals = filled(server)
    taker, got = taking_script(folder)
    configuration = written(folder, f"""set no bouncemail
poll localhost service {server.ports['pop3']} protocol pop3 uidl
  user "{account.address}" password "{account.password}"
  sslproto "TLS1.2+" sslcertck sslcertfile "{server.certificate}" sslcertpath "{folder}"
  keep no rewrite
  mda "{taker}"
""".encode(), "fetchmailrc")
    configuration.chmod(0o600)
    words = ["fetchmail", "--fetchmailrc", configuration, "--idfile", folder / "ids", "--pidfile", folder / "pid", "--invisible"]
    environment = {"HOME": str(folder), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "FETCHMAILHOME": str(folder)}
    run(words, env=environment)
    run(words, env=environment, ok=(0, 1))  # 1: nothing new
    equal(taken(got), [strip(one) for one in originals])
    equal(account.messages(), originals)
