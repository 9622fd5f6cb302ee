#include "commands.h"
#include "make.h"
#include "pictures.h"

#include <stdlib.h>
#include <string.h>

// A mask that is white in the box.
static ff_status mask_from_box(const ff_box *box, const ff_image *image, uint8_t **out, ff_error *error)
{
    if (box->x >= image->width || box->width > image->width - box->x || box->y >= image->height ||
        box->height > image->height - box->y)
        return ff_fail(error, FF_ERROR_INPUT, "--box %zu,%zu,%zu,%zu reaches outside the picture, which is %zux%zu",
                       box->x, box->y, box->width, box->height, image->width, image->height);
    uint8_t *mask = calloc(image->width, image->height);
    if (!mask)
        return ff_fail(error, FF_ERROR_MEMORY, "no memory for a mask of %zux%zu", image->width, image->height);
    for (size_t y = box->y; y < box->y + box->height; y++)
        memset(mask + y * image->width + box->x, 255, box->width);
    *out = mask;
    return FF_OK;
}

static ff_status read_inputs(ff_job *job, ff_error *error)
{
    const ff_options *options = job->options;
    ff_status status = ff_job_read_picture(job, FF_OPTION_IMAGE, &job->image, error);
    if (status != FF_OK)
        return status;
    if (!options->mask)
        return mask_from_box(&options->box, &job->image, &job->mask, error);
    status = ff_job_hash_input(job, FF_OPTION_MASK, error);
    if (status != FF_OK)
        return status;
    return ff_picture_read_mask(options->mask, job->image.width, job->image.height, &job->mask, error);
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
