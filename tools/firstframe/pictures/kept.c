#include "kept.h"

#include <stdlib.h>

// ---- carrying ----

static ff_status paint(const ff_job *job, const ff_image *frame, ff_original *out, ff_error *error)
{
    const ff_original *original = &job->original;
    size_t pixels = original->width * original->height;
    float *alpha = NULL;
    ff_status status = FF_OK;
    if (original->channels == 4) {
        alpha = malloc(pixels * sizeof *alpha);
        if (!alpha)
            return ff_fail(error, FF_ERROR_MEMORY, "no memory for the picture's transparency");
        ff_original_read_alpha(original, alpha);
        status = ff_inpaint_alpha(&job->request, &job->plan, alpha, error);
    }
    if (status == FF_OK)
        status = ff_original_paint(original, job->mask, alpha, frame, out, error);
    free(alpha);
    return status;
}

// Without alpha, profiles and more than 8 bits, and in other colours than RGB.
static bool is_video(ff_output_kind kind)
{
    return kind == FF_OUTPUT_Y4M || kind == FF_OUTPUT_VIDEO;
}

ff_status ff_kept_add(const ff_job *job, ff_output *output, const ff_image *frame, ff_error *error)
{
    ff_original painted = {0};
    if (!job->mask || !job->original.samples || is_video(ff_output_kind_of(output)))
        return ff_output_add(output, frame, error);
    ff_status status = paint(job, frame, &painted, error);
    if (status == FF_OK)
        status = ff_output_add_original(output, &painted, error);
    ff_original_free(&painted);
    return status;
}

bool ff_kept_lossless(const ff_options *options)
{
    return options->lossless || (options->command == FF_COMMAND_INPAINT && !options->given[FF_OPTION_QUALITY]);
}

// ---- losses ----

// "transparency, 16 bits and colour profile"
static void list(char *out, size_t capacity, const char *const *things, size_t count)
{
    size_t length = 0;
    *out = 0;
    for (size_t i = 0; i < count && length < capacity; i++)
        length += (size_t)snprintf(out + length, capacity - length, "%s%s",
                                   i == 0 ? "" : i + 1 == count ? " and " : ", ", things[i]);
}

// What the kind of output has no place for.
static void note_kind(const ff_job *job, ff_output_kind kind, ff_report *report)
{
    const ff_original *original = &job->original;
    const ff_colour_space *colours = &original->colours;
    bool mends = job->options->command == FF_COMMAND_INPAINT, video = is_video(kind);
    const char *lost[4];
    char text[120];
    size_t count = 0;
    if (mends && video && !job->opaque)
        lost[count++] = "transparency";
    if (mends && original->depth == 16 && (video || kind == FF_OUTPUT_WEBP))
        lost[count++] = "16 bits a sample";
    if (colours->profile && video)
        lost[count++] = "colour profile";
    if (ff_colour_space_needs_chunks(colours) && (video || kind == FF_OUTPUT_WEBP))
        lost[count++] = "statement of its colours (cICP, gAMA or cHRM)";
    list(text, sizeof text, lost, count);
    if (count)
        ff_report_note(report, "the picture's %s cannot go into %s; a PNG keeps %s", text,
                       kind == FF_OUTPUT_Y4M ? "YUV4MPEG2" : video ? "a video" : "a WebP", count == 1 ? "it" : "them");
}

static void note_inpaint(const ff_job *job, ff_output_kind kind, ff_report *report)
{
    if (is_video(kind))
        ff_report_note(report, "a video rounds the colours outside the mask as well; a PNG keeps them");
    else if (kind == FF_OUTPUT_WEBP && !ff_kept_lossless(job->options))
        ff_report_note(report, "a WebP of --quality %g changes the colours outside the mask as well; --lossless or a "
                       "PNG keeps them", job->options->quality);
}

static void note_clip(const ff_job *job, ff_report *report)
{
    const ff_options *options = job->options;
    if (!job->opaque)
        ff_report_note(report, "%s is transparent in part; the clip shows white there", options->image);
    if (job->last.rgb && !job->last_opaque)
        ff_report_note(report, "%s is transparent in part; the clip shows white there", options->last);
    if (options->keep_first && job->original.depth == 16)
        ff_report_note(report, "%s has 16 bits a sample; frame 0 has 8, as the others", options->image);
    if (job->last.rgb && !job->same_colours)
        ff_report_note(report, "%s and %s have different colour profiles; the numbers of both are taken for those of "
                       "the first", options->image, options->last);
}

void ff_kept_note(const ff_job *job, ff_output_kind kind, ff_report *report)
{
    const ff_original *original = &job->original;
    const char *name = job->options->image;
    if (!original->width)
        return;
    if (original->frames > 1)
        ff_report_note(report, "%s is an animation; its first frame of %zu is taken", name, original->frames);
    if (original->colours.trouble[0])
        ff_report_note(report, "the colour profile of %s is left out: %s", name, original->colours.trouble);
    note_kind(job, kind, report);
    if (job->options->command == FF_COMMAND_INPAINT)
        note_inpaint(job, kind, report);
    else
        note_clip(job, report);
}

void ff_kept_note_page(const ff_job *job, ff_report *report)
{
    ff_kept_note(job, FF_OUTPUT_WEBP, report);
    if (job->original.width && !ff_colour_space_is_srgb(&job->original.colours))
        ff_report_note(report, "%s is not in sRGB; the page measures and draws as if it were%s", job->options->image,
                       job->original.colours.profile ? ", and the clips alone have its colour profile" : "");
}
