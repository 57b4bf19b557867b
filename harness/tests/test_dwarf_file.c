/* Tests files that have DWARF: of an ELF file, which is this test itself, and of a module, a copy with other
 * sections has these, and everything else as it was. What is damaged is refused. */
#include "harness/dwarf_file.h"

#include "harness/temp.h"

#include <elf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char self[] = "/proc/self/exe";
static struct hx_temp temp;
static char path[512];

static int set_up(void **state) {
    (void)state;
    assert_null(hx_temp_create(&temp));
    snprintf(path, sizeof path, "%s/file", temp.path);
    return 0;
}

static int clean_up(void **state) {
    (void)state;
    hx_temp_remove(&temp);
    return 0;
}

static void expect_same(const struct rt_dwarf_sections *a, const struct rt_dwarf_sections *b) {
    for (int i = 0; i < RT_DWARF_SECTION_COUNT; i++) {
        assert_int_equal(a->at[i].size, b->at[i].size);
        if (a->at[i].size)
            assert_memory_equal(a->at[i].bytes, b->at[i].bytes, a->at[i].size);
    }
}

/* All that is loaded, but the header's words on the table of sections. */
static void expect_same_segments(const struct hx_buffer *a, const struct hx_buffer *b) {
    Elf64_Ehdr headers[2];
    memcpy(&headers[0], a->bytes, sizeof headers[0]);
    memcpy(&headers[1], b->bytes, sizeof headers[1]);
    headers[1].e_shoff = headers[0].e_shoff;
    headers[1].e_shnum = headers[0].e_shnum;
    assert_memory_equal(&headers[0], &headers[1], sizeof headers[0]);
    for (size_t i = 0; i < headers[0].e_phnum; i++) {
        Elf64_Phdr segment;
        memcpy(&segment, a->bytes + headers[0].e_phoff + i * sizeof segment, sizeof segment);
        const size_t skipped = segment.p_offset < sizeof headers[0] ? sizeof headers[0] : 0;
        if (segment.p_type == PT_LOAD)
            assert_memory_equal(a->bytes + segment.p_offset + skipped, b->bytes + segment.p_offset + skipped,
                                segment.p_filesz - skipped);
    }
}

static void test_elf(void **state) {
    static const uint8_t added[] = "of no meaning";
    struct hx_dwarf_file file, copy;
    struct rt_dwarf_output *output;
    (void)state;
    assert_null(hx_dwarf_file_open(self, &file));
    assert_null(file.module);
    assert_true(file.sections.at[RT_DWARF_INFO].size > 0);
    assert_int_equal(file.sections.at[RT_DWARF_EH_FRAME].size,
                     0); /* it is loaded, and no debug information */
    assert_null(rt_dwarf_transform(&file.sections, &rt_dwarf_identity, NULL, &output));
    struct rt_dwarf_sections sections = *rt_dwarf_output_sections(output);
    assert_int_equal(sections.at[RT_DWARF_STR_OFFSETS].size, 0); /* goes away */
    assert_int_equal(file.sections.at[RT_DWARF_SUP].size, 0);
    sections.at[RT_DWARF_SUP] = (struct rt_dwarf_span){added, sizeof added}; /* comes */
    assert_null(hx_dwarf_file_write(&file, &sections, path));
    assert_null(hx_dwarf_file_open(path, &copy));
    expect_same(&sections, &copy.sections);
    expect_same_segments(&file.bytes, &copy.bytes);
    hx_dwarf_file_close(&copy);
    hx_dwarf_file_close(&file);
    rt_dwarf_output_destroy(output);
}

static void test_module(void **state) {
    static const uint8_t module[] = {0,   'a', 's', 'm', 1,   0,   0,   0,   0,   14,  11, '.',
                                     'd', 'e', 'b', 'u', 'g', '_', 's', 't', 'r', 'x', 0,  'y'};
    static const uint8_t text[] = "another";
    struct rt_dwarf_sections sections = {0};
    struct hx_dwarf_file file, copy;
    (void)state;
    assert_null(hx_file_write(path, module, sizeof module, 0666));
    assert_null(hx_dwarf_file_open(path, &file));
    assert_non_null(file.module);
    sections.at[RT_DWARF_STR] = (struct rt_dwarf_span){text, sizeof text};
    assert_null(hx_dwarf_file_write(&file, &sections, path));
    assert_null(hx_dwarf_file_open(path, &copy));
    expect_same(&sections, &copy.sections);
    hx_dwarf_file_close(&copy);
    hx_dwarf_file_close(&file);
}

/* Opens bytes as a file; they may be refused, with the file's name, and nothing worse. */
static bool is_refused(const void *bytes, size_t size, enum rt_error_code code) {
    struct hx_dwarf_file file;
    assert_null(hx_file_write(path, bytes, size, 0666));
    struct rt_error *error = hx_dwarf_file_open(path, &file);
    const bool is_refused = error && error->code == code;
    rt_error_destroy(error);
    hx_dwarf_file_close(&file);
    return is_refused;
}

static Elf64_Shdr *section_named(struct hx_buffer *bytes, const char *name) {
    Elf64_Ehdr header;
    memcpy(&header, bytes->bytes, sizeof header);
    Elf64_Shdr *sections = (Elf64_Shdr *)(void *)(bytes->bytes + header.e_shoff);
    const char *names = bytes->bytes + sections[header.e_shstrndx].sh_offset;
    for (size_t i = 0; i < header.e_shnum; i++)
        if (!strcmp(names + sections[i].sh_name, name))
            return &sections[i];
    fail_msg("no section %s", name);
    return NULL;
}

static void test_damage(void **state) {
    struct hx_buffer bytes = {0};
    Elf64_Ehdr header;
    (void)state;
    assert_null(hx_file_read(self, SIZE_MAX / 2, &bytes));
    memcpy(&header, bytes.bytes, sizeof header);
    for (size_t size = SELFMAG; size < sizeof header; size += 7)
        assert_true(is_refused(bytes.bytes, size, RT_MALFORMED));
    assert_true(is_refused(bytes.bytes, header.e_shoff + 100, RT_MALFORMED));

    Elf64_Shdr *info = section_named(&bytes, ".debug_info");
    const Elf64_Shdr good = *info;
    info->sh_offset = bytes.size - 1;
    assert_true(is_refused(bytes.bytes, bytes.size, RT_MALFORMED));
    info->sh_offset = UINT64_MAX;
    assert_true(is_refused(bytes.bytes, bytes.size, RT_MALFORMED));
    *info = good;
    info->sh_name = UINT32_MAX; /* a name that is none is no DWARF section's */
    assert_false(is_refused(bytes.bytes, bytes.size, RT_MALFORMED));
    *info = good;
    info->sh_flags |= SHF_COMPRESSED;
    assert_true(is_refused(bytes.bytes, bytes.size, RT_USAGE));
    *info = good;

    header.e_ident[EI_CLASS] = ELFCLASS32;
    memcpy(bytes.bytes, &header, sizeof header);
    assert_true(is_refused(bytes.bytes, bytes.size, RT_USAGE));
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_shstrndx = header.e_shnum;
    memcpy(bytes.bytes, &header, sizeof header);
    assert_true(is_refused(bytes.bytes, bytes.size, RT_USAGE));
    hx_buffer_clear(&bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_elf),
        cmocka_unit_test(test_module),
        cmocka_unit_test(test_damage),
    };
    return cmocka_run_group_tests(tests, set_up, clean_up);
}
