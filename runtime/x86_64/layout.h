/* Offsets that assembly needs; target.c checks them against the structures. */
#ifndef LOCKSTEP_RUNTIME_X86_64_LAYOUT_H
#define LOCKSTEP_RUNTIME_X86_64_LAYOUT_H

#define RT_INSTANCE_MEMORY_BASE 0
#define RT_INSTANCE_STORE       16
#define RT_STORE_ENTRY          0
#define RT_ENTRY_STACK          0
#define RT_ENTRY_FRAME          8
#define RT_ENTRY_GENERAL_RESULT 16
#define RT_ENTRY_VECTOR_RESULT  24

#endif
