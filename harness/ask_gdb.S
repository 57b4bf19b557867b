/* The text of ask_gdb.py as a string, so that an installed lockstep needs no file beside it. */
    .section .rodata
    .globl hx_ask_gdb_script
    .type hx_ask_gdb_script, @object
hx_ask_gdb_script:
    .incbin "harness/ask_gdb.py"
    .byte 0
    .size hx_ask_gdb_script, . - hx_ask_gdb_script

    .section .note.GNU-stack, "", @progbits
