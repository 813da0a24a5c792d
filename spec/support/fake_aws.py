#!/usr/bin/env python3
"""fake_aws - Secrets Manager as the tests need it: signatures checked, every failure on demand.

For:   GetSecretValue whose behaviour is spelt in the secret's name (fake_secrets.py lists
       the words), BatchGetSecretValue of the same (fake_batches.py), and counts of calls and
       connections under /_/.
Never: more of AWS than that; moto is there for it. Only the standard library, and botocore's
       signer (sigv4_check.py): it runs under the Python of `make venv`.

Prints "ready PORT" once it listens. SIGTERM ends it.
"""

import argparse
import asyncio
import json
import signal
import socket
import ssl
import struct
import sys
import time
import urllib.parse
from email.utils import formatdate

sys.dont_write_bytecode = True
import sigv4_check  # noqa: E402  (the line above must come first)
from fake_batches import Batches  # noqa: E402
from fake_callers import Caller, Callers  # noqa: E402
from fake_secrets import REFUSALS, Store, delay_of, skew_of, split_behaviour  # noqa: E402
from fake_shapes import Answer, failure, shape  # noqa: E402

REASONS = {200: "OK", 302: "Found", 400: "Bad Request", 403: "Forbidden", 404: "Not Found",
           500: "Internal Server Error", 502: "Bad Gateway", 503: "Service Unavailable"}


class Request:
    """One HTTP request, read whole; header names in lower case."""

    def __init__(self, method, target, headers, body):
        parts = urllib.parse.urlsplit(target)
        self.proxied = bool(parts.netloc)
        self.method, self.path, self.query = method, parts.path or "/", parts.query
        self.headers, self.body = headers, body


class Fake:
    """The server: reads requests, decides answers, writes them in the way that was asked for."""

    def __init__(self, options):
        self.options = options
        self.store = Store(options.only_put)
        first = Caller(options.access_key, options.secret_key, options.session_token)
        first.region = options.region
        self.callers = Callers(first)
        self.batches = Batches()
        self.open = set()      # connections that made a call

    # Deciding

    def value(self, name, asked, calls):
        """The answer that holds the secret, or AWS's way to say that there is none."""
        found = self.store.find(name, asked.get("VersionId"), asked.get("VersionStage"))
        if found is None:
            return failure(*REFUSALS[self.options.only_put or "missing"])
        if found == 0:
            stage = asked.get("VersionStage") or "AWSCURRENT"
            return failure("ResourceNotFoundException", "Secrets Manager can't find the specified "
                           f"secret value for staging label: {stage}")
        version_id, text, number, stages = found
        self.store.answered.setdefault(version_id, time.time())
        if text is None:
            text = json.dumps({"name": name, "n": str(calls),
                               "user": f"u{number}", "password": f"p{number}"})
        return Answer(200, json.dumps({
            "ARN": f"arn:aws:secretsmanager:us-east-1:123456789012:secret:{name}-AbCdEf",
            "Name": name, "VersionId": version_id, "SecretString": text,
            "VersionStages": stages, "CreatedDate": 1.7e9 + number}).encode())

    def get_secret_value(self, request):
        """(answer, seconds to wait before it is sent)."""
        try:
            asked = json.loads(request.body)
            secret_id = asked["SecretId"]
        except (ValueError, KeyError, TypeError):
            return failure("SerializationException", "not the JSON of GetSecretValue"), 0
        by_name = self.store.by_name
        calls = by_name[secret_id] = by_name.get(secret_id, 0) + 1
        words = split_behaviour(secret_id)[0]
        try:
            self.verify(request, words)
            refused = self.store.refusal()
            answer = failure(*refused) if refused else self.one(request, asked, secret_id, calls)
        except sigv4_check.Refused as refused:
            answer = failure(refused.code, refused.message)
        answer.shift = skew_of(words)[1]
        return answer, self.store.delay or delay_of(words)

    def verify(self, request, words):
        """Raise Refused where the signature is wrong by the server's clock, as `words` set it."""
        late, shift = skew_of(words)
        if not self.options.no_verify:
            self.callers.verify(
                request, time.time() + shift,
                skew_code="RequestTimeTooSkewed" if late else "InvalidSignatureException")

    def one(self, request, asked, secret_id, calls):
        """The answer for one secret, as the words before its name shape it."""
        words, name = split_behaviour(secret_id)
        answer = self.value(name, asked, calls)
        for word in self.store.words + words:
            if word != "ok" and not word.startswith("delay-") and "skew" not in word:
                answer = shape(word, answer, request, calls)
        return answer

    def batch_get_secret_value(self, request):
        """(answer, seconds to wait before it is sent)."""
        batches = self.batches
        ids = batches.ids_of(request.body)
        if ids is None:
            return failure("SerializationException", "not the JSON of BatchGetSecretValue"), 0
        words = [word for secret_id in ids for word in split_behaviour(secret_id)[0]]
        wait = batches.delay or max(delay_of(split_behaviour(i)[0]) for i in ids or [""])
        refused = batches.refusal_of(ids)
        try:
            self.verify(request, words)
            answer = failure(*refused) if refused else Batches.merge(
                ids, [self.one(request, {}, i, n) for i, n in batches.count(ids)], Answer)
        except sigv4_check.Refused as wrong:
            answer = failure(wrong.code, wrong.message)
        answer.shift = skew_of(words)[1]
        return answer, wait

    def control(self, request):
        """The paths under /_/."""
        store, path = self.store, request.path
        query = dict(urllib.parse.parse_qsl(request.query))
        names = query.get("name", "").split(",")
        if path == "/_/stats":
            said = {"open": len(self.open), "by_caller": self.callers.counts,
                    **store.stats(), **self.batches.stats()}
        elif path == "/_/arrivals":
            said = {"calls": store.arrivals, "batches": self.batches.arrivals}
        elif path == "/_/last":
            said = store.last
        elif path == "/_/reset":
            store.reset()
            self.callers.reset()
            self.batches.reset()
            self.open.clear()
            said = {}
        elif path == "/_/put":
            made = [store.put(split_behaviour(name)[1], request.body.decode(),
                              query.get("stage", "AWSCURRENT")) for name in names]
            said = {"VersionId": made[-1]}
        elif path == "/_/delete":
            said = store.delete(names)
        elif path in ("/_/batches", "/_/calls"):
            said = (store if path == "/_/calls" else self.batches).plan(query)
        elif path in ("/_/accept", "/_/refuse"):
            said = getattr(self.callers, path[3:])(query)
        else:
            return Answer(404, b"{}")
        return Answer(200, json.dumps(said).encode())

    async def answer(self, request, connection):
        """The answer to any request; waits as long as it was told to."""
        store = self.store
        if request.path.startswith("/_/"):
            return self.control(request)
        if connection not in self.open:
            self.open.add(connection)
            store.connections += 1
        called = request.headers.get("x-amz-target", "").partition("secretsmanager.")[2]
        counted = self.batches if called == "BatchGetSecretValue" else store
        counted.arrive()
        store.proxied += request.proxied
        store.last = {"headers": request.headers, "path": request.path}
        try:
            if request.method != "POST" or request.path != "/":
                return failure("UnknownOperationException", "not POST /", 404)
            if called == "BatchGetSecretValue":
                made, wait = self.batch_get_secret_value(request)
            elif called == "GetSecretValue":
                made, wait = self.get_secret_value(request)
            else:
                return failure("UnknownOperationException", "neither of the two operations")
            await asyncio.sleep(wait)
            if made.how == "hang":
                while not connection.at_eof():
                    await asyncio.sleep(0.05)
            return made
        finally:
            counted.leave()

    # Reading and writing

    @staticmethod
    async def read(reader, begun):
        """The next request, so many bytes of which are there; None where the connection is over."""
        try:
            head = (begun + await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            return None
        first, *lines = head[:-4].split("\r\n")
        method, target, _ = first.split(" ", 2)
        headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        return Request(method, target, headers, body)

    @staticmethod
    def bytes_of(answer):
        """(head, body) as they go over the wire."""
        length = {"truncate": len(answer.body) + 1000, "shortlength": len(answer.body) - 10,
                  "badlength": "many"}.get(answer.how, len(answer.body))
        headers = {"Content-Type": "application/x-amz-json-1.1", "Connection": "keep-alive",
                   "Date": formatdate(time.time() + answer.shift, usegmt=True),
                   "x-amzn-RequestId": "00000000-0000-4000-8000-000000000000", **answer.headers}
        body = answer.body
        if answer.chunked:
            headers["Transfer-Encoding"] = "chunked"
            body = f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n"
        else:
            headers["Content-Length"] = str(length)
        if answer.close:
            headers["Connection"] = "close"
        lines = [f"HTTP/1.1 {answer.status} {REASONS.get(answer.status, 'Other')}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return ("\r\n".join(lines) + "\r\n\r\n").encode(), body

    @staticmethod
    def reset(writer):
        writer.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    async def write(self, writer, answer):
        """Send it; True where the connection goes on."""
        head, body = self.bytes_of(answer)
        sent = head + body
        if answer.how == "reset-before":
            sent = b""
        elif answer.how == "reset-headers":
            sent = head[:len(head) // 2]
        elif answer.how == "reset-body":
            sent = head + body[:len(body) // 2]
        for part in ([sent] if answer.drip is None else [bytes([b]) for b in sent]):
            writer.write(part)
            await writer.drain()
            if answer.drip is not None:
                await asyncio.sleep(answer.drip / 1000)
        if (answer.how or "").startswith("reset"):
            await asyncio.sleep(0.05 if sent else 0)  # a reset overtakes bytes not yet read
            self.reset(writer)
        return answer.how is None and not answer.close

    async def serve(self, reader, writer):
        """One connection, to its end."""
        try:
            begun = await reader.read(1) if self.options.break_off else b""
            if begun == b"\x16":  # a handshake record of TLS (RFC 8446, section 5.1)
                self.reset(writer)
                return
            while True:
                request = await self.read(reader, begun)
                begun = b""
                if request is None:
                    break
                if not await self.write(writer, await self.answer(request, reader)):
                    break
        except (OSError, asyncio.IncompleteReadError, ValueError):
            pass
        finally:
            self.open.discard(reader)
            writer.close()


async def main(fake):
    options = fake.options
    context = None
    if options.cert:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(options.cert, options.key)
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda *_: None)  # clients that leave are this server's daily bread
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    server = await asyncio.start_server(fake.serve, options.host, options.port, ssl=context,
                                        limit=1 << 20, backlog=512)
    print("ready", server.sockets[0].getsockname()[1], flush=True)
    await stop.wait()


def parse_options(parser):
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--cert", help="PEM file; with --key, HTTPS")
    parser.add_argument("--key")
    parser.add_argument("--access-key", default="AKIDEXAMPLE")
    parser.add_argument("--secret-key", default="wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
    parser.add_argument("--session-token", help="the token every call must bring")
    parser.add_argument("--region", help="the only Region a signature may be for")
    parser.add_argument("--no-verify", action="store_true", help="accept any signature")
    parser.add_argument("--only-put", nargs="?", const="missing", choices=["missing", "denied"],
                        help="secrets not put do not exist, or may not be read")
    parser.add_argument("--break-off", action="store_true",
                        help="reset each connection that begins with a TLS handshake")
    return parser.parse_args()


if __name__ == "__main__":
    asyncio.run(main(Fake(parse_options(
        argparse.ArgumentParser(description=__doc__.splitlines()[0])))))
