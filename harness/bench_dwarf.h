/* A module's DWARF for tools that read ELF files only (private to the benchmark of `lockstep transform`). */
#ifndef LOCKSTEP_HARNESS_BENCH_DWARF_H
#define LOCKSTEP_HARNESS_BENCH_DWARF_H

#include "runtime/dwarf/dwarf.h"

/* Writes an ELF file for i386 with these sections, and an empty .text over all pcs of a module. */
RT_MUST_USE struct rt_error *hx_bench_dwarf_image(const struct rt_dwarf_sections *sections, const char *path);
/* Bytes of the sections of DWARF in such a file. */
RT_MUST_USE struct rt_error *hx_bench_dwarf_size(const char *path, uint64_t *ret);

#endif
