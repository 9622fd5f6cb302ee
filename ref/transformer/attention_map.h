// Who looks at whom: attention probabilities summed up small enough to look at. Only for explaining a run; they are
// computed once more beside the kernels, which never hold them.
#ifndef FF_ATTENTION_MAP_H
#define FF_ATTENTION_MAP_H

#include "../kernels/kernels.h"

// The share that tokens of each frame pay to those of each other one.
//   attention: q and k over the same tokens, frame by frame; v and out are not used
//   out: [heads, frames, frames], rows (queries' frames) add up to 1
// FF_ERROR_MEMORY, without a sentence.
ff_status ff_attention_by_frame(const ff_attention *attention, size_t frames, float *out);

// The probability of each key for each query, averaged over heads.   out: [queries, keys]
ff_status ff_attention_by_key(const ff_attention *attention, float *out);

#endif
