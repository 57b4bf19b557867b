/* Plans of faults: from rules and from a seed to the fault of a call, if it has one. */
#include "harness/faults.h"

#include "harness/faults_apply.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct hx_faulty faulty[] = {
#define KIND(kind)                                   (1u << HX_FAULT_##kind)
#define HX_FAULTY(function, kinds, transfer, errnos) {#function, kinds, HX_TRANSFER_##transfer, errnos},
#include "harness/faults.def"
#undef HX_FAULTY
#undef KIND
};
enum { FAULTY = sizeof faulty / sizeof *faulty };

/* By enum hx_fault_kind. */
static const struct {
    const char *word, *unit;
} kinds[HX_FAULT_KINDS] = {
#define HX_FAULT(kind, word, unit) [HX_FAULT_##kind] = {word, unit},
#include "harness/faults.def"
#undef HX_FAULT
};

enum { NAME_SIZE = 40 /* of a function, with the terminator */ };

struct rule {
    char function[NAME_SIZE];
    uint64_t first, last; /* calls of the function */
    struct hx_fault fault;
};

/* A function that the guest has called. */
struct called {
    char name[NAME_SIZE];
    const struct hx_faulty *row; /* NULL: there is none */
    uint64_t calls, next;        /* next: the call that has the seed's next fault; 0: there is none */
    uint32_t gap;                /* of calls between faults, at most */
    struct hx_random random;
};

struct hx_faults {
    struct rule *rules;
    size_t rule_count;
    bool has_seed;
    uint64_t seed;

    hx_fault_tell tell;
    void *user;
    uint64_t calls;
    struct called *functions;
    size_t function_count;
    int64_t jumps[HX_FAULT_CLOCKS];
};

struct rt_error *hx_faults_create(struct hx_faults **ret) {
    *ret = calloc(1, sizeof **ret);
    return *ret ? NULL : rt_error_out_of_memory();
}

void hx_faults_destroy(struct hx_faults *faults) {
    if (!faults)
        return;
    free(faults->rules);
    free(faults->functions);
    free(faults);
}

static const struct hx_faulty *find_row(const char *function) {
    for (size_t i = 0; i < FAULTY; i++)
        if (strcmp(faulty[i].function, function) == 0)
            return &faulty[i];
    return NULL;
}

/* ---- Rules ---- */

static struct rt_error *wrong(const char *rule, const char *at, const char *expected) {
    return rt_error_format(RT_USAGE, "fault '%s', character %zu: expected %s", rule, (size_t)(at - rule) + 1,
                           expected);
}

/* A call's number, and the character behind it. */
static bool parse_number(const char **at, uint64_t *ret) {
    *ret = 0;
    if (**at < '1' || **at > '9')
        return false;
    for (; **at >= '0' && **at <= '9'; ++*at) {
        if (*ret > (UINT64_MAX - 9) / 10)
            return false;
        *ret = 10 * *ret + (uint64_t)(**at - '0');
    }
    return true;
}

static struct rt_error *parse_calls(const char *text, const char **at, struct rule *rule) {
    const char *const first = *at;

    if (!parse_number(at, &rule->first))
        return wrong(text, first, "the number of a call, from 1");
    rule->last = rule->first;
    if (**at == '-') {
        ++*at;
        const char *const last = *at;
        if (*last == '=')
            rule->last = UINT64_MAX;
        else if (!parse_number(at, &rule->last) || rule->last < rule->first)
            return wrong(text, last, "the number of a later call, or '='");
    }
    return NULL;
}

/* The number behind a kind's word. */
static struct rt_error *parse_amount(const char *text, const char *at, struct hx_fault *fault) {
    static const int64_t most = INT64_C(1000000000000);
    const char *unit = kinds[fault->kind].unit;
    char *end, expected[48];

    if (!unit)
        return *at ? wrong(text, at, "the end") : NULL;
    if (*at != ':')
        return rt_error_format(RT_USAGE, "fault '%s', character %zu: expected :%s", text,
                               (size_t)(at - text) + 1, unit);
    fault->amount = strtoll(++at, &end, 10);
    if (end != at && !*end && fault->amount <= most &&
        fault->amount >= (fault->kind == HX_FAULT_JUMP ? -most : 0))
        return NULL;
    snprintf(expected, sizeof expected, "a number of %s up to %" PRId64, unit, most);
    return wrong(text, at, expected);
}

/* The fault that begins at `at`, which goes to the rule's end. */
static struct rt_error *parse_fault(const char *text, const char *at, struct rule *rule) {
    const struct hx_faulty *row = find_row(rule->function);
    const size_t size = strcspn(at, ":");
    uint32_t number;

    for (int kind = HX_FAULT_ERROR + 1; kind < HX_FAULT_KINDS; kind++) {
        if (strlen(kinds[kind].word) != size || strncmp(at, kinds[kind].word, size) != 0)
            continue;
        if (!row || !(row->kinds & 1u << kind))
            return wrong(text, at, "another fault: this function has no such");
        rule->fault.kind = (enum hx_fault_kind)kind;
        return parse_amount(text, at + size, &rule->fault);
    }
    if (!rt_wasi_errno_find(at, &number) || number == 0)
        return wrong(text, at, "a fault: an errno's name, or what --help has");
    rule->fault = (struct hx_fault){HX_FAULT_ERROR, number};
    return NULL;
}

static struct rt_error *parse_rule(const char *text, struct rule *rule) {
    const size_t size = strcspn(text, "#=");
    const char *at = text + size;
    bool has_errno = false;

    snprintf(rule->function, sizeof rule->function, "%.*s", (int)(size < NAME_SIZE ? size : 0), text);
    if (!rt_wasi_function_find(rule->function, &has_errno) || !has_errno)
        return wrong(text, text, "a function of WASI preview 1 that returns an errno");
    if (*at++ != '#')
        return wrong(text, text + size, "'#'");
    struct rt_error *error = parse_calls(text, &at, rule);
    if (error)
        return error;
    return *at == '=' ? parse_fault(text, at + 1, rule) : wrong(text, at, "'='");
}

struct rt_error *hx_faults_add(struct hx_faults *faults, const char *text) {
    struct rule *rules = realloc(faults->rules, (faults->rule_count + 1) * sizeof *rules);

    if (!rules)
        return rt_error_out_of_memory();
    faults->rules = rules;
    struct rt_error *error = parse_rule(text, &rules[faults->rule_count]);
    faults->rule_count += !error;
    return error;
}

void hx_faults_seed(struct hx_faults *faults, uint64_t seed) {
    faults->has_seed = true;
    faults->seed = seed;
}

/* ---- What a seed says ---- */

/* Each function has random numbers of its own, by its name, so that what others do changes nothing for it. */
static void start_seed(const struct hx_faults *faults, struct called *called) {
    enum { AFFLICTED = 50 /* percent of the functions */, LONGEST = 7 };
    uint64_t name = 14695981039346656037u;

    for (const char *at = called->name; *at; at++)
        name = (name ^ (unsigned char)*at) * 1099511628211u; /* FNV-1a */
    called->random.state = hx_random_mix(faults->seed) ^ name;
    if (!called->row || !hx_random_chance(&called->random, AFFLICTED))
        return;
    called->gap = 1u << hx_random_below(&called->random, LONGEST + 1);
    called->next = 1 + hx_random_below(&called->random, called->gap);
}

/* One of the errnos of a row. */
static struct hx_fault pick_error(struct hx_random *random, const char *errnos) {
    uint32_t count = 1, number = 0;
    char name[16];

    for (const char *at = errnos; *at; at++)
        count += *at == ' ';
    for (uint32_t skip = hx_random_below(random, count); skip > 0; skip--)
        errnos = strchr(errnos, ' ') + 1;
    snprintf(name, sizeof name, "%.*s", (int)strcspn(errnos, " "), errnos);
    (void)rt_wasi_errno_find(name, &number); /* a test looks for all of the table's */
    return (struct hx_fault){HX_FAULT_ERROR, number};
}

static struct hx_fault pick(struct called *called) {
    enum { NO_ERROR = 60 /* percent, where there is something else */ };
    const struct hx_faulty *row = called->row;
    uint32_t kind;

    if (!row->kinds || (row->errnos[0] && !hx_random_chance(&called->random, NO_ERROR)))
        return pick_error(&called->random, row->errnos);
    do
        kind = hx_random_below(&called->random, HX_FAULT_KINDS);
    while (!(row->kinds & 1u << kind));
    return (struct hx_fault){(enum hx_fault_kind)kind, HX_FAULT_ANY};
}

/* ---- Calls ---- */

static struct rt_error *find_called(struct hx_faults *faults, const char *name, struct called **ret) {
    for (size_t i = 0; i < faults->function_count; i++) {
        *ret = &faults->functions[i];
        if (strcmp((*ret)->name, name) == 0)
            return NULL;
    }
    struct called *functions = realloc(faults->functions, (faults->function_count + 1) * sizeof *functions);
    if (!functions)
        return rt_error_out_of_memory();
    faults->functions = functions;
    *ret = &functions[faults->function_count++];
    **ret = (struct called){.row = find_row(name)};
    snprintf((*ret)->name, sizeof(*ret)->name, "%s", name);
    if (faults->has_seed)
        start_seed(faults, *ret);
    return NULL;
}

/* The fault of this call, if it has one that fits. */
static bool choose(const struct hx_faults *faults, struct called *called, const struct hx_fault_call *call,
                   struct hx_fault *ret) {
    const bool is_due = called->calls == called->next;

    if (is_due) {
        *ret = pick(called);
        called->next = called->calls + 2 + hx_random_below(&called->random, called->gap);
    }
    for (size_t i = 0; i < faults->rule_count; i++) {
        const struct rule *rule = &faults->rules[i];
        if (strcmp(rule->function, called->name) == 0 && rule->first <= called->calls &&
            called->calls <= rule->last) {
            *ret = rule->fault;
            return hx_fault_fit(call, &called->random, ret);
        }
    }
    return is_due && hx_fault_fit(call, &called->random, ret);
}

static struct rt_error *tell(const struct hx_faults *faults, const struct called *called,
                             const struct hx_fault *fault) {
    char text[HX_FAULT_TEXT];
    int size = snprintf(text, sizeof text, "%s#%" PRIu64 "=", called->name, called->calls);

    if (fault->kind == HX_FAULT_ERROR) {
        for (const char *at = rt_wasi_errno_name((uint32_t)fault->amount); *at; at++)
            text[size++] = *at >= 'A' && *at <= 'Z' ? (char)(*at - 'A' + 'a') : *at;
        text[size] = '\0';
    } else {
        size += snprintf(text + size, sizeof text - (size_t)size, "%s", kinds[fault->kind].word);
        if (kinds[fault->kind].unit)
            snprintf(text + size, sizeof text - (size_t)size, ":%" PRId64, fault->amount);
    }
    return faults->tell ? faults->tell(faults->user, faults->calls, text) : NULL;
}

static struct rt_error *interpose(void *user, struct rt_caller *caller, const struct rt_func *func,
                                  const union rt_value *args, union rt_value *results) {
    struct hx_faults *faults = user;
    const char *name = rt_func_name(func), *dot = strchr(name, '.');
    struct hx_fault fault;
    struct called *called;
    bool has_errno;

    faults->calls++;
    if (strncmp(name, "wasi_", strlen("wasi_")) != 0 || !dot || !rt_wasi_function_find(dot + 1, &has_errno))
        return rt_func_forward(func, caller, args, results);
    struct rt_error *error = find_called(faults, dot + 1, &called);
    if (error)
        return error;
    called->calls++;
    const struct hx_fault_call call = {caller, func, args, results, called->row, faults->jumps};
    if (!choose(faults, called, &call, &fault))
        return hx_fault_pass(&call);
    error = tell(faults, called, &fault);
    return error ? error : hx_fault_apply(&call, &fault);
}

void hx_faults_attach(struct hx_faults *faults, struct rt_store *store, hx_fault_tell tell_fault,
                      void *user) {
    faults->tell = tell_fault;
    faults->user = user;
    faults->calls = 0;
    faults->function_count = 0;
    memset(faults->jumps, 0, sizeof faults->jumps);
    rt_store_interpose(store, interpose, faults);
}
