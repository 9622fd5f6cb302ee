#include "recognise.h"

#include <stdio.h>
#include <string.h>

#include "../weights/names_wan.h"

const char *ff_part_name(ff_part_kind kind)
{
    static const char *const names[] = {"transformer", "vae", "text_encoder"};
    return (size_t)kind < sizeof names / sizeof *names ? names[kind] : NULL;
}

const char *ff_part_words(ff_part_kind kind)
{
    static const char *const words[] = {"a transformer", "a VAE", "a text encoder", "a tiny autoencoder",
                                        "a CLIP image encoder", "a LoRA", "a VACE module", "nothing known here"};
    return words[kind];
}

// ---- prefixes ----

static const char *const transformer_prefixes[] = {"", "model.diffusion_model.", "diffusion_model.", "model.model.",
                                                   "net.", "model.", NULL};
static const char *const vae_prefixes[] = {"", "vae.", NULL};
static const char *const text_prefixes[] = {"", "text_encoders.umt5xxl.transformer.", NULL};
static const char *const no_prefix[] = {"", NULL};

// ---- layouts ----

// What has this tensor and not the other is of this kind. The first that fits counts, for each kind.
static const struct layout {
    ff_part_kind kind;
    const char *const *prefixes;
    const char *has, *lacks;
    const ff_name_table *names;
    const char *what, *refused;
} layouts[] = {
    {FF_PART_TRANSFORMER, transformer_prefixes, "blocks.0.self_attn.q.weight", NULL, &ff_names_transformer,
     "a transformer with Wan's own names", NULL},
    {FF_PART_TRANSFORMER, transformer_prefixes, "blocks.0.attn1.to_q.weight", NULL, NULL,
     "a transformer with diffusers' names", NULL},
    {FF_PART_VAE, vae_prefixes, "decoder.upsamples.0.upsamples.0.residual.2.weight", NULL, &ff_names_vae_22,
     "Wan2.2's VAE with Wan's own names", NULL},
    {FF_PART_VAE, vae_prefixes, "decoder.middle.0.residual.0.gamma", NULL, &ff_names_vae_21,
     "Wan2.1's VAE with Wan's own names", NULL},
    {FF_PART_VAE, vae_prefixes, "decoder.mid_block.resnets.0.norm1.gamma", "encoder.down_blocks.0.conv1.weight", NULL,
     "Wan2.2's VAE with diffusers' names", NULL},
    {FF_PART_VAE, vae_prefixes, "decoder.mid_block.resnets.0.norm1.gamma", NULL, NULL,
     "Wan2.1's VAE with diffusers' names", NULL},
    {FF_PART_TEXT_ENCODER, text_prefixes, "blocks.0.pos_embedding.embedding.weight", NULL, &ff_names_umt5,
     "a UMT5 encoder with Wan's own names", NULL},
    {FF_PART_TEXT_ENCODER, text_prefixes, "enc.blk.0.attn_q.weight", "enc.blk.1.attn_rel_b.weight",
     &ff_names_umt5_gguf, "a T5 encoder with GGUF's names",
     "a T5 encoder, whose bias by distance is in its first layer alone; Wan's is a UMT5 encoder"},
    {FF_PART_TEXT_ENCODER, text_prefixes, "enc.blk.0.attn_q.weight", NULL, &ff_names_umt5_gguf,
     "a UMT5 encoder with GGUF's names", NULL},
    {FF_PART_TEXT_ENCODER, text_prefixes, "encoder.block.0.layer.0.SelfAttention.q.weight",
     "encoder.block.1.layer.0.SelfAttention.relative_attention_bias.weight", NULL,
     "a T5 encoder with transformers' names",
     "a T5 encoder, whose bias by distance is in its first layer alone; Wan's is a UMT5 encoder"},
    {FF_PART_TEXT_ENCODER, text_prefixes, "encoder.block.0.layer.0.SelfAttention.q.weight", NULL, NULL,
     "a UMT5 encoder with transformers' names", NULL},
    {FF_PART_TINY_VAE, no_prefix, "decoder.3.conv.0.weight", NULL, NULL, "a tiny autoencoder",
     "a tiny autoencoder (TAEHV), which is not run yet"},
    {FF_PART_TINY_VAE, no_prefix, "decoder.0.weight", NULL, NULL, "a tiny autoencoder",
     "a tiny autoencoder, which is not run yet"},
    {FF_PART_IMAGE_ENCODER, no_prefix, "vision_model.embeddings.patch_embedding.weight", NULL, NULL,
     "a CLIP image encoder", "a CLIP image encoder; models that are shown a picture through CLIP do not run yet"},
    {FF_PART_IMAGE_ENCODER, no_prefix, "visual.transformer.resblocks.0.attn.in_proj_weight", NULL, NULL,
     "a CLIP image encoder", "a CLIP image encoder; models that are shown a picture through CLIP do not run yet"},
    {FF_PART_VACE, transformer_prefixes, "vace_blocks.0.before_proj.weight", "blocks.0.self_attn.q.weight", NULL,
     "a VACE module", "a VACE module, which is added to a transformer; models with VACE do not run yet"},
};

// ---- kinds of transformers ----

// By a tensor that only they have; a name that ends in a dot is what the names of several begin with.
static const struct {
    const char *has, *what;
} variants[] = {
    {"casual_audio_encoder.", "a Wan2.2-S2V transformer, which is driven by speech and does not run yet"},
    {"audio_proj.", "a HuMo transformer, which is driven by sound and does not run yet"},
    {"face_adapter.", "a Wan2.2-Animate transformer, which does not run yet"},
    {"control_adapter.", "a Fun-Control-Camera transformer, which does not run yet"},
    {"vace_patch_embedding.weight", "a VACE transformer, which does not run yet"},
    {"ref_conv.weight", "a Fun-Control transformer, which does not run yet"},
    {"img_emb.emb_pos", "a Wan2.1-FLF2V transformer (first and last frame), which does not run yet"},
    {"condition_embedder.image_embedder.pos_embed",
     "a Wan2.1-FLF2V transformer (first and last frame), which does not run yet"},
    {"img_emb.", "a Wan2.1-I2V transformer, which sees the picture through CLIP and does not run yet"},
    {"condition_embedder.image_embedder.",
     "a Wan2.1-I2V transformer, which sees the picture through CLIP and does not run yet"},
};

static bool has(const ff_weights *weights, const char *prefix, const char *name, char full[FF_RECOGNISED_TEXT])
{
    ff_weight view;
    snprintf(full, FF_RECOGNISED_TEXT, "%s%s", prefix, name);
    return ff_weights_find(weights, full, &view);
}

// The first tensor whose name begins so, or NULL.
static const char *first_with(const ff_weights *weights, const char *beginning)
{
    for (size_t i = 0; i < ff_weights_count(weights); i++) {
        ff_weight view;
        const char *name = ff_weights_at(weights, i, &view);
        if (strncmp(name, beginning, strlen(beginning)) == 0)
            return name;
    }
    return NULL;
}

// Of a transformer without those: what its input and output channels say.
static const char *refuse_channels(const ff_weights *weights, const ff_recognised *found)
{
    char name[FF_RECOGNISED_TEXT];
    ff_weight in, out;
    snprintf(name, sizeof name, "%spatch_embedding.weight", found->prefix);
    if (!ff_weights_find(weights, name, &in))
        return "a conversion that was not finished: its patch_embedding is missing, which converters put back at the "
               "end (fix_5d_tensors)";
    snprintf(name, sizeof name, "%s%s", found->prefix, found->names ? "head.head.weight" : "proj_out.weight");
    if (!ff_weights_find(weights, name, &out) || out.rank != 2 || out.shape[1] == 0 || in.rank < 4)
        return NULL;
    // rank 4: the first two axes are one
    size_t channels = in.rank == 4 ? in.shape[0] / out.shape[1] : in.shape[1], cells = 1;
    for (int axis = in.rank - 3; axis < in.rank; axis++)
        cells *= in.shape[axis];
    if (channels * cells == out.shape[0])
        return NULL;
    switch (channels) {
    case 36:
        return "a transformer of 36 channels, as of Wan2.2-I2V-A14B and Fun-InP, which is told of the still by more "
               "channels and does not run yet";
    case 48: case 52:
        return "a Fun-Control transformer, which does not run yet";
    default:
        return "a transformer that takes more channels than it gives, which does not run yet";
    }
}

static void refine_transformer(const ff_weights *weights, ff_recognised *found)
{
    char name[FF_RECOGNISED_TEXT];
    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++) {
        size_t length = strlen(variants[i].has);
        bool begins = variants[i].has[length - 1] == '.';
        bool there = has(weights, found->prefix, variants[i].has, name);
        const char *first = begins ? first_with(weights, name) : NULL;
        if (!there && !first)
            continue;
        found->refused = variants[i].what;
        snprintf(found->why, sizeof found->why, "%s", first ? first : name);
        return;
    }
    found->refused = refuse_channels(weights, found);
}

// ---- LoRA ----

static bool is_of_lora(const char *name)
{
    static const char *const marks[] = {".lora_A.", ".lora_B.", ".lora_down.", ".lora_up.", ".lora.down.", ".lora.up.",
                                        ".hada_w1_a", ".lokr_w1", ".diff_b"};
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (strstr(name, marks[i]))
            return true;
    return false;
}

static bool recognise_lora(const ff_weights *weights, ff_recognised *out)
{
    for (size_t i = 0; i < ff_weights_count(weights); i++) {
        ff_weight view;
        const char *name = ff_weights_at(weights, i, &view);
        if (!is_of_lora(name))
            continue;
        *out = (ff_recognised){.kind = FF_PART_LORA, .what = "a LoRA",
                               .refused = "a LoRA, which changes a transformer and is none"};
        snprintf(out->why, sizeof out->why, "%s", name);
        return true;
    }
    return false;
}

// ---- all ----

static bool recognise_layout(const ff_weights *weights, const struct layout *layout, ff_recognised *out)
{
    char name[FF_RECOGNISED_TEXT];
    for (const char *const *prefix = layout->prefixes; *prefix; prefix++) {
        if ((layout->lacks && has(weights, *prefix, layout->lacks, name)) || !has(weights, *prefix, layout->has, name))
            continue;
        *out = (ff_recognised){.kind = layout->kind, .what = layout->what, .names = layout->names,
                               .refused = layout->refused};
        snprintf(out->prefix, sizeof out->prefix, "%s", *prefix);
        snprintf(out->why, sizeof out->why, "%s", name);
        return true;
    }
    return false;
}

void ff_recognise(const ff_weights *weights, ff_recognised out[FF_MOST_RECOGNISED], size_t *count)
{
    *count = 0;
    if (recognise_lora(weights, out)) {
        *count = 1;
        return;
    }
    for (size_t i = 0; i < sizeof layouts / sizeof *layouts && *count < FF_MOST_RECOGNISED; i++) {
        bool known = false;
        for (size_t k = 0; k < *count && !known; k++)
            known = out[k].kind == layouts[i].kind;
        if (known || !recognise_layout(weights, &layouts[i], &out[*count]))
            continue;
        if (out[*count].kind == FF_PART_TRANSFORMER)
            refine_transformer(weights, &out[*count]);
        (*count)++;
    }
}
