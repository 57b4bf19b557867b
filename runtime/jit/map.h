/* A code map from the inside (private to runtime/jit/). Reading order: map.c (the map and its questions),
 * frames.c (unwinding rules), faults.c (what tests plant), image.c (the ELF image), registration.c, perf.c.
 */
#ifndef LOCKSTEP_RUNTIME_JIT_MAP_H
#define LOCKSTEP_RUNTIME_JIT_MAP_H

#include "runtime/compile_notes.h"
#include "runtime/frame_rules.h"
#include "runtime/jit/jit.h"

struct rt_code_map {
    const struct rt_machine_code *code;
    const struct rt_frame_rules *rules;
    struct rt_notes notes;
    struct rt_code_map_function *functions; /* of the defined functions */
    struct rt_buffer frames;
    enum rt_native_fault fault;
    struct rt_frame_rules *planted; /* `rules`, with a fault; or NULL */
};

/* The name that debuggers and profilers show: the module's own, or "wasm-function[N]". */
enum { RT_JIT_NAME_SIZE = 256 };
const char *rt_jit_name(const struct rt_code_map *map, uint32_t function, char ret[RT_JIT_NAME_SIZE]);

/* faults.c: gives the places that were found the map's fault. */
void rt_fault_places(const struct rt_code_map *map, struct rt_placed_range *found, size_t count);
/* Gives the places of an operand its fault; `end` is its function's. */
void rt_fault_operand(const struct rt_code_map *map, struct rt_placed_range *found, size_t count,
                      uintptr_t end);

/* frames.c: fills in map->frames. */
struct rt_error *rt_code_map_make_frames(struct rt_code_map *map);

/* image.c: an ELF file of malloc's memory. */
struct rt_error *rt_jit_image_make(const struct rt_code_map *map, const struct rt_jit_section *sections,
                                   size_t count, uint8_t **ret, size_t *ret_size);

/* registration.c: the code goes away, and its images with it. */
void rt_jit_code_destroyed(const struct rt_machine_code *code);

/* Writes little-endian numbers at a buffer's end, for which the caller has reserved room. */
static inline void rt_put(struct rt_buffer *buffer, uint64_t value, unsigned size) {
    for (unsigned i = 0; i < size; i++)
        buffer->bytes[buffer->size++] = (uint8_t)(value >> 8 * i);
}
static inline void rt_put_bytes(struct rt_buffer *buffer, const void *bytes, size_t size) {
    if (size)
        memcpy(buffer->bytes + buffer->size, bytes, size);
    buffer->size += size;
}

#endif
