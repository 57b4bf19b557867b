/* Faults that tests plant in a code map: what it says of places and frames is wrong in one way. Those of the
 * visitor are in native_faults.c. */
#include "runtime/jit/map.h"

#include <stdlib.h>

enum { DEF_CFA_OFFSET = 0x0e /* DW_CFA_def_cfa_offset */ };

static const struct {
    const char *name, *text;
} faults[] = {
    {"SOUND", "nothing"},
#define RT_NATIVE_FAULT(name, what) {#name, what},
#include "runtime/jit/faults.def"
#undef RT_NATIVE_FAULT
};

const char *rt_native_fault_name(enum rt_native_fault fault) {
    return faults[fault].name;
}

const char *rt_native_fault_text(enum rt_native_fault fault) {
    return faults[fault].text;
}

static struct rt_error *plant_frames(struct rt_code_map *map) {
    map->planted = malloc(sizeof *map->planted);
    if (!map->planted)
        return rt_error_out_of_memory();
    *map->planted = *map->rules;
    for (size_t i = 0; i < sizeof map->planted->prologue / sizeof *map->planted->prologue; i++) {
        struct rt_frame_program *program = &map->planted->prologue[i].program;
        if (program->size >= 2 && program->bytes[0] == DEF_CFA_OFFSET)
            program->bytes[1] += 8;
    }
    map->rules = map->planted;
    map->frames.size = 0;
    return rt_code_map_make_frames(map);
}

struct rt_error *rt_code_map_plant(struct rt_code_map *map, enum rt_native_fault fault) {
    map->fault = fault;
    return fault == RT_NATIVE_CFA_OFF_BY_8 ? plant_frames(map) : NULL;
}

enum rt_native_fault rt_code_map_fault(const struct rt_code_map *map) {
    return map->fault;
}

/* The number that instructions have for the general register of a DWARF number. */
static uint32_t encoded(const struct rt_code_map *map, uint32_t number) {
    for (uint32_t i = 0; i < 16; i++)
        if (map->rules->registers[0][i] == number)
            return i;
    return number;
}

void rt_fault_places(const struct rt_code_map *map, struct rt_placed_range *found, size_t count) {
    for (size_t i = 0; i < count; i++) {
        struct rt_machine_place *place = &found[i].place;
        if (map->fault == RT_NATIVE_REGISTER_AS_ENCODED && place->where == RT_MACHINE_REGISTER)
            place->register_number = encoded(map, place->register_number);
        if (map->fault == RT_NATIVE_SLOT_OFF_BY_8 && place->where == RT_MACHINE_FRAME)
            place->offset += 8;
        if (map->fault == RT_NATIVE_TRUNCATION_LOST && place->type == RT_I32)
            place->type = RT_I64;
    }
}

void rt_fault_operand(const struct rt_code_map *map, struct rt_placed_range *found, size_t count,
                      uintptr_t end) {
    for (size_t i = 0; map->fault == RT_NATIVE_OPERAND_STALE && i < count; i++)
        if (found[i].place.where == RT_MACHINE_REGISTER && found[i].range.low < end)
            found[i].range.high = end;
}
