// ref/ by itself, without the fast kernels: a run has the frames that golden/frozen/hashes.txt says (t2v of
// tests/frozen.sh).
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "firstframe.h"

static ff_status count_frame(void *user, size_t index, const ff_image *rgb, ff_error *error)
{
    size_t *frames = user;
    *frames = index + 1;
    return FF_OK;
}

// The line of a run in the frozen hashes; false if there is none.
static bool read_frozen(const char *name, char hash[65])
{
    char word[65];
    FILE *file = fopen(FF_GOLDEN "/frozen/hashes.txt", "r");
    bool found = false;
    while (file && !found && fscanf(file, "%64s %64s", word, hash) == 2)
        found = strcmp(word, name) == 0;
    if (file)
        fclose(file);
    return found;
}

int main(void)
{
    ff_error error = {0};
    ff_model *model;
    ff_result result;
    size_t frames = 0;
    char hash[65], frozen[65];
    ff_request request = ff_request_default(FF_TEXT_TO_VIDEO);
    request.prompt = "a lake, soft light";
    request.width = request.height = 32;
    request.frames = 5;
    request.steps = 2;
    request.guidance_scale = 3;
    request.seed = 1;
    request.frame = count_frame;
    request.user = &frames;
    if (ff_model_open(FF_GOLDEN "/diffusers/models/tiny-ti2v", &model, &error)) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    ff_status status = ff_run(model, &request, &result, &error);
    ff_model_close(model);
    if (status) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    for (size_t i = 0; i < sizeof result.frames_sha256; i++)
        snprintf(hash + 2 * i, 3, "%02x", result.frames_sha256[i]);
    bool same = read_frozen("t2v", frozen) && strcmp(hash, frozen) == 0;
    printf("%zu frames hash to %s%s%s\n", frames, hash, same ? "" : ", frozen is ", same ? "" : frozen);
    return same && frames == 5 ? 0 : 1;
}
