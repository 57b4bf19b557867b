/* Measured values of which a median and the spread are told. */
#ifndef LOCKSTEP_HARNESS_SAMPLES_H
#define LOCKSTEP_HARNESS_SAMPLES_H

#include <stddef.h>

enum { HX_SAMPLES_MAX = 1000 };

struct hx_samples {
    double values[HX_SAMPLES_MAX]; /* ascending */
    size_t count;
};

/* More than HX_SAMPLES_MAX are not kept. */
void hx_samples_add(struct hx_samples *samples, double value);
/* All are 0 without samples. The median of an even number is the upper one of the two. */
double hx_samples_median(const struct hx_samples *samples);
double hx_samples_least(const struct hx_samples *samples);
double hx_samples_most(const struct hx_samples *samples);

#endif
