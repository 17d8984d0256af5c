"""Runs the cases against one built server. Closes with `interop: N passed, M failed`."""

import argparse
import importlib
import pathlib
import shutil
import signal
import sys
import time
import traceback

import harness

MODULES = ["submission", "mx", "hostility", "imap_libraries", "imap_clients", "pop3_clients", "rules", "sync", "terminal", "postfix", "sending", "identity", "resources", "lifecycle"]


class TooLong(Exception):
    """A case took longer than it may."""


def too_long(*_):
    raise TooLong()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", required=True, type=pathlib.Path)
    parser.add_argument("--scratch", required=True, type=pathlib.Path)
    parser.add_argument("--only")
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    for module in MODULES:
        importlib.import_module(module)
    cases = [one for one in harness.CASES if not options.only or options.only in one[0]]
    signal.signal(signal.SIGALRM, too_long)
    passed = failed = 0
    server = None
    for name, function, seconds in cases:
        begun = time.monotonic()
        folder = options.scratch / name
        folder.mkdir(parents=True, exist_ok=True)
        signal.alarm(seconds)
        try:
            if server is None or server.process.poll() is not None:
                server = harness.Server(options.binary, options.scratch / f"server-{name}")
            function(server, folder)
            outcome = "ok"
            passed += 1
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            failed += 1
            outcome = "FAILED"
            what = f"took longer than {seconds} s" if isinstance(error, TooLong) else ""
            print(f"{what}\n{traceback.format_exc()}", flush=True)
            if server is not None:
                print(f"the server's log ends:\n{server.log_tail()}", flush=True)
        finally:
            signal.alarm(0)
        print(f"interop: {name:<60} {outcome:<6} {time.monotonic() - begun:6.1f} s", flush=True)
        if outcome == "ok" and not options.keep:
            shutil.rmtree(folder, ignore_errors=True)
    if server is not None:
        try:
            server.stop()
        except AssertionError as error:
            print(f"interop: at the end: {error}")
            failed += 1
    print(f"interop: {passed} passed, {failed} failed", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
