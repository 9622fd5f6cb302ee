// --lora and --lora-2 of a job.
#ifndef FF_JOB_LORAS_H
#define FF_JOB_LORAS_H

#include "job.h"

// Adds and hashes the LoRAs that the options name, in their order, and notes what of them matches nothing. job: with its
// model open.
// FF_ERROR_INPUT: a file that is no LoRA or does not fit; a prompt that names one as other programs have it.
ff_status ff_job_add_loras(ff_job *job, ff_error *error);

#endif
