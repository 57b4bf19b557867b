/* The fixed part of an exported test: it is copied into each program whole. Before it come the imports
 * (wasi_NAME), `data`, `errno_names`, and these numbers: SCRATCH_SIZE, DESCRIPTORS, ENTRIES, LEFT_OUT.
 *
 * A call's pointers point into the scratch memory, where what it reads is put and what it should write is
 * not. No library is used, so that the engine sees the recorded calls and those that report. */

/* Kept out of line: a compiler that puts thousands of calls into one function takes for ever. */
#define FUNCTION static __attribute__((noinline, unused))

typedef unsigned char u8;
typedef unsigned u32;
typedef unsigned long long u64;

enum { PAGE = 65536, SUCCESS = 0, LISTING_SIZE = 65536 };

static u8 *scratch;
static u32 number, made, differing, left_out = LEFT_OUT;
static const char *function;
static int is_differing; /* the call that is being made */

/* ---- Bytes ---- */

/* Compilers call these two. */
__attribute__((no_builtin, used)) void *memcpy(void *to, const void *from, __SIZE_TYPE__ size) {
    for (__SIZE_TYPE__ i = 0; i < size; i++)
        ((u8 *)to)[i] = ((const u8 *)from)[i];
    return to;
}
__attribute__((no_builtin, used)) void *memset(void *to, int byte, __SIZE_TYPE__ size) {
    for (__SIZE_TYPE__ i = 0; i < size; i++)
        ((u8 *)to)[i] = (u8)byte;
    return to;
}

FUNCTION u64 load(const u8 *from, u32 size) {
    u64 value = 0;
    for (u32 i = 0; i < size; i++)
        value |= (u64)from[i] << (8 * i);
    return value;
}

FUNCTION u32 at(u32 offset) {
    return (u32)(__SIZE_TYPE__)scratch + offset;
}
/* Addresses that are as far from the end of memory as the recorded ones were; `before` by a page at most. */
FUNCTION u32 after_end(u32 distance) {
    const u64 address = (u64)__builtin_wasm_memory_size(0) * PAGE + distance;
    return address > 0xffffffffu ? 0xffffffffu : (u32)address;
}
FUNCTION u32 before_end(u32 distance) {
    return (u32)((u64)__builtin_wasm_memory_size(0) * PAGE - (distance < PAGE ? distance : PAGE));
}

FUNCTION void copy(u32 offset, u32 from, u32 size) {
    memcpy(scratch + offset, data + from, size);
}
FUNCTION void word(u32 offset, u32 value) {
    for (u32 i = 0; i < 4; i++)
        scratch[offset + i] = (u8)(value >> (8 * i));
}

/* ---- Reporting ---- */

static u32 reports[2] = {2, 1}; /* descriptors that a report may go to; NONE when closed */
static int is_in_line;          /* the program itself may have written there last */
enum { NONE = -1 };

static char line[512];
static u32 line_size;

FUNCTION void say(const char *text) {
    for (; *text && line_size < sizeof line - 1; text++)
        line[line_size++] = (u8)*text < ' ' ? '?' : *text;
}
FUNCTION void say_number(u64 value) {
    char digits[21], *next = digits + 20;
    *next = 0;
    do
        *--next = (char)('0' + value % 10);
    while (value /= 10);
    say(next);
}
FUNCTION void say_errno(u32 value) {
    if (value < sizeof errno_names / sizeof *errno_names)
        say(errno_names[value]);
    else
        say_number(value);
}
FUNCTION void end_line(void) {
    static u32 vector[2], written;
    const u32 to = reports[0] != (u32)NONE ? reports[0] : reports[1];

    line[line_size++] = '\n';
    for (u32 done = 0; to != (u32)NONE && done < line_size; done += written) {
        vector[0] = (u32)(__SIZE_TYPE__)(line + done);
        vector[1] = line_size - done;
        if (wasi_fd_write(to, (u32)(__SIZE_TYPE__)vector, 1, (u32)(__SIZE_TYPE__)&written) != SUCCESS ||
            !written)
            break;
    }
    line_size = 0;
}
FUNCTION void differ(const char *what) {
    if (is_in_line)
        end_line();
    is_in_line = 0;
    if (!is_differing)
        differing++;
    is_differing = 1;
    say("not ok ");
    say_number(number);
    say(" ");
    say(function);
    say(": ");
    say(what);
}
FUNCTION void differ_by(const char *what, u64 expected, u64 got) {
    differ(what);
    say(": expected ");
    say_number(expected);
    say(", got ");
    say_number(got);
    end_line();
}

/* ---- Descriptors ---- */

/* What the recorded numbers stand for here. One that no call has opened stands for itself. */
enum state { OPEN, CLOSED, MISSING };
static struct {
    u32 recorded, actual;
    enum state state;
} descriptors[DESCRIPTORS];
static u32 descriptor_count;

FUNCTION u32 entry_of(u32 recorded) {
    u32 i = 0;
    while (i < descriptor_count && descriptors[i].recorded != recorded)
        i++;
    if (i == descriptor_count) {
        descriptors[i].recorded = descriptors[i].actual = recorded;
        descriptors[i].state = OPEN;
        descriptor_count++;
    }
    return i;
}
/* The descriptor to pass. For one that the program had closed, another that is not open. */
FUNCTION u32 fd(u32 recorded) {
    const u32 entry = entry_of(recorded);
    const u32 actual = descriptors[entry].actual;

    if (actual == reports[0] || actual == reports[1])
        is_in_line = 1;
    for (u32 i = 0; descriptors[entry].state == CLOSED && i < descriptor_count; i++)
        if (descriptors[i].state == OPEN && descriptors[i].actual == actual)
            return 0x70000000u + recorded;
    return actual;
}
/* True, and the call is left out, when its descriptor's opening failed here. */
FUNCTION int is_missing(u32 recorded) {
    const int is = descriptors[entry_of(recorded)].state == MISSING;
    left_out += (u32)is;
    return is;
}
FUNCTION void lose(u32 recorded) {
    descriptors[entry_of(recorded)].state = MISSING;
}
FUNCTION void opened(u32 offset, u32 recorded) {
    const u32 entry = entry_of(recorded);
    descriptors[entry].actual = (u32)load(scratch + offset, 4);
    descriptors[entry].state = OPEN;
}
/* A descriptor that was opened where the recorded call failed. */
FUNCTION void give_back(u32 got, u32 offset) {
    if (got == SUCCESS)
        wasi_fd_close((u32)load(scratch + offset, 4));
}
FUNCTION void forget_report(u32 actual) {
    for (u32 i = 0; i < 2; i++)
        if (reports[i] == actual)
            reports[i] = (u32)NONE;
}
FUNCTION void closed(u32 recorded) {
    const u32 entry = entry_of(recorded);
    forget_report(descriptors[entry].actual);
    descriptors[entry].state = CLOSED;
}
/* After fd_renumber: where it failed, but should not have, `to` stands for what it should have become. */
FUNCTION void renumbered(u32 from, u32 to, u32 got, u32 expected) {
    const u32 old = entry_of(from), new = entry_of(to);
    const u32 actual = descriptors[new].actual;

    if (from == to || (got != SUCCESS && expected != SUCCESS))
        return;
    if (got == SUCCESS) {
        forget_report(actual);
        for (u32 i = 0; i < 2; i++)
            if (reports[i] == descriptors[old].actual)
                reports[i] = actual;
        descriptors[old].state = expected == SUCCESS ? CLOSED : OPEN;
        if (expected != SUCCESS) {
            descriptors[old].actual = actual;
            return;
        }
    } else {
        descriptors[new].actual = descriptors[old].actual;
        descriptors[old].actual = actual;
        descriptors[old].state = CLOSED;
    }
    descriptors[new].state = OPEN;
}

/* ---- Calls and what they give ---- */

FUNCTION void begin(u32 call, const char *name, u32 size) {
    number = call;
    function = name;
    is_differing = 0;
    memset(scratch, 0xa5, size);
}

/* True when the call succeeded, as it should have. `other` is an errno that is as good. */
FUNCTION int expect(u32 got, u32 expected, u32 other) {
    made++;
    if (got == expected || got == other)
        return expected == SUCCESS;
    differ("errno: expected ");
    say_errno(expected);
    say(", got ");
    say_errno(got);
    end_line();
    return 0;
}
FUNCTION void ignore(u32 got) {
    (void)got;
    made++;
}
FUNCTION void value(const char *name, u32 offset, u32 size, u64 expected) {
    const u64 got = load(scratch + offset, size);
    if (got != expected)
        differ_by(name, expected, got);
}
FUNCTION void bytes(const char *name, u32 offset, u32 from, u32 size) {
    for (u32 i = 0; i < size && !is_differing; i++) {
        if (scratch[offset + i] == data[from + i])
            continue;
        differ(name);
        say(": byte ");
        say_number(i);
        say(" of ");
        say_number(size);
        say(": expected ");
        say_number(data[from + i]);
        say(", got ");
        say_number(scratch[offset + i]);
        end_line();
    }
}
/* A monotonic clock's reading. */
FUNCTION void later(u32 clock, u32 offset) {
    static u64 last;
    const u64 now = load(scratch + offset, 8);
    if (clock != 1)
        return;
    if (now < last)
        differ_by("time went back", last, now);
    last = now;
}
/* `count` pointers at `offset` to strings in scratch memory, whose text follows one another in the data. The
 * first of a program's arguments is the embedder's. */
FUNCTION void strings(u32 offset, u32 count, u32 from, int is_first_free) {
    for (u32 i = 0; i < count; i++) {
        const u32 start = (u32)load(scratch + offset + 4 * i, 4) - at(0);
        const char *expected = (const char *)data + from;
        u32 size = 0;
        while (expected[size++])
            ;
        from += size;
        if (i == 0 && is_first_free)
            continue;
        u32 same = 0;
        while (same < size && start < SCRATCH_SIZE - size && scratch[start + same] == (u8)expected[same])
            same++;
        if (same == size)
            continue;
        differ("string ");
        say_number(i);
        say(": expected ");
        say(expected);
        end_line();
    }
}
/* Events in any order: of each subscription's, which its userdata names, error and type. */
FUNCTION void events(u32 offset, u32 count, u32 from) {
    enum { EVENT = 32, ERROR = 8, TYPE = 10 };
    for (u32 i = 0; i < count && !is_differing; i++) {
        const u8 *expected = data + from + i * EVENT, *got = scratch + offset;
        u32 k = 0;
        while (k < count && (load(got, 8) != load(expected, 8) || got[TYPE] != expected[TYPE])) {
            got += EVENT;
            k++;
        }
        if (k == count) {
            const u8 *other = scratch + offset + i * EVENT;
            differ("no such event: expected type ");
            say_number(expected[TYPE]);
            say(load(other, 8) == load(expected, 8) ? ", got type " : ", got another subscription's, type ");
            say_number(other[TYPE]);
            say(", error ");
            say_errno((u32)load(other + ERROR, 2));
            end_line();
        } else if (load(got + ERROR, 2) != load(expected + ERROR, 2)) {
            differ("error of an event: expected ");
            say_errno((u32)load(expected + ERROR, 2));
            say(", got ");
            say_errno((u32)load(got + ERROR, 2));
            end_line();
        }
    }
}

static u8 seen[ENTRIES];

/* An entry that the folder has: expected are `count` of type, size in two bytes, name. */
FUNCTION void list_entry(const u8 *name, u32 size, u32 type, u32 count, u32 from, int is_complete) {
    for (u32 i = 0; i < count; i++) {
        const u32 expected_size = (u32)load(data + from + 1, 2);
        const u32 expected_type = data[from];
        u32 same = 0;
        from += 3;
        while (expected_size == size && same < size && data[from + same] == name[same])
            same++;
        from += expected_size;
        if (expected_size != size || same < size)
            continue;
        seen[i] = 1;
        if (type != expected_type)
            differ_by("type of an entry", expected_type, type);
        return;
    }
    if (!is_complete)
        return;
    differ("entry not expected: ");
    for (u32 i = 0; i < size; i++) {
        const char letter[2] = {(char)name[i], 0};
        say(letter);
    }
    end_line();
}
/* Lists a folder as a whole: the order of entries and their cookies are not determined. */
FUNCTION void listing(u32 descriptor, u32 count, u32 from, int is_complete) {
    enum { HEAD = 24, NAME_SIZE = 16, TYPE = 20 };
    u64 cookie = 0;
    u32 used;

    memset(seen, 0, count);
    do {
        const u32 got = wasi_fd_readdir(descriptor, at(0), LISTING_SIZE, cookie, at(LISTING_SIZE));
        if ((cookie == 0 || got != SUCCESS) && !expect(got, SUCCESS, SUCCESS))
            return;
        used = (u32)load(scratch + LISTING_SIZE, 4);
        for (u32 next = 0; next + HEAD <= used && next + HEAD <= LISTING_SIZE;) {
            const u8 *entry = scratch + next, *name = entry + HEAD;
            const u32 size = (u32)load(entry + NAME_SIZE, 4);
            if (size > used - next - HEAD)
                break;
            cookie = load(entry, 8);
            next += HEAD + size;
            if (!(size <= 2 && name[0] == '.' && name[size - 1] == '.'))
                list_entry(name, size, entry[TYPE], count, from, is_complete);
        }
    } while (used == LISTING_SIZE);
    for (u32 i = 0; i < count; i++) {
        const u32 size = (u32)load(data + from + 1, 2);
        if (!seen[i]) {
            differ("entry missing: ");
            for (u32 k = 0; k < size; k++) {
                const char letter[2] = {(char)data[from + 3 + k], 0};
                say(letter);
            }
            end_line();
        }
        from += 3 + size;
    }
}

/* ---- The whole ---- */

FUNCTION void start(void) {
    const u32 pages = (SCRATCH_SIZE + 2 * PAGE - 1) / PAGE; /* and one that `before_end` is in */
    const u32 first = (u32)__builtin_wasm_memory_grow(0, pages);
    if (first == (u32)-1)
        __builtin_trap();
    scratch = (u8 *)(__SIZE_TYPE__)(first * PAGE);
}

FUNCTION void finish(void) {
    if (is_in_line)
        end_line();
    say("# ");
    say_number(made);
    say(" calls made, ");
    say_number(differing);
    say(" differ, ");
    say_number(left_out);
    say(" left out");
    end_line();
    wasi_proc_exit(differing != 0);
}
