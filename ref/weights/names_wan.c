#include "names_wan.h"

#define TABLE(pairs) {pairs, sizeof pairs / sizeof *pairs}

// ---- transformer ----

// A block of the transformer, or of VACE.
#define BLOCK(block) \
    {block ".attn1.to_q.*", block ".self_attn.q.*"}, \
    {block ".attn1.to_k.*", block ".self_attn.k.*"}, \
    {block ".attn1.to_v.*", block ".self_attn.v.*"}, \
    {block ".attn1.to_out.0.*", block ".self_attn.o.*"}, \
    {block ".attn1.norm_q.*", block ".self_attn.norm_q.*"}, \
    {block ".attn1.norm_k.*", block ".self_attn.norm_k.*"}, \
    {block ".attn2.to_q.*", block ".cross_attn.q.*"}, \
    {block ".attn2.to_k.*", block ".cross_attn.k.*"}, \
    {block ".attn2.to_v.*", block ".cross_attn.v.*"}, \
    {block ".attn2.to_out.0.*", block ".cross_attn.o.*"}, \
    {block ".attn2.norm_q.*", block ".cross_attn.norm_q.*"}, \
    {block ".attn2.norm_k.*", block ".cross_attn.norm_k.*"}, \
    {block ".attn2.add_k_proj.*", block ".cross_attn.k_img.*"}, \
    {block ".attn2.add_v_proj.*", block ".cross_attn.v_img.*"}, \
    {block ".attn2.norm_added_k.*", block ".cross_attn.norm_k_img.*"}, \
    {block ".norm2.*", block ".norm3.*"}, \
    {block ".ffn.net.0.proj.*", block ".ffn.0.*"}, \
    {block ".ffn.net.2.*", block ".ffn.2.*"}, \
    {block ".scale_shift_table", block ".modulation"}

static const ff_name_pair transformer[] = {
    {"condition_embedder.time_embedder.linear_1.*", "time_embedding.0.*"},
    {"condition_embedder.time_embedder.linear_2.*", "time_embedding.2.*"},
    {"condition_embedder.time_proj.*", "time_projection.1.*"},
    {"condition_embedder.text_embedder.linear_1.*", "text_embedding.0.*"},
    {"condition_embedder.text_embedder.linear_2.*", "text_embedding.2.*"},
    {"condition_embedder.image_embedder.norm1.*", "img_emb.proj.0.*"},
    {"condition_embedder.image_embedder.ff.net.0.proj.*", "img_emb.proj.1.*"},
    {"condition_embedder.image_embedder.ff.net.2.*", "img_emb.proj.3.*"},
    {"condition_embedder.image_embedder.norm2.*", "img_emb.proj.4.*"},
    {"condition_embedder.image_embedder.pos_embed", "img_emb.emb_pos"},
    BLOCK("blocks.#"),
    BLOCK("vace_blocks.#"),
    {"vace_blocks.#.proj_in.*", "vace_blocks.#.before_proj.*"},
    {"vace_blocks.#.proj_out.*", "vace_blocks.#.after_proj.*"},
    {"proj_out.*", "head.head.*"},
    {"scale_shift_table", "head.modulation"},
};
const ff_name_table ff_names_transformer = TABLE(transformer);

// ---- text encoder ----

#define LAYER(n) "encoder.block.#.layer." #n "."
static const ff_name_pair umt5[] = {
    {"shared.*", "token_embedding.*"},
    {"encoder.embed_tokens.*", "token_embedding.*"},
    {LAYER(0) "SelfAttention.relative_attention_bias.*", "blocks.#.pos_embedding.embedding.*"},
    {LAYER(0) "SelfAttention.q.*", "blocks.#.attn.q.*"},
    {LAYER(0) "SelfAttention.k.*", "blocks.#.attn.k.*"},
    {LAYER(0) "SelfAttention.v.*", "blocks.#.attn.v.*"},
    {LAYER(0) "SelfAttention.o.*", "blocks.#.attn.o.*"},
    {LAYER(0) "layer_norm.*", "blocks.#.norm1.*"},
    {LAYER(1) "DenseReluDense.wi_0.*", "blocks.#.ffn.gate.0.*"},
    {LAYER(1) "DenseReluDense.wi_1.*", "blocks.#.ffn.fc1.*"},
    {LAYER(1) "DenseReluDense.wo.*", "blocks.#.ffn.fc2.*"},
    {LAYER(1) "layer_norm.*", "blocks.#.norm2.*"},
    {"encoder.final_layer_norm.*", "norm.*"},
};
const ff_name_table ff_names_umt5 = TABLE(umt5);

static const ff_name_pair umt5_gguf[] = {
    {"shared.*", "token_embd.*"},
    {"encoder.embed_tokens.*", "token_embd.*"},
    {LAYER(0) "SelfAttention.relative_attention_bias.*", "enc.blk.#.attn_rel_b.*"},
    {LAYER(0) "SelfAttention.q.*", "enc.blk.#.attn_q.*"},
    {LAYER(0) "SelfAttention.k.*", "enc.blk.#.attn_k.*"},
    {LAYER(0) "SelfAttention.v.*", "enc.blk.#.attn_v.*"},
    {LAYER(0) "SelfAttention.o.*", "enc.blk.#.attn_o.*"},
    {LAYER(0) "layer_norm.*", "enc.blk.#.attn_norm.*"},
    {LAYER(1) "DenseReluDense.wi_0.*", "enc.blk.#.ffn_gate.*"},
    {LAYER(1) "DenseReluDense.wi_1.*", "enc.blk.#.ffn_up.*"},
    {LAYER(1) "DenseReluDense.wo.*", "enc.blk.#.ffn_down.*"},
    {LAYER(1) "layer_norm.*", "enc.blk.#.ffn_norm.*"},
    {"encoder.final_layer_norm.*", "enc.output_norm.*"},
};
const ff_name_table ff_names_umt5_gguf = TABLE(umt5_gguf);
