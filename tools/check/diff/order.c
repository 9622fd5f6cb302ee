#include "order.h"

#include <string.h>

#define MOST_DIGITS 6  // of a number in a name

// Moves *at past a literal. False, and stays, if it is not there.
static bool take(const char **at, const char *literal)
{
    size_t length = strlen(literal);
    if (strncmp(*at, literal, length) != 0)
        return false;
    *at += length;
    return true;
}

static bool take_number(const char **at, uint32_t *out)
{
    const char *digit = *at;
    uint32_t value = 0;
    for (; *digit >= '0' && *digit <= '9'; digit++) {
        if (digit - *at >= MOST_DIGITS)
            return false;
        value = value * 10 + (uint32_t)(*digit - '0');
    }
    if (digit == *at)
        return false;
    *at = digit;
    *out = value;
    return true;
}

// The index in a list, ended by NULL, of what is left; false if it is not there.
static bool find(const char *rest, const char *const *list, uint32_t *out)
{
    for (uint32_t i = 0; list[i]; i++)
        if (strcmp(rest, list[i]) == 0) {
            *out = i;
            return true;
        }
    return false;
}

// What follows "call.NNN.": part, then within a block its number and what goes on inside; the block itself comes last.
static bool place_in_call(const char *at, uint32_t number[3])
{
    static const char *const parts[] = {"input", "timestep", "embed", "temb", "text", "block", "norm_out", "output",
                                        NULL};
    static const char *const inside[] = {
        ".norm1.shift", ".norm1.scale", ".attn1.gate", ".norm3.shift", ".norm3.scale", ".ffn.gate",
        ".norm1", ".attn1.q", ".attn1.k", ".attn1.v", ".attn1.heads", ".attn1",
        ".norm2", ".attn2.q", ".attn2.heads", ".attn2", ".norm3", ".ffn", "", NULL};
    if (!take(&at, "block."))
        return find(at, parts, &number[0]);
    number[0] = 5;
    return take_number(&at, &number[1]) && find(at, inside, &number[2]);
}

// What follows "vae_decode.": all frames of a stage before the next stage.
static bool place_in_vae(const char *at, uint32_t number[3])
{
    static const char *const whole[] = {"post_quant_conv", "conv_in", "down_blocks", "mid_block", "up_blocks",
                                        "conv_out", "quant_conv", NULL};
    if (!take_number(&at, &number[2]) || !take(&at, "."))
        return false;
    if (take(&at, "down_blocks."))
        number[0] = 2;
    else if (take(&at, "up_blocks."))
        number[0] = 4;
    else
        return find(at, whole, &number[0]);
    return take_number(&at, &number[1]) && *at == 0;
}

static bool place_in_step(const char *at, uint32_t *out)
{
    static const char *const parts[] = {"timestep", "noise_pred", "latents", NULL};
    if (!find(at, parts, out))
        return false;
    *out += *out > 0;  // the calls come second
    return true;
}

// Names without numbers, in order, with their phase.
static const struct {
    const char *name;
    ff_phase phase;
} singles[] = {
    {"token_ids", FF_PHASE_TEXT}, {"prompt_embeds", FF_PHASE_TEXT}, {"negative_token_ids", FF_PHASE_TEXT},
    {"negative_prompt_embeds", FF_PHASE_TEXT}, {"image", FF_PHASE_ANCHOR}, {"anchor.known", FF_PHASE_ANCHOR},
    {"anchor.mask", FF_PHASE_ANCHOR}, {"noise", FF_PHASE_NOISE}, {"latents", FF_PHASE_LATENTS},
    {"frames_float", FF_PHASE_FRAMES}, {"frames", FF_PHASE_FRAMES},
};

ff_place ff_place_of(const char *name, size_t calls_per_step)
{
    static const ff_place unknown = {{FF_PHASE_UNKNOWN}};
    ff_place place = {{0}};
    uint32_t *number = place.number;
    const char *at = name;
    bool known = false;
    for (uint32_t i = 0; i < sizeof singles / sizeof *singles; i++)
        if (strcmp(name, singles[i].name) == 0) {
            number[0] = (uint32_t)singles[i].phase;
            number[1] = i < 5 ? i : i + 2;  // encoding takes place between image and anchor.known
            return place;
        }
    if (take(&at, "step.")) {
        number[0] = FF_PHASE_SAMPLING;
        known = take_number(&at, &number[1]) && take(&at, ".") && place_in_step(at, &number[2]);
    } else if (take(&at, "call.")) {
        number[0] = FF_PHASE_SAMPLING;
        number[2] = 1;
        known = take_number(&at, &number[3]) && take(&at, ".") && place_in_call(at, number + 4);
        number[1] = number[3] / (uint32_t)calls_per_step;
    } else if (take(&at, "vae_decode.")) {
        number[0] = FF_PHASE_DECODE;
        known = place_in_vae(at, number + 2);
    } else {
        number[0] = FF_PHASE_ANCHOR;
        number[1] = take(&at, "vae_encode_last.") ? 6 : take(&at, "vae_encode.") ? 5 : 0;
        known = number[1] && place_in_vae(at, number + 2);
    }
    return known ? place : unknown;
}

int ff_place_compare(const ff_place *a, const ff_place *b)
{
    for (int i = 0; i < 8; i++)
        if (a->number[i] != b->number[i])
            return a->number[i] < b->number[i] ? -1 : 1;
    return 0;
}

void ff_counts_add(ff_counts *counts, const char *name)
{
    uint32_t number;
    bool step = take(&name, "step.");
    size_t *most = step ? &counts->steps : &counts->calls;
    if ((step || take(&name, "call.")) && take_number(&name, &number) && (size_t)number + 1 > *most)
        *most = (size_t)number + 1;
}

size_t ff_calls_per_step(const ff_counts *counts)
{
    return counts->steps > 0 && counts->calls > counts->steps ? 2 : 1;
}
