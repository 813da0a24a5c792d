"""fake_counts - how many calls of one kind fake_aws.py got, how many at a time, and when.

For:   what Store (single calls) and Batches count in the same way; refusing the next of a kind.
Never: what is called, which secrets.
"""

import time


class Counts:
    """Counts of one kind of call; forgotten by count_from_zero()."""

    def count_from_zero(self):
        self.calls, self.in_flight, self.max_in_flight = 0, 0, 0
        self.arrivals = []     # seconds on the machine's monotonic clock, oldest first
        self.plan({})

    def plan(self, query):
        """Refuse calls by `code` (and `status`), the next `times` or all; wait `delay` ms.

        words: as if they stood before each secret's name; those for single calls, in batches too.
        """
        self.words = query["words"].split(".") if "words" in query else []
        self.code, self.status = query.get("code"), int(query.get("status", 400))
        self.times = int(query["times"]) if "times" in query else None
        self.delay = int(query.get("delay", 0)) / 1000
        return {}

    def refusal(self):
        """(code, message, status) where this call is refused, or None."""
        if not self.code or self.times == 0:
            return None
        if self.times:
            self.times -= 1
        return self.code, "planted", self.status

    def arrive(self):
        """A call has been read."""
        self.calls += 1
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)
        self.arrivals.append(time.monotonic())

    def leave(self):
        """Its answer is made, and about to be sent."""
        self.in_flight -= 1
