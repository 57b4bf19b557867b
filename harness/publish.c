/* Feeding both publishers, and writing their files. */
#include "harness/publish.h"

#include <stdlib.h>
#include <string.h>

void hx_publisher_init(struct hx_publisher *publisher, const char *sarif, const char *junit) {
    *publisher = (struct hx_publisher){.sarif = sarif, .junit = junit};
    rt_arena_init(&publisher->arena, 0);
}

void hx_publisher_clear(struct hx_publisher *publisher) {
    hx_buffer_clear(&publisher->results);
    hx_buffer_clear(&publisher->cases);
    free(publisher->rules);
    rt_arena_clear(&publisher->arena);
    *publisher = (struct hx_publisher){0};
}

struct rt_error *hx_publisher_add(struct hx_publisher *publisher, const struct hx_outcome *outcome,
                                  const char *(*folder_of)(void *user, const struct hx_told *told),
                                  void *user) {
    struct rt_error *error = NULL;

    for (size_t i = 0; i < outcome->finding_count && publisher->sarif && !error; i++) {
        const struct hx_told *told = &outcome->findings[i];
        error = hx_sarif_add(publisher, outcome, told, folder_of ? folder_of(user, told) : NULL);
    }
    if (!error && publisher->junit)
        hx_junit_add(publisher, outcome);
    if (!error && (publisher->results.failed || publisher->cases.failed))
        error = rt_error_out_of_memory();
    return error;
}

/* By way of the JSON that is printed of it, so that there is one reading of a result. */
struct rt_error *hx_publisher_add_result(struct hx_publisher *publisher, const struct hx_result *result) {
    const struct hx_json_value *json;
    struct hx_outcome outcome;
    struct hx_buffer text = {0};
    struct rt_arena arena;
    struct rt_error *error = NULL;

    if (!publisher || (!publisher->sarif && !publisher->junit))
        return NULL;
    rt_arena_init(&arena, 0);
    hx_result_json(result, &text);
    if (text.failed)
        error = rt_error_out_of_memory();
    if (!error)
        error = hx_json_parse(text.bytes, text.size, &arena, &json);
    if (!error)
        error = hx_outcome_read(json, &arena, &outcome);
    if (!error)
        error = hx_publisher_add(publisher, &outcome, NULL, NULL);
    hx_buffer_clear(&text);
    rt_arena_clear(&arena);
    return error;
}

static struct rt_error *write_document(const struct hx_publisher *publisher, const char *path,
                                       void (*make)(const struct hx_publisher *, struct hx_buffer *)) {
    struct hx_buffer text = {0};
    struct rt_error *error = NULL;

    if (!path)
        return NULL;
    make(publisher, &text);
    if (text.failed)
        error = rt_error_out_of_memory();
    else
        error = hx_file_write(path, text.bytes, text.size, 0666);
    hx_buffer_clear(&text);
    return error;
}

struct rt_error *hx_publisher_write(const struct hx_publisher *publisher) {
    struct rt_error *error = write_document(publisher, publisher->sarif, hx_sarif_document);
    return error ? error : write_document(publisher, publisher->junit, hx_junit_document);
}
