// The decoders of quantised elements of each instruction set that the processor has, against the scalar ones: bit for
// bit, over random rows and runs, unaligned. The scalar ones are held against gguf-py and torch in test_blocks.c.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../simd/decoders.h"
#include "golden.h"
#include "kernels/choose.h"
#include "random.h"

typedef ff_decode *decoder_of(ff_block_type type);

static struct {
    const char *name;
    decoder_of *decoder;
} sets[2];
static size_t set_count;

enum { BLOCKS = 5, MOST = BLOCKS * FF_BLOCK_MOST };

// Random bytes; scales are then all kinds of f16, many of them special.
static void *random_row(size_t bytes, size_t shift)
{
    uint8_t *row = malloc(bytes + shift);
    assert_non_null(row);
    for (size_t i = 0; i < bytes + shift; i++)
        row[i] = (uint8_t)random_bits();
    return row;
}

static void assert_same(const char *set, const char *type, size_t first, size_t count, const float *actual,
                        const float *expected)
{
    for (size_t i = 0; i < count; i++) {
        if (memcmp(actual + i, expected + i, sizeof *actual) == 0 || (isnan(actual[i]) && isnan(expected[i])))
            continue;
        fail_msg("%s of %s, %zu elements from %zu on: element %zu is %a, expected %a", type, set, count, first, i,
                 (double)actual[i], (double)expected[i]);
    }
}

static void try_run(ff_block_type type, const uint8_t *row, size_t first, size_t count)
{
    static float expected[MOST], out[MOST + 2];
    ff_dtype dtype = &ff_block_formats[type].element;
    dtype->decode(row, first, count, expected);
    for (size_t i = 0; i < set_count; i++) {
        ff_decode *decode = sets[i].decoder(type);
        assert_non_null(decode);  // a type without one would be decoded one element at a time
        out[0] = out[count + 1] = 12345.0f;
        decode(row, first, count, out + 1);
        assert_same(sets[i].name, dtype->name, first, count, out + 1, expected);
        if (out[0] != 12345.0f || out[count + 1] != 12345.0f)
            fail_msg("%s of %s writes around %zu elements from %zu on", dtype->name, sets[i].name, count, first);
    }
}

static void test_runs_of_random_rows(void **state)
{
    for (int trial = 0; trial < 400; trial++)
        for (int type = 0; type < FF_BLOCK_TYPES; type++) {
            ff_dtype dtype = &ff_block_formats[type].element;
            size_t elements = dtype->block == 1 ? MOST : BLOCKS * dtype->block, shift = random_below(16);
            uint8_t *row = random_row(elements / dtype->block * dtype->bytes, shift);
            size_t first = random_below(elements + 1), count = random_below(elements - first + 1);
            if (random_below(2))
                first -= first % dtype->block;  // from the beginning of a block, and to the end of the row
            if (random_below(4) == 0)
                count = elements - first;
            try_run((ff_block_type)type, row + shift, first, count);
            free(row);
        }
}

static void test_every_f16_as_scale_and_every_code(void **state)
{
    for (int type = 0; type < FF_BLOCK_TYPES; type++) {
        ff_dtype dtype = &ff_block_formats[type].element;
        uint8_t *row = random_row(dtype->block == 1 ? 256 : dtype->bytes, 0);
        if (dtype->block == 1) {
            for (size_t i = 0; i < 256; i++)
                row[i] = (uint8_t)i;
            try_run((ff_block_type)type, row, 0, 256);
        }
        // where one type has its scale another has codes, which any bytes may be
        for (uint32_t bits = 0; dtype->block > 1 && bits < 65536; bits += 1 + random_below(40)) {
            memcpy(row, &(uint16_t){(uint16_t)bits}, 2);
            memcpy(row + dtype->bytes - 2, &(uint16_t){(uint16_t)bits}, 2);
            try_run((ff_block_type)type, row, 0, dtype->block);
        }
        free(row);
    }
}

static void add_set(const char *name, ff_isa isa, decoder_of *decoder)
{
    if (ff_kernels_choose(isa, FF_BACKEND_OWN, &(ff_kernels){0}, NULL) != FF_OK) {
        print_message("%s was left out: this processor has none\n", name);
        return;
    }
    sets[set_count].name = name;
    sets[set_count++].decoder = decoder;
}

int main(void)
{
#if defined(__x86_64__)
    add_set("AVX2", FF_ISA_AVX2, ff_simd_decoder_avx2);
    add_set("AVX-512", FF_ISA_AVX512, ff_simd_decoder_avx512);
#elif defined(__aarch64__)
    add_set("NEON", FF_ISA_NEON, ff_simd_decoder_neon);
#endif
    if (set_count == 0) {
        print_message("skipped: this processor has no instruction set that simd/ is written for\n");
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_runs_of_random_rows),
        cmocka_unit_test(test_every_f16_as_scale_and_every_code),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
