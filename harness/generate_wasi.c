/* A seed's program: its functions with their buffers, loops, branches and calls of each other, and its main.
 */
#include "harness/generate_wasi.h"

#include <stdio.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

enum { LEAST_FUNCTIONS = 4, MOST_FUNCTIONS = 9, NESTING = 2 };

/* Past this many lines a program gets no more functions. */
enum { MANY_LINES = 260 };

static const struct hx_theme *const themes[] = {
    &hx_theme_files,  &hx_theme_streams, &hx_theme_descriptors, &hx_theme_folders, &hx_theme_names,
    &hx_theme_clocks, &hx_theme_polling, &hx_theme_random,      &hx_theme_start,   &hx_theme_console,
    &hx_theme_errors, &hx_theme_borders, &hx_theme_sockets,
};

/* What later functions and main may call. */
struct function {
    char name[32];
    bool calls_none; /* but itself */
};

static const struct hx_theme *choose_theme(struct hx_random *random) {
    uint32_t sum = 0;
    size_t chosen = 0;

    for (size_t i = 0; i < COUNT(themes); i++)
        sum += themes[i]->weight;
    uint32_t left = hx_random_below(random, sum);
    while (left >= themes[chosen]->weight)
        left -= themes[chosen++]->weight;
    return themes[chosen];
}

/* ---- Buffers ---- */

/* Where a function's buffer lies, with its size in bytes. Most start at an odd address. */
static const struct storage {
    unsigned weight, least, most;
    const char *before, *after; /* printf formats: the size of all, of what is left out at its start */
} storages[] = {
    {5, 30, 600, "unsigned char room[%u];\nunsigned char *bytes = room + %u;\n", ""},
    {1, 2000, 4000, "unsigned char room[%u];\nunsigned char *bytes = room + %u;\n", ""},
    {3, 30, 2000, "static unsigned char room[%u];\nunsigned char *bytes = room + %u;\n", ""},
    {1, 66000, 70000, "static unsigned char room[%u];\nunsigned char *bytes = room + %u;\n", ""},
    {3, 30, 5000,
     "unsigned char *room = malloc(%u);\nif (!room)\n    return x;\nunsigned char *bytes = room + %u;\n",
     "free(room);\n"},
    {1, 66000, 140000,
     "unsigned char *room = malloc(%u);\nif (!room)\n    return x;\nunsigned char *bytes = room + %u;\n",
     "free(room);\n"},
};

static const struct storage *write_storage(struct hx_writer *writer) {
    struct hx_random *random = &writer->random;
    uint32_t sum = 0;

    for (size_t i = 0; i < COUNT(storages); i++)
        sum += storages[i].weight;
    uint32_t left = hx_random_below(random, sum);
    const struct storage *storage = storages;
    while (left >= storage->weight)
        left -= (storage++)->weight;
    unsigned room = hx_random_between(random, storage->least, storage->most);
    unsigned skipped = hx_random_between(random, 1, 8);
    char text[300];
    /* The formats are this file's own. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(text, sizeof text, storage->before, room + skipped, skipped);
#pragma GCC diagnostic pop
    hx_write_format(writer, "%s", text);
    writer->room = room;
    hx_write_format(writer, "fill(bytes, %u, x);\n", room);
    return storage;
}

/* ---- Statements ---- */

/* A statement of its own, or the only one of a block: then its own braces are left out. */
static void write_statement(struct hx_writer *writer, const struct hx_theme *theme, bool is_alone) {
    const char *text = theme->statements[hx_choose(writer, theme->statements, theme->count)].text;
    size_t size = strlen(text);

    if (is_alone && strncmp(text, "{\n", 2) == 0) {
        char inner[2000];
        snprintf(inner, sizeof inner, "%.*s", (int)(size - 3), text + 2);
        text = inner;
        hx_write(writer, text);
        return;
    }
    hx_write(writer, text);
}

static void write_block(struct hx_writer *writer, const struct hx_theme *theme, unsigned count,
                        unsigned nesting);

static void write_loop(struct hx_writer *writer, const struct hx_theme *theme, unsigned count,
                       unsigned nesting) {
    const struct hx_writer outer = *writer;

    writer->turn = nesting == 0 ? 'i' : 'j';
    writer->turns = hx_random_between(&writer->random, 2, 5);
    hx_write_format(writer, "for (unsigned %c = 0; %c < %u; %c++) {\n", writer->turn, writer->turn,
                    writer->turns, writer->turn);
    write_block(writer, theme, count, nesting + 1);
    if (hx_random_chance(&writer->random, 25))
        hx_write_format(writer, "if (x %% %u == %c)\n    break;\n", hx_random_between(&writer->random, 5, 20),
                        writer->turn);
    hx_write_format(writer, "}\n");
    writer->turn = outer.turn;
    writer->turns = outer.turns;
}

static void write_branch(struct hx_writer *writer, const struct hx_theme *theme, unsigned count,
                         unsigned nesting) {
    hx_write_format(writer, "if (x & %u) {\n", 1u << hx_random_below(&writer->random, 8));
    write_block(writer, theme, count, nesting + 1);
    if (hx_random_chance(&writer->random, 50)) {
        hx_write_format(writer, "} else {\n");
        write_block(writer, theme, 1, nesting + 1);
    }
    hx_write_format(writer, "}\n");
}

static void write_block(struct hx_writer *writer, const struct hx_theme *theme, unsigned count,
                        unsigned nesting) {
    bool is_alone = count == 1 && nesting > 0;

    while (count > 0) {
        unsigned part = hx_random_between(&writer->random, 1, count < 3 ? count : 3);
        uint32_t form = nesting < NESTING ? hx_random_below(&writer->random, 100) : 100;
        if (form < 18) {
            write_loop(writer, theme, part, nesting);
        } else if (form < 32) {
            write_branch(writer, theme, part, nesting);
        } else {
            write_statement(writer, theme, is_alone);
            part = 1;
        }
        count -= part;
    }
}

/* ---- Functions ---- */

/* A call of one before it, or of itself. Only functions that call no other are called, so that the calls of a
 * program do not multiply. */
static void write_call(struct hx_writer *writer, const struct function *functions, unsigned index,
                       struct function *ret) {
    struct hx_random *random = &writer->random;
    unsigned called = index > 0 ? hx_random_below(random, index) : 0;

    ret->calls_none = true;
    if (index > 0 && functions[called].calls_none && hx_random_chance(random, 35)) {
        hx_write_format(writer, "if (x & %u)\n    x = %s(x, 0);\n", 1u << hx_random_below(random, 3),
                        functions[called].name);
        ret->calls_none = false;
    } else if (hx_random_chance(random, 40)) {
        hx_write_format(writer, "if (depth > 0)\n    x = %s(x, depth - 1);\n", ret->name);
    }
}

static void write_function(struct hx_writer *writer, struct function *functions, unsigned index) {
    const struct hx_theme *theme = choose_theme(&writer->random);
    struct function *function = &functions[index];

    snprintf(function->name, sizeof function->name, "%s_%u", theme->name, index);
    hx_write_format(writer, "\n/* %s */\nstatic uint32_t %s(uint32_t x, unsigned depth) {\n", theme->purpose,
                    function->name);
    const struct storage *storage = write_storage(writer);
    hx_write_format(writer, "x = mix(x, depth);\n");
    hx_write(writer, theme->before);
    write_block(writer, theme, hx_random_between(&writer->random, theme->least, theme->most), 0);
    hx_write(writer, theme->after);
    write_call(writer, functions, index, function);
    hx_write_format(writer, "x = mix_bytes(x, bytes, %u);\n%sreturn x;\n}\n", writer->room, storage->after);
    writer->room = 0;
}

/* How a program ends. The status is none of lockstep's own, and below what a shell takes for a signal. */
static const struct hx_statement ends[] = {
    {6, "return (int)(x % 50 + 10);"},
    {3, "exit((int)(x % 50 + 10));"},
    {2, "fflush(NULL);\n"
        "_Exit((int)(x % 50 + 10));"},
    {2, "fflush(NULL);\n"
        "__wasi_proc_exit(x % 50 + 10);"},
    {4, "fflush(NULL);\n"
        "return proc_raise($[2~6~15]) + 1;"},
    {1, "fflush(NULL);\n"
        "__builtin_trap();"},
};

static void write_main(struct hx_writer *writer, const struct function *functions, unsigned count) {
    struct hx_random *random = &writer->random;
    unsigned order[MOST_FUNCTIONS];

    for (unsigned i = 0; i < count; i++) {
        unsigned j = hx_random_below(random, i + 1);
        order[i] = order[j];
        order[j] = i;
    }
    hx_write_format(writer, "\nstatic uint32_t (*const parts[])(uint32_t x, unsigned depth) = {\n");
    for (unsigned i = 0; i < count; i++)
        hx_write_format(writer, "%s,\n", functions[order[i]].name);
    hx_write_format(writer, "};\n\nint main(int argc, char **argv) {\n");
    hx_write_format(writer, "uint32_t x = %uu;\n", (unsigned)hx_random_next(random));
    hx_write_format(writer,
                    "for (int i = 1; i < argc; i++)\n    x = mix_bytes(x, argv[i], strlen(argv[i]));\n");
    hx_write_format(writer, "for (unsigned i = 0; i < %u; i++) {\n", count);
    hx_write_format(writer, "x = parts[i](x, i %% %u);\n", hx_random_between(random, 2, 3));
    hx_write_format(writer, "printf(\"%%2u %%08x\\n\", i, x);\n}\n");
    hx_write_format(writer, "for (unsigned i = 0; i < %u; i++) {\n", hx_random_between(random, 1, 3));
    hx_write_format(writer, "x = parts[x %% %u](x, 0);\nprintf(\"again %%08x\\n\", x);\n}\n", count);
    hx_write_format(writer, "/* What all that left behind. */\n"
                            "x = walk(walk(x, \"/extra\", 1), \".\", 3);\nprintf(\"%%08x\\n\", x);\n");
    hx_write_format(writer,
                    "/* This much depends on the host. */\nfprintf(stderr, \"%%08x\\n\", ambient);\n");
    hx_write(writer, ends[hx_choose(writer, ends, COUNT(ends))].text);
    hx_write_format(writer, "}\n");
}

static size_t count_lines(const struct hx_buffer *text) {
    size_t lines = 0;

    for (size_t i = 0; i < text->size; i++)
        lines += text->bytes[i] == '\n';
    return lines;
}

void hx_generate_wasi(uint64_t seed, struct hx_buffer *ret) {
    struct hx_buffer body = {0};
    struct hx_writer writer = {.random = {seed}, .text = &body};
    struct function functions[MOST_FUNCTIONS];
    unsigned count = hx_random_between(&writer.random, LEAST_FUNCTIONS, MOST_FUNCTIONS);

    for (unsigned i = 0; i < count; i++) {
        write_function(&writer, functions, i);
        if (i + 1 >= LEAST_FUNCTIONS && count_lines(&body) > MANY_LINES)
            count = i + 1;
    }
    write_main(&writer, functions, count);
    hx_buffer_print(
        ret,
        "/* Made by: lockstep generate --source wasi --seed %llu\n"
        " * It runs in the folders and with the input that --setup DIR makes; DIR/command says how. */\n",
        (unsigned long long)seed);
    hx_write_prelude(hx_buffer_string(&body), ret);
    hx_buffer_append(ret, body.bytes, body.size);
    ret->failed |= body.failed;
    hx_buffer_clear(&body);
}
