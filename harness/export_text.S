/* The texts that exported tests are made of, as strings, so that an installed lockstep needs no file beside it. */
    .macro text name, file
    .globl \name
    .type \name, @object
\name:
    .incbin "harness/\file"
    .byte 0
    .size \name, . - \name
    .endm

    .section .rodata
    text hx_export_test_text, export_test.h
    text hx_export_run_text, export_run.sh
    text hx_export_node_text, export_run.mjs

    .section .note.GNU-stack, "", @progbits
