/* Results: their memory, and their way from a worker to its parent. */
#include "harness/result.h"

#include <string.h>

enum { MAX_FINDINGS = 10000, MAX_PLACES = 1 << 20, MAX_SPOTS = 100 };

const char *hx_verdict_name(enum hx_verdict verdict) {
    static const char *const names[] = {
#define HX_VERDICT(name, word) word,
#include "harness/verdicts.def"
#undef HX_VERDICT
    };
    return names[verdict];
}

const char *hx_stage_name(enum hx_stage stage) {
    static const char *const names[HX_STAGE_COUNT] = {"generate", "compile", "step"};
    return names[stage];
}

void hx_result_init(struct hx_result *result) {
    *result = (struct hx_result){0};
    rt_arena_init(&result->arena, 0);
}

void hx_result_clear(struct hx_result *result) {
    rt_arena_clear(&result->arena);
    *result = (struct hx_result){0};
}

/* ---- One description of the format for both directions ---- */

struct codec {
    struct hx_buffer *out; /* writing, when not NULL */
    struct rt_cursor in;
    struct rt_arena *arena;
    struct rt_error *error; /* the first; nothing is read after it */
};

static void number(struct codec *codec, uint64_t *value) {
    if (codec->out)
        hx_buffer_append(codec->out, value, sizeof *value);
    else if (!codec->error)
        codec->error = rt_cursor_u64(&codec->in, "a number of a worker's result", value);
}

static void narrow(struct codec *codec, uint32_t *value) {
    uint64_t wide = *value;
    number(codec, &wide);
    *value = (uint32_t)wide;
}

static void real(struct codec *codec, double *value) {
    uint64_t bits;
    memcpy(&bits, value, sizeof bits);
    number(codec, &bits);
    memcpy(value, &bits, sizeof bits);
}

/* The length plus one, then the bytes; NULL is a length of zero. */
static void string(struct codec *codec, const char **value) {
    uint64_t size = codec->out && *value ? strlen(*value) + 1 : 0;
    const uint8_t *bytes;

    number(codec, &size);
    if (codec->out) {
        if (size > 0)
            hx_buffer_append(codec->out, *value, size - 1);
        return;
    }
    if (codec->error || size == 0)
        return;
    codec->error = rt_cursor_bytes(&codec->in, size - 1, "a string of a worker's result", &bytes);
    if (codec->error)
        return;
    *value = rt_arena_copy(codec->arena, bytes, size - 1);
    if (!*value)
        codec->error = rt_error_out_of_memory();
}

static void spot(struct codec *codec, struct or_spot *value) {
    string(codec, &value->function);
    string(codec, &value->file);
    narrow(codec, &value->line);
    narrow(codec, &value->column);
    narrow(codec, &value->depth);
    number(codec, &value->pc);
}

/* How many items an array has, which is allocated when it is read. */
static size_t count_of(struct codec *codec, size_t count, size_t limit, size_t size, void **items) {
    uint64_t wide = count;

    number(codec, &wide);
    if (codec->out || codec->error)
        return codec->out ? count : 0;
    if (wide > limit) {
        codec->error = rt_cursor_error(&codec->in, "a worker's result that makes no sense");
        return 0;
    }
    *items = rt_arena_array(codec->arena, wide, size);
    if (!*items)
        codec->error = rt_error_out_of_memory();
    return *items ? wide : 0;
}

static void spots(struct codec *codec, struct or_spot **items, size_t *count) {
    void *array = *items;

    *count = count_of(codec, *count, MAX_SPOTS, sizeof **items, &array);
    *items = array;
    for (size_t i = 0; i < *count && !codec->error; i++)
        spot(codec, &(*items)[i]);
}

static void truth(struct codec *codec, bool *value) {
    uint64_t wide = *value;
    number(codec, &wide);
    *value = wide != 0;
}

static void testimony(struct codec *codec, struct or_testimony *value) {
    uint64_t stop_at = value->stop_at;

    string(codec, &value->name);
    string(codec, &value->value);
    string(codec, &value->state);
    string(codec, &value->reason);
    string(codec, &value->dwarf);
    string(codec, &value->words);
    string(codec, &value->function);
    string(codec, &value->file);
    narrow(codec, &value->line);
    narrow(codec, &value->column);
    narrow(codec, &value->depth);
    number(codec, &value->pc);
    number(codec, &value->hits);
    narrow(codec, &value->skipped);
    number(codec, &value->die);
    spots(codec, &value->stack, &value->stack_count);
    spots(codec, &value->stops, &value->stop_count);
    number(codec, &stop_at);
    value->stop_at = stop_at < value->stop_count ? stop_at : value->stop_count;
}

static void finding(struct codec *codec, struct hx_finding *value) {
    string(codec, &value->kind);
    string(codec, &value->known);
    string(codec, &value->gone_with);
    string(codec, &value->body.signature);
    string(codec, &value->body.function);
    string(codec, &value->body.file);
    narrow(codec, &value->body.line);
    narrow(codec, &value->body.column);
    narrow(codec, &value->body.depth);
    string(codec, &value->body.variable);
    truth(codec, &value->body.is_global);
    number(codec, &value->body.stop);
    string(codec, &value->body.detail);
    for (int i = 0; i < 2; i++)
        testimony(codec, &value->body.witnesses[i]);
    uint64_t kind = value->body.kind;
    number(codec, &kind);
    value->body.kind = kind < OR_KIND_COUNT ? (enum or_kind)kind : OR_OUTPUT;
    string(codec, &value->body.blame);
    string(codec, &value->body.blame_reason);
    void *others = NULL;
    size_t count =
        count_of(codec, value->body.other_count, OR_MAX_WITNESSES, sizeof(struct or_testimony), &others);
    for (size_t i = 0; i < count && !codec->error; i++) {
        struct or_testimony copy = {.name = NULL};
        struct or_testimony *other = codec->out ? &copy : &((struct or_testimony *)others)[i];
        if (codec->out)
            copy = value->body.others[i];
        testimony(codec, other);
    }
    if (!codec->out) {
        value->body.others = others;
        value->body.other_count = count;
    }
}

static void place(struct codec *codec, struct or_place *value) {
    uint64_t flags = (uint64_t)value->in[0] | (uint64_t)value->in[1] << 1;

    string(codec, &value->function);
    string(codec, &value->file);
    narrow(codec, &value->line);
    narrow(codec, &value->visits);
    number(codec, &flags);
    value->in[0] = flags & 1;
    value->in[1] = flags >> 1 & 1;
}

static void pair(struct codec *codec, struct hx_pair_result *value) {
    uint64_t verdict = value->verdict;

    string(codec, &value->names[0]);
    string(codec, &value->names[1]);
    number(codec, &verdict);
    value->verdict = verdict < HX_VERDICT_COUNT ? (enum hx_verdict)verdict : HX_SKIPPED;
    string(codec, &value->reason);
    number(codec, &value->findings);
    number(codec, &value->stops);
    number(codec, &value->values);
    number(codec, &value->unchanged);
    number(codec, &value->readable[0]);
    number(codec, &value->readable[1]);
    number(codec, &value->same);
}

static void more_of_result(struct codec *codec, struct hx_result *result) {
    uint64_t complete = result->is_complete;
    void *items = result->places;

    number(codec, &result->readable[0]);
    number(codec, &result->readable[1]);
    number(codec, &result->same);
    number(codec, &complete);
    result->is_complete = complete != 0;
    result->place_count = count_of(codec, result->place_count, MAX_PLACES, sizeof *result->places, &items);
    result->places = items;
    for (size_t i = 0; i < result->place_count && !codec->error; i++)
        place(codec, &result->places[i]);
    items = result->pairs;
    result->pair_count = count_of(codec, result->pair_count, OR_MAX_WITNESSES * OR_MAX_WITNESSES,
                                  sizeof *result->pairs, &items);
    result->pairs = items;
    for (size_t i = 0; i < result->pair_count && !codec->error; i++)
        pair(codec, &result->pairs[i]);
}

static void self(struct codec *codec, struct hx_self *value) {
    truth(codec, &value->is_run);
    truth(codec, &value->is_limited);
#define HX_SELF_COUNT(name) number(codec, &value->name);
#include "harness/self_counts.def"
#undef HX_SELF_COUNT
    real(codec, &value->seconds);
}

static void result_body(struct codec *codec, struct hx_result *result) {
    uint64_t verdict = result->verdict, count = result->finding_count, limited = result->is_limited;

    number(codec, &verdict);
    string(codec, &result->reason);
    number(codec, &result->stops);
    number(codec, &result->repeats);
    number(codec, &result->values);
    number(codec, &result->unchanged);
    string(codec, &result->engines);
    number(codec, &result->steps);
    number(codec, &result->events);
    number(codec, &limited);
    result->is_limited = limited != 0;
    for (int i = 0; i < 2; i++)
        self(codec, &result->self[i]);
    for (int i = 0; i < HX_STAGE_COUNT; i++)
        real(codec, &result->seconds[i]);
    real(codec, &result->compare_seconds);
    number(codec, &result->worker_kib);
    number(codec, &result->findings_left_out);
    more_of_result(codec, result);
    number(codec, &count);
    if (!codec->out && !codec->error) {
        if (verdict >= HX_VERDICT_COUNT || count > MAX_FINDINGS) {
            codec->error = rt_cursor_error(&codec->in, "a worker's result that makes no sense");
            return;
        }
        result->verdict = (enum hx_verdict)verdict;
        result->findings = rt_arena_array(codec->arena, count, sizeof *result->findings);
        if (!result->findings)
            codec->error = rt_error_out_of_memory();
        else
            result->finding_count = count;
    }
    for (size_t i = 0; i < result->finding_count && !codec->error; i++)
        finding(codec, &result->findings[i]);
}

void hx_result_write(const struct hx_result *result, struct hx_buffer *out) {
    struct codec codec = {.out = out};
    struct hx_result copy = *result;
    result_body(&codec, &copy);
}

/* Strings that every finding has; a missing one would surprise whoever prints it. */
static bool is_complete(const struct hx_finding *finding_) {
    bool has_names = finding_->body.witnesses[0].name && finding_->body.witnesses[1].name;

    for (size_t i = 0; i < finding_->body.other_count; i++)
        has_names &= finding_->body.others[i].name != NULL;
    return finding_->kind && finding_->body.signature && has_names;
}

struct rt_error *hx_result_read(const void *bytes, size_t size, struct hx_result *ret) {
    struct codec codec = {.in = rt_cursor_make(bytes, size, 0), .arena = &ret->arena};

    result_body(&codec, ret);
    for (size_t i = 0; i < ret->finding_count && !codec.error; i++)
        if (!is_complete(&ret->findings[i]))
            codec.error = rt_cursor_error(&codec.in, "a finding without a kind, signature or witness");
    for (size_t i = 0; i < ret->pair_count && !codec.error; i++)
        if (!ret->pairs[i].names[0] || !ret->pairs[i].names[1])
            codec.error = rt_cursor_error(&codec.in, "a pair without its witnesses");
    if (!codec.error && rt_cursor_left(&codec.in) > 0)
        codec.error = rt_cursor_error(&codec.in, "bytes after a worker's result");
    if (codec.error)
        ret->finding_count = ret->pair_count = ret->place_count = 0;
    return codec.error;
}

struct hx_finding *hx_result_add(struct hx_result *result, const char *kind, const struct or_finding *body) {
    struct hx_buffer bytes = {0};
    struct hx_finding original = {.kind = kind, .body = *body};
    struct hx_finding *grown =
        rt_arena_array(&result->arena, result->finding_count + 1, sizeof *result->findings);

    if (!grown)
        return NULL;
    if (result->finding_count > 0)
        memcpy(grown, result->findings, result->finding_count * sizeof *grown);
    /* Copying is writing and reading again. */
    struct codec writer = {.out = &bytes};
    finding(&writer, &original);
    struct codec reader = {.in = rt_cursor_make(bytes.bytes, bytes.size, 0), .arena = &result->arena};
    struct hx_finding *copy = &grown[result->finding_count];
    if (!bytes.failed)
        finding(&reader, copy);
    hx_buffer_clear(&bytes);
    if (bytes.failed || reader.error) {
        rt_error_destroy(reader.error);
        return NULL;
    }
    result->findings = grown;
    result->finding_count++;
    return copy;
}

bool hx_result_set_places(struct hx_result *result, const struct or_place *places, size_t count) {
    struct or_place *copies = rt_arena_array(&result->arena, count, sizeof *copies);

    if (!copies)
        return false;
    for (size_t i = 0; i < count; i++) {
        copies[i] = places[i];
        copies[i].function = rt_arena_printf(&result->arena, "%s", places[i].function);
        copies[i].file = rt_arena_printf(&result->arena, "%s", places[i].file);
        if (!copies[i].function || !copies[i].file)
            return false;
    }
    result->places = copies;
    result->place_count = count;
    return true;
}
