/* A linear memory at the addresses that its pointers hold: the memory's pages become those of a memory file,
 * which is mapped where they were and, once more, from the lowest address on that the system gives. */
#include "runtime/instance.h"
#include "runtime/jit/jit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define MEMORY_SIZE (UINT64_C(1) << 32) /* all that a pointer of 32 bits reaches */

struct rt_low_view {
    uint64_t start, end;
};

static uint64_t lowest_address(void) {
    unsigned long long lowest = 0;
    FILE *file = fopen("/proc/sys/vm/mmap_min_addr", "re");
    const bool is_read = file && fscanf(file, "%llu", &lowest) == 1;
    const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    if (file)
        fclose(file);
    if (!is_read)
        lowest = 65536;
    lowest = (lowest + page - 1) / page * page;
    return lowest ? lowest : page; /* null leads nowhere */
}

/* A file of the size of all of the address space, with the memory's contents; -1 when there is none. */
static int make_file(const struct rt_memory *memory) {
    struct rlimit limit;
    const int file = memfd_create("lockstep-memory", MFD_CLOEXEC);
    bool is_good = file >= 0 && getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur >= MEMORY_SIZE &&
                   ftruncate(file, (off_t)MEMORY_SIZE) == 0;
    const size_t size = rt_memory_size(memory);
    for (size_t at = 0; is_good && at < size;) {
        const ssize_t written = pwrite(file, rt_memory_base(memory) + at, size - at, (off_t)at);
        if (written > 0)
            at += (size_t)written;
        else
            is_good = written < 0 && errno == EINTR;
    }
    if (file >= 0 && !is_good)
        close(file);
    return is_good ? file : -1;
}

/* As much of the file as there is room for, all of the memory's contents at least; false when there is none.
 */
static bool map_low(struct rt_low_view *view, int file, size_t least) {
    void *const low = (void *)(uintptr_t)view->start;
    for (view->end = MEMORY_SIZE; view->end > view->start && view->end >= least; view->end /= 2) {
        const size_t size = view->end - view->start;
        void *mapped = mmap(low, size, PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_NORESERVE | MAP_FIXED_NOREPLACE, file, (off_t)view->start);
        if (mapped == low)
            return true;
        if (mapped != MAP_FAILED) /* a kernel that takes the address for a wish */
            munmap(mapped, size);
    }
    return false;
}

struct rt_error *rt_low_view_create(struct rt_memory *memory, struct rt_low_view **ret) {
    struct rt_error *error = NULL;
    *ret = NULL;
    struct rt_low_view *view = calloc(1, sizeof *view);
    if (!view)
        return rt_error_out_of_memory();
    view->start = lowest_address();
    const int file = memory->reserved >= MEMORY_SIZE ? make_file(memory) : -1;
    if (file >= 0 && map_low(view, file, rt_memory_size(memory))) {
        /* Growing makes more of it accessible. */
        uint8_t *base = rt_memory_base(memory);
        if (mmap(base, MEMORY_SIZE, PROT_NONE, MAP_SHARED | MAP_NORESERVE | MAP_FIXED, file, 0) ==
                MAP_FAILED ||
            mprotect(base, rt_memory_size(memory), PROT_READ | PROT_WRITE) != 0)
            error = rt_error_os(errno, "sharing a memory with a debugger's view of it");
        *ret = view;
    }
    if (file >= 0)
        close(file);
    if (error || !*ret) {
        if (*ret)
            rt_low_view_destroy(view);
        else
            free(view);
        *ret = NULL;
    }
    return error;
}

void rt_low_view_destroy(struct rt_low_view *view) {
    if (!view)
        return;
    munmap((void *)(uintptr_t)view->start, view->end - view->start);
    free(view);
}
