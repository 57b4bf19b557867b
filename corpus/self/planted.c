/* One build against itself: what has to be noticed when its own debug information is changed.
 * harness/tests/self_planted.sh builds this program with each of these edits. A line is
 *
 *   EDIT NAME BUILD LEVEL KINDS PERL     of the compiler's assembly
 *   BYTES NAME BUILD LEVEL KINDS PERL    of the linked file
 *
 * KINDS are the kinds that findings must be of, one of each at least; "none" is what one binary alone cannot tell.
 * <name> is the number of the line that says LINE name; die(LINE, EDIT) works on the entry of .debug_info that is
 * declared there, and on no other.
 *
 * EDIT row-inside-instruction native -O0 row s/movl\t-4\(%rbp\), %eax\n/.byte 0x8b\n.loc 1 <sum> 20\n.byte 0x45,0xfc\n/
 * EDIT function-ends-early native -O0 range die(<add>, 's/(\.long\t\.Lfunc_end\d+-\.Lfunc_begin\d+)/$1-1/')
 * EDIT function-cuts-instruction native -O0 range die(<main>, 's/(\.long\t\.Lfunc_end\d+-\.Lfunc_begin\d+)/$1-3/')
 * EDIT function-ends-late native -O0 range die(<main>, 's/(\.long\t\.Lfunc_end\d+-\.Lfunc_begin\d+)/$1+24/')
 * EDIT function-ends-early wasm -O0 range die(<add>, 's/(\.int32\t\.Lfunc_end\d+-\.Lfunc_begin\d+)/$1-2/')
 * EDIT function-ends-late wasm -O0 range die(<add>, 's/(\.int32\t\.Lfunc_end\d+-\.Lfunc_begin\d+)/$1+9/')
 * EDIT block-outside-block native -O0 range block(1, 's/(\.long\t\.Ltmp\d+-\.Ltmp\d+)/$1-40/')
 * EDIT block-begins-late wasm -O0 hidden block(2, 's/(\.int32\t\.Ltmp\d+)( *# DW_AT_low_pc)/$1+26$2/; s/(\.int32\t\.Ltmp\d+-\.Ltmp\d+)/$1-26/')
 * EDIT block-cuts-instruction native -O0 range block(2, 's/(\.long\t\.Ltmp\d+-\.Ltmp\d+)/$1-1/')
 * EDIT frame-base-in-another-register native -O0 outside die(<add>, 's/\.byte\t86\n/.byte\t82\n/')
 * EDIT frame-base-in-another-local wasm -O0 outside die(<add>, 's/(\.int8\t237\n\t\.int8\t0\n\t\.int8\t)\d+/${1}3/')
 * EDIT offset-off-by-4 native -O0 overlap die(<sum>, 's/\.byte\t116\n/.byte\t120\n/')
 * EDIT offset-off-by-2 native -O0 store die(<sum>, 's/\.byte\t116\n/.byte\t114\n/')
 * EDIT offset-off-by-4 wasm -O0 overlap die(<sum>, 's/(\.int8\t145\n\t\.int8\t)36/${1}40/')
 * EDIT sibling's-location native -O0 overlap die(<twice>, 's/\.byte\t76\n/.byte\t80\n/')
 * EDIT outside-of-the-frame wasm -O0 outside die(<sum>, 's/(\.int8\t145\n\t\.int8\t)36/${1}60/')
 * EDIT parameter-in-a-local's-place wasm -O0 overlap,constant s/(\.int8\t145\n\t\.int8\t)44(\n.*DW_AT_name\n.*DW_AT_decl_file\n\t\.int8\t<add> )/${1}36$2/
 * EDIT size-of-a-type native -O0 overlap s/(# DW_AT_encoding\n\t\.byte\t)4( +# DW_AT_byte_size)/${1}8$2/
 * EDIT array-too-long wasm -O0 overlap s/(DW_TAG_subrange_type\n.*\n\t\.int8\t)3( +# DW_AT_count)/${1}4$2/g
 * EDIT cfa-offset native -O0 frame s/cfi_def_cfa_offset 16/cfi_def_cfa_offset 24/
 * EDIT cfa-register-early native -O0 frame s/(\tsubq\t.*\n)/$1\t.cfi_def_cfa %rsp, 16\n/
 * EDIT saved-register-elsewhere native -O0 frame s/cfi_offset %rbp, -16/cfi_offset %rbp, -24/g
 * EDIT saved-register-lost native -O2 frame s/cfi_offset %rbx, -\d+/cfi_same_value %rbx/g
 * EDIT entry-cut-short native -O2 list s/(\.uleb128 \.Ltmp\d+-\.Lfunc_begin\d+)( +#   ending offset)/$1-1$2/g
 * EDIT entry-outside-of-function native -O2 list s/(\.uleb128 \.Ltmp\d+-\.Lfunc_begin\d+)( +#   ending offset)/$1+4096$2/g
 * EDIT register-after-call native -O2 clobbered s/\.byte\t9[2-5]( +# DW_OP_reg1[2-5])/.byte\t84$1/g
 * BYTES sequence-moved wasm -O0 sequence s/(\.debug_line.*?planted\.c.*?\x00\x05\x02)(.{4})/$1 . pack("V", unpack("V", $2) + 12)/se
 * EDIT row-lost native -O0 none s/\t\.loc\t\d+ <loop> .*\n//
 * EDIT row-in-mid-statement native -O0 none s/(\t\.loc\t\d+ <sum> .*prologue_end.*\n)(.*\n)/$2$1/
 */
#include <stdio.h>

struct pair {
    int first;
    long second;
};

static int total = 3;

__attribute__((noinline)) static int add(const int left, int right) { /* LINE add */
    int sum = left;                                                   /* LINE sum */
    struct pair pair = {1, 2};
    int each[3] = {1, right, 3};
    sum += right;
    for (int i = 0; i < 3; i++) { /* LINE loop */
        int twice = sum * 2;      /* LINE twice */
        pair.second += twice;
        sum += (int)pair.second + each[i];
    }
    return sum;
}

__attribute__((noinline)) static int print(const char *text, int number) {
    int kept = number + total; /* LINE kept */
    printf("%s %d\n", text, kept);
    total += kept;
    printf("%s %d\n", text, number);
    return kept;
}

int main(void) { /* LINE main */
    int result = add(3, 4);
    total += result;
    total += print("total", total);
    total += print("result", result);
    return 0;
}
