/* The visitor without hooks: nothing changes but the form. */
#include "runtime/dwarf/dwarf.h"

const struct rt_dwarf_visitor rt_dwarf_identity = {.user = NULL};
