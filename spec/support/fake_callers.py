"""fake_callers - whose signatures the stand-ins of AWS accept, and until when.

For:   the keys that a server was started with, those it was told of later (POST /_/accept), and
       those it is to refuse from now on (POST /_/refuse).
Never: signatures themselves (sigv4_check.py), who hands keys out (fake_identity.py).
"""

import time

import sigv4_check


class Caller:
    """Keys and what they are called; what sigv4_check.verify wants of credentials."""

    def __init__(self, access_key, secret_key, session_token=None, name="static"):
        self.access_key, self.secret_key = access_key, secret_key
        self.session_token, self.name = session_token or None, name
        self.expires = None    # seconds since 1970; None: never
        self.refused = None    # AWS's error code where it is refused whatever it signs
        self.region = None     # the only Region it may sign for


class Callers:
    """All callers of one server, by access key id."""

    def __init__(self, first):
        self.first = first
        self.reset()

    def reset(self):
        self.first.refused = None
        self.by_key = {self.first.access_key: self.first}
        self.counts = {}       # name -> calls that were accepted

    def add(self, caller):
        self.by_key[caller.access_key] = caller
        return caller

    def accept(self, query):
        """POST /_/accept?access_key=&secret_key=&token=&expires=&name="""
        caller = Caller(query["access_key"], query["secret_key"], query.get("token"),
                        query.get("name", query["access_key"]))
        caller.expires = float(query["expires"]) if query.get("expires") else None
        self.add(caller)
        return {}

    def refuse(self, query):
        """POST /_/refuse?name=&code=: what has that name is refused from now on."""
        found = [c for c in self.by_key.values() if c.name == query["name"]]
        for caller in found:
            caller.refused = query.get("code", "UnrecognizedClientException")
        return {"refused": len(found)}

    def verify(self, request, now, service="secretsmanager",
               skew_code="InvalidSignatureException"):
        """The caller whose signature it is; raises sigv4_check.Refused."""
        caller = self.by_key.get(sigv4_check.access_key(request), self.first)
        sigv4_check.verify(request, caller, now, skew_code, service)
        if caller.refused:
            raise sigv4_check.Refused(caller.refused, "planted: these keys are not known any more")
        if caller.expires is not None and time.time() >= caller.expires:
            raise sigv4_check.Refused("ExpiredTokenException",
                                      "The security token included in the request is expired")
        self.counts[caller.name] = self.counts.get(caller.name, 0) + 1
        return caller
