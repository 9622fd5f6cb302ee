#include "commands.h"
#include "../run/make.h"

ff_status ff_command_t2v(const ff_options *options, ff_report *report, ff_error *error)
{
    ff_job job;
    ff_status status = ff_job_open(&job, FF_TEXT_TO_VIDEO, options, report, error);
    if (status != FF_OK)
        return status;
    status = ff_make(&job, error);
    ff_job_close(&job);
    return status;
}
