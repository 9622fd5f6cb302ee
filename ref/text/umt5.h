// The opened text encoder: its settings and weights.
#ifndef FF_TEXT_UMT5_H
#define FF_TEXT_UMT5_H

#include "../weights/linear.h"
#include "buckets.h"
#include "text.h"

typedef enum umt5_activation { GELU_TANH, GELU_ERF, SILU, RELU } umt5_activation;

typedef struct umt5_layer {
    const float *attention_norm, *feed_forward_norm;  // [dim]
    ff_linear q, k, v;                                // [inner, dim]
    ff_linear o;                                      // [dim, inner]
    const float *position_bias;                       // [num_buckets, heads]
    ff_linear wi_0, wi_1;                             // [ffn, dim]; wi_1 only if gated
    ff_linear wo;                                     // [dim, ffn]
} umt5_layer;

struct ff_text_encoder {
    size_t vocabulary, dim, heads, head_dim, inner, ffn, layer_count;
    size_t num_buckets;
    ff_buckets buckets;
    float eps;
    umt5_activation activation;
    bool gated;
    ff_weight embedding;        // [vocabulary, dim]
    const float *final_norm;    // [dim]
    umt5_layer *layers;
};

#endif
