// firstframe: image-to-video on a CPU, frame-exact everywhere.
//
//     ff_error error = {0};
//     ff_model *model;
//     if (ff_model_open("golden/model", &model, &error)) die(error.message);
//     ff_request request = ff_request_default(FF_IMAGE_TO_VIDEO);
//     request.prompt = "slow push-in camera";
//     request.image = &still;                    // packed RGB, yours
//     request.frame = write_frame;               // called with each finished RGB frame, in order
//     if (ff_run(model, &request, NULL, &error)) die(error.message);
//     ff_model_close(model);
//
// RGB buffers in, RGB buffers out; no image codec inside. Nothing prints, exits or aborts. A model may be used by one
// thread at a time; a process forked after a run on several threads cannot run on several, as OpenMP's runtime has it. Every function that can fail returns FF_OK (0) or fills *error (which may be NULL) with a
// sentence. The caller's floating-point environment does not matter and is left as it was.
#ifndef FIRSTFRAME_H
#define FIRSTFRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FF_VERSION "0.1.0"

typedef enum ff_status {
    FF_OK = 0,
    FF_ERROR_INPUT,      // what the caller gave is wrong: a file, a size, an option
    FF_ERROR_MEMORY,
    FF_ERROR_IO,         // reading or writing failed
    FF_CANCELLED,        // a callback asked to stop
    FF_ERROR_NOT_FINITE, // what was computed is NaN or infinite: a damaged weight, or one that overflows
} ff_status;

typedef struct ff_error {
    ff_status status;
    char message[640];   // one sentence without a newline
} ff_error;

// Fills *error with a formatted sentence and returns `status`, so that a function can `return ff_fail(...)`. For
// callbacks. error may be NULL.
ff_status ff_fail(ff_error *error, ff_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

// Packed 8-bit RGB, rows from the top: 3 * width * height bytes.
typedef struct ff_image {
    size_t width, height;
    uint8_t *rgb;
} ff_image;

typedef enum ff_task { FF_TEXT_TO_IMAGE, FF_TEXT_TO_VIDEO, FF_IMAGE_TO_VIDEO, FF_INPAINT } ff_task;
typedef enum ff_scheduler { FF_SCHEDULER_MODEL, FF_SCHEDULER_UNIPC, FF_SCHEDULER_EULER } ff_scheduler;
typedef enum ff_fit { FF_FIT_COVER, FF_FIT_STRETCH, FF_FIT_CROP, FF_FIT_PAD } ff_fit;
typedef enum ff_detail { FF_DETAIL_STEP, FF_DETAIL_RUN, FF_DETAIL_BLOCK, FF_DETAIL_OP } ff_detail;  // --dump-level
// Instruction set of the kernels; every one gives the same bits. AUTO is the best that the processor has.
typedef enum ff_isa { FF_ISA_AUTO, FF_ISA_SCALAR, FF_ISA_AVX2, FF_ISA_AVX512, FF_ISA_NEON } ff_isa;
// Who computes: our kernels; OpenBLAS for matrix products, whose frames differ in their last bits; or the scalar
// kernels with double arithmetic inside each, which shows what rounding costs. OpenBLAS is loaded when it, or ff_bench,
// is first asked for: with $OPENBLAS_NUM_THREADS and $OMP_NUM_THREADS at 1 for that moment, in which no other thread
// may read the environment. Its number of threads is left as it was.
typedef enum ff_backend { FF_BACKEND_OWN, FF_BACKEND_OPENBLAS, FF_BACKEND_F64 } ff_backend;

// For experiments: what is taken away from the anchor's known tokens.
typedef enum ff_ablation {
    FF_ABLATE_NOTHING,
    FF_ABLATE_TIMESTEP,            // their timestep 0: they get the others'
    FF_ABLATE_KNOWN,               // their clean latents: the transformer sees noise in their place
    FF_ABLATE_ATTENTION,           // the others' attention to them
} ff_ablation;

// Where a run is. done counts up to total within a stage.
typedef enum ff_stage { FF_STAGE_TEXT, FF_STAGE_ENCODE, FF_STAGE_DENOISE, FF_STAGE_DECODE } ff_stage;
typedef struct ff_progress {
    ff_stage stage;
    size_t done, total;
} ff_progress;

// Limits of what a model takes for its defaults, and the command line for its options.
#define FF_LEAST_FPS 0.1
#define FF_MOST_FPS 240.0
#define FF_MOST_GUIDANCE 100.0
#define FF_LEAST_FLOW_SHIFT 0.01
#define FF_MOST_FLOW_SHIFT 100.0
#define FF_MOST_THREADS 1024

// Embeddings of prompts that were kept, so that a run need not touch the text encoder's weights for the same words. A
// key is SHA-256 over the encoder's part of the model's identity, whose arithmetic it is, and the token ids.
//   embeds: [count] float32, the tokens' rows one after the other
typedef struct ff_prompt_store {
    void *user;
    bool (*recall)(void *user, const uint8_t key[32], size_t count, float *embeds);  // false: there are none
    void (*keep)(void *user, const uint8_t key[32], size_t count, const float *embeds);
} ff_prompt_store;

// What to make. Start from ff_request_default; a 0 size, NULL text, or NaN for guidance_scale or flow_shift means the
// model's default.
typedef struct ff_request {
    ff_task task;
    const char *prompt;            // UTF-8
    const char *negative_prompt;
    uint64_t seed;
    size_t width, height;          // rounded down to the model's multiple; for i2v 0 keeps the still's aspect ratio
    size_t frames;                 // n becomes n / 4 * 4 + 1 (4: the model's temporal factor), as in diffusers
    size_t steps;
    double guidance_scale;         // at most 1: one evaluation a step, no negative prompt
    double flow_shift;
    ff_scheduler scheduler;
    size_t threads;                // at most FF_MOST_THREADS; 0: as many as OpenMP would take
    ff_isa isa;
    ff_backend backend;

    const ff_image *image;         // FF_IMAGE_TO_VIDEO: the first frame. FF_INPAINT: the picture to mend
    const ff_image *last;          // FF_IMAGE_TO_VIDEO: the final frame, or NULL
    ff_fit fit;
    bool match_colours;            // FF_IMAGE_TO_VIDEO: each frame's colours are pulled back to the still's
    bool keep_first;               // frame 0 of the output is the fitted still, not its decoded latents
    const uint8_t *mask;           // FF_INPAINT: image width * height bytes, 128 and above repaints
    double context;                // FF_INPAINT: side of the crop over side of the mask's box (2)
    double strength;               // FF_INPAINT: 1 starts from noise; less, from the noised original

    const char *dump_path;         // every named tensor as safetensors, or NULL
    ff_detail dump_detail;
    ff_ablation ablate;            // FF_IMAGE_TO_VIDEO without last
    const ff_prompt_store *prompt_store;  // or NULL
    const char *load_path;         // safetensors whose tensors replace the computed ones of the same name, or NULL

    // Callbacks; each may be NULL. A true result from progress cancels the run.
    void *user;
    bool (*progress)(void *user, const ff_progress *progress);
    // A finished frame. rgb is the library's and valid during the call. A status other than FF_OK ends the run.
    ff_status (*frame)(void *user, size_t index, const ff_image *rgb, ff_error *error);
    // A named tensor of the run, as a dump would hold it, but float32 only; valid during the call. With `attention`,
    // also step.NNN.sigma [1], the noise level, and maps of attention: call.NNN.block.BB.attn1.frames
    // [heads, frames, frames], what share of its attention a latent frame's tokens pay to each frame's, and
    // .attn2.words [tokens, text tokens], averaged over heads.
    ff_status (*tensor)(void *user, const char *name, int rank, const size_t *shape, const float *data,
                        ff_error *error);
    bool attention;
    // The sampler's state after a step, enough to go on from; a status other than FF_OK ends the run.
    ff_status (*state)(void *user, const void *bytes, size_t size, ff_error *error);
    const void *resume_state;      // bytes from such a call, or NULL
    size_t resume_size;
} ff_request;

ff_request ff_request_default(ff_task task);

// What a request comes to with a given model: every default and rounding resolved.
typedef struct ff_plan {
    size_t width, height;          // of the frames handed to the frame callback
    size_t model_width, model_height;  // what the model works at (inpaint: the enlarged crop)
    size_t frames, latent_frames, latent_height, latent_width, latent_channels, tokens;
    size_t steps, evaluations;
    double guidance_scale, flow_shift;
    const char *scheduler;         // "unipc" or "euler"
    const char *negative_prompt;
    double fps;                    // the model's
    bool size_rounded, frames_rounded;
    size_t prompt_tokens;          // that the model reads of the cleaned prompt, with </s>
    size_t negative_tokens;        // the same of the negative prompt; 0 where guidance does not ask for it
    bool prompt_cut, negative_cut; // there were more
    double cropped;                // part of the still's area that the fit leaves out, 0 to 1
    size_t crop_x, crop_y, crop_width, crop_height;  // inpaint: the crop in the picture
    double gflop_text, gflop_encode, gflop_denoise, gflop_decode;  // multiply-adds count two
    size_t memory_bytes;           // anonymous memory at the peak, estimated
    size_t temporary_bytes;        // of files in $TMPDIR, /var/tmp or /tmp, while frames are computed in strips
    size_t decode_strips;          // 1: whole frames. Else a frame callback comes only with the last strip
    double decode_repeated;        // work for rows that two strips need, over the work without strips
    size_t weight_bytes;           // of the mapped files
} ff_plan;

typedef struct ff_result {
    uint8_t frames_sha256[32];     // over the RGB bytes of all frames in order
    double seconds_text, seconds_encode, seconds_denoise, seconds_decode;
    size_t peak_memory_bytes;      // scratch memory at its peak, with what the kernels pack into
} ff_result;

typedef struct ff_model ff_model;

// Files and folders that a model is made of; NULL for what is not given. `model` is a folder in diffusers' layout, one as
// Wan publishes it, or one file: a transformer, or a checkpoint that holds several parts. The others are a file or a
// folder each (tokenizer: tokenizer.json, spiece.model or a folder with one of them), and take the place of the model's.
typedef struct ff_model_parts {
    const char *model;
    const char *transformer, *vae, *text_encoder, *tokenizer;
    const char *transformer_2, *image_encoder;  // models that have these do not run yet: FF_ERROR_INPUT
} ff_model_parts;

// Maps the weights, checks every shape against the configs; computes nothing. A part that replaces a folder's is read
// with the folder's config; where there is none, with what the shapes of its tensors say.
ff_status ff_model_open_parts(const ff_model_parts *parts, ff_model **out, ff_error *error);
ff_status ff_model_open(const char *model, ff_model **out, ff_error *error);  // {.model = model}
void ff_model_close(ff_model *model);  // NULL allowed
// SHA-256 over configs and weight headers; identifies the model in metadata. Computed once and kept. FF_ERROR_INPUT or
// FF_ERROR_IO, and out is as it was: a file of the model is not there any more, or cannot be read.
ff_status ff_model_hash(ff_model *model, uint8_t out[32], ff_error *error);

// Latent frames with a preview map of their own: the first two, before which a causal encoder has seen little, and one
// map for all later ones.
enum { FF_PREVIEW_MAPS = 3 };

// What a model is. Strings live as long as the model.
typedef struct ff_model_facts {
    const char *folder;            // or file, that it was opened from; the transformer's if it is made of parts
    const char *transformer_files, *vae_files, *text_encoder_files;  // where each part comes from
    const char *pipeline_class, *transformer_class, *vae_class, *text_encoder_class, *scheduler_class;
    const char *conditioning;      // how it is told of a still: "anchor", "channels" (such models do not run) or "none"
    const char *taken;             // what was read where the usual files are absent, and what files were taken for where
                                   // nothing said it, as sentences; NULL: nothing
    size_t transformer_parameters, vae_parameters, text_encoder_parameters, vocabulary;
    size_t weight_bytes;
    size_t layers, dim, heads, head_dim, ffn_dim, text_dim, latent_channels;
    size_t spatial_factor, temporal_factor;  // pixels and frames a latent cell covers
    size_t multiple_width, multiple_height;  // what widths and heights are multiples of
    bool expand_timesteps, residual_vae;
    size_t default_width, default_height, default_frames, default_steps;
    double default_fps, default_guidance_scale, default_flow_shift;
    const char *default_negative_prompt;
    // What is stored with the model to look at latents cheaply: a linear map of a cell's normalised latents to red,
    // green and blue in 0..255, the added value last. [FF_PREVIEW_MAPS, 3, latent_channels + 1]; NULL: nothing stored
    const double *preview;
    // What is stored with the model of what it was trained on: how many words it lists as known, 0 where it has no list,
    // and what it draws, whatever is asked, or NULL.
    size_t known_words;
    const char *draws;
} ff_model_facts;
ff_model_facts ff_model_describe(const ff_model *model);

// What a LoRA file holds.
typedef struct ff_lora_facts {
    char layout[64];               // what its tensors are called, * standing for a module: "diffusion_model.*.lora_A.weight"
    size_t tensors, bytes;
    size_t products;               // low-rank pairs
    size_t least_rank, most_rank;  // of these; 0 where there are none
    double least_scale, most_scale;  // alpha / rank, which the pairs' products are multiplied by; 1 where there is no alpha
    size_t sums;                   // tensors that are added as they are (.diff, .diff_b, .diff_m)
    size_t ignored;                // of sparse attention (to_gate_compress), which is not computed
    size_t unmatched;              // tensors that match nothing in the transformer; not added to one, all of them
    char unmatched_name[128];      // one of those
} ff_lora_facts;
ff_status ff_lora_inspect(const char *path, ff_lora_facts *out, ff_error *error);

enum { FF_MOST_LORAS = 16 };
#define FF_MOST_LORA_STRENGTH 100.0
// Adds a LoRA to one of a model's transformers, for all later runs and after those added before. The file is mapped as
// long as the model lives.
// FF_ERROR_INPUT: no such transformer, no LoRA, or one that does not fit it; the model must then be closed.
ff_status ff_model_add_lora(ff_model *model, size_t transformer, const char *path, double strength, ff_lora_facts *out,
                            ff_error *error);

// What a folder holds by its model_index.json, for one that ff_model_open refuses. Strings live as long as the survey.
typedef struct ff_survey ff_survey;
typedef struct ff_survey_part {
    const char *name, *class_name;
    size_t tensors, bytes;         // of its weights; 0 where there are none that can be read
} ff_survey_part;
ff_status ff_survey_open(const char *folder, ff_survey **out, ff_error *error);
void ff_survey_close(ff_survey *survey);  // NULL allowed
const char *ff_survey_pipeline(const ff_survey *survey);  // its class; empty if there is none
bool ff_survey_supported(const ff_survey *survey);  // the pipeline is: what is wrong is something else
size_t ff_survey_count(const ff_survey *survey);
ff_survey_part ff_survey_at(const ff_survey *survey, size_t i);

// Words of prompts that are not in a model's list of those it knows. Function words, English as far as the shipped model
// goes, stand in the list as well, so that what is left is content.
#define FF_MOST_UNKNOWN 32
#define FF_UNKNOWN_BYTES 64
typedef struct ff_unknown_words {
    size_t known;                  // words that are in the list, each as often as it occurs
    size_t count;                  // others, each once
    bool more;                     // there are others still
    char word[FF_MOST_UNKNOWN][FF_UNKNOWN_BYTES];   // as written; a long one is cut between characters and ends in …
} ff_unknown_words;

// texts: `count` prompts, UTF-8, taken together. Of a model without a list nothing is unknown.
ff_status ff_model_unknown_words(const ff_model *model, const char *const *texts, size_t count, ff_unknown_words *out,
                                 ff_error *error);

ff_status ff_plan_request(const ff_model *model, const ff_request *request, ff_plan *out, ff_error *error);
ff_status ff_run(ff_model *model, const ff_request *request, ff_result *out, ff_error *error);  // out may be NULL

// FF_INPAINT of a picture with alpha, of which the run sees the colours over some background: what its alpha becomes.
// Pixels outside the mask keep theirs. Inside it the new picture is opaque; over the rim, where it comes in, it lies
// over the old alpha or, at a strength of 1 and where that is more, over what is filled in from outside the mask.
//   alpha: [height, width] of the picture, 0 to 1, in place      plan: what ff_plan_request made of the request
ff_status ff_inpaint_alpha(const ff_request *request, const ff_plan *plan, float *alpha, ff_error *error);

// What the VAE makes of one picture that stands still for a number of frames, normalised. Its sides are multiples of
// spatial_factor and frames is 1 + k * temporal_factor (FF_ERROR_INPUT otherwise). threads as in ff_request.
//   latents: [latent_channels, 1 + k, height / spatial_factor, width / spatial_factor]
ff_status ff_encode_image(const ff_model *model, const ff_image *image, size_t frames, size_t threads, float *latents,
                          ff_error *error);

// The frames of latents, one after the other.
typedef struct ff_latents {
    size_t frames, height, width;
    const float *values;           // [latent_channels, frames, height, width], normalised
} ff_latents;
// frame: as in ff_request, but not NULL (FF_ERROR_INPUT).   threads as in ff_request
ff_status ff_decode_latents(const ff_model *model, const ff_latents *latents, size_t threads, void *user,
                            ff_status (*frame)(void *user, size_t index, const ff_image *rgb, ff_error *error),
                            ff_error *error);

// Starts so many threads, 0 for as many as OpenMP would take, for what the calling thread will run; FF_ERROR_MEMORY if
// they cannot be started. To be called before the first run: OpenMP's runtime ends the program when it cannot start
// one.
ff_status ff_check_threads(size_t threads, ff_error *error);

// Most bytes of this process that were resident at once, mapped files included; 0 if unknown.
size_t ff_peak_memory(void);
// Bytes of memory and swap that can be had without pushing anything out; 0 if unknown.
size_t ff_available_memory(void);

// ---- pictures ----

// Lanczos (a = 3) as Pillow computes it for RGB, to the byte. out->rgb must hold 3 * out->width * out->height bytes.
ff_status ff_image_resize(const ff_image *in, ff_image *out, ff_error *error);

// ---- files of weights ----

// What a safetensors or GGUF file holds, in file order.
typedef struct ff_listing ff_listing;
typedef struct ff_listed {
    const char *name, *dtype;      // "F32", "BF16", ...; both live as long as the listing
    size_t rank, shape[5];
    size_t bytes;
} ff_listed;
ff_status ff_listing_open(const char *path, ff_listing **out, ff_error *error);
void ff_listing_close(ff_listing *listing);  // NULL allowed
size_t ff_listing_count(const ff_listing *listing);
ff_listed ff_listing_at(const ff_listing *listing, size_t i);

// What a file of weights is taken for, by the names of its tensors. Texts live as long as the program, but those in
// arrays.
enum { FF_MOST_FILE_PARTS = 4 };
typedef struct ff_recognised_part {
    const char *part;              // "transformer", "vae" or "text_encoder"; NULL: no run is made of it
    const char *what;              // "a transformer with Wan's own names"
    char why[160];                 // a tensor that only such a part has
    char prefix[64];               // before the names of its tensors; may be empty
    char geometry[320];            // its sizes, or why they cannot be told
    size_t latent_channels;        // that a transformer puts out, or a VAE decodes; 0: unknown
    const char *refused;           // why it does not run, to follow "it is"; NULL: it does
    char needs[2][256];            // files that people publish for what a run needs as well, each empty if nothing: of
                                   // a transformer its VAE and text encoder, of others the transformer too
} ff_recognised_part;
typedef struct ff_recognised_parts {
    size_t count;                  // a full checkpoint has several; 0: it is nothing that is known here
    ff_recognised_part at[FF_MOST_FILE_PARTS];
} ff_recognised_parts;
ff_status ff_file_recognise(const char *path, ff_recognised_parts *out, ff_error *error);

// What lies beside a transformer's file that a run needs as well, each told by what it holds: in its folder, in folders
// there called vae, text_encoders or clip, and in those beside its folder, as ComfyUI has them.
typedef struct ff_found_parts {
    char *vae, *text_encoder;      // paths; NULL: not asked for, in the transformer's file, or not found
} ff_found_parts;
// FF_ERROR_INPUT: two files of one folder could be meant; both are named.
ff_status ff_find_parts(const char *transformer, bool vae, bool text_encoder, ff_found_parts *out, ff_error *error);
void ff_found_parts_free(ff_found_parts *found);

const char *ff_listing_metadata(const ff_listing *listing, const char *key);  // NULL if absent

// ---- files that appear whole or not at all ----

// A file that is written beside its place and put there at the end: flushed, renamed, its folder flushed. Until then what
// is there stays as it was. Beside OUT it is called OUT.firstframe-PROCESS-NUMBER.part, and is locked (flock) as long as
// its run lives; creating a file removes what dead runs left beside the same place.
typedef struct ff_atomic_file {
    FILE *file;                // to write and read; whoever closes it earlier sets it to NULL
    char *path, *temporary;
    int lock;
} ff_atomic_file;
// FF_ERROR_INPUT: an empty path. FF_ERROR_IO: there is no such folder, it may not be written to, or what is at `path` is
// no regular file.
ff_status ff_atomic_create(const char *path, ff_atomic_file *out, ff_error *error);
// The i-th of several files of one folder that appear together; the lock is the first one's.
ff_status ff_atomic_create_next(const char *path, const ff_atomic_file *first, size_t i, ff_atomic_file *out,
                                ff_error *error);
// Puts files in their places. They are closed and freed also on failure, when what was written is gone.
ff_status ff_atomic_finish(ff_atomic_file *files, size_t count, ff_error *error);
void ff_atomic_abandon(ff_atomic_file *files, size_t count);
// Removes what dead runs left beside `path`, and nothing else: no other name, no locked file, no other user's.
void ff_atomic_sweep(const char *path);

// SHA-256 of a stream of bytes.
typedef struct ff_sha256 {
    uint32_t state[8];
    uint64_t length;
    uint8_t block[64];
} ff_sha256;
void ff_sha256_start(ff_sha256 *hash);
void ff_sha256_add(ff_sha256 *hash, const void *bytes, size_t size);
void ff_sha256_finish(ff_sha256 *hash, uint8_t out[32]);

#ifdef __cplusplus
}
#endif
#endif
