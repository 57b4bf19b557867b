/* A campaign's database: opening in each mode, statements, transactions, and what a reader and a second
 * writer get. */
#include "harness/database.h"

#include "harness/temp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static struct hx_temp temp;

static int set_up(void **state) {
    (void)state;
    struct rt_error *error = hx_temp_create(&temp);
    rt_error_destroy(error);
    return error ? -1 : 0;
}

static int tear_down(void **state) {
    (void)state;
    hx_temp_remove(&temp);
    return 0;
}

/* The path of a campaign's folder of this name. */
static const char *folder_of(const char *name) {
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", temp.path, name);
    return path;
}

static void expect_refusal(const char *folder, enum hx_database_mode mode, enum rt_error_code code,
                           const char *text) {
    struct hx_database database;
    struct rt_error *error = hx_database_open(folder, mode, &database);

    assert_non_null(error);
    assert_int_equal(error->code, code);
    if (!strstr(error->message, text)) {
        print_error("'%s' is not in: %s\n", text, error->message);
        fail();
    }
    assert_null(database.sqlite);
    hx_database_close(&database); /* closed already */
    rt_error_destroy(error);
}

static uint64_t count_runs(struct hx_database *database) {
    uint64_t runs;
    assert_null(hx_database_number(database, "SELECT count(*) FROM runs", &runs, ""));
    return runs;
}

static void test_modes(void **state) {
    const char *folder = folder_of("modes");
    struct hx_database writer, reader, zero = {0};

    (void)state;
    hx_database_close(&zero); /* whose lock is no descriptor */
    assert_int_equal(access("/proc/self/fd/0", F_OK), 0);
    expect_refusal(folder, HX_DATABASE_READ, RT_USAGE, "there is no campaign");
    expect_refusal(folder, HX_DATABASE_WRITE, RT_OS, "cannot open the folder");
    assert_false(hx_database_exists(folder));
    assert_null(hx_database_open(folder, HX_DATABASE_CREATE, &writer));
    assert_true(hx_database_exists(folder));
    expect_refusal(folder, HX_DATABASE_WRITE, RT_USAGE, "another campaign is running in");

    /* A reader sees what is committed, and changes nothing. */
    assert_null(hx_database_begin(&writer));
    assert_null(hx_database_run(&writer, "INSERT INTO runs (identity) VALUES (?)", "t", "one"));
    assert_null(hx_database_open(folder, HX_DATABASE_READ, &reader));
    assert_int_equal(count_runs(&reader), 0);
    assert_null(hx_database_commit(&writer, false)); /* not a second old */
    assert_int_equal(count_runs(&reader), 0);
    assert_null(hx_database_commit(&writer, true));
    assert_int_equal(count_runs(&reader), 1);
    struct rt_error *error = hx_database_run(&reader, "DELETE FROM runs", "");
    assert_non_null(error);
    rt_error_destroy(error);
    hx_database_close(&reader);

    /* Closing commits. */
    assert_null(hx_database_begin(&writer));
    assert_null(hx_database_run(&writer, "INSERT INTO runs (identity) VALUES (?)", "t", "two"));
    hx_database_close(&writer);
    assert_null(hx_database_open(folder, HX_DATABASE_WRITE, &writer));
    assert_int_equal(count_runs(&writer), 2);
    hx_database_close(&writer);
    hx_database_close(&writer);
}

static void test_statements(void **state) {
    struct hx_database database;
    sqlite3_stmt *statement;
    bool is_row;

    (void)state;
    assert_null(hx_database_open(folder_of("statements"), HX_DATABASE_CREATE, &database));
    assert_null(hx_database_prepare(&database, "SELECT ?, ?, ?, ? UNION ALL SELECT 0, 0, 0, 0", &statement,
                                    "irtt", UINT64_MAX, 0.5, "text", (const char *)NULL));
    assert_null(hx_database_next(&database, statement, &is_row));
    assert_true(is_row);
    assert_true((uint64_t)sqlite3_column_int64(statement, 0) == UINT64_MAX);
    assert_true(sqlite3_column_double(statement, 1) == 0.5);
    assert_string_equal(hx_database_text(statement, 2, "other"), "text");
    assert_string_equal(hx_database_text(statement, 3, "other"), "other");
    assert_null(hx_database_next(&database, statement, &is_row));
    assert_true(is_row);
    assert_null(hx_database_next(&database, statement, &is_row));
    assert_false(is_row);
    sqlite3_finalize(statement);

    uint64_t number = 7;
    assert_null(hx_database_number(&database, "SELECT id FROM runs", &number, ""));
    assert_int_equal(number, 0);
    struct rt_error *error = hx_database_prepare(&database, "SELECT absent FROM nowhere", &statement, "");
    assert_non_null(error);
    assert_non_null(strstr(error->message, "no such table: nowhere"));
    assert_null(statement);
    rt_error_destroy(error);
    /* The schema keeps rows that belong to nothing out. */
    error = hx_database_run(&database, "INSERT INTO flags VALUES (9, 'opt', '-O0')", "");
    assert_non_null(error);
    rt_error_destroy(error);
    hx_database_close(&database);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_modes), cmocka_unit_test(test_statements)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
