// SHA-256 with the processor's instructions for it: four rounds at a time, which take the next four words of the
// message schedule, w[t..t+3], plus their constants.
#include "sha256.h"

#if defined(__x86_64__)

#include <immintrin.h>

// The state is kept as the instructions want it, from the highest lane down.
typedef struct state {
    __m128i abef, cdgh;
} state;

static inline __m128i next_words(const uint8_t *bytes)
{
    const __m128i swap = _mm_set_epi8(12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3);
    return _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)bytes), swap);
}

static inline void four_rounds(state *s, __m128i w, size_t t)
{
    __m128i sum = _mm_add_epi32(w, _mm_loadu_si128((const __m128i *)(ff_sha256_constants + t)));
    s->cdgh = _mm_sha256rnds2_epu32(s->cdgh, s->abef, sum);
    s->abef = _mm_sha256rnds2_epu32(s->abef, s->cdgh, _mm_shuffle_epi32(sum, 0x0E));
}

// w[t] = sigma1(w[t - 2]) + w[t - 7] + sigma0(w[t - 15]) + w[t - 16], from the sixteen words before.
static inline __m128i schedule(__m128i w16, __m128i w12, __m128i w8, __m128i w4)
{
    __m128i w7 = _mm_alignr_epi8(w4, w8, 4);
    return _mm_sha256msg2_epu32(_mm_add_epi32(_mm_sha256msg1_epu32(w16, w12), w7), w4);
}

static inline state load_state(const uint32_t words[8])
{
    __m128i badc = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)words), 0xB1);
    __m128i efgh = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(words + 4)), 0x1B);
    return (state){_mm_alignr_epi8(badc, efgh, 8), _mm_blend_epi16(efgh, badc, 0xF0)};
}

static inline void store_state(state s, uint32_t words[8])
{
    __m128i feba = _mm_shuffle_epi32(s.abef, 0x1B), dchg = _mm_shuffle_epi32(s.cdgh, 0xB1);
    _mm_storeu_si128((__m128i *)words, _mm_blend_epi16(feba, dchg, 0xF0));
    _mm_storeu_si128((__m128i *)(words + 4), _mm_alignr_epi8(dchg, feba, 8));
}

static inline state add_states(state a, state b)
{
    return (state){_mm_add_epi32(a.abef, b.abef), _mm_add_epi32(a.cdgh, b.cdgh)};
}

typedef __m128i words;

#elif defined(__aarch64__)

#include <arm_neon.h>

typedef struct state {
    uint32x4_t abcd, efgh;
} state;

static inline uint32x4_t next_words(const uint8_t *bytes)
{
    return vreinterpretq_u32_u8(vrev32q_u8(vld1q_u8(bytes)));
}

static inline void four_rounds(state *s, uint32x4_t w, size_t t)
{
    uint32x4_t sum = vaddq_u32(w, vld1q_u32(ff_sha256_constants + t)), abcd = s->abcd;
    s->abcd = vsha256hq_u32(abcd, s->efgh, sum);
    s->efgh = vsha256h2q_u32(s->efgh, abcd, sum);
}

static inline uint32x4_t schedule(uint32x4_t w16, uint32x4_t w12, uint32x4_t w8, uint32x4_t w4)
{
    return vsha256su1q_u32(vsha256su0q_u32(w16, w12), w8, w4);
}

static inline state load_state(const uint32_t words[8])
{
    return (state){vld1q_u32(words), vld1q_u32(words + 4)};
}

static inline void store_state(state s, uint32_t words[8])
{
    vst1q_u32(words, s.abcd);
    vst1q_u32(words + 4, s.efgh);
}

static inline state add_states(state a, state b)
{
    return (state){vaddq_u32(a.abcd, b.abcd), vaddq_u32(a.efgh, b.efgh)};
}

typedef uint32x4_t words;

#endif

#if defined(__x86_64__) || defined(__aarch64__)

void ff_simd_sha256_blocks(uint32_t state_words[8], size_t blocks, const uint8_t *bytes)
{
    state s = load_state(state_words);
    for (; blocks > 0; blocks--, bytes += 64) {
        state before = s;
        words w16 = next_words(bytes), w12 = next_words(bytes + 16), w8 = next_words(bytes + 32);
        words w4 = next_words(bytes + 48);
        for (size_t t = 0; t < 48; t += 4) {
            four_rounds(&s, w16, t);
            words next = schedule(w16, w12, w8, w4);
            w16 = w12;
            w12 = w8;
            w8 = w4;
            w4 = next;
        }
        four_rounds(&s, w16, 48);
        four_rounds(&s, w12, 52);
        four_rounds(&s, w8, 56);
        four_rounds(&s, w4, 60);
        s = add_states(s, before);
    }
    store_state(s, state_words);
}

#endif
