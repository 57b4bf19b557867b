/* Faults: what a host does now and then, and programs seldom meet while they are tested. A plan says at which
 * calls of WASI functions which fault happens; it stands between a store's guests and the host
 * (rt_store_interpose), so a recording has the faults like anything else that the host did. */
#ifndef LOCKSTEP_HARNESS_FAULTS_H
#define LOCKSTEP_HARNESS_FAULTS_H

#include "runtime/runtime.h"

/* A rule as a person writes it, and as each fault is told:
 *
 *     rule  ::= FUNCTION '#' calls '=' fault
 *     calls ::= N | N '-' M | N '-'        from 1, of this function alone; the last: from N on
 *     fault ::= ERRNO                      by its name in WASI: nospc, io, intr, ...; the call is not made
 *             | 'short:' BYTES             transfers at most so many bytes, and leaves the others for later
 *             | 'jump:' MILLISECONDS       the clock that is read is so much later (-: earlier) from now on
 *             | 'early' | 'spurious'       poll_oneoff tells that the first clock, or descriptor, is ready
 *
 * A fault that does not fit its call (fewer bytes are asked for, there is no clock) is passed over. */
enum { HX_FAULT_TEXT = 80 /* bytes of a rule that is told, with the terminator */ };

struct hx_faults;

/* A plan without faults. */
RT_MUST_USE struct rt_error *hx_faults_create(struct hx_faults **ret);
void hx_faults_destroy(struct hx_faults *faults);
/* Adds a rule; of two that name the same call, the first counts. RT_USAGE names the character that is wrong.
 */
RT_MUST_USE struct rt_error *hx_faults_add(struct hx_faults *faults, const char *rule);
/* Adds what the seed says, for calls that no rule names. The same seed gives the same faults to a guest that
 * makes the same calls, and no function has one in two calls that follow each other, so that trying again
 * helps. */
void hx_faults_seed(struct hx_faults *faults, uint64_t seed);

/* Told of each fault before it takes effect: the number of the call among the store's, from 1, and the fault
 * as a rule for this call alone. An error ends the guest's call. */
typedef struct rt_error *(*hx_fault_tell)(void *user, uint64_t call, const char *rule);
/* Puts the plan between the store's guests and WASI, from its beginning; it must outlive what they do. `tell`
 * may be NULL. */
void hx_faults_attach(struct hx_faults *faults, struct rt_store *store, hx_fault_tell tell, void *user);

#endif
