#!/usr/bin/env python3
"""kill_worker - ends a worker of nginx with SIGKILL at any moment but one.

kill_worker.py PID
    A worker that dies while it changes a shared dict may leave the dict's tree half done: whichever
    worker looks into it then crashes or never comes back (docs/cache.md). That is nginx's own, and
    not what the specs are about. So the worker is stopped first, and where it stands in nginx's
    code, or in libc's, or waits for another's lock, it goes on for a moment.

Where the kernel does not say where a process stands (it is not ours to trace), it dies anywhere.

Standard library only.
"""

import os
import re
import signal
import sys
import time

PAUSE = 0.001          # seconds
GIVE_UP = 1000         # looks
FUTEX = {"x86_64": "202", "aarch64": "98"}.get(os.uname().machine)
IN_NGINX = re.compile(r"/(nginx|ngx_http_lua_module\.so|libc\.so\.6|libc-[\d.]+\.so)$")


def file_at(pid, address):
    """What file the code at this address is from."""
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps:
        for line in maps:
            first, last = (int(part, 16) for part in line.split()[0].split("-"))
            if first <= address < last:
                return line.split(maxsplit=5)[5].rstrip() if "/" in line else ""
    return ""


def is_stopped(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
        return stat.read().rpartition(") ")[2][0] in "TZX"


def may_die(pid):
    """Whether the process, which is stopped, is outside of whatever changes a shared dict."""
    with open(f"/proc/{pid}/syscall", encoding="ascii") as file:
        words = file.read().split()
    if words[0] == "running":
        return False
    if words[0] != "-1":
        return words[0] != FUTEX
    return not IN_NGINX.search(file_at(pid, int(words[-1], 16)))


def kill(pid):
    for _ in range(GIVE_UP):
        os.kill(pid, signal.SIGSTOP)
        while not is_stopped(pid):
            time.sleep(0)
        try:
            good = may_die(pid)
        except PermissionError:
            good = True
        if good:
            break
        os.kill(pid, signal.SIGCONT)
        time.sleep(PAUSE)
    os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    kill(int(sys.argv[1]))
