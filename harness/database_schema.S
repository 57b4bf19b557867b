/* The text of database.sql as a string. */
    .section .rodata
    .globl hx_database_schema
    .type hx_database_schema, @object
hx_database_schema:
    .incbin "harness/database.sql"
    .byte 0
    .size hx_database_schema, . - hx_database_schema

    .section .note.GNU-stack, "", @progbits
