// The sampler's state between two steps as bytes, so that a run can go on later to identical bits, on any processor.
#ifndef FF_RESUME_H
#define FF_RESUME_H

#include "../sampler/schedule.h"
#include "plan.h"

// SHA-256 of the model and of everything in the request that decides the latents.
// FF_ERROR_INPUT or FF_ERROR_IO if a file of the model or load_path cannot be read.
ff_status ff_resume_fingerprint(ff_model *model, const ff_request *request, const ff_plan *plan,
                                uint8_t out[32], ff_error *error);

// Hands the state before step `next` to request->state.   latents: [n]
ff_status ff_resume_write(const uint8_t fingerprint[32], const ff_schedule_state *solver, size_t n,
                          const float *latents, size_t next,
                          ff_status (*write)(void *user, const void *bytes, size_t size, ff_error *error), void *user,
                          ff_error *error);

// FF_ERROR_INPUT if the bytes are damaged or belong to another request.
ff_status ff_resume_read(const void *bytes, size_t size, const uint8_t fingerprint[32], ff_schedule_state *solver,
                         size_t n, float *latents, size_t *next, ff_error *error);

#endif
