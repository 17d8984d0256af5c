"""curl over IMAP."""

from harness import case, equal, hostile, japanese, message, run
from submission import written


def curl(server, account, path, *more, scheme="imaps", port="imaps"):
    return run([
        "curl", "--silent", "--show-error", "--cacert", server.certificate, "--user",
        f"{account.address}:{account.password}", f"{scheme}://localhost:{server.ports[port]}{path}", *more,
    ])


@case()
def curl_fetches_and_appends(server, folder):
    account = server.plain_account()
    originals = [hostile(), japanese()]
    for number, original in enumerate(originals):
        curl(server, account, "/INBOX", "--upload-file", written(folder, original, f"{number}.eml"))
    equal(account.messages(), originals)
    for number, original in enumerate(originals, 1):
        equal(curl(server, account, f"/INBOX;UID={number}"), original)
        equal(curl(server, account, f"/INBOX;MAILINDEX={number}"), original)


@case()
def curl_lists_and_searches_under_starttls(server, folder):
    account = server.plain_account()
    account.append(message(subject="needle"))
    account.append(message(subject="hay"))
    listed = curl(server, account, "/", "--ssl-reqd", scheme="imap", port="imap")
    for name in [b"INBOX", b"Drafts", b"Sent", b"Junk", b"Trash", b"Archive"]:
        assert name in listed, listed
    found = curl(server, account, "/INBOX?SUBJECT%20needle", "--ssl-reqd", scheme="imap", port="imap")
    equal(found.split(), [b"*", b"SEARCH", b"1"])
    curl(server, account, "/INBOX", "--request", "STORE 1 +Flags \\Deleted")
    curl(server, account, "/INBOX", "--request", "EXPUNGE")
