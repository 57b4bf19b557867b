/* Stops of several witnesses as rows: shared ones, lone ones, ends. */
#include "harness/stops.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct rt_arena arena;
static struct or_spot spots[HX_SHOWN_WITNESSES][HX_SHOWN_STOPS];
static struct or_testimony witnesses[HX_SHOWN_WITNESSES];

/* A witness that stops at these lines, a letter each; the finding's is the one before '|', as in "abC|de". */
static void stops(size_t witness, const char *lines) {
    struct or_testimony *testimony = &witnesses[witness];

    *testimony = (struct or_testimony){.name = "w", .stops = spots[witness]};
    for (; *lines; lines++) {
        if (*lines == '|')
            testimony->stop_at = testimony->stop_count - 1;
        else
            spots[witness][testimony->stop_count++] =
                (struct or_spot){.function = "f", .file = "a.c", .line = (uint32_t)*lines, .depth = 1};
    }
}

/* Rows are written as each witness's line or '-'; "*" marks the finding's. */
static void check(size_t count, const char *expected) {
    const struct hx_told told = {
        .kind = "k", .signature = "s", .witnesses = witnesses, .witness_count = count};
    char text[1024] = "";
    size_t rows, length = 0;
    const struct hx_stop_row *row = hx_stop_rows(&told, &arena, &rows);

    assert_non_null(row);
    for (size_t n = 0; n < rows; n++, row++) {
        bool is_alone = false;
        for (size_t i = 0; i < count; i++) {
            is_alone |= row->at[i] < 0;
            text[length++] = row->at[i] < 0 ? '-' : (char)spots[i][row->at[i]].line;
        }
        assert_int_equal(row->is_alone, is_alone);
        if (row->is_finding)
            text[length++] = '*';
        text[length++] = ' ';
    }
    text[length] = '\0';
    assert_string_equal(text, expected);
}

static void test_alike(void **state) {
    (void)state;
    stops(0, "abc|de");
    stops(1, "abc|de");
    check(2, "aa bb cc* dd ee ");
    /* Before the finding, repeated lines pair from the finding on. */
    stops(0, "ababc|");
    stops(1, "abc|");
    check(2, "a- b- aa bb cc* ");
}

static void test_only_first(void **state) {
    (void)state;
    stops(0, "abx|cd");
    stops(1, "abc|d");
    check(2, "aa bb x-* cc* dd ");
    stops(1, "abx|cd");
    stops(0, "abc|d");
    check(2, "aa bb -x* cc* dd ");
}

static void test_ends(void **state) {
    (void)state;
    /* Its stops around the finding have ended, those of the other go on: that is a difference. */
    stops(0, "ab|cdefgh");
    stops(1, "ab|cd");
    check(2, "aa bb* cc dd e- f- g- h- ");
    /* As many as are kept: what is behind the last shared one may be shared with what was not kept. */
    stops(0, "ab|xycdefgh");
    stops(1, "ab|cdefghij");
    check(2, "aa bb* x- y- cc dd ee ff gg hh ");
    stops(0, "123456a|b");
    stops(1, "012345a|b");
    check(2, "11 22 33 44 55 6- aa* bb ");
    /* Nothing is shared any more. */
    stops(0, "a|stuvwxyz");
    stops(1, "a|klmnopqr");
    check(2, "aa* s- t- u- v- w- x- y- z- -k -l -m -n -o -p -q -r ");
}

static void test_ended(void **state) {
    (void)state;
    stops(0, "abc|d");
    stops(1, "ab");
    witnesses[1].stop_at = 2; /* it has ended before the finding */
    check(2, "aa bb c-* d- ");
}

static void test_three(void **state) {
    (void)state;
    stops(0, "ab|c");
    stops(1, "ab|xc");
    stops(2, "b|c");
    check(3, "aa- bbb* -x- ccc ");
    check(1, "a b* c ");
    check(0, "");
}

static void test_other_depth(void **state) {
    (void)state;
    stops(0, "ab|");
    stops(1, "ab|");
    spots[1][0].depth = 2;
    spots[1][1].function = "g";
    check(2, "a- b-* -a -b* ");
}

/* What another program has written may say anything. */
static void test_too_many(void **state) {
    (void)state;
    struct or_spot *many = calloc(1000, sizeof *many);
    const struct or_testimony hostile[7] = {{.stops = many, .stop_count = 1000, .stop_at = 900},
                                            {.stops = many, .stop_count = 1000, .stop_at = 1000}};
    const struct hx_told told = {.witnesses = hostile, .witness_count = 7};
    size_t count;

    assert_non_null(many);
    assert_int_equal(hx_shown_witnesses(&told), HX_SHOWN_WITNESSES);
    assert_non_null(hx_stop_rows(&told, &arena, &count));
    assert_true(count >= HX_SHOWN_STOPS && count <= 2 * HX_SHOWN_STOPS);
    free(many);
}

static int set_up(void **state) {
    (void)state;
    rt_arena_init(&arena, 0);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    rt_arena_clear(&arena);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alike),    cmocka_unit_test(test_only_first),
        cmocka_unit_test(test_ends),     cmocka_unit_test(test_ended),
        cmocka_unit_test(test_three),    cmocka_unit_test(test_other_depth),
        cmocka_unit_test(test_too_many),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
