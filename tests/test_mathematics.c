// Our elementary functions against libm's in the next wider type.
#include "kernels/mathematics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "golden.h"
#include "kernels/elementary.h"
#include "kernels/kernels.h"

#define ANY_NAN ff_elementary_float(0x7FC00000u)

static double unit_in_last_place(long double exact, int digits, int lowest)
{
    int exponent;
    frexpl(fabsl(exact), &exponent);
    exponent -= digits;
    return ldexp(1, exponent < lowest ? lowest : exponent);
}

// ---- float ----

typedef struct float_function {
    const char *name;
    float (*ours)(float);
    double (*reference)(double);
    double bound;       // units in the last place; the worst over all 2^32 arguments is in ref/kernels/mathematics.c
    float limit;        // NaN from there on
    uint64_t bits;      // hash of the sample's results
} float_function;

static const float_function float_functions[] = {
    {"exp", ff_expf, exp, 0.92, INFINITY, UINT64_C(0x492F744D7603DBDD)},
    {"expm1", ff_expm1f, expm1, 1.24, INFINITY, UINT64_C(0xF08617CDB9B20637)},
    {"tanh", ff_tanhf, tanh, 1.53, INFINITY, UINT64_C(0x6D56AE787A9AF68C)},
    {"erf", ff_erff, erf, 1.07, INFINITY, UINT64_C(0x3FE60F2FFF88D217)},
    {"log", ff_logf, log, 0.89, INFINITY, UINT64_C(0xBDD4FE9F7ED0F50D)},
    {"sin", ff_sinf, sin, 1.67, 0x1p20f, UINT64_C(0x1854D99A9A196D18)},
    {"cos", ff_cosf, cos, 1.81, 0x1p20f, UINT64_C(0x21744A3DAB76399E)},
};
enum { FLOAT_FUNCTIONS = sizeof float_functions / sizeof *float_functions };

// How far ours is from the exact value, in units in the last place; 0 for equal specials, infinite for others.
static double float_error(float ours, double exact)
{
    if (isnan(exact) || isnan(ours))
        return isnan(exact) && isnan(ours) ? 0 : INFINITY;
    if (!signbit(ours) != !signbit(exact))
        return INFINITY;
    if (isinf((float)exact) || isinf(ours))
        return ours == (float)exact ? 0 : INFINITY;
    return fabs(ours - exact) / unit_in_last_place(exact, 24, -149);
}

// Every 1009th float of all 2^32: both signs, subnormals, infinities' neighbours, NaNs.
static void test_float_functions_are_accurate(void **context)
{
    for (size_t f = 0; f < FLOAT_FUNCTIONS; f++) {
        const float_function *function = &float_functions[f];
        double worst = 0;
        float at = 0;
        for (uint64_t bits = 0; bits < UINT64_C(1) << 32; bits += 1009) {
            float x = ff_elementary_float((uint32_t)bits);
            double exact = fabsf(x) > function->limit ? NAN : function->reference(x);
            double error = float_error(function->ours(x), exact);
            if (error > worst) {
                worst = error;
                at = x;
            }
        }
        print_message("%s: worst %.3f units in the last place, at %a\n", function->name, worst, (double)at);
        if (!(worst <= function->bound))
            fail_msg("%s(%a) is %g units in the last place off", function->name, (double)at, worst);
    }
}

static void test_float_functions_treat_special_values(void **context)
{
    const float tiny = 0x1p-149f, huge = 0x1.fffffep127f;
    const struct { float (*function)(float); float x, y; } cases[] = {
        {ff_expf, 0.0f, 1.0f}, {ff_expf, -0.0f, 1.0f}, {ff_expf, INFINITY, INFINITY}, {ff_expf, -INFINITY, 0.0f},
        {ff_expf, huge, INFINITY}, {ff_expf, -huge, 0.0f}, {ff_expf, tiny, 1.0f}, {ff_expf, ANY_NAN, ANY_NAN},
        {ff_expf, 0x1.62e430p6f, INFINITY}, {ff_expf, -0x1.9fe368p6f, tiny}, {ff_expf, -0x1.9fe36ap6f, 0.0f},
        {ff_expm1f, 0.0f, 0.0f}, {ff_expm1f, -0.0f, -0.0f}, {ff_expm1f, tiny, tiny}, {ff_expm1f, -tiny, -tiny},
        {ff_expm1f, INFINITY, INFINITY}, {ff_expm1f, -INFINITY, -1.0f}, {ff_expm1f, ANY_NAN, ANY_NAN},
        {ff_tanhf, 0.0f, 0.0f}, {ff_tanhf, -0.0f, -0.0f}, {ff_tanhf, tiny, tiny}, {ff_tanhf, -tiny, -tiny},
        {ff_tanhf, INFINITY, 1.0f}, {ff_tanhf, -INFINITY, -1.0f}, {ff_tanhf, -huge, -1.0f},
        {ff_tanhf, ANY_NAN, ANY_NAN}, {ff_erff, 0.0f, 0.0f}, {ff_erff, -0.0f, -0.0f}, {ff_erff, INFINITY, 1.0f},
        {ff_erff, -INFINITY, -1.0f}, {ff_erff, ANY_NAN, ANY_NAN}, {ff_logf, 0.0f, -INFINITY},
        {ff_logf, -0.0f, -INFINITY}, {ff_logf, 1.0f, 0.0f}, {ff_logf, -1.0f, ANY_NAN}, {ff_logf, -tiny, ANY_NAN},
        {ff_logf, INFINITY, INFINITY}, {ff_logf, -INFINITY, ANY_NAN}, {ff_logf, ANY_NAN, ANY_NAN},
        {ff_sinf, 0.0f, 0.0f}, {ff_sinf, -0.0f, -0.0f}, {ff_sinf, tiny, tiny}, {ff_sinf, INFINITY, ANY_NAN},
        {ff_sinf, ANY_NAN, ANY_NAN}, {ff_cosf, 0.0f, 1.0f}, {ff_cosf, -0.0f, 1.0f}, {ff_cosf, -INFINITY, ANY_NAN},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        float y = cases[i].function(cases[i].x);
        bool same = isnan(cases[i].y) ? isnan(y) : ff_elementary_bits(y) == ff_elementary_bits(cases[i].y);
        if (!same)
            fail_msg("case %zu: f(%a) is %a, expected %a", i, (double)cases[i].x, (double)y, (double)cases[i].y);
    }
}

static uint64_t hash_bits(uint64_t hash, uint64_t bits)
{
    return (hash ^ bits) * UINT64_C(0x100000001B3);
}

// The same bits from every compiler, optimisation level and processor.
static void test_float_functions_keep_their_bits(void **context)
{
    size_t different = 0;
    for (size_t f = 0; f < FLOAT_FUNCTIONS; f++) {
        uint64_t hash = UINT64_C(0xCBF29CE484222325);
        for (uint64_t bits = 0; bits < UINT64_C(1) << 32; bits += 5003) {
            float y = float_functions[f].ours(ff_elementary_float((uint32_t)bits));
            hash = hash_bits(hash, isnan(y) ? 0x7FC00000u : ff_elementary_bits(y));
        }
        if (hash != float_functions[f].bits) {
            print_error("%s: the results hash to 0x%016llX\n", float_functions[f].name, (unsigned long long)hash);
            different++;
        }
    }
    assert_int_equal(different, 0);
}

// ref/kernels/elementary.h compiled with the processor's fused multiply-add and with libm's.
static void test_both_builds_of_the_kernels_agree(void **context)
{
    const ff_kernels *libm = ff_kernels_scalar_build(false), *hardware = ff_kernels_scalar_build(true);
    if (!hardware) {
        print_message("this processor has no fused multiply-add: nothing to compare\n");
        skip();
    }
    void (*const pairs[][2])(const ff_kernels *, size_t, const float *, float *) = {
        {libm->silu, hardware->silu}, {libm->gelu_tanh, hardware->gelu_tanh}, {libm->gelu_erf, hardware->gelu_erf}};
    enum { COUNT = 8192 };
    static float x[COUNT], a[COUNT], b[COUNT];
    for (uint64_t bits = 0; bits < UINT64_C(1) << 32;) {
        for (size_t i = 0; i < COUNT; i++, bits += 7919)
            x[i] = ff_elementary_float((uint32_t)bits);
        for (size_t p = 0; p < sizeof pairs / sizeof *pairs; p++) {
            pairs[p][0](libm, COUNT, x, a);
            pairs[p][1](hardware, COUNT, x, b);
            for (size_t i = 0; i < COUNT; i++)
                if (ff_elementary_bits(a[i]) != ff_elementary_bits(b[i]) && !(isnan(a[i]) && isnan(b[i])))
                    fail_msg("function %zu of %a: %a and %a", p, (double)x[i], (double)a[i], (double)b[i]);
        }
    }
}

// ---- double ----

static uint64_t random_state;

static uint64_t random_bits(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state * UINT64_C(0x2545F4914F6CDD1D);
}

static double between(double low, double high)
{
    return low + (high - low) * ((double)(random_bits() >> 11) * 0x1p-53);
}

// Either sign, with an exponent from low to high.
static double spread(int low, int high)
{
    double x = between(1, 2);
    x = ldexp(x, (int)floor(between(low, high)));
    return random_bits() & 1 ? -x : x;
}

static double argument_exp(void) { return random_bits() & 1 ? between(-748, 712) : spread(-60, 9); }
static double argument_expm1(void) { return random_bits() & 1 ? between(-48, 712) : spread(-60, 5); }
static double argument_log(void) { return random_bits() & 1 ? between(0, 2) : fabs(spread(-1060, 1020)); }
static double argument_log1p(void) { return random_bits() & 1 ? between(-1, 3) : fabs(spread(-60, 1000)); }
static double argument_angle(void) { return random_bits() & 1 ? between(-100, 100) : spread(-60, 30); }

static double power;  // the exponent of the power tested
static double ff_pow_one(double x) { return ff_pow(x, power); }
static long double powl_one(long double x) { return powl(x, power); }
static double argument_pow(void)
{
    power = random_bits() & 1 ? between(-2, 2) : spread(-10, 3);
    return random_bits() & 1 ? between(1, 20000) : fabs(spread(-100, 100));
}

typedef struct double_function {
    const char *name;
    double (*ours)(double);
    long double (*reference)(long double);
    double (*argument)(void);
    double bound;
    uint64_t bits;
} double_function;

static const double_function double_functions[] = {
    {"exp", ff_exp, expl, argument_exp, 0.76, UINT64_C(0xC439A4EF10EF4B25)},
    {"expm1", ff_expm1, expm1l, argument_expm1, 0.90, UINT64_C(0x01C8D6533B517FFB)},
    {"log", ff_log, logl, argument_log, 0.51, UINT64_C(0x4FE0110B1D5FF912)},
    {"log1p", ff_log1p, log1pl, argument_log1p, 0.67, UINT64_C(0x03000AB85B234B5E)},
    {"sin", ff_sin, sinl, argument_angle, 0.78, UINT64_C(0xE30659F02FBEF16C)},
    {"cos", ff_cos, cosl, argument_angle, 0.78, UINT64_C(0x5888961CC3EEA930)},
    {"pow", ff_pow_one, powl_one, argument_pow, 0.60, UINT64_C(0x25ABDDF79191870B)},
};
enum { DOUBLE_FUNCTIONS = sizeof double_functions / sizeof *double_functions };

static double double_error(double ours, long double exact)
{
    if (isnan(exact) || isnan(ours))
        return isnan(exact) && isnan(ours) ? 0 : INFINITY;
    if (isinf((double)exact) || isinf(ours))
        return ours == (double)exact ? 0 : INFINITY;
    return (double)(fabsl(ours - exact) / unit_in_last_place(exact, 53, -1074));
}

static void test_double_functions_are_accurate(void **context)
{
    for (size_t f = 0; f < DOUBLE_FUNCTIONS; f++) {
        const double_function *function = &double_functions[f];
        double worst = 0, at = 0;
        random_state = UINT64_C(88172645463325252);
        for (size_t i = 0; i < 300000; i++) {
            double x = function->argument();
            double error = double_error(function->ours(x), function->reference(x));
            if (error > worst) {
                worst = error;
                at = x;
            }
        }
        print_message("%s: worst %.3f units in the last place, at %a\n", function->name, worst, at);
        if (!(worst <= function->bound))
            fail_msg("%s(%a) is %g units in the last place off", function->name, at, worst);
    }
}

static void test_double_functions_keep_their_bits(void **context)
{
    size_t different = 0;
    for (size_t f = 0; f < DOUBLE_FUNCTIONS; f++) {
        uint64_t hash = UINT64_C(0xCBF29CE484222325);
        random_state = UINT64_C(88172645463325252);
        for (size_t i = 0; i < 100000; i++) {
            double y = double_functions[f].ours(double_functions[f].argument());
            uint64_t bits;
            memcpy(&bits, &y, sizeof bits);
            hash = hash_bits(hash, isnan(y) ? 0 : bits);
        }
        if (hash != double_functions[f].bits) {
            print_error("%s: the results hash to 0x%016llX\n", double_functions[f].name, (unsigned long long)hash);
            different++;
        }
    }
    assert_int_equal(different, 0);
}

static void test_double_functions_treat_special_values(void **context)
{
    const struct { double (*function)(double); double x, y; } cases[] = {
        {ff_exp, 0, 1}, {ff_exp, INFINITY, INFINITY}, {ff_exp, -INFINITY, 0}, {ff_exp, NAN, NAN},
        {ff_exp, -745.2, 0}, {ff_exp, -745, 0x1p-1074}, {ff_expm1, -0.0, -0.0}, {ff_expm1, -INFINITY, -1},
        {ff_expm1, INFINITY, INFINITY}, {ff_expm1, 0x1p-1074, 0x1p-1074}, {ff_expm1, NAN, NAN}, {ff_log, 0, -INFINITY},
        {ff_log, -1, NAN}, {ff_log, 1, 0}, {ff_log, INFINITY, INFINITY}, {ff_log, NAN, NAN}, {ff_log1p, -0.0, -0.0},
        {ff_log1p, -1, -INFINITY}, {ff_log1p, -2, NAN}, {ff_log1p, INFINITY, INFINITY}, {ff_log1p, NAN, NAN},
        {ff_sin, -0.0, -0.0}, {ff_sin, INFINITY, NAN}, {ff_cos, 0, 1}, {ff_cos, NAN, NAN}, {ff_cos, 0x1.8p30, NAN},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double y = cases[i].function(cases[i].x);
        bool same = isnan(cases[i].y) ? isnan(y) : y == cases[i].y && !signbit(y) == !signbit(cases[i].y);
        if (!same)
            fail_msg("case %zu: f(%a) is %a, expected %a", i, cases[i].x, y, cases[i].y);
    }
    assert_true(ff_pow(10000, 0) == 1 && ff_pow(1, 1e300) == 1 && ff_pow(10000, 0.5) == 100);
    assert_true(ff_pow(2, 1023) == 0x1p1023 && ff_pow(2, 1024) == INFINITY && ff_pow(2, -1074) == 0x1p-1074);
    assert_true(ff_pow(2, 1e300) == INFINITY && ff_pow(2, -1e300) == 0 && isnan(ff_pow(-1, 2)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_float_functions_are_accurate),
        cmocka_unit_test(test_float_functions_treat_special_values),
        cmocka_unit_test(test_float_functions_keep_their_bits),
        cmocka_unit_test(test_both_builds_of_the_kernels_agree),
        cmocka_unit_test(test_double_functions_are_accurate),
        cmocka_unit_test(test_double_functions_keep_their_bits),
        cmocka_unit_test(test_double_functions_treat_special_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
