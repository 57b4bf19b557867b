/* PLANTED(NAME) is 1 in the build that has the plant, compiled with -DNAME, and 0 in all others. For #if too. */
#ifndef PLANTED_H
#define PLANTED_H

#define PLANTED(name)             PLANTED_VALUE(name)
#define PLANTED_VALUE(value)      PLANTED_CHOOSE(PLANTED_COMMA_##value)
#define PLANTED_CHOOSE(comma)     PLANTED_SECOND(comma 1, 0, 0)
#define PLANTED_SECOND(a, b, ...) b
#define PLANTED_COMMA_1           0,

#endif
