/* register_bytes - what the vector registers hold.
 *
 * For:   filling them all with a text, and reading them: register_fill, register_read.
 * Never: clearing them.
 *
 * Where the processor is neither x86-64 nor arm64, REGISTER_BYTES is 0 and nothing is read.
 */
#ifndef REGISTER_BYTES_H
#define REGISTER_BYTES_H

#include <string.h>

#define REGISTER_TEXT "REGISTER/CANARY/0123456789/CANARY/REGISTER/9876543210/CANARY/REG"

#if defined(__x86_64__)
#define REGISTER_BYTES (32 * 64)

/* clang-format off */
#define EVERY_LOW(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11) \
    DO(12) DO(13) DO(14) DO(15)
#define EVERY_HIGH(DO) DO(16) DO(17) DO(18) DO(19) DO(20) DO(21) DO(22) DO(23) DO(24) DO(25) \
    DO(26) DO(27) DO(28) DO(29) DO(30) DO(31)
/* clang-format on */
#define FILL_SSE(n) "movdqu (%0), %%xmm" #n "\n\t"
#define FILL_AVX(n) "vmovdqu (%0), %%ymm" #n "\n\t"
#define FILL_512(n) "vmovdqu64 (%0), %%zmm" #n "\n\t"
#define READ_SSE(n) "movdqu %%xmm" #n ", 64*" #n "(%0)\n\t"
#define READ_AVX(n) "vmovdqu %%ymm" #n ", 64*" #n "(%0)\n\t"
#define READ_512(n) "vmovdqu64 %%zmm" #n ", 64*" #n "(%0)\n\t"

/* How wide they are, and how many: whatever glibc may copy with here. */
#define ON_EACH(what, at)                                                                          \
    do {                                                                                           \
        if (__builtin_cpu_supports("avx512vl"))                                                    \
            __asm__ volatile(EVERY_LOW(what##_512) EVERY_HIGH(what##_512)::"r"(at) : "memory");    \
        else if (__builtin_cpu_supports("avx"))                                                    \
            __asm__ volatile(EVERY_LOW(what##_AVX)::"r"(at) : "memory");                           \
        else                                                                                       \
            __asm__ volatile(EVERY_LOW(what##_SSE)::"r"(at) : "memory");                           \
    } while (0)

#elif defined(__aarch64__)
#define REGISTER_BYTES    (32 * 64)

/* clang-format off */
#define EVERY(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(16) DO(17) DO(18) DO(19) \
    DO(20) DO(21) DO(22) DO(23) DO(24) DO(25) DO(26) DO(27) DO(28) DO(29) DO(30) DO(31)
/* clang-format on */
#define FILL(n)           "ldr q" #n ", [%0]\n\t"
#define READ(n)           "str q" #n ", [%0, #64*" #n "]\n\t"
#define ON_EACH(what, at) __asm__ volatile(EVERY(what)::"r"(at) : "memory")

#else
#define REGISTER_BYTES    0
#define ON_EACH(what, at) (void)(at)
#endif

/* Neither tells the compiler what it changes or reads: each is a call of its own. */
__attribute__((noinline)) static void register_fill(void)
{
    static const char text[] = REGISTER_TEXT;

    ON_EACH(FILL, text);
}

__attribute__((noinline)) static void register_read(char into[REGISTER_BYTES + 1])
{
    ON_EACH(READ, into);
}

#endif
