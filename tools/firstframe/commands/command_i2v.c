#include "commands.h"
#include "../run/make.h"

ff_status ff_command_i2v(const ff_options *options, ff_report *report, ff_error *error)
{
    ff_job job;
    ff_status status = ff_job_open(&job, FF_IMAGE_TO_VIDEO, options, report, error);
    if (status != FF_OK)
        return status;
    job.request.image = &job.image;
    status = ff_job_read_image(&job, error);
    if (status == FF_OK && options->last) {
        job.request.last = &job.last;
        status = ff_job_read_last(&job, error);
    }
    if (status == FF_OK)
        status = ff_make(&job, error);
    ff_job_close(&job);
    return status;
}
