/* How a program says what differs in the build that has a plant, which is compiled with -DNAME. */
#ifndef PLANTED_H
#define PLANTED_H

/* 1 in the build that has the plant, else 0; for #if too. */
#define PLANTED(name)                       PLANTED_VALUE(name)
#define PLANTED_VALUE(value)                PLANTED_CHOOSE(PLANTED_COMMA_##value, 1, 0)
/* These words in the build that has the plant, else those; all in one line of the source. */
#define PLANT(name, these, those)           PLANT_WORDS(name, these, those)
#define PLANT_WORDS(value, these, those)    PLANTED_CHOOSE(PLANTED_COMMA_##value, these, those)
#define PLANTED_CHOOSE(comma, these, those) PLANTED_SECOND(comma these, those, 0)
#define PLANTED_SECOND(a, b, ...)           b
#define PLANTED_COMMA_1                     0,

#endif
