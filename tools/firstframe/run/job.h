// One use of the model by a command: the model, the pictures that go in, the request and what it comes to.
#ifndef FF_JOB_H
#define FF_JOB_H

#include "../files/model_folder.h"
#include "../line/options.h"
#include "../pictures/original.h"
#include "../line/report.h"
#include "check/bench/bench.h"
#include "record.h"

typedef struct ff_job {
    const ff_options *options;             // as given
    ff_report *report;
    ff_model_choice choice;                // of the model
    ff_model *model;
    ff_model_facts facts;
    uint8_t model_hash[32];
    ff_image image, last;                  // inputs, as far as the command has any
    ff_original original;                  // the image as its file holds it, without samples where `image` has them all
    bool opaque, last_opaque;              // image and last have no transparent part
    bool same_colours;                     // the numbers of image and last mean the same
    uint8_t *mask;
    ff_input_hashes input_hashes;
    ff_request request;

    // for commands that make several runs of their own; may be left empty
    const char *title;                     // what the progress line calls the run, before its seed
    bool stateless;                        // no state is kept to resume from
    void *watcher;                         // receives every frame as it is written
    ff_status (*watch)(void *watcher, size_t index, const ff_image *rgb, ff_error *error);
    // receives named tensors, as ff_request's `tensor`
    ff_status (*watch_tensor)(void *watcher, const char *name, int rank, const size_t *shape, const float *data,
                              ff_error *error);

    // after ff_job_plan
    ff_plan plan;
    double fps;
    ff_options resolved;                   // options, with the model's defaults filled in
} ff_job;

// Opens the model and fills in what options alone say of the request. On failure there is nothing to close.
ff_status ff_job_open(ff_job *job, ff_task task, const ff_options *options, ff_report *report, ff_error *error);
void ff_job_close(ff_job *job);

// Reads and hashes the picture that an option names, as its file holds it; the caller frees out.
ff_status ff_job_read_original(ff_job *job, ff_option_id id, ff_original *out, ff_error *error);
// The same for --image and --last, into what the job has for them.
ff_status ff_job_read_image(ff_job *job, ff_error *error);
ff_status ff_job_read_last(ff_job *job, ff_error *error);
// Hashes the file that an option names.
ff_status ff_job_hash_input(ff_job *job, ff_option_id id, ff_error *error);

// Plans the request, notes what had to be rounded or cut, and resolves the options.
ff_status ff_job_plan(ff_job *job, ff_error *error);

// Notes once for all of `texts`, and the job's --negative where guidance asks for it, which words the model's own list
// does not have, and what it draws instead; nothing of a model without a list. job: planned. report: that of the whole
// command.
ff_status ff_job_note_words(const ff_job *job, const char *const *texts, size_t count, ff_report *report,
                            ff_error *error);

// FF_ERROR_MEMORY if the run needs more memory than there is, before the system ends it halfway.
ff_status ff_job_check_memory(const ff_job *job, ff_error *error);

// Says what the run would take.
ff_status ff_job_estimate(ff_job *job, ff_error *error);

#endif
