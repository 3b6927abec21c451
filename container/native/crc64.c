/* CRC64NVME (NVM Express, NVM Command Set 1.0, 5.2.1.3.4), the checksum that S3 verifies, without the interpreter.

   By carry-less multiplication (Gopal et al., "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ",
   Intel 2009), bits reflected: 64 bytes a step. Elsewhere awscrt's is called, which needs the interpreter. */
#include "native.h"

#define POLYNOMIAL 0x9A6C9329AC4BC9B5u /* reflected */

#ifdef __x86_64__
#include <immintrin.h>
#include <string.h>

#define CARRYLESS __attribute__((target("pclmul,sse4.1")))
#define WIDE __attribute__((target("pclmul,sse4.1,avx512f,vpclmulqdq")))

/* To move 128 bits on by D: the reflected remainders of x^(D-1) and x^(D+63). */
#define ON_BY_2048 (long long)0xA043808C0F782663u, (long long)0x37CCD3E14069CABCu
#define ON_BY_512 (long long)0x62242240ACE5045Au, (long long)0x0C32CDB31E18A84Au
#define ON_BY_128 (long long)0x21E9761E252621ACu, (long long)0xEADC41FD2BA3D420u

static uint64_t table[256];
static int is_wide;

int has_crc64nvme(void)
{
    if (!__builtin_cpu_supports("pclmul") || !__builtin_cpu_supports("sse4.1"))
        return 0;
    is_wide = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("vpclmulqdq");
    for (unsigned byte = 0; byte < 256; byte++) {
        uint64_t crc = byte;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL : 0);
        table[byte] = crc;
    }
    return 1;
}

static uint64_t by_bytes(uint64_t crc, const unsigned char *data, size_t length)
{
    while (length--)
        crc = crc >> 8 ^ table[(crc ^ *data++) & 0xFF];
    return crc;
}

CARRYLESS static inline __m128i move_on(__m128i value, __m128i by)
{
    return _mm_xor_si128(_mm_clmulepi64_si128(value, by, 0x00), _mm_clmulepi64_si128(value, by, 0x11));
}

CARRYLESS static inline __m128i load(const unsigned char *data)
{
    return _mm_loadu_si128((const __m128i *)data);
}

/* Of at least 64 bytes, by 16 more of them at a time; returns the last 128 bits, moves `data` on. */
CARRYLESS static __m128i fold(const unsigned char **data, size_t *length, uint64_t crc)
{
    const __m128i by_512 = _mm_set_epi64x(ON_BY_512), by_128 = _mm_set_epi64x(ON_BY_128);
    const unsigned char *at = *data;
    size_t left = *length - 64;
    __m128i a = _mm_xor_si128(load(at), _mm_set_epi64x(0, (long long)crc));
    __m128i b = load(at + 16), c = load(at + 32), d = load(at + 48);
    for (at += 64; left >= 64; at += 64, left -= 64) {
        a = _mm_xor_si128(move_on(a, by_512), load(at));
        b = _mm_xor_si128(move_on(b, by_512), load(at + 16));
        c = _mm_xor_si128(move_on(c, by_512), load(at + 32));
        d = _mm_xor_si128(move_on(d, by_512), load(at + 48));
    }
    b = _mm_xor_si128(b, move_on(a, by_128));
    c = _mm_xor_si128(c, move_on(b, by_128));
    *data = at;
    *length = left;
    return _mm_xor_si128(d, move_on(c, by_128));
}

WIDE static inline __m512i move_wide(__m512i value, __m512i by)
{
    return _mm512_xor_si512(_mm512_clmulepi64_epi128(value, by, 0x00), _mm512_clmulepi64_epi128(value, by, 0x11));
}

/* The same of at least 256 bytes, by four times as many. */
WIDE static __m128i fold_wide(const unsigned char **data, size_t *length, uint64_t crc)
{
    const __m512i by_2048 = _mm512_broadcast_i32x4(_mm_set_epi64x(ON_BY_2048));
    const __m512i by_512 = _mm512_broadcast_i32x4(_mm_set_epi64x(ON_BY_512));
    const __m128i by_128 = _mm_set_epi64x(ON_BY_128);
    const unsigned char *at = *data;
    size_t left = *length - 256;
    __m512i a = _mm512_xor_si512(_mm512_loadu_si512(at), _mm512_zextsi128_si512(_mm_set_epi64x(0, (long long)crc)));
    __m512i b = _mm512_loadu_si512(at + 64), c = _mm512_loadu_si512(at + 128), d = _mm512_loadu_si512(at + 192);
    for (at += 256; left >= 256; at += 256, left -= 256) {
        a = _mm512_xor_si512(move_wide(a, by_2048), _mm512_loadu_si512(at));
        b = _mm512_xor_si512(move_wide(b, by_2048), _mm512_loadu_si512(at + 64));
        c = _mm512_xor_si512(move_wide(c, by_2048), _mm512_loadu_si512(at + 128));
        d = _mm512_xor_si512(move_wide(d, by_2048), _mm512_loadu_si512(at + 192));
    }
    b = _mm512_xor_si512(b, move_wide(a, by_512));
    c = _mm512_xor_si512(c, move_wide(b, by_512));
    d = _mm512_xor_si512(d, move_wide(c, by_512));
    *data = at;
    *length = left;
    __m128i last = _mm512_extracti32x4_epi32(d, 0);
    last = _mm_xor_si128(_mm512_extracti32x4_epi32(d, 1), move_on(last, by_128));
    last = _mm_xor_si128(_mm512_extracti32x4_epi32(d, 2), move_on(last, by_128));
    return _mm_xor_si128(_mm512_extracti32x4_epi32(d, 3), move_on(last, by_128));
}

CARRYLESS uint64_t crc64nvme(const unsigned char *data, size_t length, uint64_t before)
{
    uint64_t crc = ~before;
    if (length >= 64) {
        unsigned char rest[16];
        __m128i last = is_wide && length >= 256 ? fold_wide(&data, &length, crc) : fold(&data, &length, crc);
        _mm_storeu_si128((__m128i *)rest, last);
        crc = by_bytes(0, rest, sizeof rest);
    }
    return ~by_bytes(crc, data, length);
}

#else

int has_crc64nvme(void)
{
    return 0;
}

uint64_t crc64nvme(const unsigned char *data, size_t length, uint64_t before)
{
    (void)data;
    (void)length;
    return before;
}

#endif
