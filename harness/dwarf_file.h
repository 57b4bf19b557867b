/* A file that has DWARF, a WebAssembly module or an ELF shared object: its sections, and a copy of it that
 * has others in their place. */
#ifndef LOCKSTEP_HARNESS_DWARF_FILE_H
#define LOCKSTEP_HARNESS_DWARF_FILE_H

#include "harness/buffer.h"
#include "runtime/dwarf/dwarf.h"

struct hx_dwarf_file {
    struct rt_module *module;          /* NULL: an ELF file */
    struct hx_buffer bytes;            /* of an ELF file */
    struct rt_dwarf_sections sections; /* as long as the file is open */
};

/* Opens a module, or an ELF file of 64 bits (little endian, linked, its sections not compressed).
 * RT_MALFORMED, or RT_USAGE for a kind of file that cannot be taken. Close it on error too. */
RT_MUST_USE struct rt_error *hx_dwarf_file_open(const char *path, struct hx_dwarf_file *ret);
/* Writes a copy with these sections in place of all that it has of DWARF. Everything that is loaded or run
 * stays, byte for byte, but an ELF header's words on the table of sections. */
RT_MUST_USE struct rt_error *hx_dwarf_file_write(const struct hx_dwarf_file *file,
                                                 const struct rt_dwarf_sections *sections, const char *path);
void hx_dwarf_file_close(struct hx_dwarf_file *file);

#endif
