/* The tables of export.def, and WASI's names of errors. */
#include "harness/export.h"

#include <stddef.h>

/* ---- Structures ---- */

#define EXPORT_FIELD(name, offset, size, how) {#name, offset, size, HX_EXPORT_##how},
#define EXPORT_STRUCTURE(key, witx, size, fields)                                                            \
    static const struct hx_export_field fields_of_##key[] = {fields};                                        \
    static const struct hx_export_structure structure_##key = {                                              \
        size, sizeof fields_of_##key / sizeof *fields_of_##key, fields_of_##key};                            \
    static const char witx_of_##key[] = #witx;
#include "harness/export.def"
#undef EXPORT_FIELD

const char *hx_export_how_word(enum hx_export_how how) {
    static const char *const words[] = {
#define HX_EXPORT_HOW(name, word) word,
        HX_EXPORT_HOWS(HX_EXPORT_HOW)
#undef HX_EXPORT_HOW
    };
    return words[how];
}

/* ---- Functions ---- */

/* Both lists have each function, with as many parameters. */
#define RT_WASI_FUNCTION(name, parameters, results)                                                          \
    static const char types_of_##name[] = parameters;                                                        \
    enum { PARAMETERS_OF_##name = sizeof parameters - 1, RESULTS_OF_##name = sizeof results - 1 };
#include "runtime/wasi/functions.def"
#undef RT_WASI_FUNCTION
#define EXPORT_PARAMETER(name, type, role) +1
#define EXPORT_RESULT(name, key)           +1
#define EXPORT_FUNCTION(name, streams, parameters)                                                           \
    _Static_assert(PARAMETERS_OF_##name == 0 parameters, "parameters of " #name);
#include "harness/export.def"
#undef EXPORT_PARAMETER
#undef EXPORT_RESULT
#define EXPORT_FUNCTION(name, streams, parameters) +1
_Static_assert(0
#include "harness/export.def"
                   == HX_EXPORT_FUNCTION_COUNT,
               "functions.def has others");

#define EXPORT_PARAMETER(name, type, role) {#name, #type, HX_EXPORT_##role, NULL},
#define EXPORT_RESULT(name, key)           {#name, witx_of_##key, HX_EXPORT_RESULT, &structure_##key},
#define EXPORT_FUNCTION(name, streams, parameters)                                                           \
    static const struct hx_export_parameter parameters_of_##name[] = {parameters{0}};
#include "harness/export.def"
#undef EXPORT_PARAMETER
#undef EXPORT_RESULT

const struct hx_export_function hx_export_functions[HX_EXPORT_FUNCTION_COUNT] = {
#define EXPORT_FUNCTION(name, streams, parameters)                                                           \
    [HX_EXPORT_##name] = {#name,                                                                             \
                          types_of_##name,                                                                   \
                          RESULTS_OF_##name != 0,                                                            \
                          HX_EXPORT_##streams,                                                               \
                          PARAMETERS_OF_##name,                                                              \
                          parameters_of_##name},
#include "harness/export.def"
};

/* ---- Errors ---- */

const char *hx_export_errno_name(uint32_t number) {
    static const char *const names[] = {
#define RT_WASI_ERRNO(value, name, host) [value] = #name,
#define RT_WASI_ERRNO_OURS(value, name)  [value] = #name,
#include "runtime/wasi/errno.def"
#undef RT_WASI_ERRNO
#undef RT_WASI_ERRNO_OURS
    };
    return number < sizeof names / sizeof *names ? names[number] : NULL;
}

uint32_t hx_export_also(enum hx_export_number function, uint32_t number) {
    static const struct {
        enum hx_export_number function;
        enum hx_export_errno number, other;
    } list[] = {
#define EXPORT_ALSO(function, errnum, other, why)                                                            \
    {HX_EXPORT_##function, HX_EXPORT_E##errnum, HX_EXPORT_E##other},
#include "harness/export.def"
        {HX_EXPORT_FUNCTION_COUNT, HX_EXPORT_ESUCCESS, HX_EXPORT_ESUCCESS},
    };
    for (size_t i = 0; list[i].function != HX_EXPORT_FUNCTION_COUNT; i++)
        if (list[i].function == function && list[i].number == number)
            return list[i].other;
    return number;
}
