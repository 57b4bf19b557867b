/* Keeps measured values in order. */
#include "harness/samples.h"

#include <string.h>

void hx_samples_add(struct hx_samples *samples, double value) {
    size_t at = samples->count;

    if (samples->count == HX_SAMPLES_MAX)
        return;
    while (at > 0 && samples->values[at - 1] > value)
        at--;
    memmove(&samples->values[at + 1], &samples->values[at], (samples->count - at) * sizeof(double));
    samples->values[at] = value;
    samples->count++;
}

double hx_samples_median(const struct hx_samples *samples) {
    return samples->count ? samples->values[samples->count / 2] : 0;
}

double hx_samples_least(const struct hx_samples *samples) {
    return samples->count ? samples->values[0] : 0;
}

double hx_samples_most(const struct hx_samples *samples) {
    return samples->count ? samples->values[samples->count - 1] : 0;
}
