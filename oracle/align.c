/* Brings two witnesses together again after a location difference. A forked child, in which both debuggees
 * live on as copies, runs each side ahead and writes down its stops; the parent then runs both to the nearest
 * common one. */
#include "oracle/compare.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    LOOKAHEAD = 512, /* default number of stops */
    CONFIRM = 3,     /* stops after a common one that should agree too */
};

static struct or_seen *stops_of(struct or_ahead *ahead, int side) {
    return ahead->stops + (size_t)side * ahead->limit;
}

static void look_ahead(struct or_comparison *comparison, struct or_ahead *ahead) {
    comparison->options.progress = NULL; /* the parent's */
    comparison->is_child = true;
    if (comparison->options.in_child)
        comparison->options.in_child(comparison->options.user);
    for (int i = 0; i < 2; i++) {
        struct or_side *side = &comparison->sides[i];
        for (uint32_t n = 0; n < ahead->limit && !side->has_ended && !side->is_late; n++) {
            stops_of(ahead, i)[n] = (struct or_seen){side->point->key, (uint32_t)side->depth};
            ahead->count[i] = n + 1;
            struct rt_error *error = or_side_advance(comparison, side);
            if (error)
                _exit(1);
        }
    }
}

/* How many of the stops behind (i, j) agree, up to CONFIRM. */
static unsigned agreement(struct or_ahead *ahead, uint32_t i, uint32_t j) {
    const struct or_seen *a = stops_of(ahead, 0), *b = stops_of(ahead, 1);
    unsigned same = 0;
    while (same < CONFIRM && i + same < ahead->count[0] && j + same < ahead->count[1] &&
           a[i + same].key == b[j + same].key && a[i + same].depth == b[j + same].depth)
        same++;
    if (i + same == ahead->count[0] && j + same == ahead->count[1])
        return CONFIRM; /* both end there */
    return same;
}

/* The common stop with the fewest stops left out before it; better confirmed ones first. False: none in
 * sight. */
bool or_find_common(struct or_ahead *ahead, uint32_t ret[2]) {
    for (unsigned wanted = CONFIRM; wanted > 0; wanted--)
        for (uint32_t sum = 0; sum < ahead->count[0] + ahead->count[1]; sum++)
            for (uint32_t i = 0; i <= sum; i++) {
                uint32_t j = sum - i;
                if (i >= ahead->count[0] || j >= ahead->count[1] || agreement(ahead, i, j) < wanted)
                    continue;
                ret[0] = i;
                ret[1] = j;
                return true;
            }
    return false;
}

struct rt_error *or_align(struct or_comparison *comparison, uint32_t skipped[2]) {
    uint32_t limit = comparison->options.lookahead ? comparison->options.lookahead : LOOKAHEAD;
    size_t size = sizeof(struct or_ahead) + 2 * (size_t)limit * sizeof(struct or_seen);
    struct or_ahead *ahead = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (ahead == MAP_FAILED)
        return rt_error_os(errno, "looking ahead after a location difference");
    ahead->limit = limit;
    pid_t child = fork();
    if (child == 0) {
        look_ahead(comparison, ahead);
        _exit(0);
    }
    struct rt_error *error = NULL;
    if (child < 0)
        error = rt_error_os(errno, "looking ahead after a location difference: fork");
    int status;
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    /* A child that died has still told what it saw. Without a common stop, both run to where nothing more is
     * known. */
    if (!error && !or_find_common(ahead, skipped)) {
        skipped[0] = ahead->count[0];
        skipped[1] = ahead->count[1];
    }
    munmap(ahead, size);
    for (int i = 0; i < 2 && !error; i++)
        for (uint32_t n = 0; n < skipped[i] && !comparison->sides[i].has_ended && !error; n++)
            error = or_side_advance(comparison, &comparison->sides[i]);
    return error;
}
