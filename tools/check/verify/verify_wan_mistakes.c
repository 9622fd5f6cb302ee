// The mistakes that ports of the transformer make, most usual first: of two that explain an error equally well the
// first is named.
#include "verify_wan.h"

#include <stddef.h>

#define AT(FIELD) offsetof(ff_wan_variant, FIELD)
#define ONE(PARTS, FIELD, VALUE, CAUSE) {.cause = CAUSE, .parts = PARTS, .set = {{AT(FIELD), VALUE}}}
#define BLOCK(FIELD, VALUE, CAUSE) ONE(FF_WAN_BLOCK, FIELD, VALUE, CAUSE)
#define HEAD(FIELD, VALUE, CAUSE) ONE(FF_WAN_HEAD, FIELD, VALUE, "the head: " CAUSE)
#define TIME(FIELD, VALUE, CAUSE) ONE(FF_WAN_TIME, FIELD, VALUE, "the time embedding: " CAUSE)
#define TEXT(FIELD, VALUE, CAUSE) ONE(FF_WAN_TEXT, FIELD, VALUE, "the text embedder: " CAUSE)
#define PATCH(FIELD, VALUE, CAUSE) ONE(FF_WAN_PATCH, FIELD, VALUE, "the patch embedding: " CAUSE)
// In both attentions of a block, in one of them.
#define ATTENTION(FIELD, VALUE, CAUSE)                                                                                 \
    {.cause = CAUSE, .parts = FF_WAN_BLOCK, .set = {{AT(attention[0].FIELD), VALUE}, {AT(attention[1].FIELD), VALUE}}},\
    BLOCK(attention[0].FIELD, VALUE, "self-attention only: " CAUSE),                                                   \
    BLOCK(attention[1].FIELD, VALUE, "cross-attention only: " CAUSE)
#define QK_NORM_IN(WHERE, VALUE, CAUSE)                                                                                \
    {.cause = CAUSE, .parts = FF_WAN_BLOCK,                                                                            \
     .set = {{AT(attention[WHERE].q_norm), VALUE}, {AT(attention[WHERE].k_norm), VALUE}}}
#define QK_NORM(VALUE, CAUSE)                                                                                          \
    {.cause = CAUSE, .parts = FF_WAN_BLOCK,                                                                            \
     .set = {{AT(attention[0].q_norm), VALUE}, {AT(attention[0].k_norm), VALUE}, {AT(attention[1].q_norm), VALUE},     \
             {AT(attention[1].k_norm), VALUE}}},                                                                       \
    QK_NORM_IN(0, VALUE, "self-attention only: " CAUSE),                                                               \
    QK_NORM_IN(1, VALUE, "cross-attention only: " CAUSE)
#define LINEAR(PARTS, ID, NAME)                                                                                        \
    ONE(PARTS, transposed, ID, "the weight of " NAME " is transposed"),                                                \
    ONE(PARTS, unbiased, ID, "the bias of " NAME " is left out")
#define EPSILON(INDEX, VALUE)                                                                                          \
    {.cause = "epsilon of all norms is " VALUE, .parts = FF_WAN_BLOCK,                                                 \
     .set = {{AT(eps), INDEX}, {AT(attention[0].eps), INDEX}, {AT(attention[1].eps), INDEX}}},                         \
    BLOCK(eps, INDEX, "epsilon of the LayerNorms is " VALUE),                                                          \
    ATTENTION(eps, INDEX, "epsilon of the query and key norms is " VALUE),                                             \
    HEAD(head_eps, INDEX, "epsilon of the norm is " VALUE)

const ff_mistake ff_wan_mistakes[] = {
    // rotary angles
    BLOCK(rotary, 2, "rotary embedding turns halves of a head against each other, not neighbouring pairs"),
    BLOCK(rotary, 1, "rotary embedding is left out"),
    BLOCK(rotary, 3, "rotary embedding turns the other way round (sign of the sine)"),
    BLOCK(rotary, 4, "rotary positions start at 1"),
    BLOCK(rotary, 5, "rotary embedding turns the queries only"),
    BLOCK(rotary, 6, "rotary embedding turns the keys only"),
    BLOCK(rotary, 7, "rotary embedding is applied before the query and key norms"),
    BLOCK(rotary, 8, "rotary embedding turns the values too"),
    BLOCK(rotary_axes, 1, "rotary axes: columns before rows (frames, columns, rows)"),
    BLOCK(rotary_axes, 2, "rotary axes in the order rows, columns, frames"),
    BLOCK(rotary_axes, 3, "rotary axes in the order columns, rows, frames"),
    BLOCK(rotary_axes, 4, "rotary axes in the order rows, frames, columns"),
    BLOCK(rotary_axes, 5, "rotary axes in the order columns, frames, rows"),
    BLOCK(rotary_split, 1, "rotary axes: the head is split so that columns, not frames, have the remainder"),
    BLOCK(rotary_split, 2, "rotary axes: the head is split into equal thirds"),
    BLOCK(rotary_split, 3, "rotary frequencies run on over the whole head instead of starting anew on each axis"),
    BLOCK(rotary_base, 1, "the rotary base (theta) is 256, not 10000"),
    BLOCK(rotary_base, 2, "the rotary base (theta) is 500, not 10000"),
    BLOCK(rotary_base, 3, "the rotary base (theta) is 1000, not 10000"),
    BLOCK(rotary_base, 4, "the rotary base (theta) is 100, not 10000"),
    BLOCK(rotary_base, 5, "the rotary base (theta) is 5000, not 10000"),
    BLOCK(rotary_base, 6, "the rotary base (theta) is 100000, not 10000"),
    BLOCK(rotary_base, 7, "the rotary base (theta) is 500000, not 10000"),
    BLOCK(rotary_base, 8, "the rotary base (theta) is 1000000, not 10000"),
    BLOCK(rotary_cross, 1, "rotary embedding is applied to the queries of cross-attention"),
    // attention
    QK_NORM(1, "RMS norm of queries and keys per head, not over all heads"),
    QK_NORM(2, "RMS norm of queries and keys is left out"),
    QK_NORM(3, "RMS norm of queries and keys without its weight"),
    QK_NORM(4, "LayerNorm of queries and keys, not RMS norm"),
    BLOCK(attention[0].q_norm, 2, "self-attention: RMS norm of the queries is left out"),
    BLOCK(attention[0].k_norm, 2, "self-attention: RMS norm of the keys is left out"),
    BLOCK(attention[1].q_norm, 2, "cross-attention: RMS norm of the queries is left out"),
    BLOCK(attention[1].k_norm, 2, "cross-attention: RMS norm of the keys is left out"),
    ATTENTION(scale, 1, "attention scale: scores are not divided by sqrt(head_dim)"),
    ATTENTION(scale, 2, "attention scale: 1/head_dim, the root is missing or the scale applied twice"),
    ATTENTION(scale, 3, "attention scale: 1/sqrt(dim of all heads), not of one head"),
    ATTENTION(scale, 4, "attention scale: log2(e) too much, base e where base 2 was meant"),
    ATTENTION(scale, 5, "attention scale: log2(e) is missing, base 2 where base e was meant"),
    ATTENTION(heads, 1, "heads are interleaved: elements of a head lie apart, not together"),
    BLOCK(attention[0].causal, 1, "self-attention is causal"),
    BLOCK(attention[1].padding, 1, "cross-attention masks the padding of the prompt, which takes part in Wan"),
    BLOCK(attention[1].padding, 2, "cross-attention sees half of the text's tokens only"),
    BLOCK(attention[0].exchanged, 1, "self-attention: weights of q and k exchanged"),
    BLOCK(attention[0].exchanged, 2, "self-attention: weights of k and v exchanged"),
    BLOCK(attention[0].exchanged, 3, "self-attention: weights of q and v exchanged"),
    BLOCK(attention[1].exchanged, 1, "cross-attention: weights of q and k exchanged"),
    BLOCK(attention[1].exchanged, 2, "cross-attention: weights of k and v exchanged"),
    BLOCK(attention[1].exchanged, 3, "cross-attention: weights of q and v exchanged"),
    ONE(FF_WAN_TEXT, text_from, 1, "the conditional and the unconditional evaluation have each other's prompt"),
    // feed-forward
    BLOCK(activation, 1, "exact GELU (erf) in the feed-forward, not its tanh form"),
    BLOCK(activation, 3, "GELU as x sigmoid(1.702 x) in the feed-forward"),
    BLOCK(activation, 2, "SiLU in the feed-forward, not GELU"),
    BLOCK(activation, 4, "ReLU in the feed-forward, not GELU"),
    BLOCK(activation, 5, "no activation in the feed-forward"),
    // modulation
    BLOCK(modulation, 1, "modulation: shift and scale exchanged"),
    BLOCK(modulation, 2, "modulation: shift and scale of self-attention exchanged"),
    BLOCK(modulation, 3, "modulation: shift and scale of the feed-forward exchanged"),
    BLOCK(modulation, 4, "modulation: vectors of self-attention and feed-forward exchanged"),
    BLOCK(modulation, 5, "modulation: vectors taken in the order gate, shift, scale"),
    BLOCK(modulation, 6, "modulation: vectors taken in the order scale, gate, shift"),
    BLOCK(modulation, 7, "modulation: the two gates exchanged"),
    BLOCK(modulation, 8, "modulation: vectors taken in the order shift, shift, scale, scale, gate, gate"),
    BLOCK(modulation, 9, "modulation: scale and gate exchanged"),
    BLOCK(modulation, 10, "modulation: shift and gate exchanged"),
    BLOCK(plain_scale, 1, "modulation: scale instead of 1 + scale"),
    BLOCK(ungated, 3, "modulation: the gates are left out"),
    BLOCK(ungated, 1, "modulation: the gate of self-attention is left out"),
    BLOCK(ungated, 2, "modulation: the gate of the feed-forward is left out"),
    BLOCK(table, 1, "modulation: the block's scale_shift_table is left out"),
    BLOCK(table, 2, "modulation: the scale_shift_table of the next block"),
    BLOCK(projection, 1, "SiLU before time_proj is left out"),
    BLOCK(timesteps, 1, "every token takes the first token's timestep"),
    BLOCK(timesteps, 2, "every token takes the last token's timestep"),
    BLOCK(cross_gated, 1, "cross-attention is gated, with self-attention's gate"),
    // norms
    BLOCK(norm2, 1, "the norm before cross-attention (norm2) is left out"),
    BLOCK(norm2, 2, "the norm before cross-attention (norm2) without weight and bias"),
    BLOCK(norm2, 3, "the norm before cross-attention (norm2) without its bias"),
    BLOCK(norm, 1, "RMS norm where LayerNorm is meant (norm1, norm3)"),
    BLOCK(norm, 2, "the norms before self-attention and feed-forward are left out"),
    {.cause = "norms are computed in bf16 (norm1, norm2, norm3)", .parts = FF_WAN_BLOCK,
     .set = {{AT(norm), 4}, {AT(norm2), 4}}},
    {.cause = "norms are computed in bf16 (norm1, norm2, norm3), from rounded input", .parts = FF_WAN_BLOCK,
     .set = {{AT(norm), 5}, {AT(norm2), 4}}},
    {.cause = "norms and modulation are computed in bf16", .parts = FF_WAN_BLOCK,
     .set = {{AT(norm), 3}, {AT(norm2), 4}}},
    BLOCK(norm, 4, "norm1 and norm3 are computed in bf16"),
    BLOCK(norm, 3, "norm1 and norm3 and their modulation are computed in bf16"),
    BLOCK(norm2, 4, "norm2 is computed in bf16"),
    QK_NORM(5, "RMS norm of queries and keys is computed in bf16"),
    {.cause = "norms are rounded to bf16", .parts = FF_WAN_BLOCK | FF_WAN_HEAD, .reduced = FF_NORMS_BFLOAT},
    EPSILON(1, "1e-5"), EPSILON(3, "1e-7"), EPSILON(4, "1e-8"), EPSILON(5, "1e-12"), EPSILON(6, "1e-4"),
    EPSILON(7, "1e-3"), EPSILON(2, "1e-6"), EPSILON(8, "0"),
    // parts of a block
    BLOCK(left_out, 1, "self-attention is left out"),
    BLOCK(left_out, 2, "cross-attention is left out"),
    BLOCK(left_out, 3, "the feed-forward is left out"),
    BLOCK(order, 1, "the feed-forward comes before cross-attention"),
    // embeddings
    TIME(sinusoids, 1, "sines come before cosines"),
    TIME(sinusoids, 2, "frequencies are spread over half - 1 steps (downscale_freq_shift 1)"),
    TIME(sinusoids, 3, "the timestep is given as 0 to 1, not 0 to 1000"),
    TIME(sinusoids, 4, "the timestep is rounded to bf16"),
    TIME(sinusoids, 5, "the sinusoids are rounded to bf16"),
    TIME(sinusoids, 7, "computed in bf16"),
    TIME(sinusoid_base, 1, "the base of the frequencies is 1000, not 10000"),
    TIME(sinusoid_base, 2, "the base of the frequencies is 100, not 10000"),
    TIME(sinusoid_base, 3, "the base of the frequencies is 100000, not 10000"),
    TIME(sinusoid_base, 4, "the base of the frequencies is 500000, not 10000"),
    TIME(time_activation, 1, "SiLU between its layers is left out"),
    {.cause = "the time embedding is computed in bf16", .parts = FF_WAN_TIME, .reduced = FF_ALL_BFLOAT},
    {.cause = "the time embedding's products are taken in bf16", .parts = FF_WAN_TIME, .reduced = FF_PRODUCTS_BFLOAT},
    {.cause = "the time embedding is computed in f16", .parts = FF_WAN_TIME, .reduced = FF_ALL_HALF},
    TEXT(text_activation, 1, "exact GELU (erf), not its tanh form"),
    TEXT(text_activation, 2, "SiLU, not GELU"),
    TEXT(text_activation, 3, "GELU as x sigmoid(1.702 x)"),
    TEXT(text_activation, 5, "no activation"),
    PATCH(patch_order, 1, "rows and columns of a patch exchanged"),
    PATCH(token_order, 1, "tokens run column by column"),
    // head
    HEAD(head_order, 1, "shift and scale exchanged"),
    HEAD(head_plain_scale, 1, "scale instead of 1 + scale"),
    HEAD(head_table, 1, "scale_shift_table is left out"),
    HEAD(head_norm, 1, "RMS norm, not LayerNorm"),
    HEAD(head_norm, 2, "the norm is left out"),
    HEAD(head_norm, 4, "the norm is computed in bf16"),
    HEAD(head_norm, 3, "norm and modulation are computed in bf16"),
    HEAD(head_timesteps, 1, "every token takes the first token's timestep"),
    HEAD(head_timesteps, 2, "every token takes the last token's timestep"),
    HEAD(unpatch, 1, "values of a patch are taken channel by channel"),
    HEAD(unpatch, 2, "rows and columns of a patch exchanged"),
    HEAD(negated, 1, "the sign of the prediction"),
    // weights
    LINEAR(FF_WAN_BLOCK, FF_WAN_Q1, "attn1.to_q"), LINEAR(FF_WAN_BLOCK, FF_WAN_K1, "attn1.to_k"),
    LINEAR(FF_WAN_BLOCK, FF_WAN_V1, "attn1.to_v"), LINEAR(FF_WAN_BLOCK, FF_WAN_O1, "attn1.to_out"),
    LINEAR(FF_WAN_BLOCK, FF_WAN_Q2, "attn2.to_q"), LINEAR(FF_WAN_BLOCK, FF_WAN_K2, "attn2.to_k"),
    LINEAR(FF_WAN_BLOCK, FF_WAN_V2, "attn2.to_v"), LINEAR(FF_WAN_BLOCK, FF_WAN_O2, "attn2.to_out"),
    LINEAR(FF_WAN_BLOCK, FF_WAN_FFN_IN, "ffn.net.0"), LINEAR(FF_WAN_BLOCK, FF_WAN_FFN_OUT, "ffn.net.2"),
    LINEAR(FF_WAN_BLOCK, FF_WAN_TIME_PROJ, "time_proj"), LINEAR(FF_WAN_TIME, FF_WAN_TIME_IN, "time_embedder.linear_1"),
    LINEAR(FF_WAN_TIME, FF_WAN_TIME_OUT, "time_embedder.linear_2"),
    LINEAR(FF_WAN_TEXT, FF_WAN_TEXT_IN, "text_embedder.linear_1"),
    LINEAR(FF_WAN_TEXT, FF_WAN_TEXT_OUT, "text_embedder.linear_2"),
    LINEAR(FF_WAN_PATCH, FF_WAN_PATCH_EMBEDDING, "patch_embedding"), LINEAR(FF_WAN_HEAD, FF_WAN_PROJ_OUT, "proj_out"),
    // precision that is no mistake
    {.cause = "weights are rounded to bf16", .parts = FF_WAN_ALL, .reduced = FF_WEIGHTS_BFLOAT, .harmless = true},
    {.cause = "weights are rounded to f16", .parts = FF_WAN_ALL, .reduced = FF_WEIGHTS_HALF, .harmless = true},
    {.cause = "products take their inputs in TF32", .parts = FF_WAN_ALL, .reduced = FF_PRODUCTS_TF32,
     .harmless = true},
    {.cause = "products take their inputs in bf16", .parts = FF_WAN_PATCH | FF_WAN_TEXT | FF_WAN_BLOCK | FF_WAN_HEAD,
     .reduced = FF_PRODUCTS_BFLOAT, .harmless = true},
    {.cause = "computed in bf16", .parts = FF_WAN_PATCH | FF_WAN_TEXT | FF_WAN_BLOCK | FF_WAN_HEAD,
     .reduced = FF_ALL_BFLOAT, .harmless = true},
    {.cause = "computed in f16", .parts = FF_WAN_PATCH | FF_WAN_TEXT | FF_WAN_BLOCK | FF_WAN_HEAD,
     .reduced = FF_ALL_HALF, .harmless = true},
};

const size_t ff_wan_mistake_count = sizeof ff_wan_mistakes / sizeof *ff_wan_mistakes;
