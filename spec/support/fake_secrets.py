"""fake_secrets - the secrets of fake_aws.py: behaviour words, versions, counts.

For:   taking a name apart, keeping versions and stages as Secrets Manager does, counting.
Never: HTTP, signatures, what a behaviour word does (fake_shapes.py).

Words stand before the name, with dots between: "delay-300.fail2-500.db/main". A secret that was
never put holds {"name": NAME, "n": calls so far, "user": "u<version>", "password": "p<version>"}.

    ok                   as it is                  delay-MS        answer after so long
    status-NNN           that status, JSON error   code-WORD       HTTP 400 with that error code
    html-NNN             that status, HTML         missing denied expired  the usual refusals
    failN-WHAT           only the first N calls fail, with a status, code or word of this list
    afterN-WHAT          only the calls after the first N fail
    retryafter-MS        first call 503 with x-amz-retry-after
    reset-before reset-headers reset-body          TCP reset at that point
    truncate             end before Content-Length hang            never an answer
    shortlength          Content-Length too small  badlength       Content-Length is no number
    drip drip-MS         one byte every 50 ms, MS  chunked close   transfer and connection
    malformed            JSON cut short            ctl             control bytes in AWS's message
    leak                 a message that quotes the request back    redirect  302
    huge                 over 512 KiB              bigN bigkeyN    value, or key "big", of N bytes
    binary               SecretBinary              empty novalue   "", neither string nor binary
    skew+S skew-S        the server's clock is S seconds off; refuses as InvalidSignatureException
    tooskewed+S          the same, refuses as RequestTimeTooSkewed
"""

import hashlib
import re

from fake_counts import Counts

BEHAVIOUR = re.compile(
    r"(ok|delay-\d+|status-\d{3}|html-\d{3}|code-\w+|(?:fail|after)\d+-[\w-]+|retryafter-\d+"
    r"|reset-before|reset-headers|reset-body|truncate|shortlength|badlength|hang|drip(?:-\d+)?"
    r"|chunked|close|malformed|ctl|leak|redirect|huge|big\d+|bigkey\d+|binary|empty|novalue"
    r"|missing|denied|expired|skew[+-]\d+|tooskewed[+-]\d+)$")


REFUSALS = {
    "missing": ("ResourceNotFoundException", "Secrets Manager can't find the specified secret."),
    "denied": ("AccessDeniedException", "User is not authorized to perform: "
               "secretsmanager:GetSecretValue"),
    "expired": ("ExpiredTokenException", "The security token included in the request is expired"),
}


class Store(Counts):
    """Secrets and their versions, and what was counted."""

    def __init__(self, only_put):
        self.only_put = only_put
        self.reset()

    def reset(self):
        self.versions = {}     # name -> [(VersionId, SecretString or None)], oldest first
        self.stages = {}       # name -> {stage: index}
        self.answered = {}     # VersionId -> when it was answered first, seconds since 1970
        self.count_from_zero()
        self.by_name, self.proxied, self.connections = {}, 0, 0
        self.last = None

    def stats(self):
        return {"calls": self.calls, "by_name": self.by_name, "connections": self.connections,
                "in_flight": self.in_flight, "max_in_flight": self.max_in_flight,
                "proxied": self.proxied, "answered": self.answered}

    def _ensure(self, name):
        if name not in self.versions and not self.only_put:
            self._add(name, None)
            self.stages[name] = {"AWSCURRENT": 0}
        return name in self.versions

    def _add(self, name, text):
        known = self.versions.setdefault(name, [])
        digest = hashlib.sha256(f"{name} {len(known)}".encode()).hexdigest()
        known.append(("-".join((digest[:8], digest[8:12], digest[12:16], digest[16:20],
                                digest[20:32])), text))
        return len(known) - 1

    def put(self, name, text, stage):
        self._ensure(name)
        index = self._add(name, text)
        stages = self.stages.setdefault(name, {})
        if stage == "AWSCURRENT" and "AWSCURRENT" in stages:
            stages["AWSPREVIOUS"] = stages["AWSCURRENT"]
        stages[stage] = index
        return self.versions[name][index][0]

    def delete(self, names):
        """Nobody finds them any more, until they are put again."""
        self.stages.update((name, {}) for name in names)
        return {}

    def find(self, name, version_id, stage):
        """(VersionId, text or None, number, stages), or None; 0 where the version is missing."""
        if not self._ensure(name) or not self.stages[name]:
            return None
        stages = self.stages[name]
        if version_id:
            numbers = [i for i, v in enumerate(self.versions[name]) if v[0] == version_id]
            index = numbers[0] if numbers else None
        else:
            index = stages.get(stage or "AWSCURRENT")
        if index is None or (stage and stages.get(stage) != index):
            return 0
        found, text = self.versions[name][index]
        return found, text, index + 1, [s for s, i in stages.items() if i == index]


def split_behaviour(secret_id):
    """"delay-300.ok.db/main" -> (["delay-300", "ok"], "db/main"); an ARN is reduced to its name."""
    match = re.match(r"arn:[^:]+:secretsmanager:[^:]*:[^:]*:secret:(.+?)(?:-\w{6})?$", secret_id)
    words = (match.group(1) if match else secret_id).split(".")
    taken = []
    while len(words) > 1 and BEHAVIOUR.match(words[0]):
        taken.append(words.pop(0))
    return taken, ".".join(words)


def skew_of(words):
    """(it refuses by RequestTimeTooSkewed, seconds by which the server's clock is off)."""
    skews = [re.match(r"(\w+)([+-]\d+)$", w) for w in words if "skew" in w]
    return (skews[0].group(1) == "tooskewed", int(skews[0].group(2))) if skews else (False, 0)


def delay_of(words):
    """Seconds to wait by these words."""
    return sum(int(w[6:]) for w in words if w.startswith("delay-")) / 1000
