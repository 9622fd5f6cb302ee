// The tables of each instruction set that this processor has, to be held against the scalar one.
#ifndef FF_TESTS_FAST_TABLES_H
#define FF_TESTS_FAST_TABLES_H

#include "kernels/kernels.h"

extern ff_kernels tables[3];
extern size_t table_count;

// Fills them, and says what is left out. False: there are none, and why was said.
bool find_fast_tables(void);

#endif
