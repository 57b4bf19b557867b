/* Writes down what the compiler knows on its way: operands over machine offsets, entries, returns.
 *
 * An operand is looked at where an instruction's code begins, at sites, at calls and at traps. It has one
 * place from its first look to its last one: between two looks that find it untouched it stays where it is.
 * Code that moves or consumes it lies behind its last look, so its place ends one byte behind that: who stops
 * there sees it, who stops inside that code does not. */
#include "runtime/compile_notes.h"

#include <stdlib.h>

#include "runtime/compile.h"

void rt_notes_clear(struct rt_notes *notes) {
    free(notes->functions);
    free(notes->entries);
    free(notes->operands);
    free(notes->returns);
    free(notes->calls);
    free(notes->open);
    *notes = (struct rt_notes){0};
}

void rt_note_function(struct rt_compiler *c, uint32_t defined) {
    struct rt_notes *notes = c->notes;
    notes->functions[defined] = (struct rt_noted_function){notes->entry_count, notes->operand_count,
                                                           notes->return_count, notes->call_count};
    notes->open_count = 0;
    notes->at = rt_here(c);
    c->noted_the_same = 0;
}

void rt_note_entry(struct rt_compiler *c, uint32_t machine, uint32_t pc) {
    struct rt_notes *notes = c->notes;
    struct rt_noted_entry *last = notes->entry_count ? &notes->entries[notes->entry_count - 1] : NULL;
    if (last && last->machine == machine) { /* the one before made no code */
        last->pc = pc;
        return;
    }
    if (last && last->pc == pc)
        return;
    if (rt_compile_array(c, &notes->entries, &notes->entry_capacity, notes->entry_count + (size_t)1,
                         sizeof(*notes->entries)))
        notes->entries[notes->entry_count++] = (struct rt_noted_entry){machine, pc};
}

/* The operands from `index` on were found no more, or elsewhere, at the machine offset `here`. */
static void close_from(struct rt_compiler *c, uint32_t index, uint32_t here) {
    struct rt_notes *notes = c->notes;
    uint32_t high = here == notes->at ? here : notes->at + 1;
    for (uint32_t i = index; i < notes->open_count; i++) {
        struct rt_noted_operand *open = &notes->open[i];
        bool is_anywhere = open->where != RT_IN_FLAGS;
        if (open->low >= high || !is_anywhere ||
            !rt_compile_array(c, &notes->operands, &notes->operand_capacity, notes->operand_count + (size_t)1,
                              sizeof(*notes->operands)))
            continue;
        open->high = high;
        notes->operands[notes->operand_count++] = *open;
    }
    notes->open_count = index < notes->open_count ? index : notes->open_count;
}

static struct rt_noted_operand noted(const struct rt_operand *operand, uint32_t index, uint32_t low) {
    struct rt_noted_operand found = {
        .low = low, .index = index, .where = operand->kind, .type = operand->type};
    switch (operand->kind) {
    case RT_IN_REGISTER: found.value = operand->reg; break;
    case RT_IS_CONSTANT: found.value = operand->bits; break;
    case RT_IS_LOCAL: found.value = operand->index; break;
    default: break;
    }
    return found;
}

void rt_note_operands(struct rt_compiler *c, uint32_t height) {
    struct rt_notes *notes = c->notes;
    uint32_t here = rt_here(c), same = c->noted_the_same < height ? c->noted_the_same : height;
    close_from(c, same, here);
    if (!rt_compile_array(c, &notes->open, &notes->open_capacity, height, sizeof(*notes->open)))
        return;
    for (uint32_t i = notes->open_count; i < height; i++)
        notes->open[i] = noted(&c->operands[i], i, here);
    notes->open_count = height;
    notes->at = here;
    c->noted_the_same = height < c->height ? height : c->height;
}

void rt_note_return(struct rt_compiler *c, uint32_t low) {
    struct rt_notes *notes = c->notes;
    if (rt_compile_array(c, &notes->returns, &notes->return_capacity, notes->return_count + (size_t)1,
                         sizeof(*notes->returns)))
        notes->returns[notes->return_count++] =
            (struct rt_noted_return){low, rt_here(c), c->type.result_count > 1};
}

void rt_note_call(struct rt_compiler *c, uint32_t low) {
    struct rt_notes *notes = c->notes;
    const uint32_t past = c->body->code + (uint32_t)(c->cursor.next - c->cursor.start);
    if (rt_compile_array(c, &notes->calls, &notes->call_capacity, notes->call_count + (size_t)1,
                         sizeof(*notes->calls)))
        notes->calls[notes->call_count++] = (struct rt_noted_call){low, rt_here(c), c->pc, past};
}

void rt_note_end(struct rt_compiler *c) {
    close_from(c, 0, rt_here(c));
}
