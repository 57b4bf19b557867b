/* PLANTED(NAME) is 1 in the build that has the plant, compiled with -DNAME, and 0 in all others. For #if too. */
#ifndef PLANTED_H
#define PLANTED_H

#define PLANTED(name)             PLANTED_(name)
#define PLANTED_(value)           PLANTED_SECOND(PLANTED_COMMA_##value 1, 0, 0)
#define PLANTED_SECOND(a, b, ...) b
#define PLANTED_COMMA_1           0,

#endif
