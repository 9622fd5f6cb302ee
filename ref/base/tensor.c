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

size_t ff_shape_elements(int rank, const size_t *shape)
{
    size_t count = 1;
    for (int i = 0; i < rank; i++)
        count *= shape[i];
    return count;
}

size_t ff_weight_elements(const ff_weight *weight)
{
    return ff_shape_elements(weight->rank, weight->shape);
}

size_t ff_weight_bytes(const ff_weight *weight)
{
    return ff_element_bytes(weight->dtype, ff_weight_elements(weight));
}

size_t ff_weight_row(const ff_weight *weight)
{
    size_t rows = weight->rank ? weight->shape[0] : 1;
    return rows ? ff_weight_elements(weight) / rows : 0;
}

void ff_weight_widen(const ff_weight *weight, size_t first, size_t count, float *out)
{
    size_t row = ff_weight_row(weight);
    if (!weight->scales || !weight->scale_step || row == 0) {
        ff_operand_decode(ff_weight_operand(weight), first, count, out);
        return;
    }
    for (size_t end = first + count, part; first < end; first += part, out += part) {
        part = row - first % row < end - first ? row - first % row : end - first;
        ff_operand_decode(ff_operand_from(ff_weight_operand(weight), first / row, row), first % row, part, out);
    }
}
