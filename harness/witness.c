/* Witnesses: from names to artifacts, compilers and what a testimony rests on. */
#include "harness/witness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *word;
    bool is_module;
} kinds[HX_WITNESS_KIND_COUNT] = {
#define HX_WITNESS_KIND(name, word, is_module) {word, is_module},
#include "harness/witness_kinds.def"
#undef HX_WITNESS_KIND
};

bool hx_witness_is_module(const struct hx_witness *witness) {
    return kinds[witness->kind].is_module;
}

bool hx_witness_share(const struct hx_witness *a, const struct hx_witness *b) {
    return hx_witness_is_module(a) == hx_witness_is_module(b) && a->compiler == b->compiler;
}

bool hx_witnesses_run_one_module(const struct hx_witness *a, const struct hx_witness *b) {
    return hx_witness_share(a, b) && hx_witness_is_module(a);
}

/* ---- Names ---- */

static struct rt_error *unknown_kind(const char *name) {
    char words[64] = "";

    for (size_t i = 0; i < HX_WITNESS_KIND_COUNT; i++)
        snprintf(words + strlen(words), sizeof words - strlen(words), "%s%s", i ? ", " : "", kinds[i].word);
    return rt_error_format(RT_USAGE, "--witness: '%s' is none; write KIND[:VARIANT] with a kind of %s", name,
                           words);
}

static struct rt_error *add_named(struct hx_witnesses *witnesses, const char *name, enum rt_engine engine) {
    const size_t length = strcspn(name, ":");
    struct hx_witness witness = {.name = name, .engine = engine};
    enum rt_engine named;
    size_t kind = 0;

    while (kind < HX_WITNESS_KIND_COUNT &&
           (strlen(kinds[kind].word) != length || strncmp(kinds[kind].word, name, length) != 0))
        kind++;
    if (kind == HX_WITNESS_KIND_COUNT || (name[length] && !name[length + 1]))
        return unknown_kind(name);
    for (size_t i = 0; i < witnesses->count; i++)
        if (strcmp(witnesses->items[i].name, name) == 0)
            return rt_error_format(RT_USAGE, "--witness: %s is there twice", name);
    witness.kind = (enum hx_witness_kind)kind;
    if (witness.kind == HX_WITNESS_JIT)
        witness.engine = RT_ENGINE_COMPILED;
    if (name[length]) {
        struct rt_error *error = rt_engine_parse(name + length + 1, &named);
        if (!error && witness.kind == HX_WITNESS_WASM)
            witness.engine = named;
        else
            witness.variant = name + length + 1;
        rt_error_destroy(error);
    }
    witnesses->items[witnesses->count++] = witness;
    return NULL;
}

struct rt_error *hx_witnesses_parse(const char *text, enum rt_engine engine, struct hx_witnesses *ret) {
    struct rt_error *error = NULL;

    *ret = (struct hx_witnesses){.count = 0};
    rt_arena_init(&ret->arena, 0);
    for (const char *name = text; !error && name; name = strchr(name, ',')) {
        name += *name == ',';
        const char *copy = rt_arena_copy(&ret->arena, name, strcspn(name, ","));
        if (!copy)
            error = rt_error_out_of_memory();
        else if (ret->count == HX_MAX_NAMED)
            error = rt_error_format(RT_USAGE, "--witness: '%s' are more than %d", text, HX_MAX_NAMED);
        else
            error = add_named(ret, copy, engine);
    }
    if (!error && ret->count < 2)
        error = rt_error_format(RT_USAGE, "--witness: '%s' is one; a comparison needs two", text);
    ret->first_count = ret->count;
    if (error)
        hx_witnesses_clear(ret);
    return error;
}

/* ---- Artifacts ---- */

static struct rt_error *add_part(struct hx_witness *witness, struct rt_arena *arena, const char *what,
                                 const char *of, const char *blame) {
    const char *name = of ? rt_arena_printf(arena, "%s of %s", what, of) : what;

    if (!name)
        return rt_error_out_of_memory();
    witness->parts[witness->part_count++] = (struct or_part){name, blame};
    return NULL;
}

/* From the compiler to what shows its debug information. */
static struct rt_error *add_parts(struct hx_witness *witness, struct rt_arena *arena) {
    const bool is_module = hx_witness_is_module(witness);
    const char *compiler = witness->compiler ? witness->compiler->name : NULL;
    const char *plain = is_module ? kinds[HX_WITNESS_WASM].word : kinds[HX_WITNESS_NATIVE].word;
    const char *own = witness->variant ? rt_arena_printf(arena, "%s:%s", plain, witness->variant) : plain;
    struct rt_error *error = NULL;

    witness->part_count = 0;
    if (!own)
        return rt_error_out_of_memory();
    error = add_part(witness, arena, is_module ? "Wasm DWARF" : "native DWARF", compiler, own);
    if (!error && compiler && !hx_compiler_is_gcc(witness->compiler))
        error = add_part(witness, arena, is_module ? "LLVM's Wasm back end" : "LLVM's x86-64 back end", NULL,
                         plain);
    if (!is_module || error)
        return error;
    if (witness->engine == RT_ENGINE_INTERP)
        return add_part(witness, arena, "the interpreter", NULL, "engine");
    error = add_part(witness, arena, "the compiled engine", NULL, "engine");
    if (!error && witness->kind == HX_WITNESS_JIT)
        return add_part(witness, arena, "the DWARF made for compiled code", NULL, "jit");
    return error ? error
                 : add_part(witness, arena, "what the compiled engine tells of its places", NULL, "engine");
}

/* The tools with another compiler on the witness's side. Witnesses of one compiler share them. */
static struct rt_error *find_variant(struct hx_witnesses *witnesses, struct hx_witness *witness,
                                     const struct hx_tools *tools, const struct hx_temp *temp) {
    const bool is_module = hx_witness_is_module(witness);
    struct hx_tools_choice choice = {.cc = tools->cc, .optimisation = tools->optimisation};
    struct hx_tools *variant = &witnesses->variants[witnesses->variant_count];

    for (const struct hx_witness *other = witnesses->items; other < witness; other++)
        if (other->variant && strcmp(other->variant, witness->variant) == 0 &&
            hx_witness_is_module(other) == is_module) {
            witness->tools = other->tools;
            witness->compiler = other->compiler;
            witness->folder = other->folder;
            witness->artifact = other->artifact;
            return NULL;
        }
    if (is_module)
        choice.cc = witness->variant;
    else
        choice.native_cc = witness->variant;
    struct rt_error *error = hx_tools_find(&choice, temp, variant);
    if (error)
        return error;
    witnesses->variant_count++;
    witness->tools = variant;
    witness->compiler = is_module ? &variant->wasm : &variant->native;
    if (strcmp(witness->compiler->name, witness->variant) != 0)
        return rt_error_format(RT_USAGE, "%s: %s compiles the Wasm side%s", witness->name,
                               witness->compiler->name,
                               getenv("WASI_SDK_PATH") ? ", as WASI_SDK_PATH says" : "");
    witness->folder = rt_arena_printf(&witnesses->arena, "witness-%zu", witnesses->variant_count);
    witness->artifact = rt_arena_printf(&witnesses->arena, "witness-%zu/%s", witnesses->variant_count,
                                        is_module ? HX_WASM : HX_NATIVE);
    return witness->folder && witness->artifact ? NULL : rt_error_out_of_memory();
}

static struct rt_error *find_one(struct hx_witnesses *witnesses, struct hx_witness *witness,
                                 const struct hx_tools *tools, const struct hx_temp *temp) {
    const bool is_module = hx_witness_is_module(witness);
    struct rt_error *error = NULL;

    if (witness->variant && !tools)
        return rt_error_format(RT_USAGE, "%s: a pair that was built elsewhere has no source to compile",
                               witness->name);
    if (witness->variant) {
        error = find_variant(witnesses, witness, tools, temp);
    } else {
        witness->artifact = is_module ? HX_WASM : HX_NATIVE;
        witness->tools = tools;
        witness->compiler = !tools ? NULL : is_module ? &tools->wasm : &tools->native;
    }
    return error ? error : add_parts(witness, &witnesses->arena);
}

struct rt_error *hx_witnesses_find(struct hx_witnesses *witnesses, const struct hx_tools *tools,
                                   const struct hx_temp *temp) {
    for (size_t i = 0; i < witnesses->count; i++) {
        struct rt_error *error = find_one(witnesses, &witnesses->items[i], tools, temp);
        if (error && i < witnesses->first_count)
            return error;
        /* One of those that were only thought of: its compiler lacks something. */
        if (error) {
            rt_error_destroy(error);
            memmove(&witnesses->items[i], &witnesses->items[i + 1],
                    (--witnesses->count - i) * sizeof witnesses->items[i]);
            i--;
        }
    }
    return NULL;
}

/* ---- More of them ---- */

static bool is_installed(const char *name, struct rt_arena *arena) {
    const char *path;
    struct rt_error *error = hx_tool_find(name, name, arena, &path);
    const bool is_there = error == NULL;

    rt_error_destroy(error);
    return is_there;
}

/* Adds a witness unless there is one of that name. */
static struct rt_error *add_once(struct hx_witnesses *witnesses, const char *kind, const char *variant,
                                 enum rt_engine engine) {
    const char *name = rt_arena_printf(&witnesses->arena, variant ? "%s:%s" : "%s", kind, variant);

    if (!name)
        return rt_error_out_of_memory();
    for (size_t i = 0; i < witnesses->count; i++)
        if (strcmp(witnesses->items[i].name, name) == 0)
            return NULL;
    return witnesses->count < OR_MAX_WITNESSES ? add_named(witnesses, name, engine) : NULL;
}

struct rt_error *hx_witnesses_extend(struct hx_witnesses *witnesses, const struct hx_tools *tools,
                                     enum rt_engine engine) {
    static const char *const compilers[] = {"gcc", "clang-16", "clang-14", "clang-19"};
    const enum rt_engine other = engine == RT_ENGINE_COMPILED ? RT_ENGINE_INTERP : RT_ENGINE_COMPILED;
    const char *const native = kinds[HX_WITNESS_NATIVE].word, *const wasm = kinds[HX_WITNESS_WASM].word;
    bool has_clang[2] = {false, false};
    struct rt_error *error = NULL;

    for (size_t i = 0; tools && i < sizeof compilers / sizeof *compilers && !error; i++) {
        const bool is_gcc = i == 0;
        if (!is_installed(compilers[i], &witnesses->arena))
            continue;
        if (strcmp(compilers[i], tools->native.name) != 0 && !has_clang[0]) {
            error = add_once(witnesses, native, compilers[i], engine);
            has_clang[0] = !is_gcc;
        }
        if (!error && !is_gcc && strcmp(compilers[i], tools->wasm.name) != 0 && !has_clang[1] &&
            !tools->wasm.sysroot) {
            error = add_once(witnesses, wasm, compilers[i], engine);
            has_clang[1] = true;
        }
    }
    if (!error)
        error = add_once(witnesses, wasm, rt_engine_name(other), engine);
    return error ? error : add_once(witnesses, kinds[HX_WITNESS_JIT].word, NULL, engine);
}

struct rt_error *hx_witnesses_create(const char *text, bool blame, enum rt_engine engine,
                                     const struct hx_tools *tools, const struct hx_temp *temp,
                                     struct hx_witnesses *ret) {
    struct rt_error *error = hx_witnesses_parse(text ? text : "native,wasm", engine, ret);

    if (error)
        return error;
    if (blame)
        error = hx_witnesses_extend(ret, tools, engine);
    if (!error)
        error = hx_witnesses_find(ret, tools, temp);
    if (error)
        hx_witnesses_clear(ret);
    return error;
}

void hx_witnesses_clear(struct hx_witnesses *witnesses) {
    for (size_t i = 0; i < witnesses->variant_count; i++)
        hx_tools_clear(&witnesses->variants[i]);
    rt_arena_clear(&witnesses->arena);
    *witnesses = (struct hx_witnesses){.count = 0};
}
