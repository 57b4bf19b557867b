/* The fixed part of a campaign's report, so that an installed lockstep needs no file beside it. */
    .macro text name, file
    .globl \name
    .type \name, @object
\name:
    .incbin "harness/page/\file"
    .byte 0
    .size \name, . - \name
    .endm

    .section .rodata
    text hx_page_html, page.html
    text hx_page_css, page.css
    text hx_page_js, page.js

    .section .note.GNU-stack, "", @progbits
