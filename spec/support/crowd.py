#!/usr/bin/env python3
"""crowd - many clients that ask at the same moment, or at a steady rate.

crowd.py URL COUNT          opens COUNT connections, and when all are open asks once on each.
crowd.py URL COUNT RATE     RATE requests a second, COUNT in all, on connections that are kept.

Every "%d" in URL becomes the number of the request. Prints "asked" when the first request has
been sent, and at the end a JSON list, in the order of the numbers, of
{"status", "body", "at": seconds on the machine's monotonic clock}; status 0: no answer came.

Standard library only. HTTP/1.0, so that no answer comes in chunks.
"""

import asyncio
import json
import sys
import time
import urllib.parse

KEPT = 50          # connections of a steady rate
AT_ONCE = 100      # connections opened at a time: nginx's queue is not endless


def head_of(parts, number):
    path = f"{parts.path}?{parts.query}".replace("%d", str(number))
    return (f"GET {path} HTTP/1.0\r\nHost: {parts.netloc}\r\n"
            "Connection: keep-alive\r\n\r\n").encode()


async def read(reader):
    """One answer: (status, body)."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    length = head.partition("content-length:")[2].partition("\r\n")[0]
    body = await (reader.readexactly(int(length)) if length else reader.read())
    return int(head.split(" ", 2)[1]), body.decode("utf-8", "replace")


async def ask(connection, parts, number):
    """What came of one request; the outcome of one without an answer has status 0."""
    reader, writer = connection
    try:
        writer.write(head_of(parts, number))
        status, body = await read(reader)
    except (OSError, asyncio.IncompleteReadError) as error:
        status, body = 0, type(error).__name__
    return {"status": status, "body": body, "at": time.monotonic()}


async def connect(parts, count):
    made = []
    while len(made) < count:
        made += await asyncio.gather(*(asyncio.open_connection(parts.hostname, parts.port)
                                       for _ in range(min(AT_ONCE, count - len(made)))))
    return made


async def at_once(parts, count):
    connections = await connect(parts, count)
    asked = [asyncio.ensure_future(ask(connection, parts, number))
             for number, connection in enumerate(connections, 1)]
    await asyncio.sleep(0)  # each has written by now
    print("asked", flush=True)
    return await asyncio.gather(*asked)


async def steadily(parts, count, rate):
    free = asyncio.Queue()
    for connection in await connect(parts, KEPT):
        free.put_nowait(connection)

    async def one(number):
        connection = await free.get()
        outcome = await ask(connection, parts, number)
        free.put_nowait(connection)
        return outcome

    print("asked", flush=True)
    began, asked = time.monotonic(), []
    for number in range(count):
        await asyncio.sleep(max(0, began + number / rate - time.monotonic()))
        asked.append(asyncio.ensure_future(one(number + 1)))
    return await asyncio.gather(*asked)


def main():
    parts, count = urllib.parse.urlsplit(sys.argv[1]), int(sys.argv[2])
    way = steadily(parts, count, float(sys.argv[3])) if len(sys.argv) > 3 else at_once(parts, count)
    print(json.dumps(asyncio.run(way)))


main()
