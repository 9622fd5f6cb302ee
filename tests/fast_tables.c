#include "fast_tables.h"

#include "golden.h"

ff_kernels tables[3];
size_t table_count;

bool find_fast_tables(void)
{
    static const ff_isa isas[] = {FF_ISA_AVX2, FF_ISA_AVX512, FF_ISA_NEON};
    static const char *const names[] = {"AVX2", "AVX-512", "NEON"};
    for (size_t i = 0; i < 3; i++) {
        if (ff_kernels_choose(isas[i], FF_BACKEND_OWN, &tables[table_count], NULL) == FF_OK)
            table_count++;
        else
            print_message("%s was left out: this processor has none\n", names[i]);
    }
    if (table_count == 0)
        print_message("skipped: this processor has no instruction set that simd/ is written for\n");
    return table_count > 0;
}
