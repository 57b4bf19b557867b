/* Which bytes of a native image's functions start an instruction, and which of these something jumps to: what
 * decides whether a probe can be a jump. Functions are decoded once, when first asked about. */
#include "stepper/image.h"

#include <string.h>

static const uint8_t *text_at(const struct st_image *image, uintptr_t address) {
    return image->text + (address - image->text_low);
}

/* The range of the function that holds a pc; false when it holds none. */
static bool range_at(const struct st_image *image, const struct st_function *function, uintptr_t address,
                     uintptr_t *low, uintptr_t *high) {
    for (size_t i = 0; i < function->scope.range_count; i++) {
        *low = function->scope.ranges[i].low + image->bias;
        *high = function->scope.ranges[i].high + image->bias;
        if (address >= *low && address < *high) {
            return *low >= image->text_low && *high <= image->text_high;
        }
    }
    return false;
}

static bool ends_run(const struct st_instruction *instruction) {
    return instruction->flow != ST_FLOW_NEXT && instruction->flow != ST_FLOW_BRANCH;
}

/* Engines keep data in their code: behind UD2 what their handler of the fault is to know, behind an indirect
 * jump its table. */
static bool is_before_data(const struct st_instruction *instruction) {
    static const uint8_t ud2[] = {0x0f, 0x0b};
    return instruction->flow == ST_FLOW_INDIRECT_JUMP ||
           (instruction->length == sizeof(ud2) && memcmp(instruction->bytes, ud2, sizeof(ud2)) == 0);
}

/* The next address from `address` on where code is known to be: the line table has a row there, or something
 * jumps there; else `high`. */
static uintptr_t next_known(const struct st_image *image, uintptr_t address, uintptr_t high) {
    size_t count;
    const struct st_row *rows = st_debug_rows(image->debug, &count);
    size_t from = 0, to = count;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (rows[middle].pc + image->bias < address) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    uintptr_t row = from < count ? rows[from].pc + image->bias : high;
    while (address < high && address < row &&
           !(image->code_map[address - image->text_low] & ST_CODE_TARGET)) {
        address++;
    }
    return address;
}

/* Whether each address that something jumps to is the start of a decoded instruction. */
static bool has_no_lost_target(const struct st_image *image, uintptr_t low, uintptr_t high) {
    const uint8_t *map = image->code_map;
    for (uintptr_t at = low - image->text_low; at < high - image->text_low; at++) {
        if ((map[at] & (ST_CODE_START | ST_CODE_TARGET)) == ST_CODE_TARGET) {
            return false;
        }
    }
    return true;
}

/* Decodes [low, high) one after the other; true when that came out even. */
static bool analyse_range(struct st_image *image, uintptr_t low, uintptr_t high, uint8_t *flags) {
    uintptr_t address = low;
    while (address < high) {
        struct st_instruction instruction;
        if (!st_instruction_decode(text_at(image, address), high - address, address, &instruction)) {
            return false;
        }
        image->code_map[address - image->text_low] |= ST_CODE_START;
        switch ((enum st_flow)instruction.flow) {
        case ST_FLOW_JUMP:
        case ST_FLOW_BRANCH:
        case ST_FLOW_CALL: /* gcc's position-independent "call the next instruction" jumps into the function
                            */
            if (instruction.target >= image->text_low && instruction.target < image->text_high) {
                image->code_map[instruction.target - image->text_low] |= ST_CODE_TARGET;
            }
            break;
        case ST_FLOW_INDIRECT_JUMP: *flags |= ST_FUNCTION_INDIRECT; break;
        case ST_FLOW_NEXT:
        case ST_FLOW_INDIRECT_CALL:
        case ST_FLOW_RETURN: break;
        }
        address += instruction.length;
        if (image->is_registered && is_before_data(&instruction)) {
            address = next_known(image, address, high);
        }
    }
    return address == high && has_no_lost_target(image, low, high);
}

/* All ranges of a function: a cold part that was moved away jumps back into the hot one. */
static uint8_t analyse(struct st_image *image, const struct st_function *function) {
    uint8_t *flags = &image->analysed[function->index];
    if (*flags & ST_FUNCTION_ANALYSED) {
        return *flags;
    }
    *flags |= ST_FUNCTION_ANALYSED;
    for (size_t i = 0; i < function->scope.range_count; i++) {
        uintptr_t low = function->scope.ranges[i].low + image->bias;
        uintptr_t high = function->scope.ranges[i].high + image->bias;
        if (low < image->text_low || high > image->text_high || low > high ||
            !analyse_range(image, low, high, flags)) {
            *flags |= ST_FUNCTION_BROKEN;
        }
    }
    return *flags;
}

bool st_code_instruction(struct st_image *image, uintptr_t address, struct st_instruction *ret) {
    const struct st_function *function = st_debug_function_at(image->debug, address - image->bias);
    uintptr_t low, high;
    if (function == NULL || !range_at(image, function, address, &low, &high)) {
        return false;
    }
    uint8_t flags = analyse(image, function);
    /* Where decoding lost its way, the line table's word is as good as ours. */
    if (!(flags & ST_FUNCTION_BROKEN) && !(image->code_map[address - image->text_low] & ST_CODE_START)) {
        return false;
    }
    return st_instruction_decode(text_at(image, address), high - address, address, ret);
}

bool st_code_run(struct st_image *image, uintptr_t address, unsigned size, struct st_run *ret) {
    const struct st_function *function = st_debug_function_at(image->debug, address - image->bias);
    uintptr_t low, high;
    if (function == NULL || !range_at(image, function, address, &low, &high)) {
        return false;
    }
    uint8_t flags = analyse(image, function);
    ret->count = ret->length = 0;
    while (ret->length < size) {
        uintptr_t next = address + ret->length;
        if (next >= high) {
            return false;
        }
        if (ret->count > 0 && ((flags & (ST_FUNCTION_INDIRECT | ST_FUNCTION_BROKEN)) ||
                               (image->code_map[next - image->text_low] & ST_CODE_TARGET) ||
                               ends_run(&ret->instructions[ret->count - 1]))) {
            return false;
        }
        struct st_instruction *instruction = &ret->instructions[ret->count];
        if (!st_instruction_decode(text_at(image, next), high - next, next, instruction)) {
            return false;
        }
        ret->length += instruction->length;
        ret->count++;
    }
    return true;
}
