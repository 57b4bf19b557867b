/* What the places hold that two files give to a variable: whether a place that is another one shows another
 * value. The places are evaluated here, from llvm-dwarfdump's text and the state of a run; the simple forms
 * alone. */
#include "harness/shown_text.h"

#include "harness/pair.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_PASSES = 300000, MOST_SIZE = 4096 };

struct run {
    struct hx_debuggee debuggee;
    const struct st_frame *frame; /* of the stop */
};

/* The operand behind an operation's name that the text begins with, which it loses. */
static bool take(struct hx_text *text, const char *operation) {
    const size_t size = strlen(operation);
    if (text->size < size || memcmp(text->start, operation, size))
        return false;
    text->start += size;
    text->size -= size;
    return true;
}

/* The number at the start of a text, which loses it. */
static uint64_t take_number(struct hx_text *text) {
    const uint64_t number = hx_text_number(*text);
    while (text->size && strchr(" +-", *text->start))
        text->start++, text->size--;
    while (text->size && !strchr(" ,+-", *text->start))
        text->start++, text->size--;
    return number;
}

static bool is_end(struct hx_text text) {
    return text.size == 0;
}

static bool read_register(const struct run *run, uint64_t number, uint64_t *ret) {
    const struct st_frame *frame = run->frame;
    if (run->debuggee.module || number >= sizeof frame->registers / sizeof *frame->registers ||
        !(frame->known >> number & 1))
        return false;
    *ret = frame->registers[number];
    return true;
}

/* A local (kind 0) or an operand, counted from the bottom (kind 2). */
static bool read_wasm(const struct run *run, uint64_t kind, uint64_t number, uint64_t *ret) {
    const struct rt_activation *activation = &run->frame->activation;
    union rt_value value = {.i64 = 0};
    enum rt_type type;
    if (!run->debuggee.module || (kind != 0 && kind != 2))
        return false;
    struct rt_error *error = kind == 0 ? rt_activation_local(activation, (uint32_t)number, &type, &value)
                                       : rt_activation_operand(activation, (uint32_t)number, &type, &value);
    const bool is_read = !error && (type == RT_I32 || type == RT_I64);
    rt_error_destroy(error);
    *ret = is_read && type == RT_I32 ? (uint32_t)value.i32 : (uint64_t)value.i64;
    return is_read;
}

/* Nothing is behind an operation, or DW_OP_stack_value alone; then it says a value, and not an address. */
static bool takes_rest(struct hx_text *text, bool *ret_is_address) {
    *ret_is_address = is_end(*text);
    return is_end(*text) || (take(text, ", DW_OP_stack_value") && is_end(*text));
}

/* What "DW_OP_reg6 RBP", "DW_OP_breg7 RSP+16" or "DW_OP_WASM_location 0x0 0x4" says. */
static bool evaluate_held(const struct run *run, struct hx_text text, uint64_t *ret, bool *ret_is_address) {
    *ret_is_address = false;
    if (take(&text, "DW_OP_reg"))
        return text.size && *text.start != 'x' && read_register(run, hx_text_number(text), ret) &&
               !memchr(text.start, ',', text.size);
    if (take(&text, "DW_OP_WASM_location ")) {
        const uint64_t kind = take_number(&text), number = take_number(&text);
        return takes_rest(&text, ret_is_address) && read_wasm(run, kind, number, ret);
    }
    if (!take(&text, "DW_OP_breg"))
        return false;
    const uint64_t number = take_number(&text);
    while (text.size && !strchr("+-", *text.start)) /* the register's name */
        text.start++, text.size--;
    const uint64_t offset = take_number(&text);
    if (!takes_rest(&text, ret_is_address) || !read_register(run, number, ret))
        return false;
    *ret += offset;
    return true;
}

/* The bytes of an object, in place or in *value. NULL: the form is not known here, or the memory is not
 * there. */
static const void *evaluate(const struct run *run, const struct hx_where *where, uint64_t size,
                            uint64_t *value) {
    struct hx_text text = where->location;
    bool is_address = true;
    uint64_t address;
    take(&text, ": "); /* an entry of a list */
    if (take(&text, "DW_OP_addr ")) {
        address = take_number(&text) + (run->debuggee.image ? st_image_bias(run->debuggee.image) : 0);
        if (!is_end(text))
            return NULL;
    } else if (take(&text, "DW_OP_fbreg ")) {
        const uint64_t offset = take_number(&text);
        if (!is_end(text) || !evaluate_held(run, where->frame_base, &address, &is_address))
            return NULL;
        address += offset;
        is_address = true;
    } else if (!evaluate_held(run, text, &address, &is_address)) {
        return NULL;
    }
    if (run->debuggee.module && is_address)
        address &= UINT32_MAX;
    *value = address;
    if (is_address)
        return st_session_memory(run->debuggee.session, address, size);
    return size <= sizeof *value ? value : NULL;
}

static void compare_pair(const struct run *run, const struct hx_shown_pair *pair, struct hx_values *values) {
    uint64_t held[2];
    const void *bytes[2];
    for (int i = 0; i < 2; i++)
        bytes[i] = pair->size && pair->size <= MOST_SIZE
                       ? evaluate(run, &pair->where[i], pair->size, &held[i])
                       : NULL;
    if (!bytes[0] || !bytes[1]) {
        values->unknown++;
    } else if (!memcmp(bytes[0], bytes[1], pair->size)) {
        values->same++;
    } else {
        values->different++;
        values->is_pointer = pair->is_pointer;
    }
}

static struct rt_error *set_probes(struct st_session *session, const struct hx_shown_pair *pairs,
                                   size_t count) {
    struct st_probe *probes = calloc(count + 1, sizeof *probes);
    size_t kept = 0;
    if (!probes)
        return rt_error_out_of_memory();
    for (size_t i = 0; i < count; i++)
        if (i == 0 || pairs[i].pc != pairs[i - 1].pc)
            probes[kept++] = (struct st_probe){.pc = pairs[i].pc, .cookie = (uint32_t)i, .kind = ST_STEP};
    struct rt_error *error = st_session_set_probes(session, probes, kept);
    free(probes);
    return error;
}

struct rt_error *hx_shown_values(struct hx_shown *a, struct hx_shown *b, enum hx_witness_kind kind,
                                 const char *path, const struct hx_passes *passes, struct hx_values *ret) {
    const struct hx_load load = {
        .kind = kind, .path = path, .engine = RT_ENGINE_COMPILED, .write = hx_passes_drop, .all_rows = true};
    struct run run = {.frame = NULL};
    struct hx_shown_pair *pairs = NULL;
    struct st_event event = {.kind = ST_INTERRUPT};
    size_t count, stops = 0;
    int kept[2];
    *ret = (struct hx_values){.same = 0};
    struct rt_error *error = hx_shown_pairs(a, b, passes, &pairs, &count);
    if (error || !count) {
        free(pairs);
        return error;
    }
    error = hx_passes_silence(kept);
    if (!error)
        error = hx_debuggee_open(&load, &run.debuggee);
    if (!error)
        error = set_probes(run.debuggee.session, pairs, count);
    while (!error && event.kind != ST_EXIT && stops++ < MOST_PASSES) {
        error = st_session_next(run.debuggee.session, &event);
        if (error || event.kind != ST_STEP)
            continue;
        error = st_session_frame(run.debuggee.session, &run.frame);
        for (size_t i = event.cookie; !error && i < count && pairs[i].pc == event.pc; i++)
            compare_pair(&run, &pairs[i], ret);
    }
    hx_debuggee_close(&run.debuggee);
    hx_passes_speak(kept);
    free(pairs);
    return error;
}
