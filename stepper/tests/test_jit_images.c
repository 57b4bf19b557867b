/* Registered code as a debugger reads it: our own engine's, that of an engine in a native debuggee, and lists
 * that are not what they should be. */
#include "stepper/machine.h"
#include "stepper/tests/session_test.h"

#include <link.h>
#include <pthread.h>

#include "runtime/jit/jit.h"

/* ---- Our own engine's, unwound ---- */

/* "outer" calls "inner", which calls the host. */
static const uint8_t module_bytes[] = {
    0,  'a', 's', 'm',  1,   0,    0,   0,       /* preamble */
    1,  4,   1,   0x60, 0,   0,                  /* type: no parameters */
    2,  7,   1,   1,    'h', 1,    'f', 0,    0, /* import h.f */
    3,  3,   2,   0,    0,                       /* two functions */
    7,  17,  2,   5,    'i', 'n',  'n', 'e',  'r', 0, 1,    5, 'o',  'u', 't', 'e', 'r', 0, 2, /* exports */
    10, 11,  2,   4,    0,   0x10, 0,   0x0b, 4,   0, 0x10, 1, 0x0b,                           /* code */
};

struct registers {
    uint64_t value[17];
    uint32_t known;
};

static bool read_register(void *user, unsigned number, uint64_t *ret) {
    const struct registers *registers = user;
    if (number >= 17 || !(registers->known >> number & 1))
        return false;
    *ret = registers->value[number];
    return true;
}

static const void *read_memory(void *user, uint64_t address, size_t size) {
    (void)user, (void)size;
    return (const void *)(uintptr_t)address;
}

static int find_bias(struct dl_phdr_info *info, size_t size, void *user) {
    (void)size;
    *(uint64_t *)user = info->dlpi_addr;
    return 1; /* the first one is the program */
}

struct walk {
    char names[256]; /* of the guest's functions, innermost first */
    bool came_out;   /* to who called the guest */
};
static uint64_t outside; /* a return address into the test */

/* Walks from these registers by call-frame information alone. */
static void unwind(struct registers *registers, struct walk *walk) {
    struct st_jit_images *images;
    struct st_unwinder *own;
    uint64_t bias, cfa;
    dl_iterate_phdr(find_bias, &bias);
    check(st_jit_images_read(&images));
    check(st_unwinder_create("/proc/self/exe", &own));
    struct st_machine machine = {
        .address_size = 8, .user = registers, .read_register = read_register, .memory = read_memory};
    for (size_t i = 0; i < 64 && !walk->came_out; i++) {
        uint64_t pc = registers->value[16] - (i > 0);
        const struct st_jit_image *image = st_jit_image_at(images, pc);
        struct st_unwinder *unwinder = image ? st_jit_image_unwinder(images, image) : own;
        if (image) {
            assert_null(image->problem);
            const struct st_jit_function *function = st_jit_function_at(image, pc);
            assert_non_null(function);
            strcat(strcat(walk->names, function->name), " ");
        }
        assert_non_null(unwinder);
        machine.bias = image ? 0 : bias;
        const struct st_unwind_row *row = st_unwinder_row(unwinder, pc - machine.bias);
        if (!row || !st_unwind_cfa(row, &machine, &cfa))
            break;
        struct registers caller;
        if (!st_unwind_caller(row, &machine, cfa, caller.value, &caller.known))
            break;
        *registers = caller;
        walk->came_out = caller.value[16] == outside;
    }
    st_unwinder_destroy(own);
    st_jit_images_destroy(images);
}

static struct rt_error *host(void *user, struct rt_caller *caller, const union rt_value *args,
                             union rt_value *results) {
    (void)caller, (void)args, (void)results;
    struct registers registers = {.known = 1u << 3 | 0xfu << 12 | 1u << 6 | 1u << 7 | 1u << 16};
    __asm__ volatile("leaq 0(%%rip), %%rax\n"
                     "movq %%rax, 128(%0)\n"
                     "movq %%rbx, 24(%0)\n"
                     "movq %%rbp, 48(%0)\n"
                     "movq %%rsp, 56(%0)\n"
                     "movq %%r12, 96(%0)\n"
                     "movq %%r13, 104(%0)\n"
                     "movq %%r14, 112(%0)\n"
                     "movq %%r15, 120(%0)\n"
                     :
                     : "r"(registers.value)
                     : "rax", "memory");
    unwind(&registers, user);
    return NULL;
}

/* Where this returns to is what an unwinder must find. */
static __attribute__((noinline)) void call_guest(struct rt_func *func) {
    outside = (uintptr_t)__builtin_return_address(0);
    check(rt_func_call(func, NULL, NULL));
}

struct engine {
    struct rt_module *module;
    struct rt_code *code;
    struct rt_store *store;
    struct rt_instance *instance;
    struct rt_jit_image *image;
};

static struct engine start_engine(rt_host_fn function, void *user) {
    struct engine engine;
    struct rt_code_map *map;
    struct rt_extern import = {.kind = RT_EXTERN_FUNC};
    check(rt_module_create(module_bytes, sizeof module_bytes, &engine.module));
    check(rt_code_create(engine.module, NULL, &engine.code));
    check(rt_store_create(&engine.store));
    check(rt_func_create(engine.store, "f", (struct rt_func_type){0}, function, user, &import.func));
    check(rt_instance_create(engine.store, engine.code, &import, 1, &engine.instance));
    check(rt_code_map_create(engine.code, &map));
    check(rt_jit_register(map, NULL, 0, &engine.image));
    rt_code_map_destroy(map);
    return engine;
}

static void stop_engine(struct engine *engine) {
    rt_store_destroy(engine->store);
    rt_code_destroy(engine->code);
    rt_module_destroy(engine->module);
}

static void test_own_engine(void **state) {
    (void)state;
    struct walk walk = {{0}, false};
    struct engine engine = start_engine(host, &walk);
    struct rt_extern outer;
    assert_true(rt_instance_export(engine.instance, "outer", &outer));
    call_guest(outer.func);
    assert_string_equal(walk.names, "inner outer ");
    assert_true(walk.came_out);
    stop_engine(&engine);
}

static void test_list(void **state) {
    (void)state;
    struct st_jit_images *images;
    size_t count, size;
    struct engine a = start_engine(host, NULL), b = start_engine(host, NULL);
    uintptr_t low, high;
    check(st_jit_images_read(&images));
    const struct st_jit_image *list = st_jit_images_list(images, &count);
    assert_int_equal(count, 2);
    assert_int_equal(list[0].address, (uintptr_t)rt_jit_image_bytes(b.image, &size)); /* the newest first */
    assert_int_equal(list[1].address, (uintptr_t)rt_jit_image_bytes(a.image, &size));
    rt_code_range(a.code, &low, &high);
    assert_ptr_equal(st_jit_image_at(images, low), &list[1]);
    assert_ptr_equal(st_jit_image_at(images, high), NULL);
    assert_int_equal(list[1].function_count, 3); /* the probe thunk, too */
    assert_null(list[1].debug);
    assert_null(st_jit_function_at(&list[1], low));
    uintptr_t inner = rt_code_machine(a.code, 2);
    assert_string_equal(st_jit_function_at(&list[1], inner)->name, "inner");
    st_jit_images_destroy(images);

    rt_jit_unregister(b.image);
    check(st_jit_images_read(&images));
    st_jit_images_list(images, &count);
    assert_int_equal(count, 1);
    st_jit_images_destroy(images);
    stop_engine(&b);
    stop_engine(&a); /* its image goes with its code */
    check(st_jit_images_read(&images));
    st_jit_images_list(images, &count);
    assert_int_equal(count, 0);
    st_jit_images_destroy(images);
}

/* Threads that make code, register it and drop it. */
static void *register_often(void *user) {
    struct engine *engine = user;
    for (int i = 0; i < 200; i++) {
        struct rt_code_map *map;
        struct rt_jit_image *image;
        if (rt_code_map_create(engine->code, &map))
            return "no map";
        if (rt_jit_register(map, NULL, 0, &image))
            return "no image";
        rt_code_map_destroy(map);
        if (i % 2)
            rt_jit_unregister(image);
    }
    return NULL;
}

static void test_threads(void **state) {
    (void)state;
    enum { THREADS = 4 };
    struct engine engines[THREADS];
    pthread_t threads[THREADS];
    struct st_jit_images *images;
    size_t count;
    for (int i = 0; i < THREADS; i++)
        engines[i] = start_engine(host, NULL);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, register_often, &engines[i]), 0);
    for (int i = 0; i < THREADS; i++) {
        void *problem;
        assert_int_equal(pthread_join(threads[i], &problem), 0);
        assert_null(problem);
    }
    check(st_jit_images_read(&images));
    st_jit_images_list(images, &count);
    assert_int_equal(count, THREADS * (1 + 100));
    st_jit_images_destroy(images);
    for (int i = 0; i < THREADS; i++)
        stop_engine(&engines[i]);
    check(st_jit_images_read(&images));
    st_jit_images_list(images, &count);
    assert_int_equal(count, 0);
    st_jit_images_destroy(images);
}

/* ---- DWARF ---- */

/* A unit that has one function, of the code's real address. */
static void test_sections(void **state) {
    (void)state;
    static const uint8_t abbreviations[] = {
        1, 0x11, 1, 0x03, 0x08, 0x11, 0x01, 0x12, 0x06, 0, 0, /* unit */
        2, 0x2e, 0, 0x03, 0x08, 0x11, 0x01, 0x12, 0x06, 0, 0, /* function */
        0};
    struct __attribute__((packed)) {
        uint32_t length;
        uint16_t version;
        uint32_t abbreviations;
        uint8_t address_size, unit;
        char file[4];
        uint64_t low;
        uint32_t size;
        uint8_t function;
        char name[7];
        uint64_t function_low;
        uint32_t function_size;
        uint8_t end;
    } info = {.length = sizeof info - 4,
              .version = 4,
              .address_size = 8,
              .unit = 1,
              .file = "a.c",
              .function = 2,
              .name = "in_c()"};
    struct engine engine = start_engine(host, NULL);
    struct st_jit_images *images;
    struct rt_jit_image *image;
    struct rt_code_map *map;
    check(rt_code_map_create(engine.code, &map));
    const struct rt_code_map_function *inner = rt_code_map_function(map, 1);
    info.low = info.function_low = inner->range.low;
    info.size = info.function_size = (uint32_t)(inner->range.high - inner->range.low);
    const struct rt_jit_section sections[] = {{".debug_abbrev", abbreviations, sizeof abbreviations},
                                              {".debug_info", &info, sizeof info}};
    rt_jit_unregister(engine.image);
    check(rt_jit_register(map, sections, 2, &image));
    rt_code_map_destroy(map);
    check(st_jit_images_read(&images));
    const struct st_jit_image *found = st_jit_image_at(images, info.low);
    assert_non_null(found);
    assert_non_null(found->debug);
    assert_string_equal(st_debug_function_at(found->debug, info.low)->name, "in_c()");
    assert_string_equal(st_jit_function_at(found, info.low)->name, "inner");
    st_jit_images_destroy(images);
    stop_engine(&engine);
}

/* ---- What cannot be trusted ---- */

extern struct rt_jit_descriptor __jit_debug_descriptor;

static void test_bad_lists(void **state) {
    (void)state;
    struct st_jit_images *images;
    size_t count, size;
    struct engine engine = start_engine(host, NULL);
    const uint8_t *good = rt_jit_image_bytes(engine.image, &size);
    struct rt_jit_entry *kept = __jit_debug_descriptor.first;
    struct rt_jit_entry bad[] = {
        {.image = (const void *)8, .size = 100}, /* no memory */
        {.image = good, .size = UINT64_MAX},     /* endless */
        {.image = "not an ELF file at all", .size = 22},
        {.image = good, .size = 40}, /* cut short */
        {.image = good, .size = size},
    };
    enum { COUNT = sizeof bad / sizeof *bad };
    for (size_t i = 0; i < COUNT; i++)
        bad[i].next = i + 1 < COUNT ? &bad[i + 1] : (struct rt_jit_entry *)16; /* which cannot be read */
    __jit_debug_descriptor.first = bad;
    check(st_jit_images_read(&images));
    const struct st_jit_image *list = st_jit_images_list(images, &count);
    assert_int_equal(count, COUNT);
    for (size_t i = 0; i < COUNT; i++)
        assert_int_equal(list[i].problem != NULL, i + 1 < COUNT);
    st_jit_images_destroy(images);
    __jit_debug_descriptor.version = 2;
    check(st_jit_images_read(&images));
    st_jit_images_list(images, &count);
    assert_int_equal(count, 0);
    st_jit_images_destroy(images);
    __jit_debug_descriptor.version = 1;
    __jit_debug_descriptor.first = kept;
    stop_engine(&engine);
}

/* No byte that is other than it was may do harm. */
static void test_damaged_images(void **state) {
    (void)state;
    struct st_jit_images *images;
    size_t size;
    struct engine engine = start_engine(host, NULL);
    const uint8_t *good = rt_jit_image_bytes(engine.image, &size);
    struct rt_jit_entry *kept = __jit_debug_descriptor.first;
    uint8_t *damaged = malloc(size);
    struct rt_jit_entry entry = {.image = damaged, .size = size};
    assert_non_null(damaged);
    __jit_debug_descriptor.first = &entry;
    for (size_t i = 0; i < size; i++) {
        memcpy(damaged, good, size);
        damaged[i] ^= (uint8_t)(1 + i % 255);
        check(st_jit_images_read(&images));
        const struct st_jit_image *image = st_jit_image_at(images, rt_code_machine(engine.code, 2));
        if (image && st_jit_image_unwinder(images, image))
            st_unwinder_row(st_jit_image_unwinder(images, image), rt_code_machine(engine.code, 2));
        st_jit_images_destroy(images);
    }
    free(damaged);
    __jit_debug_descriptor.first = kept;
    stop_engine(&engine);
}

/* ---- An engine in a native debuggee ---- */

static void test_native_debuggee(void **state) {
    (void)state;
    struct st_image *image = open_image("jit");
    struct st_session *session = start(image, NULL, NULL, 0);
    const struct st_function *landed = st_debug_function_named(st_image_debug(image), "landed");
    struct st_probe probe = {.pc = landed->body, .kind = ST_BREAKPOINT};
    check(st_session_set_probes(session, &probe, 1));
    assert_int_equal(next(session).kind, ST_BREAKPOINT);
    const struct st_frame *frames;
    size_t count;
    check(st_session_frames(session, &frames, &count));
    assert_int_equal(count, 3);
    assert_string_equal(frames[0].function->name, "landed");
    assert_null(frames[1].function);
    assert_string_equal(frames[2].function->name, "main");

    struct st_jit_images *images;
    check(st_jit_images_read(&images));
    size_t images_count;
    const struct st_jit_image *list = st_jit_images_list(images, &images_count);
    assert_int_equal(images_count, 1);
    assert_string_equal(list->functions[0].name, "jitted");
    assert_int_equal(list->functions[0].low, list->code[0].low);
    st_jit_images_destroy(images);
    assert_int_equal(next(session).kind, ST_EXIT);
    st_session_destroy(session);
    st_image_close(image);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own_engine),     cmocka_unit_test(test_list),
        cmocka_unit_test(test_threads),        cmocka_unit_test(test_bad_lists),
        cmocka_unit_test(test_damaged_images), cmocka_unit_test(test_native_debuggee),
        cmocka_unit_test(test_sections),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
