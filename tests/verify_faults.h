// Faults for `verify` to find, and what they are made with.
#ifndef FF_TEST_VERIFY_FAULTS_H
#define FF_TEST_VERIFY_FAULTS_H

#include "firstframe.h"

#define VERIFY_STEPS 3

typedef struct verify_job {
    const char *model;
    ff_scheduler scheduler;
    size_t threads;
} verify_job;

// Changes a tensor's values in place; floats whatever they were stored as.
typedef void (*change)(const char *name, int rank, const size_t *shape, size_t count, void *values);

// Writes the tensors of one file into another.
//   dropped: parts of names of tensors that are left out, at most 4, or NULL
//   key, value: metadata that gets another value, or NULLs
void rewrite_tensors(const char *from, const char *to, const char *const *dropped, change changed, const char *key,
                     const char *value);

typedef struct fault {
    const char *name;
    verify_job run;
    void (*folder)(void);      // changes the model that runs; NULL: nothing
    change dump;               // changes the dump; NULL: nothing
    const char *key, *value;   // metadata that gets another value
    const char *stage, *cause; // what verify must say
} fault;

#define STILL {"tiny-ti2v", FF_SCHEDULER_MODEL, 1}
#define TEXT {"tiny-t2v", FF_SCHEDULER_MODEL, 1}

extern const fault faults[];
extern const size_t fault_count;

// Two of the changes to the model of model_copy.h.
void patch_axes(void);
void bfloat_weights(void);

#endif
