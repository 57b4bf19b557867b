/* The argument parser that all commands share, and the help made from the same tables. */
#include "harness/options.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct rt_error *parse_number(const char *option, const char *text, char **ret_end, uint64_t *ret) {
    errno = 0;
    /* strtoull takes a minus sign, which no option of ours means. */
    if (!isdigit((unsigned char)text[0]))
        return rt_error_format(RT_USAGE, "%s: '%s' is not a number", option, text);
    *ret = strtoull(text, ret_end, 10);
    if (errno == ERANGE)
        return rt_error_format(RT_USAGE, "%s: '%s' is too large", option, text);
    return NULL;
}

static struct rt_error *parse_duration(const char *option, const char *text, uint64_t *ret) {
    static const struct {
        const char *unit;
        uint64_t milliseconds;
    } units[] = {{"", 1000}, {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};
    char *end;
    uint64_t number;
    struct rt_error *error = parse_number(option, text, &end, &number);

    if (error)
        return error;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (strcmp(end, units[i].unit) != 0)
            continue;
        /* So that every duration fits an unsigned number of milliseconds: 49 days. */
        if (__builtin_mul_overflow(number, units[i].milliseconds, ret) || *ret > UINT32_MAX)
            return rt_error_format(RT_USAGE, "%s: '%s' is too long", option, text);
        return NULL;
    }
    return rt_error_format(RT_USAGE, "%s: '%s' is no duration; write 90s, 10m or 2h", option, text);
}

static struct rt_error *parse_seeds(const char *option, const char *text, struct hx_seeds *ret) {
    char *end;
    struct rt_error *error = parse_number(option, text, &end, &ret->first);

    if (error)
        return error;
    ret->last = ret->first;
    if (*end == '-') {
        error = parse_number(option, end + 1, &end, &ret->last);
        if (error)
            return error;
    }
    if (*end != '\0')
        return rt_error_format(RT_USAGE, "%s: '%s' is no range of seeds; write 7 or 1-500", option, text);
    if (ret->last < ret->first)
        return rt_error_format(RT_USAGE, "%s: '%s' ends before it begins", option, text);
    ret->is_set = true;
    return NULL;
}

static struct rt_error *set_value(const struct hx_option *option, const char *text, size_t list_capacity,
                                  struct rt_arena *arena, void *field) {
    char *end;
    struct rt_error *error;
    struct hx_list *list;

    switch (option->kind) {
    case HX_OPTION_FLAG: *(bool *)field = true; return NULL;
    case HX_OPTION_TEXT: *(const char **)field = text; return NULL;
    case HX_OPTION_NUMBER:
        error = parse_number(option->name, text, &end, field);
        if (!error && *end != '\0')
            return rt_error_format(RT_USAGE, "%s: '%s' is not a number", option->name, text);
        return error;
    case HX_OPTION_DURATION: return parse_duration(option->name, text, field);
    case HX_OPTION_SEEDS: return parse_seeds(option->name, text, field);
    case HX_OPTION_LIST:
        list = field;
        if (!list->items)
            list->items = rt_arena_array(arena, list_capacity, sizeof *list->items);
        if (!list->items)
            return rt_error_out_of_memory();
        list->items[list->count++] = text;
        return NULL;
    }
    return rt_error_format(RT_USAGE, "%s: unknown kind of option", option->name);
}

/* The option that `word` names: all of it, or its part before '='. */
static const struct hx_option *find_option(const struct hx_command *command, const char *word,
                                           const char **ret_value) {
    size_t length = strcspn(word, "=");

    *ret_value = word[length] == '=' ? word + length + 1 : NULL;
    for (size_t i = 0; i < command->option_count; i++) {
        const char *name = command->options[i].name;
        if (strlen(name) == length && strncmp(name, word, length) == 0)
            return &command->options[i];
    }
    return NULL;
}

struct rt_error *hx_options_parse(const struct hx_command *command, int argc, char **argv,
                                  struct rt_arena *arena, void *values, struct hx_arguments *ret_arguments,
                                  bool *ret_help) {
    size_t capacity = (size_t)argc + 1;
    bool dashes = false;

    *ret_help = false;
    *ret_arguments = (struct hx_arguments){.items = rt_arena_array(arena, capacity, sizeof(char *))};
    if (!ret_arguments->items)
        return rt_error_out_of_memory();
    for (int i = 0; i < argc; i++) {
        const char *word = argv[i], *value;
        if (dashes || word[0] != '-' || word[1] == '\0') {
            ret_arguments->items[ret_arguments->count++] = word;
            ret_arguments->before_dashes += !dashes;
            continue;
        }
        if (strcmp(word, "--") == 0) {
            dashes = true;
            continue;
        }
        if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
            *ret_help = true;
            return NULL;
        }
        const struct hx_option *option = find_option(command, word, &value);
        if (!option)
            return rt_error_format(RT_USAGE, "unknown option '%s'; see --help", word);
        if (option->kind == HX_OPTION_FLAG) {
            if (value)
                return rt_error_format(RT_USAGE, "%s takes no value", option->name);
        } else if (!value) {
            if (i + 1 == argc)
                return rt_error_format(RT_USAGE, "%s needs a value: %s", option->name, option->value);
            value = argv[++i];
        }
        struct rt_error *error = set_value(option, value, capacity, arena, (char *)values + option->offset);
        if (error)
            return error;
    }
    return NULL;
}

void hx_options_help(const struct hx_command *command, const char *prefix, FILE *file) {
    fprintf(file, "usage: %s%s%s%s%s\n\n%s\n", prefix, prefix[0] ? " " : "", command->name,
            command->arguments[0] ? " " : "", command->arguments, command->summary);
    if (command->details)
        fprintf(file, "\n%s\n", command->details);
    if (command->command_count > 0)
        fprintf(file, "\ncommands:\n");
    for (size_t i = 0; i < command->command_count; i++)
        fprintf(file, "  %-22s %s\n", command->commands[i]->name, command->commands[i]->summary);
    if (command->option_count > 0)
        fprintf(file, "\noptions:\n");
    for (size_t i = 0; i < command->option_count; i++) {
        const struct hx_option *option = &command->options[i];
        int width = fprintf(file, "  %s%s%s", option->name, option->value ? " " : "",
                            option->value ? option->value : "");
        if (width > 24)
            fprintf(file, "\n%*s", 25, "");
        else
            fprintf(file, "%*s", 25 - width, "");
        fprintf(file, "%s\n", option->help);
    }
}
