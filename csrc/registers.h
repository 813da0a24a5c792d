/* registers - what the processor still holds of the bytes last copied or compared.
 *
 * For:   emptying the vector registers, in which memcpy, strlen and their like leave up to 64 bytes
 *        each. The dynamic linker writes them all to the stack, and so into core files, when a
 *        library that is not bound at its start calls a function for the first time
 *        (_dl_runtime_resolve of glibc); so does the system when a signal arrives.
 * Never: general registers, which hold 8 bytes each and are soon used again.
 */
#ifndef VAULT_REGISTERS_H
#define VAULT_REGISTERS_H

/* Zero the vector registers that a call need not preserve, as wide as the processor has them: on
 * x86-64 and arm64; elsewhere nothing. A few nanoseconds. */
void vault_registers_clear(void);

#endif
