/* The interpreter's SIMD instructions (opcodes.def 0x200-0x2ff; core specification, sections 4.3.3 to 4.3.6
 * and 4.4.3), in portable C: any architecture, either byte order.
 *
 * A v128 takes two slots of the operand stack. Their 16 bytes are the vector's bytes as linear memory would
 * hold them: lane 0 first, each lane little-endian, whatever the host's byte order is. So memcpy converts
 * between the two slots and union rt_value.v128 or the guest's memory, and the slots are no numbers. Any
 * other operand takes one slot, which is a number of 64 bits: i32 zero-extended, the bits of an f32 in its
 * low half. */
#ifndef LOCKSTEP_RUNTIME_INTERP_VECTOR_H
#define LOCKSTEP_RUNTIME_INTERP_VECTOR_H

#include <stdbool.h>
#include <stdint.h>

/* Executes an instruction that does not access memory, which cannot trap. `top` points behind the topmost
 * operand's slot; returns the new top. `immediate`: the 16 bytes of v128.const and i8x16.shuffle, the lane
 * index of an instruction that has one, else not read. With `canonical_nans`, every NaN lane that arithmetic
 * produces is the positive canonical one; moves, abs, neg, pmin and pmax are no arithmetic (section 4.3.3).
 */
uint64_t *rt_interp_vector(uint32_t opcode, uint64_t *top, const uint8_t *immediate, bool canonical_nans);

/* Bytes of memory that a load or store accesses: 1, 2, 4, 8 or 16. */
unsigned rt_interp_vector_access(uint32_t opcode);
/* Executes a load or store at `memory`, where the caller has found that many bytes: pops the operands, the
 * index among them, pushes the result and returns the new top. `lane` is read by those that have one. */
uint64_t *rt_interp_vector_memory(uint32_t opcode, uint64_t *top, uint8_t *memory, uint8_t lane);

#endif
