/* The texts of database.sql and database_merge.sql as strings. */
    .section .rodata
    .globl hx_database_schema
    .type hx_database_schema, @object
hx_database_schema:
    .incbin "harness/database.sql"
    .byte 0
    .size hx_database_schema, . - hx_database_schema

    .globl hx_database_merging
    .type hx_database_merging, @object
hx_database_merging:
    .incbin "harness/database_merge.sql"
    .byte 0
    .size hx_database_merging, . - hx_database_merging

    .section .note.GNU-stack, "", @progbits
