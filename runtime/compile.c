/* The one-pass compiler: walks each body once and hands every instruction to the part that lowers it. */
#include <stdlib.h>
#include <string.h>

#include "runtime/compile.h"
#include "runtime/target.h"

/* No single instruction makes more code than this without asking for it. */
#define INSTRUCTION_ROOM 1024
/* Branches and calls reach 2 GiB. Far below that, a module may not want absurdly more code than it is long: a
 * branch of three bytes can pass a thousand operands. */
#define CODE_SIZE_LIMIT 0x7fff0000u
#define CODE_SIZE_BASE  ((size_t)64 << 20)
#define CODE_SIZE_RATIO 64
/* Slots of one frame: their addresses are 32-bit displacements. */
#define FRAME_SLOT_LIMIT (1u << 26)

void rt_compile_fail(struct rt_compiler *c, struct rt_error *error) {
    if (c->error)
        rt_error_destroy(error);
    else
        c->error = error; /* which may be NULL: nothing happened */
}

void rt_compile_grow(struct rt_compiler *c, size_t size) {
    struct rt_code_memory *memory = &c->code->memory;
    size_t used = (size_t)(c->next - c->start), capacity = memory->capacity * 2;
    while (capacity - used < size)
        capacity *= 2;
    size_t limit = CODE_SIZE_BASE + CODE_SIZE_RATIO * c->module->size;
    limit = limit < CODE_SIZE_LIMIT ? limit : CODE_SIZE_LIMIT;
    if (used + size > limit)
        rt_compile_fail(c,
                        rt_error_format(RT_UNSUPPORTED,
                                        "not supported: function %u at Wasm pc 0x%x: more than %zu bytes of "
                                        "machine code for a module of %zu",
                                        c->function, c->pc, limit, c->module->size));
    else if (!c->error)
        rt_compile_fail(c, rt_code_memory_grow(memory, capacity));
    if (c->error) { /* nothing will run; large tables check the error themselves */
        c->next = c->start;
        return;
    }
    c->start = memory->writable;
    c->next = c->start + used;
    c->limit = c->start + memory->capacity;
}

bool rt_compile_array(struct rt_compiler *c, void *array, uint32_t *capacity, size_t count, size_t size) {
    if (count <= *capacity)
        return true;
    size_t wanted = *capacity ? *capacity * (size_t)2 : 16;
    while (wanted < count)
        wanted *= 2;
    void *old, *grown = NULL;
    memcpy(&old, array, sizeof(old));
    if (wanted <= UINT32_MAX && wanted <= SIZE_MAX / size)
        grown = realloc(old, wanted * size);
    if (!grown) {
        rt_compile_fail(c, rt_error_out_of_memory());
        return false;
    }
    memcpy(array, &grown, sizeof(grown));
    *capacity = (uint32_t)wanted;
    return true;
}

/* ---- Sites ---- */

/* Whether the instruction at `pc` is to be a site; it is the next that is compiled. */
static bool is_site(const struct rt_compiler *c, uint32_t pc) {
    return c->options.every_instruction ||
           (c->next_site < c->options.site_count && c->options.sites[c->next_site] <= pc);
}

void rt_compile_site(struct rt_compiler *c) {
    struct rt_machine_code *code = c->code;
    if (code->base.site_count == c->site_capacity) {
        size_t wanted = c->site_capacity ? c->site_capacity * 2 : 64;
        struct rt_site *grown = realloc(code->base.sites, wanted * sizeof(*grown));
        if (!grown) {
            rt_compile_fail(c, rt_error_out_of_memory());
            return;
        }
        code->base.sites = grown;
        c->site_capacity = wanted;
    }
    rt_map_operands(c, c->height);
    if (c->question && c->question->pc == c->pc) {
        uint32_t local = c->question->local;
        struct rt_operand name = {.kind = RT_IS_LOCAL, .type = c->local_types[local], .index = local};
        c->question->machine = rt_here(c);
        c->question->reg = rt_cached_register(c, &name);
    }
    code->base.sites[code->base.site_count++] = (struct rt_site){c->pc, rt_here(c)};
    c->target->site(c);
}

static void skip_sites(struct rt_compiler *c, uint32_t before) {
    while (c->next_site < c->options.site_count && c->options.sites[c->next_site] < before)
        c->next_site++;
}

bool rt_condition_follows(const struct rt_compiler *c) {
    if (c->cursor.next == c->cursor.end)
        return false;
    uint8_t next = *c->cursor.next;
    return (next == RT_OP_BR_IF || next == RT_OP_IF || next == RT_OP_I32_EQZ || next == RT_OP_SELECT) &&
           !is_site(c, c->body->code + (uint32_t)(c->cursor.next - c->cursor.start));
}

/* ---- Instructions ---- */

static void compile_local(struct rt_compiler *c, uint32_t opcode) {
    uint32_t local = (uint32_t)rt_read_uleb(&c->cursor);
    if (opcode == RT_OP_LOCAL_GET) {
        rt_push_local(c, local);
        return;
    }
    struct rt_operand operand = rt_pop(c);
    if (operand.kind == RT_IS_LOCAL && operand.index == local) { /* its own value */
        if (opcode == RT_OP_LOCAL_TEE)
            rt_push_local(c, local);
        return;
    }
    rt_detach_local(c, local);
    /* A value from the frame that stays on the stack is worth a register. */
    if (opcode == RT_OP_LOCAL_TEE && (operand.kind == RT_IN_SLOT || operand.kind == RT_IS_LOCAL)) {
        uint8_t reg = rt_take_register(c, rt_class_of((enum rt_type)operand.type));
        c->target->load(c, reg, &operand);
        operand.kind = RT_IN_REGISTER;
        operand.reg = reg;
    }
    c->target->store(c, (struct rt_place){RT_PLACE_LOCAL, local}, &operand);
    if (operand.kind == RT_IN_REGISTER) {
        rt_give_operand(c, &operand);
        rt_cache_local(c, local, operand.reg);
    }
    if (opcode == RT_OP_LOCAL_TEE && operand.kind == RT_IS_CONSTANT)
        rt_push_constant(c, (enum rt_type)operand.type, operand.bits);
    else if (opcode == RT_OP_LOCAL_TEE)
        rt_push_local(c, local);
}

static uint64_t read_bytes(struct rt_compiler *c, unsigned size) {
    uint64_t bits = 0;
    for (unsigned i = 0; i < size && c->cursor.next < c->cursor.end; i++)
        bits |= (uint64_t)*c->cursor.next++ << 8 * i;
    return bits;
}

static void compile_constant(struct rt_compiler *c, uint32_t opcode) {
    switch (opcode) {
    case RT_OP_I32_CONST: rt_push_constant(c, RT_I32, (uint32_t)rt_read_sleb(&c->cursor)); break;
    case RT_OP_I64_CONST: rt_push_constant(c, RT_I64, (uint64_t)rt_read_sleb(&c->cursor)); break;
    case RT_OP_F32_CONST: rt_push_constant(c, RT_F32, read_bytes(c, 4)); break;
    case RT_OP_F64_CONST: rt_push_constant(c, RT_F64, read_bytes(c, 8)); break;
    default: rt_push_constant(c, (enum rt_type)read_bytes(c, 1), 0); break; /* ref.null */
    }
}

static void compile_memory_access(struct rt_compiler *c, uint32_t opcode) {
    (void)rt_read_uleb(&c->cursor); /* alignment is a hint */
    uint32_t offset = (uint32_t)rt_read_uleb(&c->cursor);
    if (opcode < RT_OP_I32_STORE)
        c->target->memory_load(c, opcode, offset);
    else
        c->target->memory_store(c, opcode, offset);
}

/* Those that call into C. */
static void compile_bulk(struct rt_compiler *c, uint32_t opcode) {
    uint32_t a = (uint32_t)rt_read_uleb(&c->cursor);
    switch (opcode) {
    case RT_OP_MEMORY_GROW: rt_compile_builtin(c, RT_BUILTIN_MEMORY_GROW, NULL, RT_I32); break;
    case RT_OP_MEMORY_FILL: rt_compile_builtin(c, RT_BUILTIN_MEMORY_FILL, NULL, 0); break;
    case RT_OP_MEMORY_COPY:
        (void)rt_read_uleb(&c->cursor);
        rt_compile_builtin(c, RT_BUILTIN_MEMORY_COPY, NULL, 0);
        break;
    case RT_OP_MEMORY_INIT:
        (void)rt_read_uleb(&c->cursor);
        rt_compile_builtin(c, RT_BUILTIN_MEMORY_INIT, &a, 0);
        break;
    case RT_OP_DATA_DROP: rt_compile_builtin(c, RT_BUILTIN_DATA_DROP, &a, 0); break;
    case RT_OP_ELEM_DROP: rt_compile_builtin(c, RT_BUILTIN_ELEM_DROP, &a, 0); break;
    case RT_OP_TABLE_GET: rt_compile_builtin(c, RT_BUILTIN_TABLE_GET, &a, c->module->tables[a].type); break;
    case RT_OP_TABLE_SET: rt_compile_builtin(c, RT_BUILTIN_TABLE_SET, &a, 0); break;
    case RT_OP_TABLE_GROW: rt_compile_builtin(c, RT_BUILTIN_TABLE_GROW, &a, RT_I32); break;
    case RT_OP_TABLE_FILL: rt_compile_builtin(c, RT_BUILTIN_TABLE_FILL, &a, 0); break;
    default: { /* table.init and table.copy */
        uint32_t both[] = {a, (uint32_t)rt_read_uleb(&c->cursor)};
        rt_compile_builtin(c, opcode == RT_OP_TABLE_INIT ? RT_BUILTIN_TABLE_INIT : RT_BUILTIN_TABLE_COPY,
                           both, 0);
    }
    }
}

static void compile_vector(struct rt_compiler *c, uint32_t opcode) {
    struct rt_vector_immediate immediate = {0};
    enum rt_immediate kind = (enum rt_immediate)rt_opcodes[opcode].immediate;
    if (kind == RT_IMM_MEMARG || kind == RT_IMM_MEMARG_LANE) {
        (void)rt_read_uleb(&c->cursor); /* alignment is a hint */
        immediate.offset = (uint32_t)rt_read_uleb(&c->cursor);
    }
    if (kind == RT_IMM_LANE || kind == RT_IMM_MEMARG_LANE)
        immediate.lane = (uint8_t)read_bytes(c, 1);
    if (kind == RT_IMM_V128 || kind == RT_IMM_LANES) {
        for (unsigned i = 0; i < sizeof(immediate.bytes); i++)
            immediate.bytes[i] = (uint8_t)read_bytes(c, 1);
    }
    c->target->vector(c, opcode, &immediate);
}

static void compile_instruction(struct rt_compiler *c, uint32_t opcode) {
    switch (opcode) {
    case RT_OP_NOP: break;
    case RT_OP_DROP: {
        struct rt_operand operand = rt_pop(c);
        rt_give_operand(c, &operand);
        break;
    }
    case RT_OP_SELECT_T:
        for (uint64_t left = rt_read_uleb(&c->cursor); left; left--)
            (void)read_bytes(c, 1);
        c->target->select(c);
        break;
    case RT_OP_SELECT: c->target->select(c); break;
    case RT_OP_LOCAL_GET:
    case RT_OP_LOCAL_SET:
    case RT_OP_LOCAL_TEE: compile_local(c, opcode); break;
    case RT_OP_GLOBAL_GET: c->target->global_get(c, (uint32_t)rt_read_uleb(&c->cursor)); break;
    case RT_OP_GLOBAL_SET: c->target->global_set(c, (uint32_t)rt_read_uleb(&c->cursor)); break;
    case RT_OP_MEMORY_SIZE:
        (void)rt_read_uleb(&c->cursor);
        c->target->memory_size(c);
        break;
    case RT_OP_I32_CONST:
    case RT_OP_I64_CONST:
    case RT_OP_F32_CONST:
    case RT_OP_F64_CONST:
    case RT_OP_REF_NULL: compile_constant(c, opcode); break;
    case RT_OP_REF_IS_NULL: c->target->ref_is_null(c); break;
    case RT_OP_REF_FUNC: c->target->ref_func(c, (uint32_t)rt_read_uleb(&c->cursor)); break;
    case RT_OP_TABLE_SIZE: c->target->table_size(c, (uint32_t)rt_read_uleb(&c->cursor)); break;
    case RT_OP_TABLE_GET:
    case RT_OP_TABLE_SET:
    case RT_OP_MEMORY_GROW: compile_bulk(c, opcode); break;
    default:
        if (opcode <= RT_OP_CALL_INDIRECT)
            rt_compile_control(c, opcode);
        else if (opcode >= RT_OP_I32_LOAD && opcode <= RT_OP_I64_STORE32)
            compile_memory_access(c, opcode);
        else if (opcode >= RT_OP_V128_LOAD)
            compile_vector(c, opcode);
        else if (opcode >= RT_OP_MEMORY_INIT)
            compile_bulk(c, opcode);
        else
            c->target->numeric(c, opcode);
    }
}

/* In code that cannot run only the nesting counts. */
static void skip_instruction(struct rt_compiler *c, uint32_t opcode) {
    if (opcode == RT_OP_BLOCK || opcode == RT_OP_LOOP || opcode == RT_OP_IF)
        c->dead_depth++;
    else if (opcode == RT_OP_ELSE && !c->dead_depth)
        rt_compile_revival(c, opcode);
    else if (opcode == RT_OP_END && !c->dead_depth)
        rt_compile_revival(c, opcode);
    else if (opcode == RT_OP_END)
        c->dead_depth--;
    struct rt_error *error = rt_immediate_skip(&c->cursor, (enum rt_immediate)rt_opcodes[opcode].immediate);
    if (error)
        rt_compile_fail(c, error);
}

static uint32_t read_opcode(struct rt_compiler *c) {
    uint32_t opcode = c->cursor.next < c->cursor.end ? *c->cursor.next++ : RT_OP_LIMIT;
    if (opcode < 0xfc)
        return opcode;
    return opcode == 0xfc   ? 0x100 + (uint32_t)rt_read_uleb(&c->cursor)
           : opcode == 0xfd ? 0x200 + (uint32_t)rt_read_uleb(&c->cursor)
                            : RT_OP_LIMIT;
}

static void compile_body(struct rt_compiler *c) {
    while (c->control_count && !c->error) {
        rt_compile_reserve(c, INSTRUCTION_ROOM);
        c->pc = c->body->code + (uint32_t)(c->cursor.next - c->cursor.start);
        c->pc_offset = rt_here(c);
        c->mapped = false;
        if (c->notes && c->reachable)
            rt_note_operands(c, c->height);
        if (is_site(c, c->pc)) {
            if (c->reachable && *c->cursor.next == RT_OP_LOOP)
                c->site_in_loop = true; /* compile_block makes it, behind the label */
            else if (c->reachable)
                rt_compile_site(c);
            skip_sites(c, c->pc + 1);
        }
        uint32_t opcode = read_opcode(c);
        if (opcode >= RT_OP_LIMIT || !rt_opcodes[opcode].text) {
            rt_compile_fail(c, rt_error_format(RT_INVALID, "Wasm pc 0x%x: opcode 0x%x", c->pc, opcode));
            return;
        }
        if (c->reachable)
            compile_instruction(c, opcode);
        else
            skip_instruction(c, opcode);
        if (rt_here(c) != c->pc_offset)
            rt_map_instruction(c);
    }
}

/* ---- Functions ---- */

static bool prepare_function(struct rt_compiler *c, uint32_t index) {
    const struct rt_module *module = c->module;
    c->function = module->imported_functions + index;
    c->body = &module->bodies[index];
    c->type = module->types[module->function_types[c->function]];
    c->cursor = rt_module_code_cursor(module, c->body);
    c->shape = rt_frame_shape_of(module, c->function);
    c->control_count = c->trap_exit_count = c->pool_count = 0;
    c->outgoing = 0;
    c->evicted = 0; /* so that a function's code depends on nothing before it */
    if (c->shape.local_count + (uint64_t)c->body->max_operands > FRAME_SLOT_LIMIT) {
        rt_compile_fail(c, rt_error_format(RT_UNSUPPORTED,
                                           "not supported: function %u needs a frame of more "
                                           "than %u slots",
                                           c->function, FRAME_SLOT_LIMIT));
        return false;
    }
    if (!rt_compile_array(c, &c->local_types, &c->local_capacity, c->shape.local_count,
                          sizeof(*c->local_types)) ||
        !rt_compile_array(c, &c->local_registers, &c->local_register_capacity, c->shape.local_count,
                          sizeof(*c->local_registers)) ||
        !rt_compile_array(c, &c->operands, &c->operand_capacity, c->body->max_operands + (size_t)1,
                          sizeof(*c->operands)) ||
        !rt_compile_array(c, &c->controls, &c->control_capacity, c->body->max_labels + (size_t)1,
                          sizeof(*c->controls)))
        return false;
    if (c->type.param_count)
        memcpy(c->local_types, c->type.params, c->type.param_count);
    if (c->shape.local_count)
        memset(c->local_registers, 0, c->shape.local_count);
    uint32_t local = c->type.param_count;
    for (uint32_t i = 0; i < c->body->run_count; i++) {
        const struct rt_local_run *run = &c->body->runs[i];
        if (run->count) /* without locals there is no array */
            memset(c->local_types + local, (int)run->type, run->count);
        local += run->count;
    }
    return true;
}

static void compile_function(struct rt_compiler *c, uint32_t index) {
    if (!prepare_function(c, index))
        return;
    struct rt_code_function *function = &c->code->functions[index];
    rt_compile_reserve(c, INSTRUCTION_ROOM);
    rt_operands_clear(c);
    skip_sites(c, c->body->start);
    function->start = rt_here(c);
    if (c->notes)
        rt_note_function(c, index);
    rt_map_function(c);
    c->target->begin_function(c);
    function->body = rt_here(c);

    c->reachable = true;
    c->controls[0] = (struct rt_control){.opcode = RT_OP_UNREACHABLE,
                                         .type = c->type,
                                         .label = {.offset = RT_UNBOUND},
                                         .otherwise = {.offset = RT_UNBOUND}};
    c->control_count = 1;
    compile_body(c);

    function->tail = rt_here(c);
    if (c->notes)
        rt_note_end(c);
    if (!c->error)
        c->target->end_function(c);
    function->end = rt_here(c);
}

static void fix_calls(struct rt_compiler *c) {
    for (uint32_t i = 0; i < c->fixup_count; i++)
        c->target->set_field(c->start, c->fixups[i].field, c->code->functions[c->fixups[i].function].start);
}

static void compile_module(struct rt_compiler *c) {
    struct rt_machine_code *code = c->code;
    c->target->begin_code(c);
    for (uint32_t i = 0; i < code->function_count && !c->error; i++)
        compile_function(c, i);
    if (c->error)
        return;
    fix_calls(c);
    rt_compile_fail(c, rt_code_memory_seal(&code->memory, rt_here(c), c->options.private_code));
    if (c->error)
        return;
    for (size_t i = 0; i < code->base.site_count; i++)
        code->base.sites[i].machine += (uintptr_t)code->memory.executable;
    uint8_t *writable = rt_code_memory_begin_write(&code->memory);
    if (writable)
        c->target->end_code(code, writable);
    rt_compile_fail(c, rt_code_memory_end_write(&code->memory));
}

static struct rt_error *open_compiler(struct rt_compiler *c, size_t capacity) {
    if (!rt_instance_layout(c->module, &c->layout))
        return rt_error_format(RT_UNSUPPORTED,
                               "not supported: a module with index spaces of more than 256 MiB");
    c->code = calloc(1, sizeof(*c->code));
    if (!c->code)
        return rt_error_out_of_memory();
    c->code->base = (struct rt_code){.ops = &rt_engine_compiled, .module = c->module};
    c->code->canonical_nans = c->options.canonical_nans;
    c->code->writable_locals = c->options.writable_locals;
    c->code->memory.file = -1;
    struct rt_error *error = rt_code_memory_open(&c->code->memory, capacity);
    if (error)
        return error;
    c->start = c->next = c->code->memory.writable;
    c->limit = c->start + c->code->memory.capacity;
    c->code->function_count = c->module->function_count - c->module->imported_functions;
    c->code->functions = calloc(c->code->function_count + (size_t)1, sizeof(*c->code->functions));
    c->code->cache = calloc(1, sizeof(*c->code->cache));
    return c->code->functions && c->code->cache ? NULL : rt_error_out_of_memory();
}

/* Everything but the code. */
static void close_compiler(struct rt_compiler *c) {
    free(c->local_types);
    free(c->local_registers);
    free(c->operands);
    free(c->controls);
    free(c->trap_exits);
    free(c->fixups);
    free(c->pool);
}

struct rt_error *rt_compile_module(const struct rt_module *module, const struct rt_compile_options *options,
                                   struct rt_code **ret) {
    const struct rt_target *target = rt_target_host();
    if (!target)
        return rt_error_format(RT_UNSUPPORTED, "not supported: machine code for this processor; the "
                                               "interpreter runs on any");
    struct rt_error *error = target->check();
    if (error)
        return error;
    struct rt_compiler c = {.module = module, .target = target, .options = *options};
    c.error = open_compiler(&c, 64 * 1024 + 4 * module->size);
    if (!c.error)
        compile_module(&c);
    if (!c.error)
        c.error = rt_trap_add_code((uintptr_t)c.code->memory.executable,
                                   (uintptr_t)c.code->memory.executable + c.code->memory.size);
    close_compiler(&c);
    if (c.error) {
        rt_machine_code_destroy(c.code);
        return c.error;
    }
    *ret = &c.code->base;
    return NULL;
}

/* ---- Once more ---- */

/* The index of the site at a machine pc; false when there is none. */
static bool find_site(const struct rt_machine_code *code, uintptr_t machine, size_t *ret) {
    size_t low = 0, high = code->base.site_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (code->base.sites[middle].machine < machine)
            low = middle + 1;
        else
            high = middle;
    }
    *ret = low;
    return low < code->base.site_count && code->base.sites[low].machine == machine;
}

/* The Wasm pcs of the sites [first, first + count), to be freed; NULL when memory runs out. */
static uint32_t *copy_pcs(const struct rt_site *sites, size_t count) {
    uint32_t *pcs = malloc((count + 1) * sizeof(*pcs));
    for (size_t i = 0; pcs && i < count; i++)
        pcs[i] = sites[i].pc;
    return pcs;
}

/* What makes the same code as before, but for the sites. */
static struct rt_compiler compiler_for(const struct rt_machine_code *code, const uint32_t *sites,
                                       size_t site_count) {
    return (struct rt_compiler){.module = code->base.module,
                                .target = rt_target_host(),
                                .options = {.sites = sites,
                                            .site_count = site_count,
                                            .canonical_nans = code->canonical_nans,
                                            .writable_locals = code->writable_locals}};
}

/* Compiles a function as it was, with its sites up to the one that is asked about. */
static struct rt_error *compile_again(const struct rt_machine_code *code, uint32_t defined,
                                      const uint32_t *sites, size_t site_count,
                                      struct rt_site_question *question) {
    struct rt_compiler c = compiler_for(code, sites, site_count);
    c.question = question;
    const struct rt_code_function *before = &code->functions[defined];
    c.error = open_compiler(&c, INSTRUCTION_ROOM + (before->end - before->start));
    if (!c.error) {
        c.target->begin_code(&c);
        compile_function(&c, defined);
    }
    if (!c.error)
        question->machine += before->start - c.code->functions[defined].start;
    close_compiler(&c);
    rt_machine_code_destroy(c.code);
    return c.error;
}

struct rt_error *rt_code_cached_register(const struct rt_machine_code *code, uintptr_t machine,
                                         uint32_t local, uint8_t *ret) {
    struct rt_code_position position;
    size_t site;
    *ret = RT_NO_REGISTER;
    if (!find_site(code, machine, &site) || !rt_code_find(code, machine, &position))
        return NULL;
    uint32_t defined = position.function - code->base.module->imported_functions;
    uint32_t start = code->base.module->bodies[defined].start;
    size_t first = site;
    while (first > 0 && code->base.sites[first - 1].pc >= start)
        first--;
    uint32_t *pcs = copy_pcs(&code->base.sites[first], site - first + 1);
    if (!pcs)
        return rt_error_out_of_memory();
    struct rt_site_question question = {
        .pc = code->base.sites[site].pc, .local = local, .reg = RT_NO_REGISTER};
    struct rt_error *error = compile_again(code, defined, pcs, site - first + 1, &question);
    free(pcs);
    if (!error && question.machine != (uint32_t)(machine - (uintptr_t)code->memory.executable))
        error = rt_error_format(RT_INVALID,
                                "function %u compiled once more: the site at Wasm pc 0x%x is elsewhere",
                                position.function, question.pc);
    *ret = question.reg;
    return error;
}

/* Compiles all functions into memory that is given back. */
static void compile_with_notes(struct rt_compiler *c, const struct rt_machine_code *code) {
    c->target->begin_code(c);
    for (uint32_t i = 0; i < code->function_count && !c->error; i++)
        compile_function(c, i);
    if (c->error)
        return;
    const struct rt_notes *notes = c->notes;
    notes->functions[code->function_count] = (struct rt_noted_function){
        notes->entry_count, notes->operand_count, notes->return_count, notes->call_count};
    if (memcmp(c->code->functions, code->functions, code->function_count * sizeof(*code->functions)) != 0)
        rt_compile_fail(c, rt_error_format(RT_INVALID, "the module compiled once more is other code"));
}

struct rt_error *rt_compile_notes(const struct rt_machine_code *code, struct rt_notes *ret) {
    *ret = (struct rt_notes){0};
    uint32_t *pcs = copy_pcs(code->base.sites, code->base.site_count);
    ret->functions = calloc(code->function_count + (size_t)1, sizeof(*ret->functions));
    if (!pcs || !ret->functions) {
        free(pcs);
        return rt_error_out_of_memory();
    }
    struct rt_compiler c = compiler_for(code, pcs, code->base.site_count);
    c.notes = ret;
    c.error = open_compiler(&c, code->memory.size);
    if (!c.error)
        compile_with_notes(&c, code);
    close_compiler(&c);
    rt_machine_code_destroy(c.code);
    free(pcs);
    return c.error;
}
