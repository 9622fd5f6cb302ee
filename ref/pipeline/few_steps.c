#include "few_steps.h"

#include <ctype.h>
#include <string.h>

#define MOST_STEPS 16   // that a name of a distilled model speaks of

// The number before "step", with at most one - or _ between: "4step", "8-steps". 0: there is none.
static size_t number_before_step(const char *name)
{
    for (const char *at = strstr(name, "step"); at; at = strstr(at + 1, "step")) {
        const char *end = at;
        if (end > name && (end[-1] == '-' || end[-1] == '_'))
            end--;
        size_t value = 0, scale = 1;
        for (; end > name && isdigit((unsigned char)end[-1]) && scale <= 100; end--, scale *= 10)
            value += (size_t)(end[-1] - '0') * scale;
        if (value >= 1 && value <= MOST_STEPS)
            return value;
    }
    return 0;
}

size_t ff_few_steps_of_name(const char *path)
{
    static const char *const words[] = {"turbo", "distill", "lightning", "lightx2v", "fastwan", "dmd"};
    const char *slash = strrchr(path, '/'), *from = slash && slash[1] ? slash + 1 : path;
    char name[256];
    size_t length = 0;
    for (; from[length] && length + 1 < sizeof name; length++)
        name[length] = (char)tolower((unsigned char)from[length]);
    name[length] = '\0';
    size_t steps = number_before_step(name);
    for (size_t i = 0; i < sizeof words / sizeof *words && !steps; i++)
        if (strstr(name, words[i]))
            steps = 4;
    return steps;
}

void ff_guess_steps(ff_model *model)
{
    ff_model_facts *facts = &model->facts;
    const char *path = facts->transformer_files;
    size_t steps = ff_few_steps_of_name(path);
    if (!steps) {
        ff_model_note(model, "%s: taken for a model of many steps, as its name says nothing of few: %zu steps, guidance "
                      "%g", path, facts->default_steps, facts->default_guidance_scale);
        return;
    }
    facts->default_steps = steps;
    facts->default_guidance_scale = 1;
    ff_model_note(model, "%s: taken by its name for a model of few steps: %zu, without guidance", path, steps);
}
