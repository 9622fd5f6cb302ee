#include "ffmpeg.h"
#include "../codecs/codec_y4m.h"
#include "../files/host.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PATH_ROOM 4200
#define MOST_ARGUMENTS 40

// The frames come in BT.601, which players take HD video not to be in.
#define PIXELS                                                                                                        \
    "scale=in_color_matrix=bt601:out_color_matrix=bt709:in_range=tv:out_range=tv:flags=accurate_rnd+full_chroma_int," \
    "format=yuv420p"
#define COLOURS "-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709", "-color_range", "tv"
// A palette a frame, so that no frame waits for others.
#define PALETTES "split[a][b];[a]palettegen=stats_mode=single[p];[b][p]paletteuse=new=1"

// What a kind of file asks of ffmpeg. Constant rate factor at quality 0 and 100; 0, 0: it has none.
static const struct container {
    const char *ending;
    const char *arguments[24];
    double worst, best;
} containers[] = {
    {".mp4", {"-vf", PIXELS, COLOURS, "-c:v", "libx264", "-movflags", "+faststart", "-f", "mp4"}, 50, 14},
    {".webm", {"-vf", PIXELS, COLOURS, "-c:v", "libvpx-vp9", "-b:v", "0", "-row-mt", "1", "-f", "webm"}, 63, 20},
    {".gif", {"-vf", PALETTES, "-loop", "0", "-f", "gif"}, 0, 0},
};

static const struct container *find_container(const char *path)
{
    size_t length = strlen(path);
    for (size_t i = 0; i < sizeof containers / sizeof *containers; i++) {
        size_t ending = strlen(containers[i].ending);
        if (length > ending && path[length - ending - 1] != '/' &&
            strcasecmp(path + length - ending, containers[i].ending) == 0)
            return &containers[i];
    }
    return NULL;
}

bool ff_ffmpeg_writes(const char *path)
{
    return find_container(path) != NULL;
}

static ff_status find_program(const char *path, char program[PATH_ROOM], ff_error *error)
{
    if (ff_child_find("ffmpeg", program, PATH_ROOM))
        return FF_OK;
    return ff_fail(error, FF_ERROR_INPUT, "%s needs ffmpeg, which is not installed (apt-get install ffmpeg, dnf install "
                   "ffmpeg or brew install ffmpeg); .webp and .y4m need nothing", path);
}

ff_status ff_ffmpeg_check(const char *path, ff_error *error)
{
    char program[PATH_ROOM];
    return find_program(path, program, error);
}

ff_status ff_ffmpeg_start(ff_ffmpeg *out, const char *path, const char *file, const ff_ffmpeg_settings *settings,
                          ff_error *error)
{
    static const char *const first[] = {"ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "error", "-y", "-f",
                                        "yuv4mpegpipe", "-i", "pipe:0", "-an"};
    const struct container *container = find_container(path);
    char program[PATH_ROOM], target[PATH_ROOM], factor[16];
    const char *arguments[MOST_ARGUMENTS];
    size_t count = 0;
    *out = (ff_ffmpeg){.path = path, .file = file};
    ff_status status = find_program(path, program, error);
    if (status != FF_OK)
        return status;
    if ((size_t)snprintf(target, sizeof target, "file:%s", file) >= sizeof target)
        return ff_fail(error, FF_ERROR_INPUT, "%.200s...: the path is too long", path);
    for (size_t i = 0; i < sizeof first / sizeof *first; i++)
        arguments[count++] = first[i];
    for (size_t i = 0; container->arguments[i]; i++)
        arguments[count++] = container->arguments[i];
    if (container->worst > 0) {
        snprintf(factor, sizeof factor, "%.0f",
                 container->worst + (container->best - container->worst) * settings->quality / 100);
        arguments[count++] = "-crf";
        arguments[count++] = factor;
    }
    arguments[count++] = target;
    arguments[count] = NULL;
    status = ff_child_start(program, (char *const *)arguments, &out->child, error);
    if (status == FF_OK)
        status = ff_y4m_start(out->child.input, path, settings->width, settings->height, settings->fps, error);
    return status;
}

// What ffmpeg says, where it stopped reading; the sentence about the pipe helps nobody.
static ff_status explain(ff_ffmpeg *ffmpeg, ff_status status, ff_error *error)
{
    ff_error own = {0};
    if (status != FF_ERROR_IO || ff_host_interrupted())
        return status;
    if (ff_child_finish(&ffmpeg->child, "ffmpeg", &own) == FF_OK)
        return ff_fail(error, FF_ERROR_IO, "%s: ffmpeg ended before it had read all frames", ffmpeg->path);
    return ff_fail(error, own.status, "%s: %s", ffmpeg->path, own.message);
}

ff_status ff_ffmpeg_add(ff_ffmpeg *ffmpeg, const ff_image *frame, ff_error *error)
{
    return explain(ffmpeg, ff_y4m_add(ffmpeg->child.input, ffmpeg->path, frame, error), error);
}

static bool is_empty(const char *path)
{
    FILE *file = fopen(path, "rb");
    bool empty = !file || getc(file) == EOF;
    if (file)
        fclose(file);
    return empty;
}

ff_status ff_ffmpeg_finish(ff_ffmpeg *ffmpeg, ff_error *error)
{
    ff_error own = {0};
    bool flushed = fflush(ffmpeg->child.input) == 0;
    if (ff_child_finish(&ffmpeg->child, "ffmpeg", &own) != FF_OK)
        return ff_fail(error, own.status, "%s: %s", ffmpeg->path, own.message);
    if (is_empty(ffmpeg->file))
        return ff_fail(error, FF_ERROR_IO, "%s: ffmpeg wrote nothing", ffmpeg->path);
    if (!flushed)
        return ff_fail(error, FF_ERROR_IO, "%s: ffmpeg ended before it had read all frames", ffmpeg->path);
    return FF_OK;
}

void ff_ffmpeg_abandon(ff_ffmpeg *ffmpeg)
{
    ff_child_abandon(&ffmpeg->child);
}
