/* ELF images of compiled code, and the list of those that debuggers know (private to runtime/). */
#ifndef LOCKSTEP_RUNTIME_JIT_IMAGE_H
#define LOCKSTEP_RUNTIME_JIT_IMAGE_H

#include "runtime/jit/jit.h"

struct rt_machine_code;

/* image.c: a file of malloc's memory. */
struct rt_error *rt_jit_image_make(const struct rt_code_map *map, const struct rt_jit_section *sections,
                                   size_t count, uint8_t **ret, size_t *ret_size);

/* registration.c: the code goes away, and its images with it. */
void rt_jit_code_destroyed(const struct rt_machine_code *code);

#endif
