/* What fiber.S knows of struct st_fiber; fiber.c checks it. */
#ifndef LOCKSTEP_STEPPER_X86_64_FIBER_H
#define LOCKSTEP_STEPPER_X86_64_FIBER_H

#define ST_FIBER_OUTSIDE 48 /* offset of `outside`; below 64, for it is one byte of a LEB128 */

#endif
