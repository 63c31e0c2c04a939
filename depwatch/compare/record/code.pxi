# What code objects have: their instructions, plain and as CPython has specialised them.

cdef set jump_targets(const unsigned char* text, Py_ssize_t size, const uint8_t* caches, const uint8_t* kinds, bytes table):
    """The offsets that jumps and exceptions lead to."""
    cdef Py_ssize_t at = 0, distance
    cdef uint32_t arg, high = 0
    cdef int op
    targets = set()
    while at < size:
        op, arg = text[at], high << 8 | text[at + 1]
        high = arg if kinds[op] == 4 else 0
        if kinds[op] == 2 or kinds[op] == 3:
            distance = 2 * <Py_ssize_t>arg
            targets.add(at + 2 + 2 * caches[op] + (distance if kinds[op] == 2 else -distance))
        at += 2 * (1 + caches[op])
    cdef const unsigned char* entries = table
    cdef Py_ssize_t n = len(table), field = 0
    at = 0
    while at < n:
        arg = entries[at] & 63
        while entries[at] & 64:
            at += 1
            arg = arg << 6 | (entries[at] & 63)
        at += 1
        if field == 2:
            targets.add(2 * <Py_ssize_t>arg)
        field = (field + 1) % 4
    return targets


def decode(code, bytes cache_sizes, bytes kinds_of_all):
    """[(offset, opcode, argument, line or None, whether a jump leads there)] of a code object's plain instructions.

    cache_sizes: how many units follow each instruction, 256. kinds_of_all: see bytecode.py.
    """
    cdef bytes text = code.co_code
    cdef const uint8_t* caches = cache_sizes
    cdef const uint8_t* kinds = kinds_of_all
    cdef const unsigned char* units = text
    cdef Py_ssize_t at = 0, size = len(text), until = 0
    cdef uint32_t arg, high = 0
    cdef int op
    cdef set targets = jump_targets(units, size, caches, kinds, code.co_exceptiontable)
    cdef list found = []
    lines = iter(code.co_lines())
    line = None
    while at < size:
        while at >= until:
            _, until, line = next(lines)
        op, arg = units[at], high << 8 | units[at + 1]
        high = arg if kinds[op] == 4 else 0
        if kinds[op] != 1 and kinds[op] != 4:
            found.append((at, op, arg, line, at in targets))
        at += 2 * (1 + caches[op])
    return found


def lookups(bytes kinds_now, bytes cache_sizes, int n_kinds):
    """Of each kind: how many instructions of hot code are of it, and how many of these are followed; both weighted by calls, too.

    kinds_now: of each instruction as it is now, n_kinds: none. cache_sizes: how many units follow each as compiled. 256 of each.
    """
    cdef const uint8_t* kinds = kinds_now
    cdef const uint8_t* caches = cache_sizes
    cdef Py_ssize_t at, end
    cdef uint64_t calls
    cdef int kind
    counted = [[0, 0, 0, 0] for _ in range(n_kinds)]
    cdef const unsigned char* plain
    cdef const unsigned char* now
    for code, python, number in functions_hot():
        compiled, adaptive, followed, calls = code.co_code, code._co_code_adaptive, python.followed, number
        plain, now, at, end = compiled, adaptive, 0, len(compiled)
        while at < end:
            kind = kinds[now[at]]
            if kind < n_kinds:
                row = counted[kind]
                row[0] += 1
                row[2] += calls
                if at in followed:
                    row[1] += 1
                    row[3] += calls
            at += 2 * (1 + caches[plain[at]])
    return counted
