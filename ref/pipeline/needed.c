#include "needed.h"

#include <stdio.h>
#include <string.h>

#include "recipes.h"

void ff_needed_file(ff_part_kind kind, size_t channels, char out[FF_NEEDED_TEXT])
{
    static const ff_published_part parts[] = {[FF_PART_TRANSFORMER] = FF_PUBLISHED_TRANSFORMER,
                                              [FF_PART_VAE] = FF_PUBLISHED_VAE,
                                              [FF_PART_TEXT_ENCODER] = FF_PUBLISHED_TEXT_ENCODER};
    const size_t most = ff_recipes[0].latent_channels, least = 16;
    char other[FF_NEEDED_TEXT];
    // of a model without a file of its own there is a folder; of one that is not known, what most people have
    if (channels && (ff_recipe_publishes(parts[kind], channels, out, FF_NEEDED_TEXT) ||
                     ff_recipe_publishes(FF_PUBLISHED_FOLDER, channels, out, FF_NEEDED_TEXT)))
        return;
    ff_recipe_publishes(parts[kind], most, out, FF_NEEDED_TEXT);
    if (kind != FF_PART_VAE || channels || !ff_recipe_publishes(parts[kind], least, other, sizeof other))
        return;
    size_t length = strlen(out);
    snprintf(out + length, FF_NEEDED_TEXT - length, " for %zu channels, %.100s for %zu", most, other, least);
}
