// A file that says what another program's tensors are called here, and how they lie. A rule a line:
//
//     # ours               theirs                         operations on theirs, in order
//     latents           <- final_latents
//     call.{2*s}.output <- model_out/step{s}            : select 0 0
//     call.{2*s+1}.output <- model_out/step{s}          : select 0 1
//     call.{c}.block.{b}.attn1.q <- {c}.layers.{b}.query : permute 1 0 2 : reshape 120 64
//     frames_float      <- video                        : permute 1 2 3 0
//
// {x} stands for digits, * for anything; {2*s+1} computes. Numbers are written as dumps write them (call.007). The name
// of a tensor that no rule matches stays as it is; each rule that matches gives a tensor.
#ifndef FF_MAP_H
#define FF_MAP_H

#include "arrange.h"

typedef struct ff_map ff_map;

// FF_ERROR_INPUT: "FILE:LINE: ...".
ff_status ff_map_open(const char *path, ff_map **out, ff_error *error);
void ff_map_close(ff_map *map);  // NULL allowed

size_t ff_map_rules(const ff_map *map);
size_t ff_map_line(const ff_map *map, size_t rule);

#define FF_MAP_NAME 256
// Whether a rule matches; our name goes to ours.
bool ff_map_match(const ff_map *map, size_t rule, const char *theirs, char ours[FF_MAP_NAME]);
// theirs: for messages
ff_status ff_map_arrange(const ff_map *map, size_t rule, const char *theirs, ff_arranged *tensor, ff_error *error);

#endif
