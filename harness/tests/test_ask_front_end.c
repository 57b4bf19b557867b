/* Lines in LLVM's intermediate code: of the function that is asked about, and of instructions. */
#include "harness/ask_front_end.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const char text[] =
    "source_filename = \"a.c\"\n"
    "define internal i32 @other() #0 !dbg !9 {\n"
    "  store i32 1, ptr %1, align 4, !dbg !30\n"
    "  ret i32 0, !dbg !31\n"
    "}\n"
    "define hidden i32 @work(i32 noundef %0) #0 !dbg !10 {\n"
    "  %2 = alloca i32, align 4\n"
    "  call void @llvm.dbg.declare(metadata ptr %2, metadata !5, metadata !3), !dbg !32\n"
    "    #dbg_declare(ptr %2, !5, !DIExpression(), !32)\n"
    "  store i32 1, ptr %2, align 4, !dbg !33\n"
    "  store i32 2, ptr %2, align 4, !dbg !33\n"
    "  br label %3, !dbg !34, !llvm.loop !7\n"
    "}\n"
    "!3 = !DILocation(line: 99, column: 1, scope: !10)\n"
    "!30 = !DILocation(line: 3, column: 5, scope: !9)\n"
    "!31 = distinct !DILocation(line: 4, column: 5, scope: !9)\n"
    "!32 = !DILocation(line: 7, column: 9, scope: !10)\n"
    "!33 = !DILocation(line: 80, column: 9, scope: !10)\n"
    "!34 = !DILocation(line: 9, column: 5, scope: !10)\n";

static void test_lines(void **state) {
    (void)state;
    assert_true(hx_ir_has_line(text, "other", 3));
    assert_true(hx_ir_has_line(text, "other", 4));
    assert_true(hx_ir_has_line(text, "work", 80));
    assert_true(hx_ir_has_line(text, "work", 9));
}

static void test_no_lines(void **state) {
    (void)state;
    assert_false(hx_ir_has_line(text, "other", 9)); /* another function's */
    assert_false(hx_ir_has_line(text, "work", 7));  /* a declaration's */
    assert_false(hx_ir_has_line(text, "work", 8));  /* a beginning of another number */
    assert_false(hx_ir_has_line(text, "work", 99)); /* no instruction's */
    assert_false(hx_ir_has_line(text, "wor", 9));   /* a beginning of another name */
    assert_false(hx_ir_has_line("", "work", 9));
    assert_false(hx_ir_has_line("\ndefine i32 @work(", "work", 9));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_lines), cmocka_unit_test(test_no_lines)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
