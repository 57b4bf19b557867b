/* The interpreter: the table of what the engine does. */
#include "runtime/engine.h"

static struct rt_error *create(const struct rt_module *module, const struct rt_compile_options *options,
                               struct rt_code **ret) {
    (void)module, (void)options, (void)ret;
    return rt_error_format(RT_UNSUPPORTED, "not supported: the interpreter");
}

const struct rt_engine_ops rt_engine_interp = {.name = "interp", .create = create};
