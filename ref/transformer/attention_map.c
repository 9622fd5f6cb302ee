#include "attention_map.h"

#include <stdlib.h>
#include <string.h>

#include "../kernels/mathematics.h"

// softmax over keys of q . k * scale, for one query and head.   out: [keys]
static void find_probabilities(const ff_attention *attention, size_t head, size_t query, float *out)
{
    const float *q = attention->q + query * attention->q_stride + head * attention->head_dim;
    float highest = 0, total = 0;
    for (size_t key = 0; key < attention->keys; key++) {
        const float *k = attention->k + key * attention->k_stride + head * attention->head_dim;
        float score = 0;
        for (size_t d = 0; d < attention->head_dim; d++)
            score += q[d] * k[d];
        out[key] = score * attention->scale;
        highest = key == 0 || out[key] > highest ? out[key] : highest;
    }
    for (size_t key = 0; key < attention->keys; key++) {
        out[key] = ff_expf(out[key] - highest);
        total += out[key];
    }
    for (size_t key = 0; key < attention->keys; key++)
        out[key] /= total;
}

ff_status ff_attention_by_frame(const ff_attention *attention, size_t frames, float *out)
{
    size_t area = attention->queries / frames, items = attention->heads * frames;
    bool exhausted = false;
    memset(out, 0, items * frames * sizeof *out);
#pragma omp parallel for schedule(dynamic)
    for (size_t item = 0; item < items; item++) {
        size_t head = item / frames, frame = item % frames;
        float *row = malloc(attention->keys * sizeof *row);
        for (size_t i = 0; row && i < area; i++) {
            find_probabilities(attention, head, frame * area + i, row);
            for (size_t key = 0; key < attention->keys; key++)
                out[item * frames + key / area] += row[key] / (float)area;
        }
        if (!row) {
#pragma omp atomic write
            exhausted = true;
        }
        free(row);
    }
    return exhausted ? FF_ERROR_MEMORY : FF_OK;
}

ff_status ff_attention_by_key(const ff_attention *attention, float *out)
{
    bool exhausted = false;
#pragma omp parallel for schedule(static)
    for (size_t query = 0; query < attention->queries; query++) {
        float *sum = out + query * attention->keys, *row = malloc(attention->keys * sizeof *row);
        memset(sum, 0, attention->keys * sizeof *sum);
        for (size_t head = 0; row && head < attention->heads; head++) {
            find_probabilities(attention, head, query, row);
            for (size_t key = 0; key < attention->keys; key++)
                sum[key] += row[key] / (float)attention->heads;
        }
        if (!row) {
#pragma omp atomic write
            exhausted = true;
        }
        free(row);
    }
    return exhausted ? FF_ERROR_MEMORY : FF_OK;
}
