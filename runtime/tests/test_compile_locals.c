/* Locals whose values are in registers beside the frame: straight-line code of random statements over many
 * locals beside a model of the same statements in C, with sites, and with stops at them where a debugger
 * changes a local under the code's feet. */
#include "runtime/tests/builder.h"
#include "runtime/tests/stub.h"

enum { INTEGERS = 20, FLOATS = 4, LOCALS = INTEGERS + FLOATS, STATEMENTS = 120, PROGRAMS = 150 };
#define MEMORY_MASK 0xfff8u

/* The statements' meaning in C. */
struct model {
    uint32_t integers[INTEGERS];
    double floats[FLOATS];
    uint8_t memory[65536 + 8];
    uint32_t touched; /* locals that the statement names */
};

/* What a debugger changes: one local, at the stop of this number since the statement's start. */
static struct change {
    uint32_t offset; /* of the statement's first instruction */
    uint32_t stop, local, value;
} changes[STATEMENTS];
static uint32_t change_count;
enum { CHANGE_STOPS = 3 }; /* no statement has fewer instructions that always run */

static uint32_t state_of_random;
static uint32_t pick(uint32_t count) {
    state_of_random = state_of_random * 1664525 + 1013904223;
    return (state_of_random >> 8) % count;
}

/* As guest memory has it. */
static void store(uint8_t *to, uint64_t bits, unsigned size) {
    for (unsigned i = 0; i < size; i++)
        to[i] = (uint8_t)(bits >> 8 * i);
}

static uint32_t callee(uint32_t value) {
    return value * 3 + 7;
}

static void put_get(struct bytes *code, uint32_t local) {
    PUT(code, RT_OP_LOCAL_GET, (uint8_t)local);
}
static void put_set(struct bytes *code, uint32_t local) {
    PUT(code, RT_OP_LOCAL_SET, (uint8_t)local);
}

/* A statement that keeps to integers. */
static void put_integer_statement(struct bytes *code, struct model *m, uint32_t kind) {
    uint32_t a = pick(INTEGERS), b = pick(INTEGERS), to = pick(INTEGERS), other = pick(INTEGERS);
    uint32_t constant = pick(1000), kept;
    uint32_t *v = m->integers;
    m->touched = 1u << a | 1u << b | 1u << to | 1u << other | 1u << (a + 1) % INTEGERS;
    switch (kind) {
    case 0: /* to = a + b */
        put_get(code, a), put_get(code, b);
        PUT(code, RT_OP_I32_ADD);
        put_set(code, to);
        v[to] = v[a] + v[b];
        break;
    case 1: /* other = (to = a - constant) ^ to */
        put_get(code, a);
        put_constant(code, RT_I32, constant);
        PUT(code, RT_OP_I32_SUB, RT_OP_LOCAL_TEE, (uint8_t)to);
        put_get(code, to);
        put_get(code, b);
        PUT(code, RT_OP_I32_MUL, RT_OP_I32_XOR);
        put_set(code, other);
        v[to] = v[a] - constant;
        v[other] = v[to] ^ (v[to] * v[b]);
        break;
    case 2: /* to = a << b, which wants a certain register */
        put_get(code, a), put_get(code, b);
        PUT(code, RT_OP_I32_SHL);
        put_set(code, to);
        v[to] = v[a] << (v[b] & 31);
        break;
    case 3: /* a's old value stays on the stack while a changes */
        put_get(code, a), put_get(code, a);
        put_constant(code, RT_I32, constant);
        PUT(code, RT_OP_I32_MUL, RT_OP_LOCAL_SET, (uint8_t)a);
        put_get(code, a);
        PUT(code, RT_OP_I32_SUB);
        put_set(code, to);
        kept = v[a];
        v[a] = kept * constant;
        v[to] = kept - v[a];
        break;
    case 4: /* if (a & 1) b = to + 1: paths meet */
        put_get(code, a);
        PUT(code, RT_OP_I32_CONST, 1, RT_OP_I32_AND, RT_OP_IF, 0x40);
        put_get(code, to);
        PUT(code, RT_OP_I32_CONST, 1, RT_OP_I32_ADD);
        put_set(code, b);
        PUT(code, RT_OP_END);
        if (v[a] & 1)
            v[b] = v[to] + 1;
        break;
    case 5: /* to = callee(a), which uses registers of its own */
        put_get(code, a);
        PUT(code, RT_OP_CALL, 0);
        put_set(code, to);
        v[to] = callee(v[a]);
        break;
    case 6: /* to = a / (b | 1), which wants two certain registers */
        put_get(code, a), put_get(code, b);
        PUT(code, RT_OP_I32_CONST, 1, RT_OP_I32_OR, RT_OP_I32_DIV_U);
        put_set(code, to);
        v[to] = v[a] / (v[b] | 1);
        break;
    default:         /* a = (a & 7) + 1; do { to += b } while (--a & 7) */
        if (a == to) /* it would not end */
            a = (a + 1) % INTEGERS;
        put_get(code, a);
        PUT(code, RT_OP_I32_CONST, 7, RT_OP_I32_AND, RT_OP_I32_CONST, 1, RT_OP_I32_ADD);
        put_set(code, a);
        PUT(code, RT_OP_LOOP, 0x40);
        put_get(code, to), put_get(code, b);
        PUT(code, RT_OP_I32_ADD);
        put_set(code, to);
        put_get(code, a);
        PUT(code, RT_OP_I32_CONST, 1, RT_OP_I32_SUB, RT_OP_LOCAL_TEE, (uint8_t)a, RT_OP_I32_CONST, 7,
            RT_OP_I32_AND, RT_OP_BR_IF, 0, RT_OP_END);
        v[a] = (v[a] & 7) + 1;
        do {
            v[to] += v[b];
            v[a]--;
        } while (v[a] & 7);
    }
}

/* A statement with memory or floats. */
static void put_memory_statement(struct bytes *code, struct model *m, bool is_float) {
    uint32_t a = pick(INTEGERS), base = pick(INTEGERS), to = pick(INTEGERS);
    uint32_t from = pick(FLOATS), with = pick(FLOATS), sum = pick(FLOATS);
    uint32_t *v = m->integers;
    uint64_t bits;
    if (to == base) /* which is still needed */
        to = (to + 1) % INTEGERS;
    m->touched = 1u << a | 1u << base | 1u << to | ~0u << INTEGERS;
    put_get(code, base);
    put_constant(code, RT_I32, MEMORY_MASK);
    PUT(code, RT_OP_I32_AND);
    put_set(code, base);
    v[base] &= MEMORY_MASK;
    if (is_float) { /* sum = from + with; memory[base] = sum */
        put_get(code, INTEGERS + from), put_get(code, INTEGERS + with);
        PUT(code, RT_OP_F64_ADD);
        put_set(code, INTEGERS + sum);
        m->floats[sum] = m->floats[from] + m->floats[with];
        put_get(code, base), put_get(code, INTEGERS + sum);
        PUT(code, RT_OP_F64_STORE, 0, 0);
        memcpy(&bits, &m->floats[sum], sizeof bits);
        store(m->memory + v[base], bits, 8);
    } else {
        put_get(code, base), put_get(code, a);
        PUT(code, RT_OP_I32_STORE, 0, 0);
        store(m->memory + v[base], v[a], 4);
    }
    put_get(code, base);
    PUT(code, RT_OP_I32_LOAD, 0, 4);
    put_set(code, to);
    v[to] = 0;
    for (unsigned i = 0; i < 4; i++)
        v[to] |= (uint32_t)m->memory[v[base] + 4 + i] << 8 * i;
    put_get(code, base);
    PUT(code, RT_OP_I32_LOAD8_U, 0, 0);
    put_set(code, a);
    v[a] = m->memory[v[base]];
}

static void change_model(struct model *m, const struct change *change) {
    if (change->local < INTEGERS)
        m->integers[change->local] = change->value;
    else
        m->floats[change->local - INTEGERS] = change->value;
}

/* Builds a program, and runs it in the model; returns what it returns. */
static uint32_t build(struct builder *builder, struct model *m, bool with_changes) {
    struct bytes code = {0};
    uint32_t result = 0;
    BUILD_FUNCTION(builder, NULL, "i:i", "", RT_OP_LOCAL_GET, 0, RT_OP_I32_CONST, 3, RT_OP_I32_MUL,
                   RT_OP_I32_CONST, 7, RT_OP_I32_ADD);
    build_memory(builder, 2, 2);
    for (uint32_t i = 0; i < FLOATS; i++) {
        PUT(&code, RT_OP_LOCAL_GET, (uint8_t)i, RT_OP_F64_CONVERT_I32_U);
        put_set(&code, INTEGERS + i);
        m->floats[i] = m->integers[i];
    }
    change_count = 0;
    for (int i = 0; i < STATEMENTS; i++) {
        struct change change = {(uint32_t)code.size, pick(CHANGE_STOPS), pick(LOCALS), pick(1u << 24)};
        bool is_change = with_changes && pick(4) == 0;
        if (is_change && !change.stop)
            change_model(m, &change);
        uint32_t kind = pick(10);
        if (kind < 8)
            put_integer_statement(&code, m, kind);
        else
            put_memory_statement(&code, m, kind == 9);
        if (is_change && change.stop) { /* the statement has run in the model: another local could have too */
            is_change = !(m->touched >> change.local & 1);
            if (is_change)
                change_model(m, &change);
        }
        if (is_change)
            changes[change_count++] = change;
    }
    put_constant(&code, RT_I32, 0);
    for (uint32_t i = 0; i < INTEGERS; i++) {
        PUT(&code, RT_OP_I32_CONST, 31, RT_OP_I32_MUL);
        put_get(&code, i);
        PUT(&code, RT_OP_I32_ADD);
        result = result * 31 + m->integers[i];
    }
    build_function(builder, "f", "iiii:i", "iiiiiiiiiiiiiiiiFFFF", &code);
    return result;
}

/* ---- Stops ---- */

static struct {
    const struct running *running;
    uint32_t next;   /* change */
    uint32_t passed; /* stops since its statement began */
    bool began;
} debugger;

static void debug(struct rt_registers *registers) {
    struct rt_activation activation;
    uint32_t start, code, end;
    assert_true(rt_activation_first(debugger.running->store, registers, &activation));
    if (activation.function != 1 || debugger.next == change_count)
        return;
    assert_true(rt_module_function_range(debugger.running->module, 1, &start, &code, &end));
    const struct change *change = &changes[debugger.next];
    if (activation.pc == code + change->offset) {
        debugger.began = true;
        debugger.passed = 0;
    }
    if (!debugger.began || debugger.passed++ < change->stop)
        return;
    bool is_integer = change->local < INTEGERS;
    union rt_value value =
        is_integer ? (union rt_value){.i32 = change->value} : (union rt_value){.f64 = change->value};
    expect_good(rt_activation_set_local(&activation, change->local, value));
    debugger.next++;
    debugger.began = false;
}

static void probe(void *user, const struct rt_code *code, uintptr_t machine) {
    (void)user, (void)code, (void)machine;
    debug(NULL);
}

static const struct rt_hooks hooks = {.probe = probe, .probe_stub = PROBE_STUB};

static void enable_all(const struct running *running) {
    size_t count;
    (void)rt_code_sites(running->code, &count);
    for (uint32_t i = 0; i < count; i++)
        expect_good(rt_code_set_probes(running->code, &i, 1, true));
}

enum mode { NO_SITES, SITES, CHANGES, MODES };

static void test_random(void **state) {
    (void)state;
    for (uint32_t run = 0; run < MODES * PROGRAMS; run++) {
        uint32_t seed = run / MODES, mode = run % MODES;
        const struct rt_compile_options sites = {.every_instruction = true, .canonical_nans = seed % 2};
        struct model *m = calloc(1, sizeof *m);
        struct builder builder = {0};
        assert_non_null(m);
        state_of_random = seed;
        for (uint32_t i = 0; i < 4; i++)
            m->integers[i] = seed * 77 + i * 1234567;
        const uint32_t args[4] = {m->integers[0], m->integers[1], m->integers[2], m->integers[3]};
        uint32_t expected = build(&builder, m, mode == CHANGES);
        struct running running = run_with(&builder, mode == NO_SITES ? NULL : &sites, NULL, 0, NULL);
        memset(&debugger, 0, sizeof(debugger));
        debugger.running = &running;
        at_site = debug;
        if (mode == CHANGES) {
            rt_store_set_hooks(running.store, &hooks);
            enable_all(&running);
        }
        uint32_t got = (uint32_t)call(&running, "f", args[0], args[1], args[2], args[3]);
        if (got != expected)
            fail_msg("program %u, mode %u: %x, expected %x", seed, mode, got, expected);
        assert_int_equal(debugger.next, change_count);
        stop(&running);
        free(m);
    }
}

/* Every number of declared locals starts as zeros, in stores or by the string instruction. */
static void test_zeros(void **state) {
    (void)state;
    for (uint32_t count = 1; count < 140; count++) {
        char locals[141] = {0};
        struct builder builder = {0};
        struct bytes code = {0}, dirty = {0};
        memset(locals, 'I', count);
        /* What a call before left on the stack must not be seen. */
        for (uint32_t i = 0; i < count; i++) {
            put_constant(&dirty, RT_I64, 0x0123456789abcdef + i);
            PUT(&dirty, RT_OP_LOCAL_SET);
            put_uleb(&dirty, 1 + i);
        }
        put_constant(&dirty, RT_I64, 0);
        put_get(&code, 0);
        for (uint32_t i = 0; i < count; i++) {
            PUT(&code, RT_OP_LOCAL_GET);
            put_uleb(&code, 1 + i);
            PUT(&code, RT_OP_I64_OR);
        }
        build_function(&builder, "dirty", "I:I", locals, &dirty);
        build_function(&builder, "clean", "I:I", locals, &code);
        struct running running = run(&builder);
        call(&running, "dirty", 1, 0, 0, 0);
        assert_int_equal(call(&running, "clean", 0x10, 0, 0, 0), 0x10);
        stop(&running);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_zeros),
    };
    return RUN_ON_BOTH_ENGINES(tests);
}
