/* Writes the interpreter's stream, and the map beside it: places, operand lists, sites, labels. */
#include <stdlib.h>
#include <string.h>

#include "runtime/interp/translate.h"

/* Distances are 32 bits with a sign. */
#define WORD_LIMIT 0x3fffffffu

void rt_translate_fail(struct rt_translator *t, struct rt_error *error) {
    if (t->error)
        rt_error_destroy(error);
    else
        t->error = error; /* which may be NULL: nothing happened */
}

bool rt_translate_room(struct rt_translator *t, void *array, size_t *capacity, size_t count, size_t size) {
    if (count <= *capacity)
        return true;
    size_t wanted = *capacity ? *capacity * 2 : 64;
    while (wanted < count)
        wanted *= 2;
    void *old, *grown = NULL;
    memcpy(&old, array, sizeof(old));
    if (wanted <= SIZE_MAX / size)
        grown = realloc(old, wanted * size);
    if (!grown) {
        rt_translate_fail(t, rt_error_out_of_memory());
        return false;
    }
    memcpy(array, &grown, sizeof(grown));
    *capacity = wanted;
    return true;
}

/* ---- Operand lists ---- */

static bool same_node(const struct rt_interp_node *a, const struct rt_interp_node *b) {
    return a->below == b->below && a->value == b->value && a->type == b->type && a->kind == b->kind;
}

static size_t find_node(const struct rt_translator *t, const struct rt_interp_node *node) {
    uint64_t hash = (node->value ^ (uint64_t)node->below << 32 ^ (uint64_t)node->type << 8 ^ node->kind) *
                    UINT64_C(0x9e3779b97f4a7c15);
    size_t mask = t->node_slot_count - 1, slot = (hash >> 32) & mask;
    while (t->node_slots[slot] && !same_node(&t->code->nodes[t->node_slots[slot]], node))
        slot = (slot + 1) & mask;
    return slot;
}

/* Keeps at least half of the hash table free. */
static bool grow_nodes(struct rt_translator *t) {
    if (t->node_slot_count > 2 * t->code->node_count)
        return true;
    size_t count = t->node_slot_count ? 2 * t->node_slot_count : 1024;
    uint32_t *slots = calloc(count, sizeof(*slots));
    if (!slots) {
        rt_translate_fail(t, rt_error_out_of_memory());
        return false;
    }
    free(t->node_slots);
    t->node_slots = slots;
    t->node_slot_count = count;
    for (uint32_t i = 1; i < t->code->node_count; i++)
        slots[find_node(t, &t->code->nodes[i])] = i;
    return true;
}

static uint32_t make_node(struct rt_translator *t, const struct rt_interp_node *node) {
    struct rt_interp_code *code = t->code;
    if (!code->node_count)
        code->node_count = 1;
    if (!grow_nodes(t) ||
        !rt_translate_room(t, &code->nodes, &t->node_capacity, code->node_count + 1, sizeof(*code->nodes)))
        return 0;
    size_t slot = find_node(t, node);
    if (!t->node_slots[slot]) {
        code->nodes[code->node_count] = *node;
        t->node_slots[slot] = (uint32_t)code->node_count++;
    }
    return t->node_slots[slot];
}

static uint32_t operands_node(struct rt_translator *t, uint32_t height) {
    for (uint32_t i = t->known_nodes; i < height && !t->error; i++) {
        struct rt_translator_operand *operand = &t->operands[i];
        operand->node =
            make_node(t, &(struct rt_interp_node){.value = operand->kind == RT_OPERAND_SLOT ? operand->slot
                                                                                            : operand->value,
                                                  .below = i ? operand[-1].node : 0,
                                                  .height = i + 1,
                                                  .type = operand->type,
                                                  .kind = operand->kind});
    }
    t->known_nodes = t->known_nodes > height ? t->known_nodes : height;
    return height && !t->error ? t->operands[height - 1].node : 0;
}

/* ---- The map ---- */

static void add_place(struct rt_translator *t, uint32_t word, uint32_t pc, uint32_t node) {
    struct rt_interp_code *code = t->code;
    const struct rt_interp_place *before = code->place_count ? &code->places[code->place_count - 1] : NULL;
    if (before && before->pc == pc && before->node == node)
        return;
    if (rt_translate_room(t, &code->places, &t->place_capacity, code->place_count + 1, sizeof(*code->places)))
        code->places[code->place_count++] = (struct rt_interp_place){word, pc, node};
}

/* The site that waits gets the next word. */
static void place_site(struct rt_translator *t) {
    t->code->base.sites[t->code->base.site_count - 1].machine = t->code->word_count;
    add_place(t, (uint32_t)t->code->word_count, t->site_pc, t->site_node);
    t->site_waits = false;
}

/* ---- Instructions ---- */

static uint32_t *reserve(struct rt_translator *t, size_t count) {
    struct rt_interp_code *code = t->code;
    if (code->word_count + count > WORD_LIMIT)
        rt_translate_fail(t, rt_error_format(RT_UNSUPPORTED,
                                             "not supported: function %u at Wasm pc 0x%x: more than %u words "
                                             "of interpreter's code",
                                             t->function, t->pc, WORD_LIMIT));
    if (t->error || !rt_translate_room(t, &code->words, &t->word_capacity, code->word_count + count,
                                       sizeof(*code->words)))
        return NULL;
    return code->words + code->word_count;
}

/* A waiting site whose instructions needed no code gets a word of its own. */
static void settle_site(struct rt_translator *t) {
    uint32_t *word = t->site_waits ? reserve(t, 1) : NULL;
    if (!word)
        return;
    place_site(t);
    *word = (uint32_t)t->handlers[RT_DO_NOP];
    t->code->word_count++;
    t->last = RT_NO_WORD;
}

uint32_t rt_emit(struct rt_translator *t, uint32_t handler, const uint32_t *operands, uint32_t count) {
    uint32_t *words = reserve(t, count + (size_t)1), start = (uint32_t)t->code->word_count;
    if (!words)
        return 0;
    bool shared = t->site_waits && t->site_pc != t->pc;
    if (t->site_waits)
        place_site(t);
    if (!shared || count) /* an instruction that can trap has operands */
        add_place(t, start + shared, t->pc, operands_node(t, t->start_height));
    words[0] = (uint32_t)t->handlers[handler];
    for (uint32_t i = 0; i < count; i++)
        words[1 + i] = operands[i];
    t->code->word_count += 1 + (size_t)count;
    t->last = RT_NO_WORD;
    return start;
}

uint32_t rt_emit_table(struct rt_translator *t, uint32_t index, uint32_t count) {
    uint32_t start = RT_EMIT(t, RT_DO_BR_TABLE, index, count);
    if (reserve(t, count + (size_t)1))
        t->code->word_count += count + (size_t)1;
    return start;
}

void rt_emit_callee(struct rt_translator *t, uint32_t word, uint32_t function) {
    if (rt_translate_room(t, &t->calls, &t->call_capacity, t->call_count + 1, sizeof(*t->calls)))
        t->calls[t->call_count++] = (struct rt_call_word){word, function};
}

void rt_emit_calling(struct rt_translator *t) {
    add_place(t, (uint32_t)t->code->word_count - 1, t->pc, operands_node(t, t->height));
}

void rt_emit_site(struct rt_translator *t) {
    struct rt_interp_code *code = t->code;
    settle_site(t);
    if (!rt_translate_room(t, &code->base.sites, &t->site_capacity, code->base.site_count + 1,
                           sizeof(*code->base.sites)))
        return;
    code->base.sites[code->base.site_count++] = (struct rt_site){.pc = t->pc};
    t->site_waits = true;
    t->site_pc = t->pc;
    t->site_node = operands_node(t, t->height);
    t->last = RT_NO_WORD;
}

/* ---- Labels ---- */

void rt_label_use(struct rt_translator *t, struct rt_translator_label *label, uint32_t word) {
    if (t->error)
        return;
    if (label->word != RT_NO_WORD) {
        t->code->words[word] = label->word - word;
        return;
    }
    t->code->words[word] = label->uses;
    label->uses = word;
}

void rt_label_bind(struct rt_translator *t, struct rt_translator_label *label) {
    settle_site(t);
    label->word = (uint32_t)t->code->word_count;
    t->last = RT_NO_WORD;
    if (t->error) /* the chain may be broken */
        return;
    for (uint32_t word = label->uses; word != RT_NO_WORD;) {
        uint32_t before = t->code->words[word];
        t->code->words[word] = label->word - word;
        word = before;
    }
}
