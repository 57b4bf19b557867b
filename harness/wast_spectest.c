/* The module "spectest", as the reference interpreter has it (its README, "Spectest host module"). */
#include "harness/wast.h"

#include <string.h>

static struct rt_error *print(void *user, struct rt_caller *caller, const union rt_value *args,
                              union rt_value *results) {
    (void)user, (void)caller, (void)args, (void)results;
    return NULL;
}

static const struct {
    const char *name;
    uint8_t params[2];
    uint32_t param_count;
} functions[] = {
    {"print", {0}, 0},
    {"print_i32", {RT_I32}, 1},
    {"print_i64", {RT_I64}, 1},
    {"print_f32", {RT_F32}, 1},
    {"print_f64", {RT_F64}, 1},
    {"print_i32_f32", {RT_I32, RT_F32}, 2},
    {"print_f64_f64", {RT_F64, RT_F64}, 2},
};

static const struct {
    const char *name;
    enum rt_type type;
    union rt_value value;
} globals[] = {
    {"global_i32", RT_I32, {.i32 = 666}},
    {"global_i64", RT_I64, {.i64 = 666}},
    {"global_f32", RT_F32, {.f32 = 666.6f}},
    {"global_f64", RT_F64, {.f64 = 666.6}},
};

static struct rt_extern *add(struct hx_wast_spectest *spectest, const char *name, enum rt_extern_kind kind) {
    struct hx_wast_spectest_item *item = &spectest->items[spectest->count++];
    *item = (struct hx_wast_spectest_item){.name = name, .item = {.kind = kind}};
    return &item->item;
}

struct rt_error *hx_wast_spectest_create(struct rt_store *store, struct hx_wast_spectest *ret) {
    struct rt_error *error;

    *ret = (struct hx_wast_spectest){0};
    error = rt_table_create(store, RT_FUNCREF, (struct rt_limits){10, 20},
                            &add(ret, "table", RT_EXTERN_TABLE)->table);
    if (!error)
        error =
            rt_memory_create(store, (struct rt_limits){1, 2}, &add(ret, "memory", RT_EXTERN_MEMORY)->memory);
    for (size_t i = 0; i < sizeof globals / sizeof *globals && !error; i++)
        error = rt_global_create(store, globals[i].type, false, globals[i].value,
                                 &add(ret, globals[i].name, RT_EXTERN_GLOBAL)->global);
    for (size_t i = 0; i < sizeof functions / sizeof *functions && !error; i++) {
        const struct rt_func_type type = {.param_count = functions[i].param_count,
                                          .params = functions[i].params};
        error = rt_func_create(store, functions[i].name, type, print, NULL,
                               &add(ret, functions[i].name, RT_EXTERN_FUNC)->func);
    }
    return error;
}

bool hx_wast_spectest_export(const struct hx_wast_spectest *spectest, const char *name, size_t size,
                             struct rt_extern *ret) {
    for (size_t i = 0; i < spectest->count; i++) {
        const struct hx_wast_spectest_item *item = &spectest->items[i];
        if (strlen(item->name) == size && memcmp(item->name, name, size) == 0) {
            *ret = item->item;
            return true;
        }
    }
    return false;
}
