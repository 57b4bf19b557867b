/* What the injection stub needs to know of this processor's vector state: how big it is and which instruction
 * saves it (Intel SDM, volume 1, chapter 13). */
#include "stepper/x86_64/inject.h"

#include <cpuid.h>
#include <string.h>

uint64_t st_vector_size, st_vector_mask;
uint8_t st_vector_compact, st_vector_moves;

enum {
    CPUID_OSXSAVE = 1 << 27,  /* leaf 1, ecx */
    CPUID_XSAVEC = 1 << 1,    /* leaf 0xd, sub-leaf 1, eax */
    CPUID_XINUSE = 1 << 2,    /* the same: XGETBV tells what is in use */
    CPUID_AVX512BW = 1 << 30, /* leaf 7, ebx: 64-bit mask registers */
    STATE_PKRU = 1 << 9,      /* the process's memory policy, not a register of the program's */
};

static uint64_t read_xcr0(void) {
    uint32_t low, high;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

struct rt_error *st_vector_init(void) {
    uint32_t eax, ebx, ecx, edx;
    if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || !(ecx & CPUID_OSXSAVE)) {
        return rt_error_format(RT_UNSUPPORTED,
                               "not supported: a processor, or a system, without XSAVE; stepping must save "
                               "the whole vector state");
    }
    __cpuid_count(0xd, 0, eax, ebx, ecx, edx);
    uint32_t size = ebx;
    __cpuid_count(0xd, 1, eax, ebx, ecx, edx);
    /* The compacted form can be the bigger one: it counts supervisor states, which it may not hold. */
    if ((eax & CPUID_XSAVEC) && ebx > size) {
        size = ebx;
    }
    size = size > ST_MOVED_SIZE ? size : ST_MOVED_SIZE;
    st_vector_size = (size + 63u) & ~(uint64_t)63;
    st_vector_mask = read_xcr0() & ~(uint64_t)STATE_PKRU;
    /* XSAVEOPT is left out: it skips what did not change since the last XRSTOR from the same address, and
     * another debuggee's stack may lie there by now. */
    st_vector_compact = (eax & CPUID_XSAVEC) != 0;
    bool tells_use = (eax & CPUID_XINUSE) != 0;
    uint64_t avx512 = st_vector_mask & ST_STATE_AVX512;
    __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx);
    st_vector_moves = tells_use && (avx512 == 0 || (avx512 == ST_STATE_AVX512 && (ebx & CPUID_AVX512BW)));
    return NULL;
}

void st_vector_settle(uint8_t (*vector)[16]) {
    uint8_t *area = (uint8_t *)vector - ST_XSAVE_SSE;
    uint64_t present;
    memcpy(&present, area + ST_XSAVE_HEADER, sizeof(present));
    if (!(present & ST_STATE_SSE)) {
        const uint32_t initial_mxcsr = 0x1f80;
        memset(vector, 0, sizeof(*vector) * 16);
        if (area[ST_XSAVE_HEADER + 15] & 0x80) { /* in the compacted form MXCSR is part of the component */
            memcpy(area + ST_XSAVE_MXCSR, &initial_mxcsr, sizeof(initial_mxcsr));
        }
        present |= ST_STATE_SSE;
        memcpy(area + ST_XSAVE_HEADER, &present, sizeof(present));
    }
}
