// Norms, activations and elementwise kernels of every instruction set the processor has against the scalar ones: bit
// for bit, over awkward sizes, unaligned addresses, special values, in place and apart. Every array ends where a page
// begins that cannot be touched. A test is named after its kernel and instruction set.
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fast_tables.h"
#include "golden.h"
#include "kernels/kernels.h"
#include "random.h"

static const ff_kernels *scalar;

// ---- numbers ----

static float float_of(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

// What the numbers of a trial are like.
typedef enum number_kind {
    ORDINARY,  // within -1..1
    WIDE,      // normal numbers of all sizes that squares do not leave
    SPECIAL,   // one in eight special
    WILD,      // any bits
    KINDS
} number_kind;

static float random_value(number_kind kind)
{
    static const float special[] = {
        0.0f, -0.0f, 1e-40f, -1e-40f, 0x1p-149f, -0x1p-149f, 0x1p-126f, 3e38f, -3e38f, 1e30f, -1e30f, INFINITY,
        -INFINITY, NAN, 1.0f, -1.0f, 0.5625f, 4.0f, 10.0f, 87.0f, 89.0f, -89.0f, 88.8f, -88.8f, 104.0f, -104.0f, 1e-12f,
    };
    if (kind == WILD)
        return float_of(random_bits());
    if (kind == SPECIAL && random_below(8) == 0)
        return special[random_below(sizeof special / sizeof *special)];
    float ordinary = (float)random_bits() / 0x1p31f - 1.0f;
    return kind == WIDE ? ldexpf(ordinary, (int)random_below(80) - 40) : ordinary;
}

static size_t random_size(void)
{
    static const size_t sizes[] = {0, 1, 2, 15, 16, 17, 31, 32, 33, 48, 64, 96, 127, 128, 129};
    return random_below(2) ? random_below(140) : sizes[random_below(sizeof sizes / sizeof *sizes)];
}

// ---- arrays ----

#define MARGIN 40            // floats before an array, which must stay as they are
#define UNTOUCHED 123.456f
#define LONGEST (1u << 17)   // floats, whole pages
#define SLOTS 12

typedef struct array {
    size_t slot, count;
    float *data;
} array;

static float *slots[SLOTS];  // each ends where memory ends
static bool taken[SLOTS];

static void make_slots(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), bytes = LONGEST * sizeof(float);
    for (size_t i = 0; i < SLOTS; i++) {
        char *pages = mmap(NULL, bytes + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (pages == MAP_FAILED || mprotect(pages + bytes, page, PROT_NONE)) {
            perror("mmap");
            exit(1);
        }
        slots[i] = (float *)(void *)pages;
    }
}

static array make_array(size_t count, number_kind kind)
{
    array a = {.count = count};
    assert_true(count + MARGIN <= LONGEST);
    while (a.slot < SLOTS && taken[a.slot])
        a.slot++;
    assert_true(a.slot < SLOTS);
    taken[a.slot] = true;
    a.data = slots[a.slot] + LONGEST - count;
    for (size_t i = 0; i < MARGIN; i++)
        a.data[-1 - (ptrdiff_t)i] = UNTOUCHED;
    for (size_t i = 0; i < count; i++)
        a.data[i] = random_value(kind);
    return a;
}

static array copy_of(array from)
{
    array a = make_array(from.count, ORDINARY);
    memcpy(a.data, from.data, a.count * sizeof *a.data);
    return a;
}

static void drop(array a)
{
    for (size_t i = 0; i < MARGIN; i++)
        if (a.data[-1 - (ptrdiff_t)i] != UNTOUCHED)
            fail_msg("wrote %zu elements before an array of %zu", i + 1, a.count);
    taken[a.slot] = false;
}

static void assert_same_bits(const char *how, array out, array expected)
{
    const float *a = out.data, *b = expected.data;
    for (size_t i = 0; i < out.count; i++)
        if (memcmp(a + i, b + i, sizeof *a) != 0 && !(isnan(a[i]) && isnan(b[i])))
            fail_msg("%s: element %zu of %zu is %a, expected %a", how, i, out.count, (double)a[i], (double)b[i]);
}

// Work that is large enough to be shared is done by so many threads.
static const int thread_counts[] = {1, 2, 3, 7};

#define FOR_THREADS(...)                                                     \
    do {                                                                     \
        for (size_t t = 0; t < sizeof thread_counts / sizeof(int); t++) {    \
            omp_set_num_threads(thread_counts[t]);                           \
            __VA_ARGS__;                                                     \
        }                                                                    \
        omp_set_num_threads(1);                                              \
    } while (0)

// ---- norms ----

typedef struct norm {
    size_t rows, n;
    const float *weight, *bias;
    ff_groups groups;
    float eps;
    bool flag;
} norm;

typedef void (*norm_kernel)(const ff_kernels *, const norm *, const float *x, float *out);

static void run_layer_norm(const ff_kernels *kernels, const norm *p, const float *x, float *out)
{
    kernels->layer_norm(kernels, p->rows, p->n, x, p->eps, p->weight, p->bias, out);
}

static void run_layer_norm_plain(const ff_kernels *kernels, const norm *p, const float *x, float *out)
{
    kernels->layer_norm(kernels, p->rows, p->n, x, p->eps, NULL, p->flag ? p->bias : NULL, out);
}

static void run_layer_norm_modulate(const ff_kernels *kernels, const norm *p, const float *x, float *out)
{
    ff_modulation modulation = {p->groups, p->bias, p->weight};
    kernels->layer_norm_modulate(kernels, p->rows, p->n, x, p->eps, modulation, out);
}

static void run_rms_norm(const ff_kernels *kernels, const norm *p, const float *x, float *out)
{
    kernels->rms_norm(kernels, p->rows, p->n, x, p->eps, p->weight, out);
}

static void run_channel_norm(const ff_kernels *kernels, const norm *p, const float *x, float *out)
{
    kernels->channel_norm(kernels, p->rows, p->n, x, p->weight, p->flag, out);
}

static void run_add_gated(const ff_kernels *kernels, const norm *p, const float *x, float *out)
{
    kernels->add_gated(kernels, p->rows, p->n, x, p->groups, p->weight, out);
}

enum { GROUPS = 3 };

static void check_norm(const ff_kernels *fast, norm_kernel run, size_t rows, size_t n, number_kind kind, bool in_place)
{
    uint32_t *group = malloc((rows + 1) * sizeof *group);
    assert_non_null(group);
    for (size_t row = 0; row < rows; row++)
        group[row] = (uint32_t)random_below(GROUPS);
    size_t stride = n + random_below(3);
    array x = make_array(rows * n, kind), weight = make_array(GROUPS * stride, kind);
    array bias = make_array(GROUPS * stride, kind), expected = make_array(rows * n, ORDINARY), out = copy_of(expected);
    norm p = {.rows = rows, .n = n, .weight = weight.data, .bias = bias.data, .eps = random_below(2) ? 1e-6f : 0.0f,
              .flag = random_below(2), .groups = {random_below(3) ? group : NULL, stride}};
    run(scalar, &p, x.data, expected.data);
    run(fast, &p, x.data, out.data);
    assert_same_bits("apart", out, expected);
    if (in_place) {
        run(fast, &p, x.data, x.data);
        assert_same_bits("in place", x, expected);
    }
    drop(x), drop(weight), drop(bias), drop(expected), drop(out);
    free(group);
}

static void check_norms(const ff_kernels *fast, norm_kernel run, bool in_place)
{
    for (int trial = 0; trial < 300; trial++)
        check_norm(fast, run, random_below(12), random_size(), (number_kind)(trial % KINDS), in_place);
    check_norm(fast, run, 1, 3072, WIDE, in_place);
    FOR_THREADS(check_norm(fast, run, 67, 1001, ORDINARY, in_place));
}

static void layer_norm(const ff_kernels *fast)
{
    check_norms(fast, run_layer_norm, true);
}

static void layer_norm_without_weights(const ff_kernels *fast)
{
    check_norms(fast, run_layer_norm_plain, true);
}

static void layer_norm_modulate(const ff_kernels *fast)
{
    check_norms(fast, run_layer_norm_modulate, true);
}

static void rms_norm(const ff_kernels *fast)
{
    check_norms(fast, run_rms_norm, true);
}

static void channel_norm(const ff_kernels *fast)
{
    check_norms(fast, run_channel_norm, true);
}

static void add_gated(const ff_kernels *fast)
{
    check_norms(fast, run_add_gated, false);
}

// ---- elementwise ----

enum { TERMS = 8 };

typedef struct inputs {
    const float *x[TERMS];
    float k[TERMS];
    size_t terms;
} inputs;

typedef void (*element_kernel)(const ff_kernels *, size_t n, const inputs *, float *out);

static void run_add(const ff_kernels *kernels, size_t n, const inputs *in, float *out)
{
    kernels->add(kernels, n, in->x[0], in->x[1], out);
}

static void run_multiply(const ff_kernels *kernels, size_t n, const inputs *in, float *out)
{
    kernels->multiply(kernels, n, in->x[0], in->x[1], out);
}

static void run_silu(const ff_kernels *kernels, size_t n, const inputs *in, float *out)
{
    kernels->silu(kernels, n, in->x[0], out);
}

static void run_gelu_tanh(const ff_kernels *kernels, size_t n, const inputs *in, float *out)
{
    kernels->gelu_tanh(kernels, n, in->x[0], out);
}

static void run_gelu_erf(const ff_kernels *kernels, size_t n, const inputs *in, float *out)
{
    kernels->gelu_erf(kernels, n, in->x[0], out);
}

static void run_guidance(const ff_kernels *kernels, size_t n, const inputs *in, float *out)
{
    kernels->guidance(kernels, n, in->x[0], in->x[1], in->k[0], out);
}

static void run_combine(const ff_kernels *kernels, size_t n, const inputs *in, float *out)
{
    kernels->combine(kernels, n, in->terms, in->x, in->k, out);
}

// `arity` arrays in; once apart, then over each of the inputs.
static void check_element(const ff_kernels *fast, element_kernel run, size_t arity, size_t n, number_kind kind)
{
    array x[TERMS], expected = make_array(n, ORDINARY), out = copy_of(expected);
    inputs in = {.terms = arity};
    for (size_t i = 0; i < arity; i++) {
        x[i] = make_array(n, kind);
        in.x[i] = x[i].data;
        in.k[i] = random_value(kind == WILD ? WIDE : kind);
    }
    run(scalar, n, &in, expected.data);
    run(fast, n, &in, out.data);
    assert_same_bits("apart", out, expected);
    for (size_t i = 0; i < arity; i++) {
        array over = copy_of(x[i]);
        in.x[i] = over.data;
        run(fast, n, &in, over.data);
        assert_same_bits("in place", over, expected);
        in.x[i] = x[i].data;
        drop(over);
    }
    for (size_t i = 0; i < arity; i++)
        drop(x[i]);
    drop(expected), drop(out);
}

static void check_elements(const ff_kernels *fast, element_kernel run, size_t arity)
{
    for (int trial = 0; trial < 200; trial++)
        check_element(fast, run, arity, random_size(), (number_kind)(trial % KINDS));
    check_element(fast, run, arity, 40000, WILD);
    FOR_THREADS(check_element(fast, run, arity, 70001, SPECIAL));
}

static void add(const ff_kernels *fast)
{
    check_elements(fast, run_add, 2);
}

static void multiply(const ff_kernels *fast)
{
    check_elements(fast, run_multiply, 2);
}

static void silu(const ff_kernels *fast)
{
    check_elements(fast, run_silu, 1);
}

static void gelu_tanh(const ff_kernels *fast)
{
    check_elements(fast, run_gelu_tanh, 1);
}

static void gelu_erf(const ff_kernels *fast)
{
    check_elements(fast, run_gelu_erf, 1);
}

static void guidance(const ff_kernels *fast)
{
    check_elements(fast, run_guidance, 2);
}

static void combine(const ff_kernels *fast)
{
    for (size_t terms = 0; terms <= TERMS; terms++)
        for (int trial = 0; trial < 30; trial++)
            check_element(fast, run_combine, terms, random_size(), (number_kind)(trial % KINDS));
    FOR_THREADS(check_element(fast, run_combine, 5, 70001, WIDE));
}

static void check_rotary(const ff_kernels *fast, size_t rows, size_t heads, size_t head_dim, number_kind kind)
{
    array x = make_array(rows * heads * head_dim, kind), angles = make_array(rows * head_dim, kind);
    array expected = copy_of(x);
    scalar->rotary(scalar, rows, heads, head_dim, angles.data, expected.data);
    fast->rotary(fast, rows, heads, head_dim, angles.data, x.data);
    assert_same_bits("in place", x, expected);
    drop(x), drop(angles), drop(expected);
}

static void rotary(const ff_kernels *fast)
{
    for (int trial = 0; trial < 300; trial++)
        check_rotary(fast, random_below(6), random_below(5), random_size(), (number_kind)(trial % KINDS));
    FOR_THREADS(check_rotary(fast, 50, 12, 128, ORDINARY));
}

// ---- elementary functions ----

#if defined(__x86_64__)
size_t ff_compare_elementary_avx2(int, uint32_t, uint32_t, size_t, uint32_t *);
size_t ff_compare_elementary_avx512(int, uint32_t, uint32_t, size_t, uint32_t *);
#elif defined(__aarch64__)
size_t ff_compare_elementary_neon(int, uint32_t, uint32_t, size_t, uint32_t *);
#endif

static size_t compare_elementary(const char *isa, int function, uint32_t first, uint32_t step, size_t count,
                                 uint32_t *bad)
{
#if defined(__x86_64__)
    if (strcmp(isa, "avx2") == 0)
        return ff_compare_elementary_avx2(function, first, step, count, bad);
    if (strcmp(isa, "avx512") == 0)
        return ff_compare_elementary_avx512(function, first, step, count, bad);
#elif defined(__aarch64__)
    if (strcmp(isa, "neon") == 0)
        return ff_compare_elementary_neon(function, first, step, count, bad);
#endif
    fail_msg("no comparison for %s", isa);
    return 0;
}

// Every 1021st float, and all of magnitude 1/2 to 1, where tanh and erf change from one formula to another.
static void elementary_functions(const ff_kernels *fast)
{
    static const char *const names[] = {"exp", "tanh", "erf"};
    static const struct { uint32_t first, step; size_t count; } ranges[] = {
        {0, 1021, 0xFFFFFFFFu / 1021 + 1}, {0x3F000000u, 1, 0x800010u}, {0xBF000000u, 1, 0x800010u},
    };
    for (int function = 0; function < 3; function++)
        for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
            uint32_t bad = 0;
            size_t differing =
                compare_elementary(fast->name, function, ranges[i].first, ranges[i].step, ranges[i].count, &bad);
            if (differing)
                fail_msg("%s differs for %zu floats, one is %a", names[function], differing, (double)float_of(bad));
        }
}

// ---- all of them, for each instruction set ----

static const struct {
    const char *name;
    void (*check)(const ff_kernels *fast);
} checks[] = {
    {"layer_norm", layer_norm},
    {"layer_norm without weights", layer_norm_without_weights},
    {"layer_norm_modulate", layer_norm_modulate},
    {"rms_norm", rms_norm},
    {"channel_norm", channel_norm},
    {"add_gated", add_gated},
    {"rotary", rotary},
    {"add", add},
    {"multiply", multiply},
    {"silu", silu},
    {"gelu_tanh", gelu_tanh},
    {"gelu_erf", gelu_erf},
    {"guidance", guidance},
    {"combine", combine},
    {"elementary functions", elementary_functions},
};

enum { CHECKS = sizeof checks / sizeof *checks, ISAS = 3 };

typedef struct subject {
    ff_kernels fast;
    size_t check;
} subject;

static void run_check(void **state)
{
    const subject *s = *state;
    memset(taken, 0, sizeof taken);  // a check that failed may have left some
    omp_set_num_threads(1);
    checks[s->check].check(&s->fast);
}

int main(void)
{
    static subject subjects[ISAS * CHECKS];
    static char names[ISAS * CHECKS][64];
    struct CMUnitTest tests[ISAS * CHECKS];
    size_t count = 0;
    make_slots();
    scalar = ff_kernels_scalar();
    if (!find_fast_tables())
        return 77;
    for (size_t t = 0; t < table_count; t++)
        for (size_t i = 0; i < CHECKS; i++, count++) {
            subjects[count] = (subject){tables[t], i};
            snprintf(names[count], sizeof names[count], "%s on %s", checks[i].name, tables[t].name);
            tests[count] = (struct CMUnitTest){names[count], run_check, NULL, NULL, &subjects[count]};
        }
    return _cmocka_run_group_tests("simd rows", tests, count, NULL, NULL);
}
