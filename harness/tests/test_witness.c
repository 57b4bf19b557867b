/* Witnesses by name: which are refused, what they are made of, and what --blame adds. */
#include "harness/witness.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct hx_witnesses witnesses;

static void parse(const char *text) {
    assert_null(hx_witnesses_parse(text, RT_ENGINE_COMPILED, &witnesses));
}

static void refuse(const char *text, const char *why) {
    struct rt_error *error = hx_witnesses_parse(text, RT_ENGINE_COMPILED, &witnesses);

    assert_non_null(error);
    assert_int_equal(error->code, RT_USAGE);
    if (!strstr(error->message, why)) {
        print_error("%s: %s\n", text, error->message);
        fail();
    }
    rt_error_destroy(error);
}

static void test_names(void **state) {
    (void)state;
    parse("native,wasm:interp,jit,native:gcc,wasm:clang-14");
    assert_int_equal(witnesses.count, 5);
    assert_int_equal(witnesses.first_count, 5);
    assert_string_equal(witnesses.items[1].name, "wasm:interp");
    assert_int_equal(witnesses.items[1].engine, RT_ENGINE_INTERP);
    assert_null(witnesses.items[1].variant);
    assert_int_equal(witnesses.items[2].kind, HX_WITNESS_JIT);
    assert_string_equal(witnesses.items[3].variant, "gcc");
    assert_int_equal(witnesses.items[4].kind, HX_WITNESS_WASM);
    assert_string_equal(witnesses.items[4].variant, "clang-14");
    hx_witnesses_clear(&witnesses);
}

static void test_refused(void **state) {
    (void)state;
    refuse("wasm", "a comparison needs two");
    refuse("native,wasm,jit,wasm:interp,native:gcc,native:clang-14", "more than 5");
    refuse("native,wasm,native", "native is there twice");
    refuse("native,wsm", "'wsm' is none");
    refuse("native,", "'' is none");
    refuse("native,wasm:", "'wasm:' is none");
}

/* Of a pair that was built elsewhere: there is no compiler, and no other one can be asked. */
static void test_without_tools(void **state) {
    (void)state;
    parse("wasm,jit,native");
    assert_null(hx_witnesses_find(&witnesses, NULL, NULL));
    assert_string_equal(witnesses.items[0].artifact, HX_WASM);
    assert_string_equal(witnesses.items[2].artifact, HX_NATIVE);
    assert_true(hx_witness_share(&witnesses.items[0], &witnesses.items[1]));
    assert_false(hx_witness_share(&witnesses.items[0], &witnesses.items[2]));
    /* The two views of a module share all but how they are looked at. */
    assert_string_equal(witnesses.items[0].parts[0].name, witnesses.items[1].parts[0].name);
    assert_string_equal(witnesses.items[0].parts[0].blame, "wasm");
    assert_string_equal(witnesses.items[1].parts[witnesses.items[1].part_count - 1].blame, "jit");
    hx_witnesses_clear(&witnesses);
    parse("native,native:gcc");
    struct rt_error *error = hx_witnesses_find(&witnesses, NULL, NULL);
    assert_non_null(error);
    assert_non_null(strstr(error->message, "no source to compile"));
    rt_error_destroy(error);
    hx_witnesses_clear(&witnesses);
}

static void test_extended(void **state) {
    (void)state;
    parse("native,wasm");
    assert_null(hx_witnesses_extend(&witnesses, NULL, RT_ENGINE_COMPILED));
    assert_int_equal(witnesses.first_count, 2);
    assert_int_equal(witnesses.count, 4);
    assert_string_equal(witnesses.items[2].name, "wasm:interp");
    assert_string_equal(witnesses.items[3].name, "jit");
    hx_witnesses_clear(&witnesses);
    parse("jit,wasm:interp");
    assert_null(hx_witnesses_extend(&witnesses, NULL, RT_ENGINE_COMPILED));
    assert_int_equal(witnesses.count, 2);
    hx_witnesses_clear(&witnesses);
}

/* Another compiler makes files in a folder of its own, and its DWARF is another part. */
static void test_another_compiler(void **state) {
    const struct hx_tools_choice choice = {.cc = HX_DEFAULT_CC, .optimisation = "-O0"};
    struct hx_tools tools;
    struct hx_temp temp;

    (void)state;
    unsetenv("WASI_SDK_PATH");
    assert_null(hx_temp_create(&temp));
    assert_null(hx_tools_find(&choice, &temp, &tools));
    parse("native,native:gcc,wasm,wasm:clang-14,jit:clang-14");
    assert_null(hx_witnesses_find(&witnesses, &tools, &temp));
    assert_null(witnesses.items[0].folder);
    assert_non_null(witnesses.items[1].folder);
    assert_true(hx_compiler_is_gcc(witnesses.items[1].compiler));
    assert_string_equal(witnesses.items[1].parts[0].blame, "native:gcc");
    assert_string_equal(witnesses.items[3].parts[0].blame, "wasm:clang-14");
    assert_string_equal(witnesses.items[3].parts[1].name, witnesses.items[2].parts[1].name);
    assert_false(hx_witness_share(&witnesses.items[2], &witnesses.items[3]));
    assert_true(hx_witness_share(&witnesses.items[3], &witnesses.items[4]));
    assert_int_equal(witnesses.variant_count, 2);
    hx_witnesses_clear(&witnesses);
    hx_tools_clear(&tools);
    hx_temp_remove(&temp);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_without_tools),
        cmocka_unit_test(test_extended),
        cmocka_unit_test(test_another_compiler),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
