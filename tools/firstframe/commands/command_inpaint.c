#include "commands.h"
#include "../run/make.h"
#include "../pictures/mask.h"

static ff_status read_mask(ff_job *job, ff_error *error)
{
    const ff_options *options = job->options;
    const char *name = options->mask;
    ff_mask_source source = options->given[FF_OPTION_MASK_FROM] ? (ff_mask_source)options->mask_from : FF_MASK_UNSAID;
    ff_original picture;
    char remark[256];
    ff_status status = ff_job_read_original(job, FF_OPTION_MASK, &picture, error);
    if (status == FF_OK && (picture.width != job->image.width || picture.height != job->image.height))
        status = ff_fail(error, FF_ERROR_INPUT, "%s: the mask is %zu x %zu pixels, the picture %zu x %zu", name,
                         picture.width, picture.height, job->image.width, job->image.height);
    if (status == FF_OK)
        status = ff_mask_from_picture(&picture, name, source, &job->mask, remark, error);
    if (status == FF_OK && remark[0])
        ff_report_note(job->report, "%s: %s", name, remark);
    ff_original_free(&picture);
    return status;
}

static ff_status read_inputs(ff_job *job, ff_error *error)
{
    ff_status status = ff_job_read_image(job, error);
    if (status != FF_OK)
        return status;
    if (job->options->mask)
        return read_mask(job, error);
    return ff_mask_from_box(&job->options->box, job->image.width, job->image.height, &job->mask, error);
}

ff_status ff_command_inpaint(const ff_options *options, ff_report *report, ff_error *error)
{
    ff_job job;
    ff_status status = ff_job_open(&job, FF_INPAINT, options, report, error);
    if (status != FF_OK)
        return status;
    status = read_inputs(&job, error);
    job.request.image = &job.image;
    job.request.mask = job.mask;
    if (status == FF_OK)
        status = ff_make(&job, error);
    ff_job_close(&job);
    return status;
}
