/* A folder with an exported test and all that it needs: the program, the script that runs it on an engine,
 * and what the recorded program was run with. */
#include "harness/export.h"

#include "harness/process.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* ---- The words that the script takes ---- */

static void put_words(struct hx_buffer *out, const char *name, const struct hx_export_strings *strings) {
    hx_buffer_print(out, "%s=(", name);
    for (size_t i = 0; i < strings->count; i++) {
        hx_buffer_text(out, i ? " " : "");
        hx_buffer_shell_word(out, strings->items[i]);
    }
    hx_buffer_text(out, ")\n");
}

static void put_setup(const struct hx_export *export, struct hx_buffer *out) {
    const char *names[HX_EXPORT_MAX_PREOPENS];
    const struct hx_export_strings dirs = {names, export->preopen_count, true};

    for (size_t i = 0; i < export->preopen_count; i++)
        names[i] = export->preopens[i].name;
    hx_buffer_text(
        out, "# What the recorded program was run with: arguments (the first is its name), environment, and\n"
             "# how it saw the folders dirs/0, dirs/1, ...\n");
    put_words(out, "args", &export->args);
    put_words(out, "env", &export->env);
    put_words(out, "dirs", &dirs);
}

/* ---- Files and folders ---- */

static struct rt_error *make_folder(const char *path) {
    if (mkdir(path, 0755) == 0)
        return NULL;
    return rt_error_os(errno, "cannot make the folder %s", path);
}

static struct rt_error *write_text(const char *folder, const char *name, const char *text, unsigned mode) {
    struct hx_buffer buffer = {0};
    hx_buffer_text(&buffer, text);
    return hx_buffer_save(&buffer, folder, name, mode);
}

/* With links, modes and times as they are. */
static struct rt_error *copy_folder(const char *from, const char *to) {
    const char *argv[] = {"cp", "-a", "--", from, to, NULL};
    struct hx_process process = {.argv = argv, .time_limit = 600000};
    char complaint[256];
    struct rt_error *error = hx_process_run(&process, 1);

    if (!error && !hx_process_succeeded(&process))
        error = rt_error_format(RT_OS, "cannot copy the folder %s: %s", from,
                                hx_process_complaint(&process, complaint, sizeof complaint));
    hx_process_clear(&process);
    return error;
}

static struct rt_error *make_dirs(const struct hx_export *export, const char *folder,
                                  const struct rt_wasi_dir *dirs, size_t dir_count) {
    char path[512];

    snprintf(path, sizeof path, "%s/dirs", folder);
    struct rt_error *error = make_folder(path);
    for (size_t i = 0; i < export->preopen_count && !error; i++) {
        const char *host = NULL;
        for (size_t k = 0; k < dir_count; k++)
            if (strcmp(dirs[k].guest, export->preopens[i].name) == 0)
                host = dirs[k].host;
        snprintf(path, sizeof path, "%s/dirs/%zu", folder, i);
        error = host ? copy_folder(host, path) : make_folder(path);
        if (!error && !host)
            error = hx_export_make_files(export, i, path);
    }
    return error;
}

static struct rt_error *check_dirs(const struct hx_export *export, const struct rt_wasi_dir *dirs,
                                   size_t dir_count) {
    for (size_t k = 0; k < dir_count; k++) {
        size_t i = 0;
        while (i < export->preopen_count && strcmp(dirs[k].guest, export->preopens[i].name) != 0)
            i++;
        if (i == export->preopen_count)
            return rt_error_format(RT_USAGE, "--dir: the recorded program saw no folder %s", dirs[k].guest);
    }
    return NULL;
}

struct rt_error *hx_export_folder(const struct hx_export *export, const char *path,
                                  const struct rt_wasi_dir *dirs, size_t dir_count) {
    struct hx_buffer program = {0}, setup = {0};
    struct hx_buffer input = {0};

    struct rt_error *error = check_dirs(export, dirs, dir_count);
    if (!error)
        error = hx_export_c(export, &program);
    if (!error)
        error = make_folder(path);
    if (!error)
        error = hx_buffer_save(&program, path, "test.c", 0644);
    put_setup(export, &setup);
    if (!error)
        error = hx_buffer_save(&setup, path, "setup", 0644);
    hx_buffer_append(&input, export->input.bytes, export->input.size);
    if (!error)
        error = hx_buffer_save(&input, path, "input", 0644);
    if (!error)
        error = write_text(path, "run", hx_export_run_text, 0755);
    if (!error)
        error = write_text(path, "run.mjs", hx_export_node_text, 0644);
    if (!error)
        error = make_dirs(export, path, dirs, dir_count);
    hx_buffer_clear(&program);
    hx_buffer_clear(&setup);
    hx_buffer_clear(&input);
    return error;
}
