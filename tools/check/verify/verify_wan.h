// The transformer once more, part by part and with the mistakes that ports make as switches. With every switch at 0 it
// gives the bits of ref/transformer, which remains the place to read how it is done right.
#ifndef FF_VERIFY_WAN_H
#define FF_VERIFY_WAN_H

#include "transformer/transformer_weights.h"
#include "verify_parts.h"

// Parts that a mistake can sit in.
enum {
    FF_WAN_PATCH = 1, FF_WAN_TIME = 2, FF_WAN_TEXT = 4, FF_WAN_BLOCK = 8, FF_WAN_HEAD = 16,
    FF_WAN_EMBED = FF_WAN_PATCH | FF_WAN_TIME | FF_WAN_TEXT,
    FF_WAN_ALL = FF_WAN_EMBED | FF_WAN_BLOCK | FF_WAN_HEAD,
};

// The linear layers, numbered for `transposed` and `unbiased`; 0 is none.
enum {
    FF_WAN_NO_LINEAR, FF_WAN_PATCH_EMBEDDING, FF_WAN_TIME_IN, FF_WAN_TIME_OUT, FF_WAN_TIME_PROJ, FF_WAN_TEXT_IN,
    FF_WAN_TEXT_OUT, FF_WAN_Q1, FF_WAN_K1, FF_WAN_V1, FF_WAN_O1, FF_WAN_Q2, FF_WAN_K2, FF_WAN_V2, FF_WAN_O2,
    FF_WAN_FFN_IN, FF_WAN_FFN_OUT, FF_WAN_PROJ_OUT,
};

typedef struct ff_wan_attention {
    int q_norm, k_norm;  // 1 per head, 2 left out, 3 without its weight, 4 LayerNorm, 5 rounded to bf16
    int scale;           // 1 none, 2 1/head_dim, 3 1/sqrt(dim), 4 e instead of 2 as base, 5 2 instead of e
    int heads;           // 1: a head's elements lie `heads` apart
    int causal;          // 1: no token sees later ones
    int padding;         // 1: padded text is left out, 2: only the first half of the text
    int eps;             // of the RMS norms: index into the list of epsilons
    int exchanged;       // weights of 1 q and k, 2 k and v, 3 q and v
} ff_wan_attention;

typedef struct ff_wan_variant {
    int nothing;         // keeps offset 0 free
    int transposed, unbiased;
    ff_wan_attention attention[2];   // self, cross
    int rotary;          // 1 none, 2 halves instead of neighbouring pairs, 3 the other way round, 4 positions from 1,
                         // 5 q only, 6 k only, 7 before the norm, 8 v too
    int rotary_axes;     // 1 columns before rows, 2.. other orders of frames, rows, columns
    int rotary_split;    // 1 the remainder goes to the columns, 2 equal parts in whole, 3 one ladder of frequencies
    int rotary_base;     // index into a list
    int rotary_single;   // 1: angles in single precision; no mistake
    int rotary_cross;    // 1: queries of cross-attention are turned as well
    int modulation;      // index into a list of orders of shift, scale and gate
    int plain_scale;     // 1: scale instead of 1 + scale
    int ungated;         // 1 self-attention, 2 feed-forward, 3 both
    int table;           // 1 scale_shift_table left out, 2 of the next block
    int projection;      // 1: time_proj of temb without SiLU
    int timesteps;       // 1 the first token's for all, 2 the last token's for all
    int norm;            // norm1 and norm3: 1 without the mean, 2 left out, 3 in bf16 with the modulation, 4 rounded to
                         // bf16 before it, 5 and the row that goes in too
    int norm2;           // 1 left out, 2 without weight and bias, 3 without bias, 4 rounded to bf16
    int eps;             // of the LayerNorms: index into the list of epsilons
    int cross_gated;     // 1: cross-attention takes self-attention's gate
    int left_out;        // 1 self-attention, 2 cross-attention, 3 feed-forward
    int order;           // 1: feed-forward before cross-attention
    int activation, text_activation;  // 1 exact GELU, 2 SiLU, 3 sigmoid GELU, 4 ReLU, 5 none
    int patch_order;     // 1 rows and columns of a patch exchanged
    int token_order;     // 1 column by column
    int sinusoids;       // 1 sines first, 2 exponent over half - 1, 3 timestep / 1000, 4 timestep in bf16,
                         // 5 sinusoids in bf16, 6 frequencies in double (no mistake), 7 all in bf16
    int sinusoid_base;   // index into a list
    int time_activation; // 1: none between the two layers of the time embedder
    int time_single;     // 1: the time embedding stays in single precision, as bf16 programs have it; no mistake
    int head_order;      // 1 shift and scale exchanged
    int head_plain_scale, head_table, head_norm, head_eps, head_timesteps;  // as above
    int unpatch;         // 1 channels before the patch's cells, 2 rows and columns of a patch exchanged
    int negated;         // 1: the output's sign
    int text_from;       // 1: the other prompt's text
} ff_wan_variant;

// One evaluation: sizes, and how it is computed.
typedef struct ff_wan {
    const ff_transformer *model;
    const ff_kernels *kernels;
    const ff_wan_variant *variant;
    ff_arena *arena;
    ff_extent grid;
    size_t tokens;
    // Tokens with the same timestep share a row of temb. group NULL: there is one row.
    size_t groups;
    const uint32_t *group;
    size_t text_tokens;
} ff_wan;

// Each fails for want of memory only.
//   latents: [in_channels, F, h, w]   hidden: [tokens, dim]
ff_status ff_wan_embed(const ff_wan *w, const float *latents, float *hidden);
//   timesteps: [groups]   temb: [groups, dim]
ff_status ff_wan_time(const ff_wan *w, const float *timesteps, float *temb);
//   embeds: [text_tokens, text_dim]   text: [text_tokens, dim]
ff_status ff_wan_text(const ff_wan *w, const float *embeds, float *text);
//   temb: [groups, dim]   projection: [groups, 6, dim]
ff_status ff_wan_project_time(const ff_wan *w, const float *temb, float *projection);
//   hidden: [tokens, dim] in place   rotary: [tokens, head_dim / 2, 2]
ff_status ff_wan_block(const ff_wan *w, size_t layer, const float *projection, const float *rotary, const float *text,
                       float *hidden);
void ff_wan_rotary(const ff_wan *w, float *rotary);
//   out: [out_channels, F, h, w]
ff_status ff_wan_head(const ff_wan *w, const float *hidden, const float *temb, float *out);

extern const ff_mistake ff_wan_mistakes[];
extern const size_t ff_wan_mistake_count;

#endif
