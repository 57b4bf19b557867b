/* A decoded module, as the runtime's own parts see it (private to runtime/).
 *
 * decode.c fills it in one pass over the bytes; validate.c checks each body; the compiler and the interpreter
 * read it. Everything lives in the module's arena. */
#ifndef LOCKSTEP_RUNTIME_MODULE_H
#define LOCKSTEP_RUNTIME_MODULE_H

#include "runtime/runtime.h"

/* Limits of this implementation (core specification, appendix 7.2): what asks for more is RT_UNSUPPORTED.
 * They keep the memory and time that a module can ask for in proportion to its size. */
enum {
    RT_MAX_PARAMS = 1000,     /* of one function type; as many results */
    RT_MAX_LOCALS = 50000,    /* declared by one body */
    RT_MAX_OPERANDS = 100000, /* on the operand stack of one activation */
    RT_MAX_MODULE_SIZE = 1 << 30,
};

/* What follows an opcode (opcodes.def). */
enum rt_immediate {
    RT_IMM_NONE,
    RT_IMM_BLOCK,         /* block type */
    RT_IMM_LABEL,         /* label index */
    RT_IMM_LABELS,        /* vector of label indices, then the default */
    RT_IMM_FUNC,          /* function index */
    RT_IMM_INDIRECT,      /* type index, table index */
    RT_IMM_LOCAL,         /* local index */
    RT_IMM_GLOBAL,        /* global index */
    RT_IMM_TABLE,         /* table index */
    RT_IMM_MEMARG,        /* alignment, offset */
    RT_IMM_MEMORY,        /* one zero byte */
    RT_IMM_MEMORY_MEMORY, /* two zero bytes */
    RT_IMM_I32,
    RT_IMM_I64,
    RT_IMM_F32,
    RT_IMM_F64,
    RT_IMM_TYPES,       /* vector of value types */
    RT_IMM_REFTYPE,     /* one reference type byte */
    RT_IMM_DATA,        /* data segment index */
    RT_IMM_DATA_MEMORY, /* data segment index, zero byte */
    RT_IMM_ELEM,        /* element segment index */
    RT_IMM_ELEM_TABLE,  /* element segment index, table index */
    RT_IMM_TABLE_TABLE, /* two table indices */
    RT_IMM_V128,        /* 16 bytes */
    RT_IMM_LANE,        /* a lane index: one byte */
    RT_IMM_LANES,       /* 16 of them */
    RT_IMM_MEMARG_LANE, /* alignment, offset, a lane index */
};

enum rt_opcode {
#define RT_OP(code, name, text, immediate, signature) RT_OP_##name = code,
#include "runtime/opcodes.def"
#undef RT_OP
    RT_OP_LIMIT = 0x300,
};

struct rt_opcode_info {
    const char *text;      /* NULL: no such opcode */
    const char *signature; /* see opcodes.def */
    uint8_t immediate;     /* enum rt_immediate */
};
extern const struct rt_opcode_info rt_opcodes[RT_OP_LIMIT];

/* A constant expression (section 3.3.9), evaluated at instantiation. */
struct rt_const_expr {
    enum { RT_CONST_VALUE, RT_CONST_GLOBAL, RT_CONST_FUNC, RT_CONST_NULL } kind;
    enum rt_type type;
    union rt_value value; /* RT_CONST_VALUE */
    uint32_t index;       /* RT_CONST_GLOBAL, RT_CONST_FUNC */
};

struct rt_table_type {
    enum rt_type type;
    struct rt_limits limits;
};

struct rt_global_type {
    enum rt_type type;
    bool is_mutable;
};

struct rt_local_run { /* `count` locals of one type, as the body declares them */
    uint32_t count;
    uint32_t end; /* declared locals up to here, this run's counted */
    enum rt_type type;
};

struct rt_body {
    uint32_t start, code, end; /* Wasm pcs: local declarations, first instruction, past `end` */
    uint32_t local_count;      /* declared ones, without parameters; at most RT_MAX_LOCALS */
    const struct rt_local_run *runs;
    uint32_t run_count;
    uint32_t max_operands; /* greatest operand stack height, found by validation */
    uint32_t max_labels;   /* greatest control stack height, the function's own frame counted */
    bool has_vectors;      /* a parameter, a local or an operand is a v128 */
    bool passes_vectors;   /* a parameter or a result is */
};

struct rt_export_entry {
    const char *name;
    size_t name_size;
    enum rt_extern_kind kind;
    uint32_t index;
};

struct rt_element_segment {
    enum { RT_SEGMENT_ACTIVE, RT_SEGMENT_PASSIVE, RT_SEGMENT_DECLARED } mode;
    enum rt_type type;
    uint32_t table;
    struct rt_const_expr offset;
    const struct rt_const_expr *items;
    uint32_t count;
};

struct rt_data_segment {
    bool active;
    uint32_t memory;
    struct rt_const_expr offset;
    const uint8_t *bytes;
    uint32_t size;
};

struct rt_custom {
    const char *name;
    size_t name_size;
    const uint8_t *bytes;
    size_t size;
};

/* All index spaces count imports first. */
struct rt_module {
    struct rt_arena arena;
    const uint8_t *bytes; /* the arena's copy of the whole file */
    size_t size;
    uint64_t code_offset; /* file offset of the code section's contents: Wasm pc 0 */
    struct rt_module_times times;

    const struct rt_func_type *types;
    uint32_t type_count;
    const struct rt_import *imports;
    uint32_t import_count;
    uint32_t imported_functions, imported_tables, imported_memories, imported_globals;

    const uint32_t *function_types; /* type index of each function */
    uint32_t function_count;
    struct rt_body *bodies;       /* of the defined functions: function i is bodies[i - imported_functions] */
    const char **function_names;  /* by function, NULL where unnamed */
    const uint8_t *declared_refs; /* by function: 1 when ref.func may name it (section 3.4.11, C.refs) */

    const struct rt_table_type *tables;
    uint32_t table_count;
    const struct rt_limits *memories;
    uint32_t memory_count;
    const struct rt_global_type *globals;
    const struct rt_const_expr
        *global_inits; /* of the defined ones: global i is global_inits[i - imported_globals] */
    uint32_t global_count;

    const struct rt_export_entry *exports;
    uint32_t export_count;
    bool has_start;
    uint32_t start;
    const struct rt_element_segment *elements;
    uint32_t element_count;
    const struct rt_data_segment *datas;
    uint32_t data_count;
    bool has_data_count; /* there is a data count section, whose number is data_count */
    const struct rt_custom *customs;
    uint32_t custom_count;
};

/* The bytes of a body's instructions, their offset base the file's, for a cursor. */
struct rt_cursor rt_module_code_cursor(const struct rt_module *module, const struct rt_body *body);
/* Reads an opcode, prefix included, numbered as in opcodes.def; RT_UNSUPPORTED "not supported: ..." for
 * threads and the rest. */
struct rt_error *rt_opcode_read_any(struct rt_cursor *cursor, uint32_t *ret);
/* The same; a valid opcode of one byte costs no call. */
static inline struct rt_error *rt_opcode_read(struct rt_cursor *cursor, uint32_t *ret) {
    if (cursor->next == cursor->end || !rt_opcodes[*cursor->next].text)
        return rt_opcode_read_any(cursor, ret);
    *ret = *cursor->next++;
    return NULL;
}
/* A block type (section 5.4.1): its parameter and result types. */
struct rt_error *rt_block_type_read(const struct rt_module *module, struct rt_cursor *cursor,
                                    struct rt_func_type *ret);
/* Steps over an opcode's immediate. */
struct rt_error *rt_immediate_skip(struct rt_cursor *cursor, enum rt_immediate immediate);

/* validate.c: checks one body and sets its max_operands and max_labels (section 3.3, appendix 7.3). */
struct rt_error *rt_validate_body(const struct rt_module *module, uint32_t function);

bool rt_func_type_equal(struct rt_func_type a, struct rt_func_type b);
/* Whether a parameter or a result is a v128. */
bool rt_func_type_has_vectors(struct rt_func_type type);

#endif
