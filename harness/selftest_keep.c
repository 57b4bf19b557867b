/* Keeping what the self-test missed, or found under another name: a folder a fault. */
#include "harness/selftest.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { FILE_LIMIT = 256 << 20 };

static struct rt_error *copy_file(const char *from, const char *folder, const char *name) {
    struct hx_buffer bytes = {0};
    char to[512];
    snprintf(to, sizeof to, "%s/%s", folder, name);
    struct rt_error *error = hx_file_read(from, FILE_LIMIT, &bytes);
    if (!error)
        error = hx_file_write(to, bytes.bytes, bytes.size, 0666);
    hx_buffer_clear(&bytes);
    return error;
}

struct rt_error *hx_selftest_keep(const struct hx_selftest *selftest, uint64_t program, size_t number,
                                  const struct hx_fault *fault, const struct hx_selftest_file *files,
                                  size_t count, const struct hx_result *result) {
    const struct hx_plant_row *row = &hx_plant_rows[fault->class];
    const char *side = hx_side_words[fault->side];
    char folder[320];
    struct hx_buffer text = {0};
    snprintf(folder, sizeof folder, "%s/%llu-%s-%s-%zu", selftest->keep, (unsigned long long)program, side,
             row->word, number);
    if ((mkdir(selftest->keep, 0777) != 0 && errno != EEXIST) ||
        (mkdir(folder, 0777) != 0 && errno != EEXIST))
        return rt_error_os(errno, "cannot make %s", folder);
    hx_buffer_print(&text, "%s, %s: %s\n%s\n%s: %s\n", side, row->word, row->what, fault->where,
                    fault->is_noticed ? "misnamed" : "missed", fault->reason);
    if (result) {
        hx_result_json(result, &text);
        hx_buffer_text(&text, "\n");
    }
    struct rt_error *error = hx_buffer_save(&text, folder, "fault.txt", 0666);
    for (size_t i = 0; !error && i < count; i++)
        error = copy_file(files[i].from, folder, files[i].name);
    return error;
}
