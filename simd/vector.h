// The small vector type that every kernel in this folder is written over. One source is compiled once for each
// instruction set, with FF_SIMD set to its name; here, and nowhere else, the sets differ.
//
//   vec   VEC floats              ivec   VEC 32-bit integers              vmask   VEC truth values
//
// Each operation is one IEEE operation per lane, so that a lane computes what a scalar would. Comparisons are false for
// NaN. `some` versions touch the first `count` lanes only (0 <= count <= VEC); missing lanes load as +0.
#ifndef FF_VECTOR_H
#define FF_VECTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define FF_JOIN_(a, b) a##b
#define FF_JOIN(a, b) FF_JOIN_(a, b)
#define FF_SIMD_NAME(name) FF_JOIN(name, FF_SIMD)  // ff_..._ becomes ff_..._avx2

#if defined(__AVX512F__)

#include <immintrin.h>

#define VEC 16
#define VEC_REGISTERS 32
typedef __m512 vec;
typedef __m512i ivec;
typedef __mmask16 vmask;

static inline vmask vec_first(size_t count) { return (vmask)((1u << count) - 1u); }

static inline vec vec_zero(void) { return _mm512_setzero_ps(); }
static inline vec vec_set(float x) { return _mm512_set1_ps(x); }
static inline vec vec_load(const float *p) { return _mm512_loadu_ps(p); }
static inline void vec_store(float *p, vec a) { _mm512_storeu_ps(p, a); }
static inline vec vec_load_some(const float *p, size_t count) { return _mm512_maskz_loadu_ps(vec_first(count), p); }
static inline void vec_store_some(float *p, size_t count, vec a) { _mm512_mask_storeu_ps(p, vec_first(count), a); }

static inline vec vec_add(vec a, vec b) { return _mm512_add_ps(a, b); }
static inline vec vec_sub(vec a, vec b) { return _mm512_sub_ps(a, b); }
static inline vec vec_mul(vec a, vec b) { return _mm512_mul_ps(a, b); }
static inline vec vec_div(vec a, vec b) { return _mm512_div_ps(a, b); }
static inline vec vec_sqrt(vec a) { return _mm512_sqrt_ps(a); }
static inline vec vec_fma(vec a, vec b, vec c) { return _mm512_fmadd_ps(a, b, c); }

static inline vmask vec_less(vec a, vec b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
static inline vec vec_select(vmask mask, vec a, vec b) { return _mm512_mask_blend_ps(mask, b, a); }
static inline vec vec_keep_some(vec a, size_t count) { return _mm512_maskz_mov_ps(vec_first(count), a); }
// a < b ? a : b and a > b ? a : b, with b for NaN.
static inline vec vec_min(vec a, vec b) { return _mm512_min_ps(a, b); }
static inline vec vec_max(vec a, vec b) { return _mm512_max_ps(a, b); }

static inline ivec vec_bits(vec a) { return _mm512_castps_si512(a); }
static inline vec vec_from_bits(ivec a) { return _mm512_castsi512_ps(a); }
static inline ivec ivec_set(uint32_t x) { return _mm512_set1_epi32((int)x); }
static inline ivec ivec_add(ivec a, ivec b) { return _mm512_add_epi32(a, b); }
static inline ivec ivec_sub(ivec a, ivec b) { return _mm512_sub_epi32(a, b); }
static inline ivec ivec_and(ivec a, ivec b) { return _mm512_and_si512(a, b); }
static inline ivec ivec_or(ivec a, ivec b) { return _mm512_or_si512(a, b); }
static inline ivec ivec_xor(ivec a, ivec b) { return _mm512_xor_si512(a, b); }
#define ivec_shift_left(a, n) _mm512_slli_epi32(a, n)
#define ivec_shift_right_signed(a, n) _mm512_srai_epi32(a, n)
// Zeros come from the left. The number of places may be a variable; `each` has one for each lane.
static inline ivec ivec_shift_right(ivec a, int n) { return _mm512_srl_epi32(a, _mm_cvtsi32_si128(n)); }
static inline ivec ivec_shift_right_each(ivec a, ivec n) { return _mm512_srlv_epi32(a, n); }
// VEC bytes, unsigned and signed.
static inline ivec ivec_widen_u8(const uint8_t *p)
{
    return _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)p));
}
static inline ivec ivec_widen_i8(const uint8_t *p)
{
    return _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)p));
}
// Signed integers, rounded to nearest.
static inline vec vec_from_integers(ivec a) { return _mm512_cvtepi32_ps(a); }

static inline vec vec_widen_bf16(const uint16_t *p)
{
    return vec_from_bits(ivec_shift_left(_mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)p)), 16));
}
static inline vec vec_widen_f16(const uint16_t *p)
{
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p));
}
static inline vec vec_set_f16(uint16_t x) { return _mm512_cvtph_ps(_mm256_set1_epi16((short)x)); }

// table[index] for each lane; 0 <= index < 16.
static inline vec vec_look_up(const float table[16], ivec index)
{
    return _mm512_permutexvar_ps(index, _mm512_loadu_ps(table));
}

// Swaps the two of each pair of lanes: (a1, a0, a3, a2, ...).
static inline vec vec_swap_pairs(vec a) { return _mm512_permute_ps(a, 0xB1); }
// a in even lanes, b in odd ones.
static inline vec vec_alternate(vec a, vec b) { return _mm512_mask_blend_ps(0xAAAA, a, b); }
// Lane 0, 0, 2, 2, ... and 1, 1, 3, 3, ...
static inline vec vec_double_even(vec a) { return _mm512_moveldup_ps(a); }
static inline vec vec_double_odd(vec a) { return _mm512_movehdup_ps(a); }
// The sum of the lanes: lane i += lane i + half, for half = VEC / 2, ..., 2, 1.
static inline float vec_fold(vec a)
{
    __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

// Rows become columns: lane j of a[i] and lane i of a[j] change places.
static inline void vec_transpose(vec a[VEC])
{
    __m512 pairs[VEC], quads[VEC];
    for (int i = 0; i < VEC; i += 2) {
        pairs[i] = _mm512_unpacklo_ps(a[i], a[i + 1]);
        pairs[i + 1] = _mm512_unpackhi_ps(a[i], a[i + 1]);
    }
    for (int i = 0; i < VEC; i += 4)
        for (int j = 0; j < 2; j++) {
            __m512d low = _mm512_castps_pd(pairs[i + j]), high = _mm512_castps_pd(pairs[i + 2 + j]);
            quads[i + 2 * j] = _mm512_castpd_ps(_mm512_unpacklo_pd(low, high));
            quads[i + 2 * j + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(low, high));
        }
    for (int j = 0; j < 4; j++) {
        __m512 even = _mm512_shuffle_f32x4(quads[j], quads[4 + j], 0x88);
        __m512 odd = _mm512_shuffle_f32x4(quads[j], quads[4 + j], 0xDD);
        __m512 even2 = _mm512_shuffle_f32x4(quads[8 + j], quads[12 + j], 0x88);
        __m512 odd2 = _mm512_shuffle_f32x4(quads[8 + j], quads[12 + j], 0xDD);
        a[j] = _mm512_shuffle_f32x4(even, even2, 0x88);
        a[4 + j] = _mm512_shuffle_f32x4(odd, odd2, 0x88);
        a[8 + j] = _mm512_shuffle_f32x4(even, even2, 0xDD);
        a[12 + j] = _mm512_shuffle_f32x4(odd, odd2, 0xDD);
    }
}

#elif defined(__AVX2__)

#include <immintrin.h>

#define VEC 8
#define VEC_REGISTERS 16
typedef __m256 vec;
typedef __m256i ivec;
typedef __m256 vmask;

static inline __m256i vec_first(size_t count)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

static inline vec vec_zero(void) { return _mm256_setzero_ps(); }
static inline vec vec_set(float x) { return _mm256_set1_ps(x); }
static inline vec vec_load(const float *p) { return _mm256_loadu_ps(p); }
static inline void vec_store(float *p, vec a) { _mm256_storeu_ps(p, a); }
static inline vec vec_load_some(const float *p, size_t count) { return _mm256_maskload_ps(p, vec_first(count)); }
static inline void vec_store_some(float *p, size_t count, vec a) { _mm256_maskstore_ps(p, vec_first(count), a); }

static inline vec vec_add(vec a, vec b) { return _mm256_add_ps(a, b); }
static inline vec vec_sub(vec a, vec b) { return _mm256_sub_ps(a, b); }
static inline vec vec_mul(vec a, vec b) { return _mm256_mul_ps(a, b); }
static inline vec vec_div(vec a, vec b) { return _mm256_div_ps(a, b); }
static inline vec vec_sqrt(vec a) { return _mm256_sqrt_ps(a); }
static inline vec vec_fma(vec a, vec b, vec c) { return _mm256_fmadd_ps(a, b, c); }

static inline vmask vec_less(vec a, vec b) { return _mm256_cmp_ps(a, b, _CMP_LT_OQ); }
static inline vec vec_select(vmask mask, vec a, vec b) { return _mm256_blendv_ps(b, a, mask); }
static inline vec vec_keep_some(vec a, size_t count)
{
    return _mm256_and_ps(a, _mm256_castsi256_ps(vec_first(count)));
}
static inline vec vec_min(vec a, vec b) { return _mm256_min_ps(a, b); }
static inline vec vec_max(vec a, vec b) { return _mm256_max_ps(a, b); }

static inline ivec vec_bits(vec a) { return _mm256_castps_si256(a); }
static inline vec vec_from_bits(ivec a) { return _mm256_castsi256_ps(a); }
static inline ivec ivec_set(uint32_t x) { return _mm256_set1_epi32((int)x); }
static inline ivec ivec_add(ivec a, ivec b) { return _mm256_add_epi32(a, b); }
static inline ivec ivec_sub(ivec a, ivec b) { return _mm256_sub_epi32(a, b); }
static inline ivec ivec_and(ivec a, ivec b) { return _mm256_and_si256(a, b); }
static inline ivec ivec_or(ivec a, ivec b) { return _mm256_or_si256(a, b); }
static inline ivec ivec_xor(ivec a, ivec b) { return _mm256_xor_si256(a, b); }
#define ivec_shift_left(a, n) _mm256_slli_epi32(a, n)
#define ivec_shift_right_signed(a, n) _mm256_srai_epi32(a, n)
static inline ivec ivec_shift_right(ivec a, int n) { return _mm256_srl_epi32(a, _mm_cvtsi32_si128(n)); }
static inline ivec ivec_shift_right_each(ivec a, ivec n) { return _mm256_srlv_epi32(a, n); }
static inline ivec ivec_widen_u8(const uint8_t *p)
{
    return _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)p));
}
static inline ivec ivec_widen_i8(const uint8_t *p)
{
    return _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)p));
}
static inline vec vec_from_integers(ivec a) { return _mm256_cvtepi32_ps(a); }

static inline vec vec_widen_bf16(const uint16_t *p)
{
    return vec_from_bits(ivec_shift_left(_mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)p)), 16));
}
static inline vec vec_widen_f16(const uint16_t *p)
{
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p));
}
static inline vec vec_set_f16(uint16_t x) { return _mm256_cvtph_ps(_mm_set1_epi16((short)x)); }

static inline vec vec_look_up(const float table[16], ivec index)
{
    __m256 low = _mm256_permutevar8x32_ps(_mm256_loadu_ps(table), index);
    __m256 high = _mm256_permutevar8x32_ps(_mm256_loadu_ps(table + 8), index);
    return _mm256_blendv_ps(low, high, _mm256_castsi256_ps(_mm256_slli_epi32(index, 28)));  // bit 3 as the sign
}

static inline vec vec_swap_pairs(vec a) { return _mm256_permute_ps(a, 0xB1); }
static inline vec vec_alternate(vec a, vec b) { return _mm256_blend_ps(a, b, 0xAA); }
static inline vec vec_double_even(vec a) { return _mm256_moveldup_ps(a); }
static inline vec vec_double_odd(vec a) { return _mm256_movehdup_ps(a); }
static inline float vec_fold(vec a)
{
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

static inline void vec_transpose(vec a[VEC])
{
    __m256 pairs[VEC], quads[VEC];
    for (int i = 0; i < VEC; i += 2) {
        pairs[i] = _mm256_unpacklo_ps(a[i], a[i + 1]);
        pairs[i + 1] = _mm256_unpackhi_ps(a[i], a[i + 1]);
    }
    for (int i = 0; i < VEC; i += 4)
        for (int j = 0; j < 2; j++) {
            __m256d low = _mm256_castps_pd(pairs[i + j]), high = _mm256_castps_pd(pairs[i + 2 + j]);
            quads[i + 2 * j] = _mm256_castpd_ps(_mm256_unpacklo_pd(low, high));
            quads[i + 2 * j + 1] = _mm256_castpd_ps(_mm256_unpackhi_pd(low, high));
        }
    for (int j = 0; j < 4; j++) {
        a[j] = _mm256_permute2f128_ps(quads[j], quads[4 + j], 0x20);
        a[4 + j] = _mm256_permute2f128_ps(quads[j], quads[4 + j], 0x31);
    }
}

#elif defined(__aarch64__)

#include <arm_neon.h>

#define VEC 4
#define VEC_REGISTERS 32
typedef float32x4_t vec;
typedef uint32x4_t ivec;
typedef uint32x4_t vmask;

static inline vec vec_zero(void) { return vdupq_n_f32(0); }
static inline vec vec_set(float x) { return vdupq_n_f32(x); }
static inline vec vec_load(const float *p) { return vld1q_f32(p); }
static inline void vec_store(float *p, vec a) { vst1q_f32(p, a); }
static inline vec vec_load_some(const float *p, size_t count)
{
    float lanes[VEC] = {0};
    memcpy(lanes, p, count * sizeof *p);
    return vec_load(lanes);
}
static inline void vec_store_some(float *p, size_t count, vec a)
{
    float lanes[VEC];
    vec_store(lanes, a);
    memcpy(p, lanes, count * sizeof *p);
}

static inline vec vec_add(vec a, vec b) { return vaddq_f32(a, b); }
static inline vec vec_sub(vec a, vec b) { return vsubq_f32(a, b); }
static inline vec vec_mul(vec a, vec b) { return vmulq_f32(a, b); }
static inline vec vec_div(vec a, vec b) { return vdivq_f32(a, b); }
static inline vec vec_sqrt(vec a) { return vsqrtq_f32(a); }
static inline vec vec_fma(vec a, vec b, vec c) { return vfmaq_f32(c, a, b); }

static inline vmask vec_less(vec a, vec b) { return vcltq_f32(a, b); }
static inline vec vec_select(vmask mask, vec a, vec b) { return vbslq_f32(mask, a, b); }
static inline vec vec_keep_some(vec a, size_t count)
{
    static const uint32_t index[VEC] = {0, 1, 2, 3};
    return vbslq_f32(vcltq_u32(vld1q_u32(index), vdupq_n_u32((uint32_t)count)), a, vdupq_n_f32(0));
}
static inline vec vec_min(vec a, vec b) { return vec_select(vec_less(a, b), a, b); }
static inline vec vec_max(vec a, vec b) { return vec_select(vec_less(b, a), a, b); }

static inline ivec vec_bits(vec a) { return vreinterpretq_u32_f32(a); }
static inline vec vec_from_bits(ivec a) { return vreinterpretq_f32_u32(a); }
static inline ivec ivec_set(uint32_t x) { return vdupq_n_u32(x); }
static inline ivec ivec_add(ivec a, ivec b) { return vaddq_u32(a, b); }
static inline ivec ivec_sub(ivec a, ivec b) { return vsubq_u32(a, b); }
static inline ivec ivec_and(ivec a, ivec b) { return vandq_u32(a, b); }
static inline ivec ivec_or(ivec a, ivec b) { return vorrq_u32(a, b); }
static inline ivec ivec_xor(ivec a, ivec b) { return veorq_u32(a, b); }
#define ivec_shift_left(a, n) vshlq_n_u32(a, n)
#define ivec_shift_right_signed(a, n) vreinterpretq_u32_s32(vshrq_n_s32(vreinterpretq_s32_u32(a), n))
static inline ivec ivec_shift_right(ivec a, int n) { return vshlq_u32(a, vdupq_n_s32(-n)); }
static inline ivec ivec_shift_right_each(ivec a, ivec n) { return vshlq_u32(a, vnegq_s32(vreinterpretq_s32_u32(n))); }
static inline uint8x8_t ivec_four_bytes(const uint8_t *p)
{
    uint32_t bytes;
    memcpy(&bytes, p, sizeof bytes);
    return vreinterpret_u8_u32(vdup_n_u32(bytes));
}
static inline ivec ivec_widen_u8(const uint8_t *p)
{
    return vmovl_u16(vget_low_u16(vmovl_u8(ivec_four_bytes(p))));
}
static inline ivec ivec_widen_i8(const uint8_t *p)
{
    int16x8_t words = vmovl_s8(vreinterpret_s8_u8(ivec_four_bytes(p)));
    return vreinterpretq_u32_s32(vmovl_s16(vget_low_s16(words)));
}
static inline vec vec_from_integers(ivec a) { return vcvtq_f32_s32(vreinterpretq_s32_u32(a)); }

static inline vec vec_widen_bf16(const uint16_t *p) { return vec_from_bits(vshll_n_u16(vld1_u16(p), 16)); }
static inline vec vec_widen_f16(const uint16_t *p) { return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p))); }
static inline vec vec_set_f16(uint16_t x) { return vcvt_f32_f16(vreinterpret_f16_u16(vdup_n_u16(x))); }

static inline vec vec_look_up(const float table[16], ivec index)
{
    const uint8_t *bytes = (const uint8_t *)table;
    uint8x16x4_t floats = {{vld1q_u8(bytes), vld1q_u8(bytes + 16), vld1q_u8(bytes + 32), vld1q_u8(bytes + 48)}};
    ivec places = vaddq_u32(vmulq_n_u32(index, 0x04040404u), vdupq_n_u32(0x03020100u));  // of the bytes of each float
    return vreinterpretq_f32_u8(vqtbl4q_u8(floats, vreinterpretq_u8_u32(places)));
}

static inline vec vec_swap_pairs(vec a) { return vrev64q_f32(a); }
static inline vec vec_alternate(vec a, vec b)
{
    return vbslq_f32(vreinterpretq_u32_u64(vdupq_n_u64(0xFFFFFFFFu)), a, b);
}
static inline vec vec_double_even(vec a) { return vtrn1q_f32(a, a); }
static inline vec vec_double_odd(vec a) { return vtrn2q_f32(a, a); }
static inline float vec_fold(vec a)
{
    float32x2_t two = vadd_f32(vget_low_f32(a), vget_high_f32(a));
    return vget_lane_f32(two, 0) + vget_lane_f32(two, 1);
}

static inline void vec_transpose(vec a[VEC])
{
    float64x2_t pairs[VEC];
    for (int i = 0; i < VEC; i += 2) {
        pairs[i] = vreinterpretq_f64_f32(vtrn1q_f32(a[i], a[i + 1]));
        pairs[i + 1] = vreinterpretq_f64_f32(vtrn2q_f32(a[i], a[i + 1]));
    }
    for (int j = 0; j < 2; j++) {
        a[j] = vreinterpretq_f32_f64(vtrn1q_f64(pairs[j], pairs[2 + j]));
        a[2 + j] = vreinterpretq_f32_f64(vtrn2q_f64(pairs[j], pairs[2 + j]));
    }
}

#endif

#endif
