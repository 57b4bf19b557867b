/* The text of bench_gdb.py as a string, so that an installed lockstep needs no file beside it. */
    .section .rodata
    .globl hx_bench_gdb_script
    .type hx_bench_gdb_script, @object
hx_bench_gdb_script:
    .incbin "harness/bench_gdb.py"
    .byte 0
    .size hx_bench_gdb_script, . - hx_bench_gdb_script

    .section .note.GNU-stack, "", @progbits
