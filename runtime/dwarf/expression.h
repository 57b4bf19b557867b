/* Operations and their operands (private to runtime/dwarf/). */
#ifndef LOCKSTEP_RUNTIME_DWARF_EXPRESSION_H
#define LOCKSTEP_RUNTIME_DWARF_EXPRESSION_H

#include "runtime/dwarf/pass.h"

/* See operations.def. */
enum rt_dwarf_operand {
    RT_DWARF_OPERAND_NONE,
    RT_DWARF_OPERAND_ADDRESS,
    RT_DWARF_OPERAND_U8,
    RT_DWARF_OPERAND_S8,
    RT_DWARF_OPERAND_U16,
    RT_DWARF_OPERAND_S16,
    RT_DWARF_OPERAND_U32,
    RT_DWARF_OPERAND_S32,
    RT_DWARF_OPERAND_U64,
    RT_DWARF_OPERAND_S64,
    RT_DWARF_OPERAND_ULEB,
    RT_DWARF_OPERAND_SLEB,
    RT_DWARF_OPERAND_BLOCK,
    RT_DWARF_OPERAND_BLOCK8,
    RT_DWARF_OPERAND_EXPRESSION,
    RT_DWARF_OPERAND_TYPE,
    RT_DWARF_OPERAND_REFERENCE,
    RT_DWARF_OPERAND_WASM,
};

struct rt_dwarf_operation_info {
    const char *name; /* "DW_OP_addr"; NULL: not known */
    uint8_t operands[2];
};
const struct rt_dwarf_operation_info *rt_dwarf_operation_info(uint8_t code);

#endif
