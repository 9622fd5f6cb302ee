#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "linked_model.h"

#define MODEL FF_GOLDEN "/diffusers/models/tiny-ti2v"

static const char *const parts[] = {"model_index.json", "transformer", "vae", "text_encoder", "tokenizer", "scheduler"};
enum { PARTS = sizeof parts / sizeof *parts };

char linked_model[] = "/tmp/ff-linked-XXXXXX";

const char *in_linked_model(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", linked_model, name);
    return path;
}

int make_linked_model(void **state)
{
    if (!mkdtemp(linked_model))
        return 1;
    for (size_t i = 0; i < PARTS; i++) {
        char target[512];
        snprintf(target, sizeof target, "%s/%s", MODEL, parts[i]);
        if (symlink(target, in_linked_model(parts[i])) != 0)
            return 1;
    }
    return 0;
}

int remove_linked_model(void **state)
{
    remove(in_linked_model("firstframe.json"));
    for (size_t i = 0; i < PARTS; i++)
        remove(in_linked_model(parts[i]));
    return rmdir(linked_model);
}
