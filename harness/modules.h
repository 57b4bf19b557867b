/* Modules for comparing engines that no C compiler made: random ones, and those of a folder. */
#ifndef LOCKSTEP_HARNESS_MODULES_H
#define LOCKSTEP_HARNESS_MODULES_H

#include "harness/tools.h"

/* Makes HX_WASM in the folder: binaryen's wasm-opt turns random bytes, which the seed alone decides, into a
 * valid module. RT_USAGE when it fails. */
RT_MUST_USE struct rt_error *hx_module_generate(const char *wasm_opt, uint64_t seed, const char *folder);

/* The paths of all *.wasm in a folder and the folders in it, absolute, ascending, in the arena. */
RT_MUST_USE struct rt_error *hx_modules_list(const char *folder, struct rt_arena *arena,
                                             const char *const **ret, size_t *ret_count);

#endif
