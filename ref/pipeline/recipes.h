// Models that people publish, as far as they run here: which files of which repository, and how to run them. Sentences
// about what is missing take names from here.
#ifndef FF_RECIPES_H
#define FF_RECIPES_H

#include "../firstframe.h"

typedef enum ff_published_part {
    FF_PUBLISHED_FOLDER,           // all parts, as diffusers lays them out
    FF_PUBLISHED_TRANSFORMER,
    FF_PUBLISHED_VAE,
    FF_PUBLISHED_TEXT_ENCODER,     // a file that has its tokenizer inside
} ff_published_part;

typedef struct ff_published_file {
    ff_published_part part;
    const char *repository, *path; // path: NULL for all of the repository
    double gigabytes;              // 10^9 bytes on disk; 0: not known
} ff_published_file;

enum { FF_MOST_PUBLISHED_FILES = 3 };
typedef struct ff_recipe {
    const char *name, *about;
    size_t latent_channels;        // of its VAE
    double memory_gigabytes;       // beside the mapped files, at the model's own size; 0: not measured
    ff_published_file files[FF_MOST_PUBLISHED_FILES];
    size_t count;
    const char *arguments;         // command and options that follow the model's in an example
    const char *command;           // "i2v"
} ff_recipe;

extern const ff_recipe ff_recipes[];
extern const size_t ff_recipe_count;

// What all of a recipe's files take on disk, in 10^9 bytes; 0 if one of them is not known.
double ff_recipe_gigabytes(const ff_recipe *recipe);
// How a file is downloaded into the folder, and how the recipe is run from there, as lines to type.
void ff_recipe_download(const ff_published_file *file, const char *folder, char *out, size_t capacity);
void ff_recipe_run(const ff_recipe *recipe, const char *folder, char *out, size_t capacity);

// What publishes a part that suits a transformer with so many latent channels: "umt5-xxl-encoder-Q5_K_M.gguf of
// city96/umt5-xxl-encoder-gguf". False if the table has none, and out is empty.
bool ff_recipe_publishes(ff_published_part part, size_t latent_channels, char *out, size_t capacity);

#endif
