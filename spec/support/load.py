#!/usr/bin/env python3
"""load - clients that ask without pause, each request on a connection of its own.

load.py URL CLIENTS [REQUESTS [BODY]]: every "%d" in URL becomes the number of the request. Prints
"ready 0" once the first answer came; ends on SIGTERM or after REQUESTS (0: never), when it prints
"<ok> ok" and one line for each kind of failure with its count; where BODY is given, an answer with
another body is one. What is asked for last is waited for.

Standard library only. The connections are to 127.0.0.1.
"""
import collections
import http.client
import itertools
import signal
import sys
import threading
import urllib.parse

stopping = threading.Event()
numbers = itertools.count(1)
outcomes = collections.Counter()
lock = threading.Lock()
first = threading.Event()


def ask(parts, number, wanted):
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=20)
    try:
        path = (parts.path + "?" + parts.query).replace("%d", str(number))
        connection.request("GET", path, headers={"Connection": "close"})
        answer = connection.getresponse()
        body = answer.read()
        if answer.status == 200 and wanted in (None, body.decode("utf-8", "replace")):
            return "ok"
        return f"status {answer.status}: {body[:200]!r}"
    except (OSError, http.client.HTTPException) as error:
        return f"{type(error).__name__}: {error}"
    finally:
        connection.close()


def client(parts, most, wanted):
    while not stopping.is_set():
        number = next(numbers)
        if number > most:
            return
        outcome = ask(parts, number, wanted)
        with lock:
            outcomes[outcome] += 1
        if not first.is_set():
            first.set()
            print("ready 0", flush=True)


def main():
    parts = urllib.parse.urlsplit(sys.argv[1])
    most = int(sys.argv[3]) if len(sys.argv) > 3 else 0
    wanted = sys.argv[4] if len(sys.argv) > 4 else None
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    threads = [threading.Thread(target=client, args=(parts, most or sys.maxsize, wanted))
               for _ in range(int(sys.argv[2]))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(outcomes.pop("ok", 0), "ok")
    for outcome, count in outcomes.items():
        print(count, outcome)


main()
