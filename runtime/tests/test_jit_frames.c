/* Unwinding compiled code: guests are single-stepped, and at each instruction of theirs the unwinder of the C
 * library's compiler, which knows the call-frame information alone, must find what really happened. */
#include "runtime/tests/builder.h"

#include "runtime/jit/jit.h"

#ifdef __x86_64__
#include <unwind.h>

#include "runtime/tests/single_step.h"

#define GET(n)   RT_OP_LOCAL_GET, n
#define CONST(n) RT_OP_I32_CONST, n

void __register_frame(const void *frames);
void __deregister_frame(const void *frames);
extern const char rt_x86_64_enter[], rt_x86_64_unwind[], rt_x86_64_host_call[], rt_x86_64_builtin_call[];

enum { DEPTH = 256, MODULES = 2 };

/* ---- What really happened ---- */

/* Each call, by where its return address lies. */
static struct {
    uintptr_t slot, address;
} calls[DEPTH];
static size_t call_count;

static struct running *guests[MODULES];
static struct rt_code_map *maps[MODULES];
static size_t guest_count;
static size_t steps, compared, distinct;
static uint8_t *seen[MODULES]; /* by machine offset */

static bool is_guest(uintptr_t pc) {
    for (size_t i = 0; i < guest_count; i++) {
        uintptr_t low, high;
        rt_code_range(guests[i]->code, &low, &high);
        if (low <= pc && pc < high)
            return true;
    }
    return false;
}

static const struct rt_code_map_function *function_at(uintptr_t pc) {
    for (size_t i = 0; i < guest_count; i++) {
        size_t count;
        const struct rt_code_map_function *functions = rt_code_map_functions(maps[i], &count);
        for (size_t j = 0; j < count; j++) {
            if (functions[j].range.low <= pc && pc < functions[j].range.high)
                return &functions[j];
        }
    }
    return NULL;
}

/* The routine is the first in its file, and the next one follows it. */
static bool is_enter(uintptr_t pc) {
    return (uintptr_t)rt_x86_64_enter <= pc && pc < (uintptr_t)rt_x86_64_unwind;
}

static bool is_unwind(uintptr_t pc) {
    return (uintptr_t)rt_x86_64_unwind <= pc && pc < (uintptr_t)rt_x86_64_host_call;
}

static bool is_thunk(uintptr_t pc) {
    return (uintptr_t)rt_x86_64_host_call <= pc && pc < (uintptr_t)rt_x86_64_builtin_call + 48;
}

static bool is_entry(uintptr_t pc) {
    const struct rt_code_map_function *function = function_at(pc);
    bool is_probe_thunk = is_guest(pc) && !function;
    return is_probe_thunk || (function && function->range.low == pc) || pc == (uintptr_t)rt_x86_64_enter ||
           pc == (uintptr_t)rt_x86_64_host_call || pc == (uintptr_t)rt_x86_64_builtin_call;
}

static void note_call(uintptr_t pc, uintptr_t stack) {
    while (call_count && calls[call_count - 1].slot < stack)
        call_count--;
    if (is_entry(pc) && (!call_count || calls[call_count - 1].slot != stack)) {
        assert_true(call_count < DEPTH);
        calls[call_count].slot = stack;
        calls[call_count++].address = *(const uintptr_t *)stack;
    }
}

/* ---- What the unwinder finds ---- */

/* Calls `callee` with known values in the registers that a call keeps. */
void drive_with(struct running *running, const char *name, uint64_t argument,
                void (*callee)(struct running *running, const char *name, uint64_t argument),
                const uint64_t values[5]);
__asm__(".text\n"
        ".type drive_with, @function\n"
        "drive_with:\n"
        "    .cfi_startproc\n"
        "    push %rbp\n"
        "    .cfi_def_cfa_offset 16\n"
        "    .cfi_offset %rbp, -16\n"
        "    mov %rsp, %rbp\n"
        "    .cfi_def_cfa_register %rbp\n"
        "    push %rbx; push %r12; push %r13; push %r14; push %r15\n"
        "    .cfi_offset %rbx, -24\n"
        "    .cfi_offset %r12, -32\n"
        "    .cfi_offset %r13, -40\n"
        "    .cfi_offset %r14, -48\n"
        "    .cfi_offset %r15, -56\n"
        "    sub $8, %rsp\n"
        "    mov (%r8), %rbx; mov 8(%r8), %r12; mov 16(%r8), %r13; mov 24(%r8), %r14; mov 32(%r8), %r15\n"
        "    call *%rcx\n"
        "    add $8, %rsp\n"
        "    pop %r15; pop %r14; pop %r13; pop %r12; pop %rbx; pop %rbp\n"
        "    .cfi_def_cfa %rsp, 8\n"
        "    ret\n"
        "    .cfi_endproc\n"
        ".size drive_with, . - drive_with\n");

static const uint64_t kept[5] = {0x1111111111111111, 0x2222222222222222, 0x3333333333333333,
                                 0x4444444444444444, 0x5555555555555555};
static const int kept_registers[5] = {3, 12, 13, 14, 15}; /* rbx and r12 to r15, as DWARF counts them */

struct found {
    uintptr_t pc; /* where it was interrupted */
    bool is_below, is_outside;
    uintptr_t addresses[DEPTH];
    size_t count;
};

static _Unwind_Reason_Code on_frame(struct _Unwind_Context *context, void *user) {
    struct found *found = user;
    int is_exact;
    uintptr_t address = _Unwind_GetIPInfo(context, &is_exact);
    if (!found->is_below) {
        found->is_below = is_exact && address == found->pc;
        return _URC_NO_REASON;
    }
    if (is_guest(address) || is_enter(address)) {
        assert_true(found->count < DEPTH);
        found->addresses[found->count++] = address;
    }
    if (_Unwind_FindEnclosingFunction((void *)(address - 1)) == (void *)(uintptr_t)drive_with) {
        for (size_t i = 0; i < sizeof(kept) / sizeof(*kept); i++)
            assert_int_equal(_Unwind_GetGR(context, kept_registers[i]), kept[i]);
        found->is_outside = true;
    }
    return _URC_NO_REASON;
}

/* The engine's own walk, where frames are complete, by frame pointers. */
static void compare_activations(const ucontext_t *context, const struct found *found) {
    struct rt_registers registers = {.pc = found->pc};
    general_registers(context, registers.general);
    struct rt_activation activation;
    assert_true(rt_activation_first(guests[0]->store, &registers, &activation));
    assert_int_equal(activation.machine, found->pc);
    for (size_t i = 0; i < found->count; i++) {
        if (!is_guest(found->addresses[i]))
            continue;
        assert_true(rt_activation_caller(&activation, &activation));
        assert_int_equal(activation.machine, found->addresses[i]);
    }
    assert_false(rt_activation_caller(&activation, &activation));
    compared++;
}

static void look(const ucontext_t *context) {
    const greg_t *general = context->uc_mcontext.gregs;
    struct found found = {.pc = (uintptr_t)general[REG_RIP]};
    const struct rt_code_map_function *function = function_at(found.pc);
    note_call(found.pc, (uintptr_t)general[REG_RSP]);
    steps++;
    assert_int_equal(_Unwind_Backtrace(on_frame, &found), _URC_END_OF_STACK);
    assert_true(found.is_below && found.is_outside);
    if (is_unwind(found.pc)) /* the frames that it gives up may be gone or not */
        return;
    size_t at = 0;
    for (size_t i = call_count; i-- > 0;) {
        if (is_guest(calls[i].address) || is_enter(calls[i].address)) {
            assert_true(at < found.count);
            assert_int_equal(found.addresses[at++], calls[i].address);
        }
    }
    assert_int_equal(at, found.count);
    bool is_left = *(const uint8_t *)found.pc == 0xc3; /* ret */
    if (function && found.pc >= function->range.low + 6 && !is_left)
        compare_activations(context, &found);
}

static void on_step(ucontext_t *context) {
    uintptr_t pc = (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
    for (size_t i = 0; i < guest_count; i++) {
        uintptr_t low, high;
        rt_code_range(guests[i]->code, &low, &high);
        if (low <= pc && pc < high && !seen[i][pc - low]) {
            seen[i][pc - low] = 1;
            distinct++;
        }
    }
    if (is_guest(pc) || is_enter(pc) || is_unwind(pc) || is_thunk(pc))
        look(context);
}

/* ---- Driving ---- */

static struct rt_error *outcome;

static void call_it(struct running *running, const char *name, uint64_t argument) {
    union rt_value results[16];
    outcome = step_call(exported(running, name), (const uint64_t[4]){argument}, results);
}

static void drive(struct running *running, const char *name, uint64_t argument) {
    drive_with(running, name, argument, call_it, kept);
}

static void begin(struct running *a, struct running *b) {
    guests[0] = a;
    guests[1] = b;
    guest_count = b ? 2 : 1;
    steps = compared = distinct = call_count = 0;
    for (size_t i = 0; i < guest_count; i++) {
        uintptr_t low, high;
        size_t size;
        expect_good(rt_code_map_create(guests[i]->code, &maps[i]));
        rt_code_range(guests[i]->code, &low, &high);
        seen[i] = calloc(1, high - low);
        __register_frame(rt_code_map_frames(maps[i], &size));
    }
    step_begin(on_step);
}

static void end(void) {
    step_end();
    for (size_t i = 0; i < guest_count; i++) {
        size_t size;
        __deregister_frame(rt_code_map_frames(maps[i], &size));
        rt_code_map_destroy(maps[i]);
        free(seen[i]);
    }
}

/* ---- Guests ---- */

/* Calls the guest again: host, guest, host, guest. */
static struct rt_error *again(void *user, struct rt_caller *caller, const union rt_value *args,
                              union rt_value *results) {
    (void)caller;
    struct running *running = user;
    return call_with(exported(running, "leaf"), (const uint64_t[4]){args[0].i32}, results);
}

static const uint8_t i32_type[] = {RT_I32};

static void test_host_and_guest(void **state) {
    (void)state;
    struct builder builder = {0};
    struct running running;
    build_import(&builder, "again", "i:i");
    build_memory(&builder, 1, 4);
    build_table(&builder, 'r', 4, 4);
    /* 1: a leaf with two returns and a trap */
    BUILD_FUNCTION(&builder, "leaf", "i:i", "", GET(0), CONST(3), RT_OP_I32_EQ, RT_OP_IF, 0x40, CONST(7),
                   RT_OP_RETURN, RT_OP_END, CONST(100), GET(0), RT_OP_I32_DIV_U);
    /* 2: several results, over its parameter */
    BUILD_FUNCTION(&builder, NULL, "i:ii", "I", GET(0), GET(0), CONST(1), RT_OP_I32_ADD);
    /* 3: vectors, and a direct and an indirect call */
    BUILD_FUNCTION(&builder, NULL, "i:i", "vv", GET(0), RT_OP_CALL, 2, RT_OP_I32_ADD, CONST(1),
                   RT_OP_CALL_INDIRECT, build_type(&builder, "i:i"), 0);
    /* 4: many locals, a builtin, and the host that comes back */
    BUILD_FUNCTION(&builder, "run", "i:i",
                   "IIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIII"
                   "IIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIII",
                   CONST(1), RT_OP_MEMORY_GROW, 0, RT_OP_DROP, GET(0), RT_OP_CALL, 0, GET(0), RT_OP_CALL, 3,
                   RT_OP_I32_ADD);
    build_elements(&builder, 0, (const uint32_t[]){0, 1}, 2);
    struct rt_store *store;
    struct rt_func *func;
    expect_good(rt_store_create(&store));
    expect_good(rt_func_create(store, "again", (struct rt_func_type){1, 1, i32_type, i32_type}, again,
                               &running, &func));
    const struct rt_extern imports[] = {{.kind = RT_EXTERN_FUNC, .func = func}};
    running = run_with(&builder, NULL, imports, 1, store);

    begin(&running, NULL);
    for (uint64_t argument = 0; argument < 5; argument++) {
        drive(&running, "run", argument); /* with 0 the host's call of the guest traps */
        if (argument == 0)
            expect_trap_error(outcome, RT_TRAP_INTEGER_DIVIDE_BY_ZERO, NULL);
        else
            expect_good(outcome);
    }
    assert_true(steps > 1000);
    assert_true(compared > 500);
    assert_true(distinct > 100);
    end();
    stop(&running);
}

static void test_between_instances(void **state) {
    (void)state;
    struct builder builder = {0};
    BUILD_FUNCTION(&builder, "twice", "i:i", "", GET(0), GET(0), RT_OP_I32_ADD);
    struct running callee = run(&builder);
    build_import(&builder, "twice", "i:i");
    BUILD_FUNCTION(&builder, "run", "i:i", "ii", GET(0), CONST(1), RT_OP_I32_ADD, RT_OP_CALL, 0, CONST(2),
                   RT_OP_I32_MUL);
    const struct rt_extern imports[] = {{.kind = RT_EXTERN_FUNC, .func = exported(&callee, "twice")}};
    struct running caller = run_with(&builder, NULL, imports, 1, callee.store);

    begin(&caller, &callee);
    drive(&caller, "run", 20);
    expect_good(outcome);
    assert_true(compared > 20);
    end();
    rt_store_destroy(caller.store);
    rt_code_destroy(caller.code);
    rt_module_destroy(caller.module);
    rt_code_destroy(callee.code);
    rt_module_destroy(callee.module);
}

/* At an enabled site the frame is that of the guest, one call deeper. Private code has probes, too. */
static void check_probe_thunk(bool is_private) {
    struct builder builder = {0};
    BUILD_FUNCTION(&builder, "run", "i:i", "", GET(0), CONST(1), RT_OP_I32_ADD, CONST(2), RT_OP_I32_MUL);
    struct running running = run_with(
        &builder, &(struct rt_compile_options){.every_instruction = true, .private_code = is_private}, NULL,
        0, NULL);
    size_t count;
    rt_code_sites(running.code, &count);
    for (uint32_t i = 0; i < count; i++)
        expect_good(rt_code_set_probes(running.code, &i, 1, true));
    begin(&running, NULL);
    drive(&running, "run", 20); /* the thunk returns at once: there is no stub */
    expect_good(outcome);
    assert_true(compared > 10);
    end();
    stop(&running);
}

static void test_probe_thunk(void **state) {
    (void)state;
    check_probe_thunk(false);
}

static void test_probe_thunk_of_private_code(void **state) {
    (void)state;
    check_probe_thunk(true);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_host_and_guest),
        cmocka_unit_test(test_between_instances),
        cmocka_unit_test(test_probe_thunk),
        cmocka_unit_test(test_probe_thunk_of_private_code),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#else
int main(void) {
    return 0;
}
#endif
