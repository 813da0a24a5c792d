#!/usr/bin/env python3
"""core_reader - what a core file of a process would hold, read while it runs.

For:   the memory of process PID that a core file gets, searched for the words of standard input,
       one on each line. Prints a line for each that is found: the kind of memory, an address in
       it, and the word.
       The memory that the process keeps out of core files (MADV_DONTDUMP: "dd" among its VmFlags)
       is searched too where a second argument says "all", and then of the kind "kept".
Never: files that nobody wrote to; words as arguments, which everybody can read.

kinds: shared (between processes), heap, arena (of a thread, as glibc has them), stack, thread (a
thread's stack), file (memory that began as a file's), anonymous (the rest: LuaJIT's, for one)
"""

import re
import sys

CHUNK = 1 << 20
ARENA = 64 << 20       # glibc's arenas of threads begin at multiples of this
HEAD = re.compile(rb"([0-9a-f]+)-([0-9a-f]+) (....) [0-9a-f]+ \S+ \d+ *(.*)$")


def mappings(pid):
    """(start, end, permissions, name, flags, fields) of each."""
    found, fields = None, {}
    with open(f"/proc/{pid}/smaps", "rb") as file:
        for line in file:
            head = HEAD.match(line.rstrip())
            if head and not line.startswith(b"VmFlags"):
                found, fields = head, {}
                continue
            name, _, value = line.partition(b":")
            fields[name.decode()] = value.split()
            if name == b"VmFlags":
                start, end, mode, path = found.groups()
                yield (int(start, 16), int(end, 16), mode.decode(), path.decode(),
                       {flag.decode() for flag in fields["VmFlags"]}, fields)


def is_dumped(mode, path, flags, fields):
    """As Linux decides with its default filter, and a little more: a file's written pages whole."""
    if "r" not in mode or "io" in flags or path in ("[vvar]", "[vsyscall]"):
        return False
    is_file = path.startswith("/") and not path.startswith("/dev/zero")
    return not is_file or int(fields["Anonymous"][0]) > 0


def kind_of(start, mode, path, stacks):
    if "s" in mode:
        return "shared"
    if path in ("[heap]", "[stack]"):
        return path[1:-1]
    if path:
        return "file"
    if start % ARENA == 0:
        return "arena"
    return "thread" if start in stacks else "anonymous"


def search(memory, start, end, words):
    """(address, word): the first of each word in the mapping."""
    most, missing, before = max(map(len, words)), set(words), b""
    for at in range(start, end, CHUNK):
        memory.seek(at)
        try:
            piece = before + memory.read(min(CHUNK, end - at))
        except OSError:        # a guard, or pages behind a file's end
            before = b""
            continue
        for word in sorted(missing):
            found = piece.find(word)
            if found >= 0:
                missing.discard(word)
                yield at - len(before) + found, word
        before = piece[-most:]


def stack_pointers(pid, all_of):
    """Where the mappings begin that hold threads' stacks: what follows a guard of no access."""
    starts, guarded = set(), -1
    for start, end, mode, path, _, _ in all_of:
        if not path and guarded == start and mode.startswith("rw"):
            starts.add(start)
        guarded = end if mode.startswith("---") and not path else -1
    return starts


def main(pid, words, also_kept):
    all_of = list(mappings(pid))
    stacks = stack_pointers(pid, all_of)
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for start, end, mode, path, flags, fields in all_of:
            kind = "kept" if "dd" in flags else kind_of(start, mode, path, stacks)
            if is_dumped(mode, path, flags, fields) and (kind != "kept" or also_kept):
                for address, word in search(memory, start, end, words):
                    print(kind, hex(address), word.decode(), path)


if __name__ == "__main__":
    main(int(sys.argv[1]), [word.encode() for word in sys.stdin.read().split("\n") if word],
         sys.argv[2:] == ["all"])
