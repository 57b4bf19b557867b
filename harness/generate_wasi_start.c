/* Statements on what a program is started with, and on its standard streams. */
#include "harness/generate_wasi.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- Arguments, environment, preopened folders ---- */

static const struct hx_statement start[] = {
    {3, "{\n"
        "__wasi_size_t count = 0, size = 0;\n"
        "uint8_t *words[20], text[700];\n"
        "x = step(x, \"args_sizes_get\", __wasi_args_sizes_get(&count, &size));\n"
        "if (count <= 20 && size <= 600) {\n"
        "x = step(x, \"args_get\", __wasi_args_get(words, text + $many));\n"
        "for (__wasi_size_t i = 1; i < count; i++)\n"
        "    x = mix_bytes(x, words[i], strlen((char *)words[i]));\n"
        "}\n"
        "}"},
    {3, "{\n"
        "__wasi_size_t count = 0, size = 0;\n"
        "uint8_t *words[20], text[700];\n"
        "x = step(x, \"environ_sizes_get\", __wasi_environ_sizes_get(&count, &size));\n"
        "x = step(step(x, \"variables\", count), \"bytes\", size);\n"
        "if (count <= 20 && size <= 600) {\n"
        "x = step(x, \"environ_get\", __wasi_environ_get(words, text + $many));\n"
        "x = count > 0 ? mix_bytes(x, words[x % count], size / count) : x;\n"
        "}\n"
        "}"},
    {4, "{\n"
        "const char *value = getenv(\"$[HOME~LANG~EMPTY~MISSING~SEED]\");\n"
        "x = step(x, \"getenv\", value != NULL);\n"
        "x = value ? mix_bytes(x, value, strlen(value)) : x;\n"
        "}"},
    {3, "{\n"
        "__wasi_prestat_t folder = {0};\n"
        "x = step(x, \"fd_prestat_get\", __wasi_fd_prestat_get($[3~4], &folder));\n"
        "x = step(step(x, \"tag\", folder.tag), \"name\", (int64_t)folder.u.dir.pr_name_len);\n"
        "}"},
    {3, "{\n"
        "uint8_t name[20] = \"\";\n"
        "x = step(x, \"fd_prestat_dir_name\", __wasi_fd_prestat_dir_name($[3, name, 1~4, name, 6]));\n"
        "x = mix_bytes(x, name, sizeof name);\n"
        "}"},
    {1,
     "x = step(x, \"fd_prestat_dir_name\", __wasi_fd_prestat_dir_name($[0~1~99], (uint8_t[4]){0}, 4) != 0);"},
    {2, "{\n"
        "unsigned char *block = malloc($[$offset~70000~200000] + 1);\n"
        "if (block) {\n"
        "fill(block, $[1~$few], x);\n"
        "x = mix(x, block[0]);\n"
        "free(block);\n"
        "}\n"
        "}"},
};

const struct hx_theme hx_theme_start = {
    .name = "start",
    .purpose = "Looks at arguments, environment and preopened folders.",
    .weight = 2,
    .least = 2,
    .most = 6,
    .before = "",
    .after = "",
    .statements = start,
    .count = COUNT(start),
};

/* ---- Standard streams ---- */

static const struct hx_statement console[] = {
    {4, "x = step(x, \"printf\", printf(\"%u\\n\", x % $many));"},
    {2, "x = step(x, \"puts\", puts(\"$[~one line~another line]\") >= 0);"},
    {3, "fflush(stdout);\n"
        "x = step(x, \"write\", write(STDOUT_FILENO, \"$[a\\n~b\\n~direct\\n]\", $[0~1~2]));"},
    {2, "x = step(x, \"fprintf\", fprintf(stderr, \"%u\\n\", x % $many));"},
    {2, "x = step(x, \"dprintf\", dprintf(STDERR_FILENO, \"%s %u\\n\", \"$[direct~more]\", x % $few));"},
    {4, "x = step(x, \"read\", read(STDIN_FILENO, $bytes, $size));\n"
        "x = mix_bytes(x, bytes, $room);"},
    {3, "x = step(x, \"getchar\", getchar() + 2);"},
    {3, "{\n"
        "char line[$many] = \"\";\n"
        "x = step(x, \"fgets\", fgets(line, sizeof line, stdin) != NULL);\n"
        "x = mix_bytes(x, line, strlen(line));\n"
        "}"},
    {2, "{\n"
        "int number = 0;\n"
        "x = step(x, \"scanf\", scanf(\"%3d\", &number) + 2);\n"
        "x = mix(x, (uint32_t)number);\n"
        "}"},
    {2, "for (unsigned i = 0; i < $room; i += $many)\n"
        "    printf(\"%02x%c\", bytes[i], i % 5 ? ' ' : '\\n');\n"
        "putchar('\\n');"},
    {2, "{\n"
        "struct iovec parts[2] = {{\"$[a~bc~def]\", 1}, {\"\\n\", 1}};\n"
        "fflush(stdout);\n"
        "x = step(x, \"writev\", writev($[STDOUT_FILENO~STDERR_FILENO], parts, 2));\n"
        "}"},
    {1, "{\n"
        "int kinds[2] = {isatty(STDIN_FILENO), fcntl(STDOUT_FILENO, F_GETFL)};\n"
        "observe(kinds, sizeof kinds);\n"
        "}"},
};

const struct hx_theme hx_theme_console = {
    .name = "console",
    .purpose = "Reads standard input, and prints.",
    .weight = 3,
    .least = 4,
    .most = 10,
    .before = "",
    .after = "",
    .statements = console,
    .count = COUNT(console),
};
