/* Traces in files and pipes: a file appears whole or not at all, a writer that dies leaves a trace cut short,
 * and a full disk is an error that names the file. All of it twice: packed at once, and in the background. */
#include "runtime/tests/trace_events.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[] = "/tmp/lockstep-trace-XXXXXX";
static bool in_background;

static int enter_folder(void **state) {
    (void)state;
    memset(folder + sizeof folder - sizeof "XXXXXX", 'X', strlen("XXXXXX"));
    return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int remove_folder(void **state) {
    (void)state;
    return chdir("/") == 0 && rmdir(folder) == 0 ? 0 : -1; /* empty: each test has removed its files */
}

static bool exists(const char *path) {
    struct stat stat;
    return lstat(path, &stat) == 0;
}

static struct rt_error *add_events(struct rt_trace_writer *writer, size_t count) {
    struct rt_error *error = NULL;
    for (size_t i = 0; i < count && !error; i++) {
        const struct rt_trace_event event = random_event(RT_TRACE_MEMORY_WRITE, 100);
        error = rt_trace_writer_add(writer, &event);
    }
    return error;
}

static struct rt_trace_writer *create_file(const char *path) {
    const struct rt_trace_writer_options options = {.block_size = 1000, .in_background = in_background};
    struct rt_trace_sink sink;
    struct rt_trace_writer *writer;
    expect_good(rt_trace_sink_file(path, &sink));
    expect_good(rt_trace_writer_create(sink, &plain_header, &options, &writer));
    return writer;
}

static void write_file(const char *path, size_t count) {
    struct rt_trace_writer *writer = create_file(path);
    expect_good(add_events(writer, count));
    expect_good(rt_trace_writer_finish(writer));
    rt_trace_writer_destroy(writer);
}

/* The events in a source, and whether it is cut. */
static size_t count_events(struct rt_trace_source source, bool *ret_cut) {
    struct rt_trace_reader *reader;
    const struct rt_trace_event *event;
    uint64_t behind;
    size_t count = 0;
    expect_good(rt_trace_reader_create(source, &reader));
    for (;; count++) {
        expect_good(rt_trace_reader_next(reader, &event));
        if (!event)
            break;
    }
    *ret_cut = rt_trace_is_cut(reader, &behind);
    rt_trace_reader_destroy(reader);
    return count;
}

static size_t count_file(const char *path, bool *ret_cut) {
    struct rt_trace_source source;
    expect_good(rt_trace_source_file(path, &source));
    return count_events(source, ret_cut);
}

static void a_file_appears_when_it_is_whole(void **state) {
    (void)state;
    bool is_cut;
    struct rt_trace_writer *writer = create_file("new");
    expect_good(add_events(writer, 100));
    assert_false(exists("new"));
    assert_true(exists("new.part"));
    expect_good(rt_trace_writer_finish(writer));
    assert_true(exists("new"));
    assert_false(exists("new.part"));
    rt_trace_writer_destroy(writer);
    assert_int_equal(count_file("new", &is_cut), 100);
    assert_false(is_cut);
    unlink("new");
}

static void giving_up_leaves_what_was_there(void **state) {
    (void)state;
    bool is_cut;
    write_file("old", 7);
    struct rt_trace_writer *writer = create_file("old");
    expect_good(add_events(writer, 100));
    rt_trace_writer_destroy(writer);
    assert_false(exists("old.part"));
    assert_int_equal(count_file("old", &is_cut), 7);
    write_file("old", 9);
    assert_int_equal(count_file("old", &is_cut), 9);
    unlink("old");
}

static void a_writer_that_dies_leaves_a_cut_trace(void **state) {
    (void)state;
    bool is_cut;
    int status;
    write_file("name", 7);
    const pid_t child = fork();
    if (child == 0) {
        struct rt_trace_writer *writer = create_file("name");
        expect_good(add_events(writer, 100));
        expect_good(rt_trace_writer_flush(writer));
        expect_good(add_events(writer, 3));
        raise(SIGKILL);
    }
    waitpid(child, &status, 0);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(count_file("name", &is_cut), 7);
    const size_t count = count_file("name.part", &is_cut);
    assert_true(count >= 100);
    assert_true(is_cut);
    /* The next one starts anew. */
    write_file("name", 5);
    assert_int_equal(count_file("name", &is_cut), 5);
    assert_false(exists("name.part"));
    unlink("name");
}

static void one_writer_at_a_time(void **state) {
    (void)state;
    bool is_cut;
    struct rt_trace_sink sink;
    struct rt_trace_writer *writer = create_file("busy");
    expect_good(add_events(writer, 10));
    expect_error(rt_trace_sink_file("busy", &sink), RT_OS, "busy.part: it is being written already");
    expect_good(rt_trace_writer_finish(writer));
    rt_trace_writer_destroy(writer);
    assert_int_equal(count_file("busy", &is_cut), 10);
    unlink("busy");
}

static void a_full_disk(void **state) {
    (void)state;
    struct rt_trace_sink sink;
    struct rt_trace_writer *writer;
    expect_good(rt_trace_sink_file("/dev/full", &sink));
    expect_error(rt_trace_writer_create(sink, &plain_header, NULL, &writer), RT_OS,
                 "/dev/full: No space left on device");
    assert_true(exists("/dev/full"));
    assert_false(exists("/dev/full.part"));
}

/* In a child, as the limit is the process's. */
static void a_limit_of_file_sizes(void **state) {
    (void)state;
    bool is_cut;
    int status;
    write_file("limited", 3);
    const pid_t child = fork();
    if (child == 0) {
        const struct rlimit limit = {5000, 5000};
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &limit);
        struct rt_trace_writer *writer = create_file("limited");
        struct rt_error *error = add_events(writer, 10000);
        const bool named = error && error->code == RT_OS && strstr(error->message, "limited: File too large");
        rt_error_destroy(error);
        /* It is the answer to everything from now on. */
        error = rt_trace_writer_finish(writer);
        const bool again = error && strstr(error->message, "File too large");
        rt_error_destroy(error);
        rt_trace_writer_destroy(writer);
        _exit(named && again ? 0 : 1);
    }
    waitpid(child, &status, 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_false(exists("limited.part"));
    assert_int_equal(count_file("limited", &is_cut), 3);
    unlink("limited");
}

static void errors_name_the_file(void **state) {
    (void)state;
    struct rt_trace_sink sink;
    struct rt_trace_source source;
    expect_error(rt_trace_sink_file("no/such", &sink), RT_OS, "no/such.part: No such file");
    expect_error(rt_trace_source_file("no/such", &source), RT_OS, "no/such: No such file");
    expect_error(rt_trace_source_file(".", &source), RT_OS, "Is a directory");
}

static void through_a_pipe(void **state) {
    (void)state;
    int ends[2], status;
    bool is_cut;
    assert_int_equal(pipe(ends), 0);
    const pid_t child = fork();
    if (child == 0) {
        struct rt_trace_sink sink;
        struct rt_trace_writer *writer;
        close(ends[0]);
        expect_good(rt_trace_sink_fd(ends[1], "the pipe", &sink));
        expect_good(rt_trace_writer_create(sink, &plain_header, NULL, &writer));
        expect_good(add_events(writer, 20000));
        expect_good(rt_trace_writer_finish(writer));
        rt_trace_writer_destroy(writer);
        _exit(0);
    }
    close(ends[1]);
    struct rt_trace_source source;
    expect_good(rt_trace_source_fd(ends[0], "the pipe", &source));
    assert_int_equal(count_events(source, &is_cut), 20000);
    assert_false(is_cut);
    close(ends[0]);
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
}

/* How it is packed shows nowhere, however long the queue was at times. */
static void the_same_bytes(void **state) {
    (void)state;
    struct rt_trace_memory traces[2] = {{.bytes = NULL}, {.bytes = NULL}};
    for (int i = 0; i < 2; i++) {
        const struct rt_trace_writer_options options = {.block_size = 500, .in_background = i};
        struct rt_trace_writer *writer;
        random_state = 77;
        expect_good(
            rt_trace_writer_create(rt_trace_sink_memory(&traces[i]), &plain_header, &options, &writer));
        for (int part = 0; part < 50; part++) {
            expect_good(add_events(writer, 100));
            if (part % 10 != 9)
                continue;
            expect_good(rt_trace_writer_flush(writer));
            assert_true(rt_trace_writer_totals(writer).stored == traces[i].size);
        }
        expect_good(rt_trace_writer_finish(writer));
        assert_true(rt_trace_writer_totals(writer).stored == traces[i].size);
        rt_trace_writer_destroy(writer);
    }
    assert_int_equal(traces[0].size, traces[1].size);
    assert_memory_equal(traces[0].bytes, traces[1].bytes, traces[0].size);
    for (int i = 0; i < 2; i++)
        free(traces[i].bytes);
}

/* A reader follows a writer: it is at the end again and again, until the index says that there is no more. */
static void while_it_grows(void **state) {
    (void)state;
    struct rt_trace_memory memory = {0};
    struct rt_trace_writer *writer;
    struct rt_trace_reader *reader;
    const struct rt_trace_event *event;
    uint64_t behind;

    expect_good(rt_trace_writer_create(rt_trace_sink_memory(&memory), &plain_header, NULL, &writer));
    expect_good(rt_trace_reader_create(rt_trace_source_growing(&memory), &reader));
    for (uint64_t round = 0; round < 200; round++) {
        expect_good(rt_trace_reader_next(reader, &event));
        assert_null(event);
        assert_true(rt_trace_is_cut(reader, &behind));
        expect_good(add_events(writer, 2));
        expect_good(rt_trace_reader_next(reader, &event));
        assert_null(event); /* the block is open */
        expect_good(rt_trace_writer_flush(writer));
        expect_good(rt_trace_writer_flush(writer)); /* nothing is pending: no empty block */
        for (uint64_t i = 0; i < 2; i++) {
            expect_good(rt_trace_reader_next(reader, &event));
            assert_int_equal(event->number, 2 * round + i);
        }
    }
    expect_good(rt_trace_writer_finish(writer));
    for (int i = 0; i < 2; i++) {
        expect_good(rt_trace_reader_next(reader, &event));
        assert_null(event);
        assert_false(rt_trace_is_cut(reader, &behind));
    }
    rt_trace_reader_destroy(reader);
    rt_trace_writer_destroy(writer);
    free(memory.bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_appears_when_it_is_whole),
        cmocka_unit_test(giving_up_leaves_what_was_there),
        cmocka_unit_test(a_writer_that_dies_leaves_a_cut_trace),
        cmocka_unit_test(one_writer_at_a_time),
        cmocka_unit_test(a_full_disk),
        cmocka_unit_test(a_limit_of_file_sizes),
        cmocka_unit_test(errors_name_the_file),
        cmocka_unit_test(through_a_pipe),
        cmocka_unit_test(the_same_bytes),
        cmocka_unit_test(while_it_grows),
    };
    const int failed = cmocka_run_group_tests_name("at once", tests, enter_folder, remove_folder);
    in_background = true;
    return failed + cmocka_run_group_tests_name("in the background", tests, enter_folder, remove_folder);
}
