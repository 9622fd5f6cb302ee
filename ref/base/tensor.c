#include "tensor.h"

#include <stdio.h>

void ff_print_shape(char text[FF_SHAPE_TEXT], int rank, const size_t *shape)
{
    size_t used = 1;
    text[0] = '[';
    for (int i = 0; i < rank; i++)
        used += (size_t)snprintf(text + used, FF_SHAPE_TEXT - used, i ? ", %zu" : "%zu", shape[i]);
    snprintf(text + used, FF_SHAPE_TEXT - used, "]");
}

void ff_weight_widen(const ff_weight *weight, size_t first, size_t count, float *out)
{
    weight->dtype->decode(weight->data, first, count, out);
}
