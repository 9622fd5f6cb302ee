#include "names_wan.h"

#define TABLE(pairs) {pairs, sizeof pairs / sizeof *pairs}

#define RESIDUAL(diffusers, original) \
    {diffusers ".norm1.*", original ".residual.0.*"}, \
    {diffusers ".conv1.*", original ".residual.2.*"}, \
    {diffusers ".norm2.*", original ".residual.3.*"}, \
    {diffusers ".conv2.*", original ".residual.6.*"}, \
    {diffusers ".conv_shortcut.*", original ".shortcut.*"}

// What both halves of both VAEs have.
#define HALF(half) \
    {half ".conv_in.*", half ".conv1.*"}, \
    {half ".norm_out.*", half ".head.0.*"}, \
    {half ".conv_out.*", half ".head.2.*"}, \
    {half ".mid_block.attentions.0.*", half ".middle.1.*"}, \
    RESIDUAL(half ".mid_block.resnets.0", half ".middle.0"), \
    RESIDUAL(half ".mid_block.resnets.1", half ".middle.2")
#define BOTH {"quant_conv.*", "conv1.*"}, {"post_quant_conv.*", "conv2.*"}, HALF("encoder"), HALF("decoder")

// Wan2.1's decoder numbers its layers through: three residual blocks a level, then what doubles the size.
static const ff_name_pair vae_21[] = {
    BOTH,
    RESIDUAL("encoder.down_blocks.#", "encoder.downsamples.#"),
    {"encoder.down_blocks.#.resample.*", "encoder.downsamples.#.resample.*"},
    {"encoder.down_blocks.#.time_conv.*", "encoder.downsamples.#.time_conv.*"},
    RESIDUAL("decoder.up_blocks.0.resnets.0", "decoder.upsamples.0"),
    RESIDUAL("decoder.up_blocks.0.resnets.1", "decoder.upsamples.1"),
    RESIDUAL("decoder.up_blocks.0.resnets.2", "decoder.upsamples.2"),
    {"decoder.up_blocks.0.upsamplers.0.*", "decoder.upsamples.3.*"},
    RESIDUAL("decoder.up_blocks.1.resnets.0", "decoder.upsamples.4"),
    RESIDUAL("decoder.up_blocks.1.resnets.1", "decoder.upsamples.5"),
    RESIDUAL("decoder.up_blocks.1.resnets.2", "decoder.upsamples.6"),
    {"decoder.up_blocks.1.upsamplers.0.*", "decoder.upsamples.7.*"},
    RESIDUAL("decoder.up_blocks.2.resnets.0", "decoder.upsamples.8"),
    RESIDUAL("decoder.up_blocks.2.resnets.1", "decoder.upsamples.9"),
    RESIDUAL("decoder.up_blocks.2.resnets.2", "decoder.upsamples.10"),
    {"decoder.up_blocks.2.upsamplers.0.*", "decoder.upsamples.11.*"},
    RESIDUAL("decoder.up_blocks.3.resnets.0", "decoder.upsamples.12"),
    RESIDUAL("decoder.up_blocks.3.resnets.1", "decoder.upsamples.13"),
    RESIDUAL("decoder.up_blocks.3.resnets.2", "decoder.upsamples.14"),
};
const ff_name_table ff_names_vae_21 = TABLE(vae_21);

// A level's layers have numbers of their own; behind its residual blocks is what halves or doubles the size. Both have
// two blocks a level in the encoder, three in the decoder, as every published model; other numbers of blocks have
// another line each, tried in turn.
static const ff_name_pair vae_22[] = {
    BOTH,
    RESIDUAL("encoder.down_blocks.#.resnets.#", "encoder.downsamples.#.downsamples.#"),
    {"encoder.down_blocks.#.downsampler.*", "encoder.downsamples.#.downsamples.2.*"},
    {"encoder.down_blocks.#.downsampler.*", "encoder.downsamples.#.downsamples.1.*"},
    RESIDUAL("decoder.up_blocks.#.resnets.#", "decoder.upsamples.#.upsamples.#"),
    {"decoder.up_blocks.#.upsampler.*", "decoder.upsamples.#.upsamples.3.*"},
    {"decoder.up_blocks.#.upsampler.*", "decoder.upsamples.#.upsamples.2.*"},
};
const ff_name_table ff_names_vae_22 = TABLE(vae_22);
