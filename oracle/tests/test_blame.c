/* Who is to blame, with made-up reports of pairs. Witnesses are those that the harness has: two compilers'
 * native builds, gcc's, a module in both engines, and its compiled code as native code. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "oracle/oracle.h"

enum { NATIVE, WASM, JIT, INTERP, GCC, OLDER, OLDER_WASM, KINDS };

static const struct or_part native_parts[] = {{"native DWARF of clang-19", "native"},
                                              {"LLVM's x86-64 back end", "native"}};
static const struct or_part older_parts[] = {{"native DWARF of clang-14", "native:clang-14"},
                                             {"LLVM's x86-64 back end", "native"}};
static const struct or_part gcc_parts[] = {{"native DWARF of gcc", "native:gcc"}};
static const struct or_part wasm_parts[] = {{"Wasm DWARF of clang-19", "wasm"},
                                            {"the compiled engine", "engine"},
                                            {"the compiled engine's places", "engine"}};
static const struct or_part interp_parts[] = {{"Wasm DWARF of clang-19", "wasm"},
                                              {"the interpreter", "engine"}};
static const struct or_part jit_parts[] = {
    {"Wasm DWARF of clang-19", "wasm"}, {"the compiled engine", "engine"}, {"the rewritten DWARF", "jit"}};

static const struct or_part older_wasm_parts[] = {{"Wasm DWARF of clang-14", "wasm:clang-14"},
                                                  {"the compiled engine", "engine"}};

static const struct or_account accounts[KINDS] = {
    [NATIVE] = {"native", native_parts, 2, false, false},
    [WASM] = {"wasm", wasm_parts, 3, false, false},
    [JIT] = {"jit", jit_parts, 3, false, true},
    [INTERP] = {"wasm:interp", interp_parts, 2, false, false},
    [GCC] = {"native:gcc", gcc_parts, 1, true, false},
    [OLDER] = {"native:clang-14", older_parts, 2, false, false},
    [OLDER_WASM] = {"wasm:clang-14", older_wasm_parts, 2, false, false},
};

static const struct or_place here[] = {{"f", "a.c", 8, {true, true}, 3}, {"f", "a.c", 9, {true, true}, 3}};

static struct rt_arena arena;
static struct or_account witnesses[OR_MAX_WITNESSES];
static uint32_t witness_count;
static struct or_pair_report pairs[28];
static struct or_finding findings[28][2];
static size_t pair_count, made;
static struct or_finding *result;

/* All pairs of these witnesses came to f:8 and f:9, and found nothing. */
static void witness(int first, int second, int third, int fourth) {
    const int kinds[] = {first, second, third, fourth};

    rt_arena_clear(&arena);
    rt_arena_init(&arena, 0);
    memset(findings, 0, sizeof(findings));
    witness_count = 0;
    pair_count = 0;
    for (int i = 0; i < 4; i++)
        if (kinds[i] >= 0)
            witnesses[witness_count++] = accounts[kinds[i]];
    for (uint32_t a = 0; a < witness_count; a++)
        for (uint32_t b = a + 1; b < witness_count; b++)
            pairs[pair_count++] = (struct or_pair_report){
                .witness = {a, b}, .is_complete = true, .stops = 50, .places = here, .place_count = 2};
}

static struct or_pair_report *pair_of(uint32_t a, uint32_t b) {
    for (size_t p = 0; p < pair_count; p++)
        if (pairs[p].witness[0] == a && pairs[p].witness[1] == b)
            return &pairs[p];
    fail();
    return NULL;
}

/* The pair (a, b) shows a finding at stop 10. */
static struct or_finding *differ(uint32_t a, uint32_t b, enum or_kind kind, const char *variable,
                                 uint32_t line) {
    struct or_pair_report *pair = pair_of(a, b);
    struct or_finding *finding = &findings[pair - pairs][pair->finding_count++];

    *finding = (struct or_finding){
        .kind = kind, .signature = "s", .function = "f", .line = line, .variable = variable, .stop = 10};
    for (int i = 0; i < 2; i++)
        finding->witnesses[i] = (struct or_testimony){
            .name = witnesses[pair->witness[i]].name, .value = "1", .function = "f", .line = line};
    pair->findings = findings[pair - pairs];
    return finding;
}

static void blame(void) {
    assert_null(or_blame(witnesses, witness_count, pairs, pair_count, &arena, &result, &made));
}

/* One finding came of it, with this blame, and the reason has the text. */
static void expect(const char *who, const char *why) {
    blame();
    assert_int_equal(made, 1);
    if (strcmp(result->blame, who) || !strstr(result->blame_reason, why)) {
        print_error("blame %s: %s\nexpected %s: %s\n", result->blame, result->blame_reason, who, why);
        fail();
    }
}

/* native against wasm says nothing; a compiler that shares nothing with either decides. */
static void another_compiler_decides(void **state) {
    (void)state;
    witness(NATIVE, WASM, GCC, -1);
    differ(0, 1, OR_VALUE, "x", 8);
    differ(1, 2, OR_VALUE, "x.f0", 8)->witnesses[1].value = "7";
    expect("wasm", "native, native:gcc against wasm: Wasm DWARF of clang-19");
    assert_string_equal(result->witnesses[0].name, "native");
    assert_string_equal(result->witnesses[1].name, "wasm");
    assert_int_equal(result->other_count, 1);
    assert_string_equal(result->others[0].name, "native:gcc");
    assert_string_equal(result->others[0].value, "7");
    witness(NATIVE, WASM, GCC, -1);
    differ(0, 1, OR_VALUE, "x", 8);
    differ(0, 2, OR_OPTIMIZED_OUT, "x", 8);
    expect("native", "native against wasm, native:gcc");
    assert_string_equal(result->signature, "s");
}

/* Witnesses of one module are no votes for its DWARF. */
static void one_module_is_one_vote(void **state) {
    (void)state;
    witness(NATIVE, WASM, JIT, -1);
    differ(0, 1, OR_VALUE, "x", 8);
    differ(0, 2, OR_VALUE, "x", 8);
    expect("undecided", "native against wasm, jit: one of native DWARF of clang-19");
    witness(NATIVE, WASM, JIT, GCC);
    differ(0, 1, OR_VALUE, "x", 8);
    differ(0, 2, OR_VALUE, "x", 8);
    differ(1, 3, OR_VALUE, "x", 8);
    differ(2, 3, OR_VALUE, "x", 8);
    expect("wasm", "native, native:gcc against wasm, jit: Wasm DWARF");
}

static void one_view_stands_alone(void **state) {
    (void)state;
    witness(NATIVE, WASM, JIT, -1);
    differ(0, 2, OR_VALUE, "x", 8);
    differ(1, 2, OR_VALUE, "x", 8);
    expect("jit", "native, wasm against jit: the rewritten DWARF");
    witness(NATIVE, WASM, JIT, -1);
    differ(0, 1, OR_VALUE, "x", 8);
    differ(1, 2, OR_VALUE, "x", 8);
    expect("engine", "native, jit against wasm: the compiled engine's places");
    witness(NATIVE, WASM, INTERP, JIT);
    differ(0, 2, OR_STACK, NULL, 8);
    differ(1, 2, OR_STACK, NULL, 8);
    differ(2, 3, OR_STACK, NULL, 8);
    expect("engine", "against wasm:interp: the interpreter");
}

static void both_families_agree_with_themselves(void **state) {
    (void)state;
    witness(NATIVE, WASM, JIT, OLDER);
    differ(0, 1, OR_VALUE, "x", 8);
    differ(0, 2, OR_VALUE, "x", 8);
    differ(1, 3, OR_VALUE, "x", 8);
    differ(2, 3, OR_VALUE, "x", 8);
    expect("two against two", "native, native:clang-14 against wasm, jit");
    witness(NATIVE, WASM, JIT, OLDER);
    differ(0, 1, OR_VALUE, "x", 8);
    differ(0, 2, OR_VALUE, "x", 8);
    differ(0, 3, OR_VALUE, "x", 8);
    expect("native", "native against wasm, jit, native:clang-14");
}

/* The pair (a, b) finds that one of the two cannot show x. */
static void lack(uint32_t a, uint32_t b, uint32_t lacking) {
    struct or_finding *finding = differ(a, b, OR_OPTIMIZED_OUT, "x", 8);

    finding->witnesses[lacking == b].value = NULL;
    finding->witnesses[lacking == b].state = "optimized_out";
}

/* Two that lack a variable, each by a fault of its own, against two of nothing common that have it. */
static void who_lacks_confirms_nobody(void **state) {
    (void)state;
    witness(NATIVE, WASM, GCC, OLDER_WASM);
    lack(0, 1, 0);
    lack(0, 2, 0);
    lack(1, 3, 3);
    lack(2, 3, 3);
    expect("native",
           "native, wasm:clang-14 against wasm, native:gcc: native DWARF of clang-19, or LLVM's x86-64 "
           "back end; that others lack it confirms nothing");
    assert_string_equal(result->signature, "s");
    /* The same when the two that have it show other values, as before its first assignment. */
    differ(1, 2, OR_VALUE, "x", 8);
    expect("native", "native, wasm:clang-14 against wasm against native:gcc");
    /* The lacking one may be the second of the first pair. */
    witness(NATIVE, WASM, GCC, OLDER);
    lack(0, 1, 1);
    lack(0, 3, 3);
    lack(1, 2, 1);
    lack(2, 3, 3);
    expect("wasm", "native, native:gcc against wasm, native:clang-14: Wasm DWARF of clang-19");
}

static void a_lack_needs_two_that_have_it(void **state) {
    (void)state;
    /* Both that have it rest on one module. */
    witness(NATIVE, WASM, INTERP, -1);
    lack(0, 1, 0);
    lack(0, 2, 0);
    expect("undecided", "native against wasm, wasm:interp: one of native DWARF");
    /* Wrong values do confirm each other. */
    witness(NATIVE, WASM, GCC, OLDER_WASM);
    differ(0, 1, OR_VALUE, "x", 8);
    differ(0, 2, OR_VALUE, "x", 8);
    differ(1, 3, OR_VALUE, "x", 8);
    differ(2, 3, OR_VALUE, "x", 8);
    expect("two against two", "native, wasm:clang-14 against wasm, native:gcc");
}

/* Silence is no agreement where the pair has not looked. */
static void silence_needs_a_look(void **state) {
    const struct or_place elsewhere[] = {{"f", "a.c", 8, {true, true}, 0}, {"g", "a.c", 8, {true, true}, 1}};

    (void)state;
    witness(NATIVE, WASM, GCC, -1);
    differ(0, 1, OR_VALUE, "x", 8);
    differ(1, 2, OR_VALUE, "x", 8);
    pair_of(0, 2)->places = elsewhere;
    expect("undecided", "nothing is known of native:gcc: it did not come to f:8");
    pair_of(0, 2)->places = here;
    pair_of(0, 2)->is_complete = false;
    expect("wasm", "");
    pair_of(0, 2)->stops = 9;
    expect("undecided", "did not come to f:8");
    pair_of(0, 2)->problem = "it crashed";
    expect("undecided", "it crashed");
    assert_string_equal(result->others[0].value, "1");
}

/* The oracle reports a variable once in a function. */
static void an_earlier_report_hides(void **state) {
    (void)state;
    witness(NATIVE, WASM, GCC, -1);
    differ(0, 1, OR_VALUE, "x", 8);
    differ(1, 2, OR_VALUE, "x", 8);
    differ(0, 2, OR_VALUE, "x", 9)->stop = 5;
    blame();
    assert_int_equal(made, 2);
    assert_string_equal(result[0].blame, "undecided");
    assert_non_null(strstr(result[0].blame_reason, "reported the variable in line 9 already"));
    witness(NATIVE, WASM, GCC, -1);
    differ(0, 1, OR_VALUE, "x", 8);
    differ(1, 2, OR_VALUE, "x", 8);
    differ(0, 2, OR_VALUE, "x", 9)->stop = 15;
    blame();
    assert_int_equal(made, 2);
    assert_string_equal(result[0].blame, "wasm");
}

/* Different variables, functions and kinds of subject are different findings. */
static void subjects_stay_apart(void **state) {
    (void)state;
    witness(NATIVE, WASM, JIT, -1);
    differ(0, 1, OR_VALUE, "x", 8);
    differ(1, 2, OR_VALUE, "xy", 8);
    differ(0, 2, OR_STACK, NULL, 8);
    blame();
    assert_int_equal(made, 3);
    for (size_t i = 0; i < made; i++) {
        assert_string_equal(result[i].blame, "undecided");
        assert_int_equal(result[i].other_count, 1);
    }
    assert_non_null(strstr(result[0].blame_reason, "agree with a third"));
    assert_string_equal(result[0].others[0].state, "agrees");
}

/* A module's view and its compiled code agree where compiled code finds places: that is all that it says. */
static void found_places_acquit_nothing(void **state) {
    (void)state;
    witness(NATIVE, WASM, JIT, -1);
    pair_of(1, 2)->is_one_module = true;
    differ(0, 1, OR_LOCATION, NULL, 8)->witnesses[1].line = 9;
    expect("wasm", "native, jit against wasm: Wasm DWARF");
    witness(NATIVE, WASM, JIT, -1);
    pair_of(1, 2)->is_one_module = true;
    differ(0, 1, OR_LOCATION, NULL, 8)->witnesses[1].line = 9;
    differ(0, 2, OR_LOCATION, NULL, 8)->witnesses[1].line = 9;
    expect("undecided", "native against wasm, jit");
    witness(NATIVE, WASM, JIT, -1);
    pair_of(1, 2)->is_one_module = true;
    differ(0, 1, OR_VALUE, "x", 8);
    expect("undecided", "agree with a third");
}

/* Where the next stops differ: a witness is known by where it stands, though pairs name different lines. */
static void places_differ(void **state) {
    (void)state;
    witness(NATIVE, WASM, JIT, -1);
    differ(0, 1, OR_LOCATION, NULL, 8)->witnesses[1].line = 9;
    differ(1, 2, OR_LOCATION, NULL, 9)->witnesses[1].line = 8;
    expect("wasm", "native, jit against wasm: Wasm DWARF");
    assert_int_equal(result->others[0].line, 8);
    witness(NATIVE, WASM, GCC, -1);
    differ(0, 1, OR_LOCATION, NULL, 8)->witnesses[1].line = 9;
    differ(1, 2, OR_LOCATION, NULL, 9)->witnesses[1].line = 8;
    expect("undecided", "nothing is known of native:gcc: its compiler gives lines");
    /* It stops where native does one more time than wasm. */
    witness(NATIVE, WASM, GCC, -1);
    struct or_finding *finding = differ(0, 1, OR_LOCATION, NULL, 8);
    finding->witnesses[1].line = 9;
    finding->witnesses[0].skipped = 1;
    differ(1, 2, OR_LOCATION, NULL, 9)->witnesses[1].line = 8;
    expect("wasm", "native, native:gcc against wasm");
    /* It does not stop where native does and wasm does not. */
    pair_of(1, 2)->finding_count = 0;
    differ(0, 2, OR_LOCATION, NULL, 8)->witnesses[1].line = 9;
    expect("undecided", "nothing is known of native:gcc: its compiler gives lines");
}

/* native and two views of a module find g wrong, or not the same, at this stop; an older module against those
 * at its own first one, in another function. */
static void find_global(uint64_t stop, bool is_global) {
    witness(NATIVE, WASM, JIT, OLDER_WASM);
    for (uint32_t view = 1; view < 3; view++) {
        struct or_finding *finding = differ(0, view, OR_VALUE, "g[1]", 8);
        finding->is_global = is_global;
        finding->stop = stop;
        finding = differ(view, 3, OR_VALUE, "g", 3);
        finding->function = "_start";
        finding->is_global = is_global;
        finding->stop = 1;
    }
}

/* Pairs show a wrong global where their stops begin. */
static void globals_are_one_from_the_start(void **state) {
    (void)state;
    find_global(1, true);
    expect("wasm", "native, wasm:clang-14 against wasm, jit: Wasm DWARF of clang-19");
    find_global(2, true);
    blame();
    assert_int_equal(made, 2);
    assert_string_equal(result[0].blame, "undecided");
    find_global(1, false);
    blame();
    assert_int_equal(made, 2);
    assert_string_equal(result[0].blame, "undecided");
}

/* Compiled code's functions reach over their code, and have lines that the module's have not. */
static void found_lines_acquit_nothing(void **state) {
    struct or_place lacking[] = {{"f", "a.c", 8, {true, false}, 1}};

    (void)state;
    witness(NATIVE, WASM, JIT, OLDER_WASM);
    differ(0, 1, OR_LINE_MISSING, NULL, 8);
    pair_of(1, 2)->places = pair_of(1, 3)->places = lacking;
    pair_of(1, 2)->place_count = pair_of(1, 3)->place_count = 1;
    expect("wasm", "native, jit, wasm:clang-14 against wasm: Wasm DWARF of clang-19");
}

/* Which line tables have a line is a fact about each witness; gcc's counts where it has the line. */
static void lines_are_facts(void **state) {
    struct or_place present[] = {{"f", "a.c", 8, {true, true}, 1}};
    struct or_place lacking[] = {{"f", "a.c", 8, {false, true}, 0}};

    (void)state;
    witness(NATIVE, WASM, GCC, -1);
    differ(0, 1, OR_LINE_MISSING, NULL, 8);
    pair_of(0, 2)->places = present;
    pair_of(1, 2)->places = lacking;
    pair_of(0, 2)->place_count = pair_of(1, 2)->place_count = 1;
    expect("wasm", "native, native:gcc against wasm");
    present[0].in[1] = lacking[0].in[1] = false;
    expect("undecided", "gives lines to code by rules of its own");
}

static void outputs(void **state) {
    (void)state;
    witness(NATIVE, WASM, INTERP, JIT);
    differ(0, 2, OR_OUTPUT, NULL, 0);
    differ(1, 2, OR_OUTPUT, NULL, 0);
    differ(2, 3, OR_OUTPUT, NULL, 0);
    pair_of(0, 2)->is_output = pair_of(1, 2)->is_output = pair_of(2, 3)->is_output = true;
    expect("engine", "the interpreter");
}

static void limits(void **state) {
    (void)state;
    witness(NATIVE, WASM, -1, -1);
    differ(0, 1, OR_VALUE, "x", 8);
    blame();
    assert_int_equal(made, 1);
    assert_null(result->blame);
    assert_int_equal(result->other_count, 0);
    struct rt_error *error = or_blame(witnesses, OR_MAX_WITNESSES + 1, pairs, 1, &arena, &result, &made);
    assert_non_null(error);
    rt_error_destroy(error);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(another_compiler_decides),
        cmocka_unit_test(one_module_is_one_vote),
        cmocka_unit_test(one_view_stands_alone),
        cmocka_unit_test(both_families_agree_with_themselves),
        cmocka_unit_test(who_lacks_confirms_nobody),
        cmocka_unit_test(a_lack_needs_two_that_have_it),
        cmocka_unit_test(silence_needs_a_look),
        cmocka_unit_test(an_earlier_report_hides),
        cmocka_unit_test(subjects_stay_apart),
        cmocka_unit_test(found_places_acquit_nothing),
        cmocka_unit_test(places_differ),
        cmocka_unit_test(globals_are_one_from_the_start),
        cmocka_unit_test(found_lines_acquit_nothing),
        cmocka_unit_test(lines_are_facts),
        cmocka_unit_test(outputs),
        cmocka_unit_test(limits),
    };
    rt_arena_init(&arena, 0);
    int status = cmocka_run_group_tests(tests, NULL, NULL);
    rt_arena_clear(&arena);
    return status;
}
