/* A native image, loaded or registered by an engine, and the places in its code where probes are (private to
 * stepper/). */
#ifndef LOCKSTEP_STEPPER_IMAGE_H
#define LOCKSTEP_STEPPER_IMAGE_H

#include "stepper/machine.h"
#include "stepper/relocate.h"

struct st_segment {
    uintptr_t low, high;
    bool is_writable, is_executable;
    int protection; /* of code, where it is not being patched: PROT_* */
};

/* How many bytes of code a probe may need for itself. */
enum st_reach {
    ST_REACH_SHORT, /* a jump of 2 bytes, to an island: a whole jump that lies within 127 bytes */
    ST_REACH_NEAR,  /* a jump of 5 bytes */
    ST_REACH_WIDE,  /* one of 5 bytes, and room behind it for another site's island */
    ST_REACH_COUNT,
};

enum {
    ST_SEGMENTS_MAX = 16,
    ST_SHORT_JUMP_SIZE = 2,
    /* Whole instructions up to the widest reach: all of one byte. */
    ST_RUN_MAX = 2 * ST_JUMP_SIZE,
};

/* A run of instructions that a jump displaces, out of line. */
struct st_displaced {
    uintptr_t entry; /* the trampoline: what is jumped to */
    uint8_t length, count;
    uint8_t offsets[ST_RUN_MAX];  /* of each instruction, from the site's address */
    uintptr_t copies[ST_RUN_MAX]; /* and where it runs */
};

/* A place in native code that has been a probe. It lives as long as the image, and so do its trampolines:
 * enabling it again only patches. */
struct st_site {
    uintptr_t address;
    struct st_image *image;
    uint32_t cookie;
    uint8_t kind;     /* enum st_event_kind */
    uint8_t tried;    /* bit for each reach: whether such a jump can be was found out */
    bool is_host;     /* during a change: another site's island is behind its jump */
    bool is_lifted;   /* the original code is there for a while: st_image_lift */
    uintptr_t single; /* the first instruction alone out of line; 0 while not made */
    struct st_displaced *runs[ST_REACH_COUNT]; /* by reach; NULL when not tried, or there is none */
    /* What is patched now, and what shall be after the change being made. */
    struct st_patch {
        unsigned form;            /* ST_PROBE_NONE, _TRAP or _JUMP */
        struct st_displaced *run; /* with _JUMP */
        uintptr_t island;         /* of a short jump, else 0 */
    } now, wanted;
};

struct st_trampolines; /* a block of memory near the image's code; see probe_trampoline.c */

struct st_image {
    char *path;         /* what messages call it */
    void *handle;       /* of dlopen; NULL when it is registered */
    bool is_registered; /* `debug` and `unwinder` belong to a st_jit_images */
    struct st_debug *debug;
    struct st_unwinder *unwinder;
    uintptr_t bias;
    int (*main)(int argc, char **argv, char **environment); /* loaded */
    struct st_segment segments[ST_SEGMENTS_MAX];
    size_t segment_count;
    uintptr_t relro_low, relro_high; /* made read-only after relocation */
    uintptr_t text_low, text_high;   /* all executable segments */
    struct st_session *session;      /* the one that runs it, or NULL: its globals exist once */
    struct st_image *next;           /* in the list of open images */

    /* Probes. */
    uint8_t *text;          /* a copy of [text_low, text_high) as it was loaded */
    uint8_t *code_map;      /* one byte of ST_CODE_* for each of these */
    uint8_t *analysed;      /* by function index: ST_FUNCTION_* */
    struct rt_arena arena;  /* sites */
    struct st_site **sites; /* hash table, open addressing, by address */
    size_t site_slots, site_count;
    struct st_site **enabled; /* ascending */
    size_t enabled_count;
    bool is_lifted; /* some of them */
    struct st_trampolines *trampolines;
};

enum { ST_CODE_START = 1, ST_CODE_TARGET = 2 };
enum {
    ST_FUNCTION_ANALYSED = 1,
    ST_FUNCTION_INDIRECT = 2, /* it may jump anywhere inside itself */
    ST_FUNCTION_BROKEN = 4,   /* some of its bytes are no instructions */
};

/* image.c */
extern struct st_image *st_images; /* all open ones, for signal handlers */
bool st_image_is_text(const struct st_image *image, uintptr_t address);
const struct st_segment *st_image_segment(const struct st_image *image, uintptr_t address);
/* Keeps the code as it is, for decoding and for taking probes away. */
RT_MUST_USE struct rt_error *st_image_copy_text(struct st_image *image);

/* image_jit.c: the image of code that an engine has registered; closed by st_image_close, before either of
 * them goes. */
RT_MUST_USE struct rt_error *st_image_borrow(const struct st_jit_images *images,
                                             const struct st_jit_image *registered, struct st_image **ret);

/* image_imports.c: calls to exit, abort and their kin go to the stepper. */
RT_MUST_USE struct rt_error *st_image_redirect(struct st_image *image, const void *dynamic);

/* probe_code.c: what instructions are where. */
struct st_run {
    struct st_instruction instructions[ST_RUN_MAX];
    unsigned count, length;
};
/* The instruction at `address`; false when no function with debug information has one starting there. */
bool st_code_instruction(struct st_image *image, uintptr_t address, struct st_instruction *ret);
/* The shortest run of whole instructions of at least `size` bytes from `address` that a jump may replace:
 * nothing jumps into it, no call returns into it, and it lies within one function. */
bool st_code_run(struct st_image *image, uintptr_t address, unsigned size, struct st_run *ret);

/* probe_trampoline.c: out-of-line code. RT_OS when there is no memory within reach; when the instructions
 * cannot run elsewhere, the result is 0 or NULL. */
RT_MUST_USE struct rt_error *st_trampoline_single(struct st_site *site,
                                                  const struct st_instruction *instruction, uintptr_t *ret);
RT_MUST_USE struct rt_error *st_trampoline_jump(struct st_site *site, const struct st_run *run,
                                                struct st_displaced **ret);
/* The original address of a pc inside a trampoline; 0 when it is in none. *ret_stack is what must be added to
 * the stack pointer. */
uintptr_t st_trampoline_original(const struct st_image *image, uintptr_t pc, uint64_t *ret_stack);
void st_trampolines_destroy(struct st_image *image);
/* The site of the jump trampoline that called the stub: `back` is its return address. */
struct st_site *st_trampoline_site(uintptr_t back);

/* probe_native.c */
struct st_site *st_site_find(const struct st_image *image, uintptr_t address);
RT_MUST_USE struct rt_error *st_image_set_probes(struct st_image *image, struct st_probe *probes,
                                                 size_t count, bool prefer_traps);
/* Where to go on so that the instruction at `address` runs next, its own probe not skipped: the address, or a
 * displaced copy when a jump covers it. 0 when it is inside of a displaced instruction. */
uintptr_t st_image_resume(const struct st_image *image, uintptr_t address);
/* The same past the site's own probe, in whatever form it has now. */
uintptr_t st_site_resume(const struct st_site *site);
/* Takes away what covers the instruction at an address, until st_image_lower: its engine wants to read it.
 * Either may be called in a signal handler. */
void st_image_lift(struct st_image *image, uintptr_t address);
void st_image_lower(struct st_image *image);

#endif
