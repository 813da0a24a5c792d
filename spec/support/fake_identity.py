#!/usr/bin/env python3
"""fake_identity - every place AWS hands credentials out, as the tests need it.

For:   EC2 instance metadata, the container agents of ECS and EKS, the Security Token Service, and
       the portal of IAM Identity Center, on one port: each as real as its clients can tell, with
       its refusals on demand, and counts under /_/. Whoever is given keys is known to STS here, and
       to fake_aws.py by /_/accept.
Never: Secrets Manager (fake_aws.py), what the services say (fake_metadata.py, fake_sts.py,
       fake_sso.py).

Prints "ready PORT" once it listens. SIGTERM ends it.

POST /_/set     JSON {"imds": {..}, "container": {..}, "sts": {..}, "sso": {..}} over what is set
POST /_/issue   ?name=&life=&secret_key=: keys for whoever asks here, as JSON
POST /_/refuse  ?name=&code=: STS refuses who has that name
GET  /_/stats   {"calls": {kind: n}, "max_in_flight": {kind: n}, "in_flight": n, "records": [..]}
POST /_/reset

kinds: token role credentials region container assume_role web_identity sso other

In each section of /_/set: life (seconds), delay (milliseconds), status (an HTTP status for
every call), fail (only so many calls fail, with `status` or 503), raw (the body instead of what
would be said), hang; false takes a setting away. In what is issued, all that nobody may ever show
holds CANARY.
"""

import argparse
import asyncio
import json
import secrets
import sys
import time
import urllib.parse

sys.dont_write_bytecode = True
import fake_metadata  # noqa: E402  (the line above must come first)
import fake_sso  # noqa: E402
import fake_sts  # noqa: E402
from fake_aws import Answer, Fake, main, parse_options  # noqa: E402
from fake_callers import Caller  # noqa: E402

SECTIONS = {"token": "imds", "role": "imds", "credentials": "imds", "region": "imds",
            "container": "container", "assume_role": "sts", "web_identity": "sts", "sso": "sso"}


class Identity(Fake):
    """The server; of Fake it has reading, writing and the callers."""

    def __init__(self, options):
        super().__init__(options)
        self.reset()

    def reset(self):
        self.callers.reset()
        self.settings = {"imds": dict(fake_metadata.IMDS), "container": {}, "sts": {},
                         "sso": {}}
        self.counts, self.flying, self.most, self.records = {}, {}, {}, []
        self.tokens = set()    # of instance metadata

    # Handing out

    async def issue(self, name, section, secret_key=None):
        """A new caller of that name, whom fake_aws.py knows too before anybody is told."""
        caller = Caller("ASIACANARY" + secrets.token_hex(5).upper(),
                        secret_key or "CANARY/secret+" + secrets.token_hex(12),
                        "CANARY/token==" + secrets.token_hex(40), name)
        caller.expires = int(time.time() + float(section.get("life", 3600)))
        self.callers.add(caller)
        await self.tell_aws("accept", {
            "access_key": caller.access_key, "secret_key": caller.secret_key,
            "token": caller.session_token, "expires": caller.expires, "name": name})
        return caller

    async def tell_aws(self, path, query):
        if not self.options.aws:
            return
        reader, writer = await asyncio.open_connection("127.0.0.1", self.options.aws)
        writer.write(f"POST /_/{path}?{urllib.parse.urlencode(query)} HTTP/1.1\r\nHost: aws\r\n"
                     "Content-Length: 0\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        writer.close()
        if b" 200 " not in head[:16]:
            raise OSError("fake_aws.py does not take what was issued")

    # Answering

    @staticmethod
    def kind_of(request):
        if request.method == "POST" and request.path == "/":
            action = fake_sts.parameters(request).get("Action")
            return {"AssumeRole": "assume_role",
                    "AssumeRoleWithWebIdentity": "web_identity"}.get(action, "other")
        if request.path.startswith("/latest/"):
            return fake_metadata.question(request.path)
        if request.path == fake_sso.PATH:
            return "sso"
        return "container" if request.path.startswith(fake_metadata.CONTAINER) else "other"

    async def say(self, kind, request, section):
        if kind == "other":
            return Answer(404, b"no such thing here")
        if kind in ("assume_role", "web_identity"):
            return await fake_sts.answer(self, kind, request, section)
        if kind == "sso":
            return await fake_sso.answer(self, request, section)
        if kind == "container":
            return await fake_metadata.container(self, request, section)
        return await fake_metadata.imds(self, kind, request, section)

    async def respond(self, kind, request, connection):
        section = self.settings.get(SECTIONS.get(kind), {})
        await asyncio.sleep(section.get("delay", 0) / 1000)
        if section.get("fail", 0) > 0:
            section["fail"] -= 1
            made = fake_sts.planted(section) if SECTIONS.get(kind) == "sts" \
                else Answer(section.get("status", 503), b"planted")
        else:
            if "fail" in section:
                section = {k: v for k, v in section.items() if k not in ("code", "status")}
            made = await self.say(kind, request, section)
        if made.how == "hang" or section.get("hang"):
            while not connection.at_eof():
                await asyncio.sleep(0.05)
        return made

    def record(self, kind, request):
        """What a spec may want to know of a call; fake_sts adds the parameters."""
        entry = {"kind": kind, "at": time.time(), "method": request.method, "path": request.path,
                 "proxied": request.proxied, "headers": request.headers}
        self.records.append(entry)
        request.entry = entry

    async def answer(self, request, connection):
        if request.path.startswith("/_/"):
            return await self.steer(request)
        kind = self.kind_of(request)
        self.record(kind, request)
        self.counts[kind] = self.counts.get(kind, 0) + 1
        self.flying[kind] = self.flying.get(kind, 0) + 1
        self.most[kind] = max(self.most.get(kind, 0), self.flying[kind])
        try:
            return await self.respond(kind, request, connection)
        finally:
            self.flying[kind] -= 1

    async def steer(self, request):
        """The paths under /_/."""
        query = dict(urllib.parse.parse_qsl(request.query))
        said = {}
        if request.path == "/_/stats":
            said = {"calls": self.counts, "max_in_flight": self.most, "records": self.records,
                    "in_flight": sum(self.flying.values()), "by_caller": self.callers.counts}
        elif request.path == "/_/set":
            for name, more in json.loads(request.body).items():
                self.settings[name].update(more)
                self.settings[name] = {k: v for k, v in self.settings[name].items()
                                       if v is not False}
        elif request.path == "/_/issue":
            caller = await self.issue(query["name"], query, query.get("secret_key"))
            said = {"access_key": caller.access_key, "secret_key": caller.secret_key,
                    "token": caller.session_token, "expires": caller.expires}
        elif request.path in ("/_/accept", "/_/refuse"):
            said = getattr(self.callers, request.path[3:])(query)
        elif request.path == "/_/reset":
            self.reset()
        else:
            return Answer(404, b"{}")
        return Answer(200, json.dumps(said).encode())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--aws", type=int, help="port of the fake_aws.py that accepts what is "
                        "issued here")
    asyncio.run(main(Identity(parse_options(parser))))
