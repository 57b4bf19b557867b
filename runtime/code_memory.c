/* Machine code memory: a memory file with a writable and an executable view, and growing byte buffers. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "runtime/code.h"

static size_t whole_pages(size_t size) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return (size + page - 1) / page * page;
}

struct rt_error *rt_code_memory_open(struct rt_code_memory *memory, size_t capacity) {
    *memory = (struct rt_code_memory){.file = memfd_create("lockstep-code", MFD_CLOEXEC)};
    if (memory->file < 0)
        return rt_error_os(errno, "making memory for machine code");
    capacity = whole_pages(capacity);
    void *view = MAP_FAILED;
    if (ftruncate(memory->file, (off_t)capacity) == 0)
        view = mmap(NULL, capacity, PROT_READ | PROT_WRITE, MAP_SHARED, memory->file, 0);
    if (view == MAP_FAILED) {
        struct rt_error *error = rt_error_os(errno, "mapping %zu bytes for machine code", capacity);
        rt_code_memory_close(memory);
        return error;
    }
    memory->writable = view;
    memory->capacity = capacity;
    return NULL;
}

struct rt_error *rt_code_memory_grow(struct rt_code_memory *memory, size_t capacity) {
    capacity = whole_pages(capacity);
    void *view = MAP_FAILED;
    if (ftruncate(memory->file, (off_t)capacity) == 0)
        view = mremap(memory->writable, memory->capacity, capacity, MREMAP_MAYMOVE);
    if (view == MAP_FAILED)
        return rt_error_os(errno, "mapping %zu bytes for machine code", capacity);
    memory->writable = view;
    memory->capacity = capacity;
    return NULL;
}

static struct rt_error *seal_private(struct rt_code_memory *memory, size_t size) {
    void *copy = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (copy == MAP_FAILED)
        return rt_error_os(errno, "mapping %zu bytes of machine code", size);
    memcpy(copy, memory->writable, size < memory->capacity ? size : memory->capacity);
    rt_code_memory_close(memory);
    memory->executable = copy;
    memory->size = size;
    memory->is_private = true;
    return rt_code_memory_end_write(memory);
}

struct rt_error *rt_code_memory_seal(struct rt_code_memory *memory, size_t size, bool is_private) {
    size = whole_pages(size ? size : 1);
    if (is_private)
        return seal_private(memory, size);
    void *view = MAP_FAILED;
    if (ftruncate(memory->file, (off_t)size) == 0) {
        if (size < memory->capacity)
            munmap(memory->writable + size, memory->capacity - size);
        memory->capacity = size;
        view = mmap(NULL, size, PROT_READ | PROT_EXEC, MAP_SHARED, memory->file, 0);
    }
    if (view == MAP_FAILED)
        return rt_error_os(errno, "mapping %zu bytes of machine code executable", size);
    memory->executable = view;
    memory->size = size;
    return NULL;
}

uint8_t *rt_code_memory_begin_write(struct rt_code_memory *memory) {
    uint8_t *code = (uint8_t *)(uintptr_t)memory->executable;
    if (!memory->is_private)
        return memory->writable;
    return mprotect(code, memory->size, PROT_READ | PROT_WRITE) == 0 ? code : NULL;
}

struct rt_error *rt_code_memory_end_write(struct rt_code_memory *memory) {
    uint8_t *code = (uint8_t *)(uintptr_t)memory->executable;
    if (memory->is_private && mprotect(code, memory->size, PROT_READ | PROT_EXEC) != 0)
        return rt_error_os(errno, "making %zu bytes of machine code executable", memory->size);
    return NULL;
}

void rt_code_memory_close(struct rt_code_memory *memory) {
    if (memory->writable)
        munmap(memory->writable, memory->capacity);
    if (memory->executable)
        munmap((void *)(uintptr_t)memory->executable, memory->size);
    if (memory->file >= 0)
        close(memory->file);
    *memory = (struct rt_code_memory){.file = -1};
}

bool rt_buffer_reserve(struct rt_buffer *buffer, size_t size) {
    if (buffer->capacity - buffer->size >= size)
        return true;
    size_t capacity = buffer->capacity ? buffer->capacity * 2 : 4096;
    while (capacity - buffer->size < size)
        capacity *= 2;
    uint8_t *grown = realloc(buffer->bytes, capacity);
    if (!grown)
        return false;
    buffer->bytes = grown;
    buffer->capacity = capacity;
    return true;
}
