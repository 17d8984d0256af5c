#!/usr/bin/env python3
"""Makes the corpora beside this file: messages with what dkimpy says of their signatures and chains, and SPF zones with what pyspf says.

    pip install dkimpy==1.1.8 pynacl dnspython pyspf==2.0.14
    python3 make.py            # writes dkimpy.json and pyspf.json anew; needs openssl for the RSA key

Everything in them is made here; nothing is copied from those projects.
"""
import base64, json, os, random, subprocess, sys, tempfile
import dkim, nacl.signing
import spf

here = os.path.dirname(os.path.abspath(__file__))
rnd = random.Random(6376)

# --- DKIM and ARC -------------------------------------------------------------------------------------------------------------

with tempfile.TemporaryDirectory() as folder:
    pem = os.path.join(folder, "k.pem")
    subprocess.run(["openssl", "genrsa", "-traditional", "-out", pem, "2048"], check=True, capture_output=True)
    RSA = open(pem, "rb").read()
    RSA_PUBLIC = subprocess.run(["openssl", "rsa", "-in", pem, "-pubout", "-outform", "DER"], check=True, capture_output=True).stdout
signing = nacl.signing.SigningKey.generate()
ED = base64.b64encode(bytes(signing))
ZONE = {
    "r._domainkey.example.test.": "v=DKIM1; k=rsa; p=" + base64.b64encode(RSA_PUBLIC).decode(),
    "e._domainkey.example.test.": "v=DKIM1; k=ed25519; p=" + base64.b64encode(bytes(signing.verify_key)).decode(),
    "r._domainkey.list.test.": "v=DKIM1; k=rsa; p=" + base64.b64encode(RSA_PUBLIC).decode(),
}

def dns(name, timeout=5):
    return ZONE.get(name.decode() if isinstance(name, bytes) else name, "")

HEADERS = [
    b"From: Ann <ann@example.test>\r\nTo: bob@other.test\r\nSubject: hello\r\nDate: Mon, 21 Sep 2026 14:13:20 +0000\r\nMessage-ID: <1@example.test>\r\n",
    b"Received: from a by b;\r\n\tMon, 21 Sep 2026 14:13:20 +0000\r\nFROM:   Ann \t <ann@example.test> \r\nSubject:\r\n folded \t\r\n\t twice \r\nTo:a@b.test,\r\n c@d.test\r\nReceived: from x\r\n",
    b"From: ann@example.test\r\nSubject: =?utf-8?b?44GT44KT?=\r\nX-Empty:\r\nX-Empty: \r\nSubject: second\r\nTo: \xe3\x81\x82@b.test\r\n",
]
BODIES = [
    b"", b"\r\n", b"\r\n\r\n\r\n", b"Hello\r\n", b"Hello", b" \r\n", b"Hello  \t \r\n\r\n \t\r\n\r\n", b"a  b\tc\r\n\td \r\n\r\ne\r\n",
    b"\r\n\r\nlate\r\n", b"x" * 1500 + b"\r\n", b"8 bit \xff\xfe \r\n", b" lead\r\n  lead2\r\n\r\n \r\n",
]

def mutate(message):
    """One small change; often one that canonicalization forgives."""
    kind = rnd.randrange(8)
    head, body = message.split(b"\r\n\r\n", 1)
    if kind == 0:
        return head + b"\r\n\r\n" + body + b"\r\n"
    if kind == 1:
        return head + b"\r\n\r\n" + body + b"more\r\n"
    if kind == 2:
        return head.replace(b"Subject:", b"subject:  ", 1) + b"\r\n\r\n" + body
    if kind == 3:
        return b"Subject: other\r\n" + message
    if kind == 4:
        return head + b"\r\nSubject: other\r\n\r\n" + body
    if kind == 5:
        at = rnd.choice([at for at, octet in enumerate(message) if chr(octet).isalnum()])
        return message[:at] + bytes([message[at] ^ 1]) + message[at + 1:]
    if kind == 6:
        return head + b"\r\n\r\n" + body.replace(b" ", b"  ")
    return head.replace(b"To:", b"To: \t", 1) + b"\r\n\r\n" + body.replace(b"\r\n", b" \r\n", 1)

def said(message):
    try:
        return bool(dkim.DKIM(message, minkey=1024).verify(dnsfunc=dns))
    except dkim.DKIMException:
        return False
    except Exception:
        return None

def chain_said(message):
    try:
        cv, _, why = dkim.arc_verify(message, dnsfunc=lambda name, timeout=5: dns(name), minkey=1024)
        # It names the chain only once it has looked at all of it; anything before that is a failure.
        return cv.decode() if cv else "fail"
    except Exception as error:
        print("no verdict:", repr(error), file=sys.stderr)
        return None

cases = []
for header in HEADERS:
    for body in BODIES:
        for canon in [(b"simple", b"simple"), (b"simple", b"relaxed"), (b"relaxed", b"simple"), (b"relaxed", b"relaxed")]:
            algorithm = rnd.choice([b"rsa-sha256", b"ed25519-sha256"])
            selector, key = (b"r", RSA) if algorithm == b"rsa-sha256" else (b"e", ED)
            length = rnd.random() < 0.15
            message = header + b"\r\n" + body
            try:
                signature = dkim.sign(message, selector, b"example.test", key, canonicalize=canon, signature_algorithm=algorithm, length=length)
            except Exception as error:
                print("not signed:", error, file=sys.stderr)
                continue
            signed = signature + message
            for variant in [signed, mutate(signed)]:
                verdict = said(variant)
                if verdict is not None:
                    cases.append({"message": base64.b64encode(variant).decode(), "pass": verdict, "length": length})

chains = []
for hops in (1, 2, 3):
    for body in BODIES[3:8]:
        message = b"Authentication-Results: list.test; arc=none; spf=pass smtp.mfrom=a@example.test; dmarc=pass header.from=example.test\r\n" + HEADERS[0] + b"\r\n" + body
        for _ in range(hops):
            sets = dkim.arc_sign(message, b"r", b"list.test", RSA, b"list.test", include_headers=[b"from", b"to", b"subject", b"date", b"message-id"])
            message = b"".join(sets) + message
            message = b"Authentication-Results: list.test; arc=" + chain_said(message).encode() + b"; dmarc=pass\r\n" + message
        for variant in [message, mutate(message), message.replace(b"cv=none", b"cv=pass", 1), message.replace(b"i=1", b"i=2", 1), message.replace(b"ARC-Seal", b"X-Seal", 1)]:
            verdict = chain_said(variant)
            if verdict is not None:
                chains.append({"message": base64.b64encode(variant).decode(), "cv": verdict, "hops": hops})

json.dump({"zone": {name.rstrip("."): text for name, text in ZONE.items()}, "dkim": cases, "arc": chains}, open(os.path.join(here, "dkimpy.json"), "w"), indent=0)

# --- SPF ----------------------------------------------------------------------------------------------------------------------

names = ["a.test", "b.test", "c.test", "d.test", "mail.a.test", "x.b.test"]

def domain_spec():
    return rnd.choice(names + ["missing.test", "%{d}", "%{o}", "%{i}._i.%{d2}", "%{l}.a.test", "%{ir}.%{v}.b.test", "%{h}", "slow.test", "a.test.", "nodot"])

def term():
    kind = rnd.randrange(14)
    q = rnd.choice(["", "", "", "+", "-", "~", "?"])
    cidr = rnd.choice(["", "", "/24", "/30", "//64", "/24//64", "/33", "/"]) if rnd.random() < 0.5 else ""
    return {
        0: q + "all", 1: q + "include:" + domain_spec(), 2: q + "a" + cidr, 3: q + "a:" + domain_spec() + cidr, 4: q + "mx" + cidr,
        5: q + "mx:" + domain_spec() + cidr, 6: q + "ptr", 7: q + "ip4:192.0.2.%d%s" % (rnd.randrange(4), rnd.choice(["", "/24", "/31"])),
        8: q + "ip6:2001:db8::%x%s" % (rnd.randrange(4), rnd.choice(["", "/64", "/127"])), 9: q + "exists:" + domain_spec(), 10: "redirect=" + domain_spec(),
        11: "unknown%d=" % rnd.randrange(10**6) + domain_spec(), 12: q + "ptr:" + domain_spec(), 13: rnd.choice(["all=x", "foo", "ip4:1.2.3", "a:", "exp=%{d}x.test", "include:", "+all:"]) if rnd.random() < 0.2 else q + "all",
    }[kind]

spf_cases = []
class Timeout(Exception): pass

def lookup(zone):
    def inner(name, qtype, tcpfallback=True, timeout=30):
        name = name.lower().rstrip(".")
        if name == "slow.test":
            raise spf.TempError("DNS timeout")
        return [((name, qtype), value) for kind, value in zone.get(name, []) if kind == qtype]
    return inner

for number in range(600):
    zone = {}
    for name in names:
        records = []
        if rnd.random() < 0.8:
            text = "v=spf1 " + " ".join(term() for _ in range(rnd.randrange(1, 5)))
            records.append(("TXT", text))
        for _ in range(rnd.randrange(3)):
            records.append(("A", "192.0.2.%d" % rnd.randrange(4)))
        if rnd.random() < 0.3:
            records.append(("AAAA", "2001:db8::%x" % rnd.randrange(4)))
        if rnd.random() < 0.4:
            records.append(("MX", (10, rnd.choice(names + ["missing.test"]))))
        if rnd.random() < 0.15:
            records.append(("TXT", "other text"))
        zone[name] = records
    for n in range(4):
        if rnd.random() < 0.5:
            zone["%d.2.0.192.in-addr.arpa" % n] = [("PTR", rnd.choice(names))]
    ip = rnd.choice(["192.0.2.%d" % rnd.randrange(4), "192.0.2.77", "2001:db8::%x" % rnd.randrange(4)])
    table = {}
    for name, records in zone.items():
        out = []
        for kind, value in records:
            if kind == "TXT":
                out.append((kind, (value.encode(),)))
            elif kind == "AAAA":
                import ipaddress
                out.append((kind, ipaddress.ip_address(value).packed))
            else:
                out.append((kind, value))
        table[name] = out
    spf.DNSLookup = lookup(table)
    sender = "l.p@" + rnd.choice(names)
    helo = rnd.choice(names)
    try:
        result = spf.query(i=ip, s=sender, h=helo, strict=True).check()
        # A rule of pyspf's own: a record that names itself is refused before anything is compared.
        if "trivial recursion" in result[2]:
            continue
        result = result[0]
    except Exception as error:
        continue
    spf_cases.append({"zone": {name: [list(record) for record in records] for name, records in zone.items()}, "ip": ip, "sender": sender, "helo": helo, "result": result})
json.dump(spf_cases, open(os.path.join(here, "pyspf.json"), "w"), separators=(",", ":"))
print(len(cases), "signatures,", sum(c["pass"] for c in cases), "pass;", len(chains), "chains,", sum(c["cv"] == "pass" for c in chains), "pass;", len(spf_cases), "SPF checks")
from collections import Counter
print(Counter(c["result"] for c in spf_cases))
