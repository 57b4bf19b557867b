/* The text of bench_node.js as a string, so that an installed lockstep needs no file beside it. */
    .section .rodata
    .globl hx_bench_node_script
    .type hx_bench_node_script, @object
hx_bench_node_script:
    .incbin "harness/bench_node.js"
    .byte 0
    .size hx_bench_node_script, . - hx_bench_node_script

    .section .note.GNU-stack, "", @progbits
