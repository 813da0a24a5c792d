"""fake_batches - BatchGetSecretValue of fake_aws.py: its request, its answer, its counts.

For:   putting the answers for single secrets together, refusing whole calls on demand, counting
       batches apart from single calls.
Never: HTTP, signatures, what is in a secret (fake_secrets.py).

A word before a secret's name that refuses it (missing, denied, code-WORD, status-NNN, failN-WHAT)
gives one of Errors; a word about the connection or the body's form (hang, reset-body, drip,
malformed, html-NNN) is the whole answer's; of several delays the longest counts.
"""

import json

from fake_counts import Counts

MOST = 20


class Batches(Counts):
    """What was asked for in batches, and how the next ones are to fail."""

    def __init__(self):
        self.reset()

    def reset(self):
        self.count_from_zero()
        self.sizes, self.by_name = [], {}

    def stats(self):
        return {"batches": self.calls, "batch_sizes": self.sizes,
                "by_name_in_batches": self.by_name,
                "batches_in_flight": self.in_flight, "max_batches_in_flight": self.max_in_flight}

    def ids_of(self, body):
        """The ids of a request, or None; their number is noted."""
        try:
            ids = json.loads(body)["SecretIdList"]
        except (ValueError, KeyError, TypeError):
            return None
        if not isinstance(ids, list) or not all(isinstance(i, str) for i in ids):
            return None
        self.sizes.append(len(ids))
        return ids

    def refusal_of(self, ids):
        """(code, message, status) where the whole call is refused, or None."""
        if not 1 <= len(ids) <= MOST:
            return "ValidationException", "SecretIdList must have 1 to 20 members", 400
        return self.refusal()

    def count(self, ids):
        """Each id with how often it was asked for in batches."""
        for secret_id in ids:
            self.by_name[secret_id] = self.by_name.get(secret_id, 0) + 1
        return [(secret_id, self.by_name[secret_id]) for secret_id in ids]

    @staticmethod
    def merge(ids, answers, make):
        """One answer of those for single secrets; `make` makes one of (status, body)."""
        values, errors = [], []
        whole = make(200)
        for secret_id, answer in zip(ids, answers):
            try:
                said = json.loads(answer.body)
            except ValueError:
                return answer
            if answer.status == 200:
                known_by = "ARN" if secret_id.startswith("arn:") else "Name"
                if not said[known_by].startswith(secret_id):  # behaviour words and all
                    said[known_by] = secret_id
                values.append(said)
            else:
                errors.append({"SecretId": secret_id, "ErrorCode": said["__type"],
                               "Message": said["Message"]})
            for field in ("how", "drip", "chunked", "close"):
                setattr(whole, field, getattr(answer, field) or getattr(whole, field))
        whole.body = json.dumps({"SecretValues": values, "Errors": errors}).encode()
        return whole
