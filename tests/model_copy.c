#include "model_copy.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "golden.h"

static const char *const parts[] = {"", "transformer", "vae", "text_encoder", "tokenizer", "scheduler"};
static const char *const files[] = {
    "model_index.json", "transformer/config.json", "transformer/diffusion_pytorch_model.safetensors",
    "vae/config.json", "vae/diffusion_pytorch_model.safetensors", "text_encoder/config.json",
    "text_encoder/model.safetensors", "tokenizer/tokenizer.json", "scheduler/scheduler_config.json",
};
enum { PARTS = sizeof parts / sizeof *parts, FILES = sizeof files / sizeof *files };

static char folder[] = "/tmp/ff-model-XXXXXX";
static const char *copied;   // the model's name

const char *model_copy_folder(void)
{
    return folder;
}

const char *model_copy_path(const char *name)
{
    static char paths[4][400];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

const char *model_copy_original(const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "%s%s/%s", MODELS, copied, name);
    return path;
}

void model_copy_restore(const char *file)
{
    remove(model_copy_path(file));
    assert_int_equal(symlink(model_copy_original(file), model_copy_path(file)), 0);
}

void model_copy_link(const char *model)
{
    copied = model;
    for (size_t i = 0; i < FILES; i++)
        model_copy_restore(files[i]);
}

int model_copy_make(void **state)
{
    if (!mkdtemp(folder))
        return -1;
    for (size_t i = 1; i < PARTS; i++)
        if (mkdir(model_copy_path(parts[i]), 0700) != 0)
            return -1;
    return 0;
}

int model_copy_remove(void **state)
{
    for (size_t i = PARTS; i-- > 0;) {
        DIR *part = opendir(model_copy_path(parts[i]));
        const struct dirent *entry;
        while (part && (entry = readdir(part))) {
            char name[300];
            snprintf(name, sizeof name, "%s/%s", parts[i], entry->d_name);
            if (entry->d_name[0] != '.')
                remove(model_copy_path(name));  // in the end the parts' own folders, now empty
        }
        if (part)
            closedir(part);
    }
    return rmdir(folder);
}
