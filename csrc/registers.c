/* registers - what the processor still holds of the bytes last copied or compared.
 *
 * For:   what registers.h promises.
 * Never: memory.
 *
 * The registers are named to the compiler as far as it may use them itself in this build.
 */
#include "registers.h"

#if defined(__x86_64__)

/* clang-format off */
#define LOW(ZERO)                                                                                  \
    ZERO(0) ZERO(1) ZERO(2) ZERO(3) ZERO(4) ZERO(5) ZERO(6) ZERO(7)                                \
    ZERO(8) ZERO(9) ZERO(10) ZERO(11) ZERO(12) ZERO(13) ZERO(14) ZERO(15)
#define HIGH(ZERO)                                                                                 \
    ZERO(16) ZERO(17) ZERO(18) ZERO(19) ZERO(20) ZERO(21) ZERO(22) ZERO(23)                        \
    ZERO(24) ZERO(25) ZERO(26) ZERO(27) ZERO(28) ZERO(29) ZERO(30) ZERO(31)
/* clang-format on */
#define SSE(n) "pxor %%xmm" #n ", %%xmm" #n "\n\t"
/* Of 128 bits; the rest of the register becomes zero with them. */
#define EVEX(n) "vpxord %%xmm" #n ", %%xmm" #n ", %%xmm" #n "\n\t"

#define LOW_NAMES                                                                                  \
    "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",       \
        "xmm11", "xmm12", "xmm13", "xmm14", "xmm15"
#define HIGH_NAMES                                                                                 \
    "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24", "xmm25",      \
        "xmm26", "xmm27", "xmm28", "xmm29", "xmm30", "xmm31"

__attribute__((target("avx512vl"))) static void clear_high(void)
{
    __asm__ volatile(HIGH(EVEX)::: HIGH_NAMES);
}

void vault_registers_clear(void)
{
    if (__builtin_cpu_supports("avx512vl"))
        clear_high();
    if (__builtin_cpu_supports("avx"))
        __asm__ volatile("vzeroall" ::: LOW_NAMES);
    else
        __asm__ volatile(LOW(SSE)::: LOW_NAMES);
}

#elif defined(__aarch64__)

#define ZERO(n) "movi v" #n ".2d, #0\n\t"

void vault_registers_clear(void)
{
    __asm__ volatile(ZERO(0) ZERO(1) ZERO(2) ZERO(3) ZERO(4) ZERO(5) ZERO(6) ZERO(7) ZERO(16)
                         ZERO(17) ZERO(18) ZERO(19) ZERO(20) ZERO(21) ZERO(22) ZERO(23) ZERO(24)
                             ZERO(25) ZERO(26) ZERO(27) ZERO(28) ZERO(29) ZERO(30) ZERO(31)::
                                 : "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v16", "v17",
                                   "v18", "v19", "v20", "v21", "v22", "v23", "v24", "v25", "v26",
                                   "v27", "v28", "v29", "v30", "v31");
}

#else

void vault_registers_clear(void)
{
}

#endif
