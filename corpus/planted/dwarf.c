/* The debug information of one side lies; the code is the same. The compiler's assembly is edited.
 *
 * EDIT FRAME_OFFSET wasm in_die(<second>, 's/(\t145\n\t\.int8\t)(\d+)/$1 . ($2 + 4)/e');
 * BLAME FRAME_OFFSET wasm
 * PLANT FRAME_OFFSET value work second * 21
 * EDIT FRAME_OFFSET_NATIVE native in_die(<second>, 's/(\t145\n\t\.byte\t)(\d+)/$1 . ($2 + 4)/e');
 * BLAME FRAME_OFFSET_NATIVE native
 * PLANT FRAME_OFFSET_NATIVE value work second * 21
 * EDIT OVER_PARAMETER wasm in_die(<local>, 's/(\t145\n\t\.int8\t)(\d+)/$1 . ($2 + 4)/e');
 * PLANT OVER_PARAMETER value over local * 52
 * EDIT OVER_PARAMETER_NATIVE native in_die(<local>, 's/(\t145\n\t\.byte\t)(\d+)/$1 . ($2 + 4)/e');
 * BLAME OVER_PARAMETER_NATIVE native
 * PLANT OVER_PARAMETER_NATIVE value over local * 52
 * EDIT OVER_RETURN_ADDRESS native in_die(<local>, 's/(\t145\n\t\.byte\t)(\d+)/${1}8/');
 * BLAME OVER_RETURN_ADDRESS native
 * PLANT OVER_RETURN_ADDRESS value over local * *
 * EDIT FRAME_BASE_STACK native in_die(<deep>, 's/\t86\n/\t87\n/');
 * BLAME FRAME_BASE_STACK native
 * PLANT FRAME_BASE_STACK value deep high -1515870811 *
 * MORE FRAME_BASE_STACK value
 * EDIT FRAME_BASE wasm in_die(<small>, 's/(\t237\n\t\.int8\t0\n\t\.int8\t)(\d+)/$1 . ($2 - 1)/e');
 * BLAME FRAME_BASE wasm
 * PLANT FRAME_BASE value small alone 41 *
 * EDIT FRAME_BASE_NOWHERE wasm in_die(<small>, 's/(\t237\n\t\.int8\t0\n\t\.int8\t)\d+/${1}99/');
 * PLANT FRAME_BASE_NOWHERE irretrievable small alone (unassigned) irretrievable
 * EDIT FRAME_BASE_OPERAND wasm in_die(<small>, 's/\t237\n\t\.int8\t0\n\t\.int8\t\d+/\t237\n\t.int8\t2\n\t.int8\t0/');
 * PLANT FRAME_BASE_OPERAND irretrievable small alone (unassigned) irretrievable
 * EDIT ADDRESS wasm in_die(<global>, 's/\tglobal\n/\tglobal+4\n/');
 * BLAME ADDRESS wasm
 * PLANT ADDRESS value main global 12 13
 * EDIT ADDRESS_OUTSIDE wasm in_die(<global>, 's/\tglobal\n/\tglobal+1000000000\n/');
 * PLANT ADDRESS_OUTSIDE irretrievable main global 12 irretrievable
 * EDIT POINTER_OUTSIDE wasm in_die(<pointer>, 's/\tpointer\n/\tpointer+1000000000\n/');
 * PLANT POINTER_OUTSIDE irretrievable main pointer (address) irretrievable
 * EDIT NUMBERS_OUTSIDE wasm in_die(<numbers>, 's/\tnumbers\n/\tnumbers+1000000000\n/');
 * PLANT NUMBERS_OUTSIDE irretrievable main numbers [0]=1,[1]=2,[2]=3,[3]=4,...(6scalars) irretrievable
 * EDIT OPTIMIZED_OUT wasm in_die(<second>, 's/\t145\n\t\.int8\t\d+/\t147\n\t.int8\t4/');
 * BLAME OPTIMIZED_OUT wasm
 * PLANT OPTIMIZED_OUT optimized_out work second (unassigned) optimized_out
 * EDIT UNKNOWN_OPERATION wasm in_die(<second>, 's/\t145\n/\t255\n/');
 * BLAME UNKNOWN_OPERATION wasm
 * PLANT UNKNOWN_OPERATION irretrievable work second (unassigned) irretrievable
 * EDIT EMPTY_STACK wasm in_die(<second>, 's/\t145\n\t\.int8\t\d+/\t34\n\t.int8\t34/');
 * PLANT EMPTY_STACK irretrievable work second (unassigned) irretrievable
 * EDIT WILD_ADDRESS wasm in_die(<second>, 's/\t145\n\t\.int8\t\d+/\t9\n\t.int8\t255/');
 * PLANT WILD_ADDRESS irretrievable work second (unassigned) irretrievable
 * EDIT NAME wasm in_die(<second>, 's/\.Linfo_string\d+/.Linfo_string1/');
 * BLAME NAME wasm
 * PLANT NAME scope work second (inscope) absent
 * PLANT NAME scope work * absent (inscope)
 * EDIT DECLARATION_LINE wasm in_die(<second>, 's/\d+(\s+# DW_AT_decl_line)/99$1/');
 * BLAME DECLARATION_LINE wasm
 * PLANT DECLARATION_LINE scope work second (inscope) absent
 * EDIT ENCODING wasm s/\t5(\s+# DW_AT_encoding\n\t\.int8\t2\s)/\t7$1/;
 * BLAME ENCODING wasm
 * PLANT ENCODING type work narrow
 * EDIT SIZE wasm s/(\t5\s+# DW_AT_encoding\n\t\.int8\t)2(\s)/${1}4$2/;
 * PLANT SIZE type work narrow
 * EDIT MEMBER wasm in_die(<high>, 's/\t4(\s+# DW_AT_data_member_location)/\t0$1/');
 * BLAME MEMBER wasm
 * PLANT MEMBER value work pair.high 32 31
 * EDIT ELEMENTS wasm s/\t3(\s+# DW_AT_count)/\t4$1/;
 * PLANT ELEMENTS type work array
 * EDIT BLOCK wasm s/(# Abbrev \S+ \S+ DW_TAG_lexical_block\n[^\n]*\n\t\.int32\t)\S+/${1}1/;
 * BLAME BLOCK wasm
 * PLANT BLOCK scope work inner (inscope) absent
 * EDIT FUNCTION_END wasm in_die(<work>, 's/\t\S+(\s+# DW_AT_high_pc)/\t60$1/');
 * BLAME FUNCTION_END wasm
 * PLANT FUNCTION_END line_missing work - row* absent
 * MORE FUNCTION_END line_missing
 * EDIT NO_STATEMENT wasm s/(\.loc\t1 <plain> \d+)([^\n]*\n(?:(?!\.loc).)*\.loc\t1 \d+ \d+)/$1 is_stmt 0$2 is_stmt 1/s;
 * PLANT NO_STATEMENT line_missing work - row* absent
 * EDIT NO_STATEMENT_NATIVE native s/(\.loc\t\d <plain> \d+)([^\n]*\n(?:(?!\.loc).)*\.loc\t\d \d+ \d+)/$1 is_stmt 0$2 is_stmt 1/s;
 * BLAME NO_STATEMENT_NATIVE native
 * PLANT NO_STATEMENT_NATIVE line_missing work - row* absent
 * EDIT NO_ROW wasm s/\t\.loc\t1 <plain> [^\n]*\n//;
 * BLAME NO_ROW wasm
 * PLANT NO_ROW line_missing work - row* absent
 * EDIT LINE_ZERO wasm s/\.loc\t1 <plain> /.loc\t1 0 /;
 * PLANT LINE_ZERO line_missing work - row* absent
 * EDIT OTHER_LINE wasm s/\.loc\t1 <plain> /.loc\t1 <blank> /;
 * PLANT OTHER_LINE line_missing work - absent row*
 * PLANT OTHER_LINE line_missing work - row* absent
 * EDIT OTHER_FILE wasm s/\t\.loc\t1 <plain> /\t.file\t2 "other.c"\n\t.loc\t2 <plain> /;
 * PLANT OTHER_FILE line_missing work - row* absent
 * EDIT ROW_EARLY wasm s/(\ti32\.store\t\d+\n)(\t\.loc\t1 <after> [^\n]*\n)/$2$1/;
 * BLAME ROW_EARLY wasm
 * PLANT ROW_EARLY value work plain 5 4
 * EDIT ROW_EARLY_NATIVE native s/(\tmovl\t[^\n]*\n)(\t\.loc\t\d <after> [^\n]*\n)/$2$1/;
 * BLAME ROW_EARLY_NATIVE native
 * PLANT ROW_EARLY_NATIVE location - - work:<plain> work:<after>
 * PLANT ROW_EARLY_NATIVE value work plain 5 4
 * EDIT PROLOGUE_END wasm s/(\.loc\t1 <work> 0)/$1 prologue_end/;
 * PLANT PROLOGUE_END line_missing work - absent row*
 * MORE PROLOGUE_END value
 * EDIT CALLERS_LINE wasm s/(\tcall\twork\n)/\t.loc\t1 <blank> 9\n$1/;
 * BLAME CALLERS_LINE wasm
 * PLANT CALLERS_LINE stack work - work:<first><main:<main> work:<first><main:<blank>
 * MORE CALLERS_LINE stack location line_missing
 * EDIT FRAME_INFORMATION native s/\.cfi_def_cfa_register %rbp/.cfi_def_cfa %rbp, 24/g;
 * BLAME FRAME_INFORMATION native
 * PLANT FRAME_INFORMATION stack work - work:<first><main:<main> work:<first>
 * MORE FRAME_INFORMATION stack
 * MISS COLUMN columns are not compared
 * EDIT COLUMN wasm s/\.loc\t1 <plain> \d+/.loc\t1 <plain> 77/;
 * EDIT ENUMERATOR wasm s/\t1(\s+# DW_AT_const_value)/\t5$1/;
 * PLANT ENUMERATOR type work colour type'colour',4bytes type'colour',4bytes
 * MISS FUNCTION_DROPPED a function that one side alone knows is passed over
 * EDIT FUNCTION_DROPPED wasm in_die(<small>, 's/\t\S+(\s+# DW_AT_low_pc)/\t0$1/');
 */
#include <stdio.h>

struct pair {
    int low;
    int high; /* LINE high */
};
enum colour { RED, GREEN };

int before = 11;
int global = 12; /* LINE global */
int after = 13;
int *pointer = &global; /* LINE pointer */
int numbers[6] = {1, 2, 3, 4, 5, 6}; /* LINE numbers */

static int small(void) { /* LINE small */
    int alone = 41; /* SEEN small */
    return alone; /* SEEN FRAME_BASE */
}

static int over(int parameter) { /* SEEN over */
    int local = 51; /* SEEN OVER_PARAMETER OVER_PARAMETER_NATIVE OVER_RETURN_ADDRESS */ /* LINE local */
    return local + parameter;
}

static int deep(int level) { /* LINE deep */
    int low = level; /* SEEN deep */
    int room[64] = {0};
    int high = low + 1;
    room[high] = small();
    return room[high];
}

static int work(void) { /* SEEN PROLOGUE_END */ /* LINE work */
    int first = 21; /* SEEN work */ /* LINE first */
    int second = 22; /* SEEN FRAME_OFFSET FRAME_OFFSET_NATIVE */ /* LINE second */
    short narrow = 23;
    struct pair pair = {31, 32}; /* SEEN FUNCTION_END */
    int array[3] = {1, 2, 3}; /* SEEN MEMBER */
    enum colour colour = GREEN;
    int plain = 4;
    /* SEEN OTHER_LINE */ /* LINE blank */
    plain = 5; /* SEEN NO_STATEMENT NO_STATEMENT_NATIVE NO_ROW LINE_ZERO OTHER_LINE OTHER_FILE */ /* LINE plain */
    first = 6; /* SEEN ROW_EARLY ROW_EARLY_NATIVE */ /* LINE after */
    {
        int inner = plain;
        plain += inner; /* SEEN BLOCK */
    }
    return first + second + narrow + pair.high + array[2] + colour + plain + before + *pointer + after;
}

int main(void) {
    int sum = numbers[0]; /* SEEN main */
    sum += work(); /* LINE main */
    sum += small();
    sum += over(52);
    sum += deep(3);
    printf("%d\n", sum);
    return 0;
}
