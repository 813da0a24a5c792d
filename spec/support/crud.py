#!/usr/bin/env python3
"""crud - clients of the Admin API that make, change and take away vaults, while workers are killed.

crud.py URL MASTER CLIENTS SEQUENCES SECONDS SEED
    MASTER: nginx's process id, a worker of which is killed about every SECONDS seconds; 0: never.

Each client has prefixes of its own and knows what was acknowledged for them; where no answer came
it asks again for the same until one does. Prints a JSON object at the end: "vaults" (prefix ->
what was acknowledged last), "kills", "again" (how often a client asked again), "requests", and
"wrong": a list of what was read and was not what had been acknowledged.

Standard library, and kill_worker beside it.
"""

import http.client
import json
import random
import sys
import threading
import time
import urllib.parse

import kill_worker

PREFIXES = 6       # of a client
NEWS = 1.0         # seconds in which another worker must have heard of a change
GIVE_UP = 30.0     # seconds for one request
REGIONS = ("eu-west-1", "us-east-1", "ap-southeast-2")


class Client(threading.Thread):
    def __init__(self, address, number, sequences, seed):
        super().__init__(daemon=True)
        self.address, self.number, self.sequences = address, number, sequences
        self.random = random.Random(seed * 100 + number)
        self.known, self.again, self.requests, self.wrong = {}, 0, 0, []

    def ask(self, method, path, body=None):
        """(status, decoded body, asked again); status 0 is never returned."""
        over, repeated = time.monotonic() + GIVE_UP, False
        while time.monotonic() < over:
            self.requests += 1
            connection = http.client.HTTPConnection(*self.address, timeout=15)
            try:
                connection.request(method, path, json.dumps(body) if body else None,
                                   {"Content-Type": "application/json"})
                answer = connection.getresponse()
                text = answer.read()
                if answer.status < 500:
                    return answer.status, json.loads(text) if text else None, repeated
                self.wrong.append(f"{method} {path}: {answer.status} {text[:200]!r}")
            except (OSError, http.client.HTTPException):
                pass
            finally:
                connection.close()
            self.again, repeated = self.again + 1, True
            time.sleep(0.02)
        raise RuntimeError(f"no answer to {method} {path}")

    def expect(self, good, what, status, body):
        if not good:
            self.wrong.append(f"{what}: {status} {json.dumps(body)[:300]}")

    def some(self):
        entity = {"name": "aws", "description": f"d{self.random.randrange(10 ** 9)}",
                  "config": {"region": self.random.choice(REGIONS)}}
        if self.random.random() < 0.5:
            entity["config"]["ttl"] = self.random.randrange(1, 1000)
        if self.random.random() < 0.3:
            entity["tags"] = [f"t{self.random.randrange(9)}"]
        return entity

    def put(self, prefix):
        entity = self.some()
        status, body, _ = self.ask("PUT", f"/vaults/{prefix}", entity)
        self.expect(status == 200, f"PUT {prefix}", status, body)
        self.known[prefix] = entity

    def post(self, prefix):
        entity = self.some()
        status, body, again = self.ask("POST", "/vaults", dict(entity, prefix=prefix))
        if prefix in self.known:
            self.expect(status == 409, f"POST {prefix}, which is there", status, body)
        else:
            self.expect(status == 201 or again and status == 409, f"POST {prefix}", status, body)
            self.known[prefix] = entity

    def patch(self, prefix):
        change = {"description": f"p{self.random.randrange(10 ** 9)}",
                  "config": {"neg_ttl": self.random.randrange(1, 100)}}
        status, body, _ = self.ask("PATCH", f"/vaults/{prefix}", change)
        if prefix not in self.known:
            self.expect(status == 404, f"PATCH {prefix}, which is not there", status, body)
            return
        self.expect(status == 200, f"PATCH {prefix}", status, body)
        old = self.known[prefix]
        self.known[prefix] = dict(old, description=change["description"],
                                  config=dict(old["config"], **change["config"]))

    def delete(self, prefix):
        status, body, _ = self.ask("DELETE", f"/vaults/{prefix}")
        self.expect(status == 204, f"DELETE {prefix}", status, body)
        self.known.pop(prefix, None)

    def get(self, prefix):
        """Whatever worker answers has heard of it by now, or will have in a moment."""
        over = time.monotonic() + NEWS
        while True:
            status, body, _ = self.ask("GET", f"/vaults/{prefix}")
            if self.is_known(prefix, status, body):
                return
            if time.monotonic() > over:
                self.expect(False, f"GET {prefix}, {self.known.get(prefix)}", status, body)
                return
            time.sleep(0.02)

    def is_known(self, prefix, status, body):
        wanted = self.known.get(prefix)
        if wanted is None:
            return status == 404
        return status == 200 and all(body["config"].get(name) == value
                                     for name, value in wanted["config"].items()) and \
            body["description"] == wanted["description"]

    def run(self):
        steps = (self.put, self.put, self.post, self.patch, self.patch, self.delete, self.get)
        for _ in range(self.sequences):
            prefix = f"c{self.number}-p{self.random.randrange(PREFIXES)}"
            for _ in range(self.random.randrange(2, 6)):
                self.random.choice(steps)(prefix)


def workers_of(master):
    with open(f"/proc/{master}/task/{master}/children", encoding="ascii") as file:
        return [int(word) for word in file.read().split()]


def kill_some(master, seconds, chance):
    """One worker at a time: the other goes on, and nginx starts a new one. How many were killed."""
    workers = workers_of(master)
    if len(workers) < 2:
        return 0
    kill_worker.kill(chance.choice(workers))
    time.sleep(seconds * chance.uniform(0.5, 1.5))
    return 1


def main():
    parts = urllib.parse.urlsplit(sys.argv[1])
    master, count, sequences = (int(word) for word in sys.argv[2:5])
    seconds, seed = float(sys.argv[5]), int(sys.argv[6])
    clients = [Client((parts.hostname, parts.port), number, sequences // count, seed)
               for number in range(count)]
    chance, kills = random.Random(seed), 0
    for client in clients:
        client.start()
    while any(client.is_alive() for client in clients):
        kills += kill_some(master, seconds, chance) if master else 0
        time.sleep(0.01)
    vaults = {}
    for client in clients:
        vaults.update(client.known)
    print(json.dumps({
        "vaults": vaults, "kills": kills, "again": sum(client.again for client in clients),
        "requests": sum(client.requests for client in clients),
        "wrong": [line for client in clients for line in client.wrong],
    }))


main()
