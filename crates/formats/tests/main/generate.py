#!/usr/bin/env python3
"""Generates messages and what Python's email package reads in them, one JSON object a line: {"raw": base64, "subject": text,
"from": [[name, address]], "tree": …}. A tree is ["type/subtype", [children]] or ["type/subtype", body as base64, text or null].
Deterministic. usage: generate.py COUNT SEED"""
import base64, email, email.header, email.utils, json, quopri, random, sys

R = random.Random(int(sys.argv[2]))
JAPANESE = 'お世話になっております 株式会社 山田商事 見積書 請求書 添付 ご確認 よろしくお願いいたします カタカナ メール サーバ'.split()
ENGLISH = 'the meeting report budget invoice café naïve project schedule'.split()
CHARSETS = ['utf-8', 'iso-2022-jp', 'shift_jis', 'euc-jp', 'us-ascii', 'iso-8859-1', 'gb2312', 'big5', 'euc-kr', 'koi8-r']
OTHER = {'gb2312': '你好 中文', 'big5': '你好 中文', 'euc-kr': '한글 시험', 'koi8-r': 'привет мир'}


def words(charset, count):
    if charset in ('utf-8', 'iso-2022-jp', 'shift_jis', 'euc-jp'):
        text = ''.join(R.choice(JAPANESE) for _ in range(count))
    else:
        text = OTHER.get(charset) or ' '.join(R.choice(ENGLISH) for _ in range(count))
    return text.encode(charset, 'ignore').decode(charset)


def header_text(charset):
    text = words(charset, R.randint(1, 4))
    if text.isascii():
        return text
    step = R.choice([6, 10])
    pieces = [text[i:i + step] for i in range(0, len(text), step)]
    if R.random() < .5:
        coded = ['=?%s?B?%s?=' % (charset, base64.b64encode(p.encode(charset)).decode()) for p in pieces]
    else:
        q = lambda b: ''.join(chr(c) if chr(c).isalnum() and c < 128 else '=%02X' % c for c in b)
        coded = ['=?%s?q?%s?=' % (charset.upper(), q(p.encode(charset))) for p in pieces]
    return '\r\n '.join(coded)


def leaf():
    charset = R.choice(CHARSETS)
    text = '\r\n'.join(words(charset, R.randint(1, 9)) for _ in range(R.randint(0, 6)))
    if R.random() < .3:
        text += '\r\n'
    if R.random() < .2:
        text = '--not-a-delimiter\r\n- -\r\n' + text
    raw = text.encode(charset)
    encoding = R.choice(['base64', 'quoted-printable', '8bit'])
    if encoding == 'base64':
        body = base64.encodebytes(raw).replace(b'\n', b'\r\n')
    elif encoding == 'quoted-printable':
        body = b'\r\n'.join(quopri.encodestring(l).replace(b'=\n', b'=\r\n') for l in raw.split(b'\r\n'))
    else:
        body = raw
    kind = R.choice(['text/plain', 'text/plain', 'text/html', 'application/octet-stream'])
    head = 'Content-Type: %s; charset=%s\r\nContent-Transfer-Encoding: %s\r\n' % (
        kind, R.choice([charset, '"%s"' % charset.upper()]), encoding)
    if R.random() < .1:
        head = ''
        body = b'plain text\r\nwithout a header'
    return head, body


def part(depth, enclosed):
    draw = R.random()
    if depth < 4 and draw < .35:
        boundary = 'b%d' % R.getrandbits(30)
        quoted = '"%s"' % boundary if R.random() < .5 else boundary
        subtype = R.choice(['mixed', 'alternative', 'related', 'digest'] if depth else ['mixed', 'alternative'])
        head = 'Content-Type: multipart/%s;\r\n\tboundary=%s\r\n' % (subtype, quoted)
        body = b'preamble\r\n' if R.random() < .3 else b''
        for _ in range(R.randint(1, 3)):
            h, b = part(depth + 1, True)
            body += b'--' + boundary.encode() + b'\r\n' + h.encode() + b'\r\n' + b + b'\r\n'
        # At the end of a message Python takes the line end from the last part of a multipart that is not closed; we do not.
        if not enclosed or R.random() < .9:
            body += b'--' + boundary.encode() + b'--\r\n'
        return head, body + (b'epilogue\r\n' if R.random() < .2 else b'')
    if depth < 4 and draw < .45:
        h, b = part(depth + 1, enclosed)
        return 'Content-Type: message/rfc822\r\n', ('Subject: inside\r\n' + h + '\r\n').encode() + b
    return leaf()


def tree(message):
    kind = message.get_content_type()
    if message.is_multipart():
        return [kind, [tree(child) for child in message.get_payload()]]
    octets = message.get_payload(decode=True)
    text = None
    if message.get_content_maintype() == 'text':
        text = octets.decode(message.get_content_charset('us-ascii'), 'replace')
    return [kind, base64.b64encode(octets).decode(), text]


def decoded(value):
    return str(email.header.make_header(email.header.decode_header(value)))


for _ in range(int(sys.argv[1])):
    charset = R.choice(CHARSETS)
    name = header_text(charset)
    head = 'From: %s <user%d@example.test>\r\nSubject: %s\r\nDate: Mon, %02d Jan 2024 10:00:00 %s\r\nMIME-Version: 1.0\r\n' % (
        name, R.randint(1, 99), header_text(charset), R.randint(1, 31), R.choice(['+0900', 'GMT', '-0530']))
    h, b = part(0, False)
    raw = (head + h + '\r\n').encode() + b
    message = email.message_from_bytes(raw)
    senders = [[decoded(n), a] for n, a in email.utils.getaddresses([message['From'].replace('\r\n', '')])]
    print(json.dumps({'raw': base64.b64encode(raw).decode(), 'subject': decoded(message['Subject'].replace('\r\n', '')),
                      'from': senders, 'date': email.utils.mktime_tz(email.utils.parsedate_tz(message['Date'])), 'tree': tree(message)}))
