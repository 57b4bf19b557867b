/* Decoding and validating any bytes gives a module or an error, and doing it twice gives the same one.
 *
 * Covers: runtime/decode.c runtime/decode_code.c runtime/decode_imports.c runtime/decode_segments.c
 * runtime/validate.c runtime/validate_stacks.c runtime/cursor.c runtime/opcodes.c runtime/module.c
 * runtime/module_names.c */
#include "harness/fuzz/fuzz.h"
#include "runtime/runtime.h"

static void require_same_type(struct rt_func_type a, struct rt_func_type b) {
    fuzz_require(a.param_count == b.param_count && a.result_count == b.result_count);
    fuzz_require(!a.param_count || memcmp(a.params, b.params, a.param_count) == 0);
    fuzz_require(!a.result_count || memcmp(a.results, b.results, a.result_count) == 0);
}

static void require_same_functions(const struct rt_module *a, const struct rt_module *b) {
    fuzz_require(rt_module_function_count(a) == rt_module_function_count(b));
    fuzz_require(rt_module_code_offset(a) == rt_module_code_offset(b));
    for (uint32_t i = 0; i < rt_module_function_count(a); i++) {
        require_same_type(rt_module_function_type(a, i), rt_module_function_type(b, i));
        fuzz_require_same_text(rt_module_function_name(a, i), rt_module_function_name(b, i));
        uint32_t locals = rt_module_local_count(a, i);
        fuzz_require(locals == rt_module_local_count(b, i));
        if (locals)
            fuzz_require(rt_module_local_type(a, i, locals - 1) == rt_module_local_type(b, i, locals - 1));
        uint32_t start, code, end, start_b, code_b, end_b, found;
        bool defined = rt_module_function_range(a, i, &start, &code, &end);
        fuzz_require(defined == rt_module_function_range(b, i, &start_b, &code_b, &end_b));
        if (!defined)
            continue;
        fuzz_require(start == start_b && code == code_b && end == end_b && start < code && code < end);
        /* A body holds its own pcs, and no other does. */
        fuzz_require(rt_module_function_at(a, start, &found) && found == i);
        fuzz_require(rt_module_function_at(a, end - 1, &found) && found == i);
    }
}

static void require_same_surface(const struct rt_module *a, const struct rt_module *b) {
    fuzz_require(rt_module_import_count(a) == rt_module_import_count(b));
    for (size_t i = 0; i < rt_module_import_count(a); i++) {
        struct rt_import import = rt_module_import(a, i), other = rt_module_import(b, i);
        fuzz_require(import.kind == other.kind && import.type == other.type &&
                     import.is_mutable == other.is_mutable);
        fuzz_require(import.module_size == other.module_size && import.name_size == other.name_size);
        fuzz_require(memcmp(import.module, other.module, import.module_size + 1) == 0);
        fuzz_require(memcmp(import.name, other.name, import.name_size + 1) == 0);
        require_same_type(import.func, other.func);
    }
    fuzz_require(rt_module_export_count(a) == rt_module_export_count(b));
    for (size_t i = 0; i < rt_module_export_count(a); i++) {
        enum rt_extern_kind kind, kind_b;
        uint32_t item, item_b;
        fuzz_require_same_text(rt_module_export(a, i, &kind, &item),
                               rt_module_export(b, i, &kind_b, &item_b));
        fuzz_require(kind == kind_b && item == item_b);
    }
    const char *name, *name_b;
    const uint8_t *bytes, *bytes_b;
    size_t size, size_b;
    for (size_t i = 0; rt_module_custom_at(a, i, &name, &bytes, &size); i++) {
        fuzz_require(rt_module_custom_at(b, i, &name_b, &bytes_b, &size_b));
        fuzz_require_same_text(name, name_b);
        fuzz_require(size == size_b && memcmp(bytes, bytes_b, size) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct rt_module *a = NULL, *b = NULL;
    struct rt_error *error = rt_module_create(data, size, &a);
    struct rt_error *error_b = rt_module_create(data, size, &b);
    fuzz_require((error == NULL) == (a != NULL) && (error_b == NULL) == (b != NULL));
    fuzz_require((a == NULL) == (b == NULL));
    if (a) {
        require_same_functions(a, b);
        require_same_surface(a, b);
    } else {
        fuzz_require(error->code == error_b->code);
        fuzz_require_same_text(error->message, error_b->message);
    }
    fuzz_require_sound_error(error);
    fuzz_require_sound_error(error_b);
    rt_module_destroy(a);
    rt_module_destroy(b);
    return 0;
}
