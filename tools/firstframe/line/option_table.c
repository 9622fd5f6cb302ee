#include "options.h"

#include <stddef.h>

#define VALUE(field) offsetof(ff_options, field)
#define MOST_SIDE 16384
#define FRAMES FF_CHANGES_FRAMES

const ff_option_id ff_model_options[FF_MODEL_OPTIONS] = {
    FF_OPTION_MODEL, FF_OPTION_TRANSFORMER, FF_OPTION_TRANSFORMER_2, FF_OPTION_VAE, FF_OPTION_TEXT_ENCODER,
    FF_OPTION_TOKENIZER, FF_OPTION_IMAGE_ENCODER,
};

const ff_option ff_option_table[FF_OPTIONS] = {
    [FF_OPTION_PROMPT] = {
        .name = "prompt", .letter = 'p', .kind = FF_KIND_TEXT, .argument = "TEXT", .offset = VALUE(prompt),
        .group = FF_GROUP_SUBJECT, .effect = FRAMES, .commands = FF_COMMANDS_MAKE, .required = FF_COMMANDS_MAKE,
        .help = "What to show; for i2v and explain, what moves and how.",
        .foreign = "text caption positive positive-prompt"},
    [FF_OPTION_MOTION] = {
        .name = "motion", .kind = FF_KIND_TEXTS, .argument = "TEXT", .offset = VALUE(motions),
        .group = FF_GROUP_SUBJECT, .commands = FF_COMMAND_COMPARE, .required = FF_COMMAND_COMPARE,
        .help = "What moves and how; given several times, each is tried from the same still.",
        .foreign = "motion-prompt"},
    [FF_OPTION_NEGATIVE] = {
        .name = "negative", .alias = "negative-prompt", .kind = FF_KIND_TEXT, .argument = "TEXT",
        .offset = VALUE(negative), .group = FF_GROUP_SUBJECT, .effect = FRAMES, .commands = FF_COMMANDS_MAKE,
        .help = "What to keep away from (default: the model's).",
        .foreign = "uncond negative-text n-prompt sample-neg-prompt"},
    [FF_OPTION_IMAGE] = {
        .name = "image", .letter = 'i', .kind = FF_KIND_INPUT, .argument = "FILE", .offset = VALUE(image),
        .group = FF_GROUP_SUBJECT, .effect = FRAMES,
        .commands = FF_COMMAND_I2V | FF_COMMAND_INPAINT | FF_COMMAND_AGAIN | FF_COMMANDS_PAGE,
        .required = FF_COMMAND_I2V | FF_COMMAND_INPAINT | FF_COMMAND_EXPLAIN,
        .help = "The still: PNG, JPEG or WebP.",
        .foreign = "init-img init-image input input-image image-path start-image first-frame img"},
    [FF_OPTION_LAST] = {
        .name = "last", .kind = FF_KIND_INPUT, .argument = "FILE", .offset = VALUE(last),
        .group = FF_GROUP_SUBJECT, .effect = FRAMES, .commands = FF_COMMAND_I2V | FF_COMMAND_AGAIN,
        .help = "A second still for the clip to end on: the same scene a moment later. What differs is crossfaded, so "
                "that a clip towards another scene ends with both, one showing through the other.",
        .foreign = "end-img last-image end-image last-frame end-frame tail-image"},
    [FF_OPTION_MASK] = {
        .name = "mask", .kind = FF_KIND_INPUT, .argument = "FILE", .offset = VALUE(mask),
        .group = FF_GROUP_SUBJECT, .effect = FRAMES, .commands = FF_COMMAND_INPAINT | FF_COMMAND_AGAIN,
        .help = "A picture of the still's size; what is white is painted anew.",
        .foreign = "mask-image mask-img mask-path"},
    [FF_OPTION_MASK_FROM] = {
        .name = "mask-from", .kind = FF_KIND_CHOICE, .argument = "WHAT", .offset = VALUE(mask_from),
        .group = FF_GROUP_SUBJECT, .effect = FRAMES, .commands = FF_COMMAND_INPAINT, .choices = {"white", "alpha"},
        .help = "What of the mask is painted anew: white (the default; transparent counts as black), or alpha, what is "
                "transparent, as editors save a hole. The mask may then be the still itself.",
        .foreign = "mask-channel mask-mode mask-alpha alpha-mask"},
    [FF_OPTION_BOX] = {
        .name = "box", .kind = FF_KIND_BOX, .argument = "X,Y,W,H", .offset = VALUE(box),
        .group = FF_GROUP_SUBJECT, .effect = FRAMES, .commands = FF_COMMAND_INPAINT,
        .help = "Instead of a mask: a rectangle in pixels, from the top left corner.",
        .foreign = "bbox region rect rectangle crop-box"},
    [FF_OPTION_CONTEXT] = {
        .name = "context", .kind = FF_KIND_NUMBER, .argument = "X", .offset = VALUE(context),
        .group = FF_GROUP_SUBJECT, .effect = FRAMES, .commands = FF_COMMAND_INPAINT, .minimum = 1, .maximum = 100,
        .help = "How much of the picture the model sees: the side of its crop over the side of the mask's box "
                "(default 2).",
        .foreign = "padding-mask-crop mask-padding"},
    [FF_OPTION_STRENGTH] = {
        .name = "strength", .kind = FF_KIND_NUMBER, .argument = "X", .offset = VALUE(strength),
        .group = FF_GROUP_SUBJECT, .effect = FRAMES, .commands = FF_COMMAND_INPAINT, .minimum = 0.01, .maximum = 1,
        .help = "1 invents what is under the mask; less keeps to what was there (default 1).",
        .foreign = "denoise denoising-strength denoise-strength"},
    [FF_OPTION_KEEP_FIRST] = {
        .name = "keep-first", .kind = FF_KIND_FLAG, .offset = VALUE(keep_first),
        .group = FF_GROUP_SUBJECT, .effect = FRAMES, .commands = FF_COMMAND_I2V,
        .help = "Frame 0 is the still's own pixels, not what the model's decoder makes of them; a lossy WebP keeps "
                "them nearly."},
    [FF_OPTION_COLOR_MATCH] = {
        .name = "color-match", .alias = "colour-match", .kind = FF_KIND_FLAG, .offset = VALUE(color_match),
        .group = FF_GROUP_SUBJECT, .effect = FRAMES, .commands = FF_COMMAND_I2V | FF_COMMAND_COMPARE,
        .help = "Pulls each frame's colours back to the still's, where they drift; compare shows clips with and "
                "without.",
        .foreign = "color-correction color-fix"},
    [FF_OPTION_ABLATE] = {
        .name = "ablate", .kind = FF_KIND_CHOICE, .argument = "WHAT", .offset = VALUE(ablate),
        .group = FF_GROUP_SUBJECT, .commands = FF_COMMAND_EXPLAIN,
        .choices = {"timestep", "known", "attention", "all"},
        .help = "Runs the seed once more without the known tokens' timestep 0, their clean latents, or attention to "
                "them; or each of these.",
        .foreign = "without"},

    [FF_OPTION_SIZE] = {
        .name = "size", .kind = FF_KIND_SIZE, .argument = "WxH", .offset = VALUE(size),
        .group = FF_GROUP_SHAPE, .commands = FF_COMMANDS_MAKE | FF_COMMAND_BENCH, .minimum = 1, .maximum = MOST_SIDE,
        .help = "In pixels, rounded down to what the model can do (default: the model's; i2v keeps the still's "
                "aspect ratio; inpaint: the size the crop is enlarged to).",
        .foreign = "resolution dimensions image-size"},
    [FF_OPTION_WIDTH] = {
        .name = "width", .letter = 'W', .kind = FF_KIND_COUNT, .argument = "N", .offset = VALUE(size.width),
        .group = FF_GROUP_SHAPE, .effect = FRAMES, .commands = FF_COMMANDS_MAKE, .minimum = 1, .maximum = MOST_SIDE,
        .help = "One side of --size; alone, the other follows from the aspect ratio.", .foreign = "w"},
    [FF_OPTION_HEIGHT] = {
        .name = "height", .letter = 'H', .kind = FF_KIND_COUNT, .argument = "N", .offset = VALUE(size.height),
        .group = FF_GROUP_SHAPE, .effect = FRAMES, .commands = FF_COMMANDS_MAKE, .minimum = 1, .maximum = MOST_SIDE,
        .help = "The other side.", .foreign = "h"},
    [FF_OPTION_FIT] = {
        .name = "fit", .kind = FF_KIND_CHOICE, .argument = "HOW", .offset = VALUE(fit),
        .group = FF_GROUP_SHAPE, .effect = FRAMES, .commands = FF_COMMAND_I2V | FF_COMMANDS_PAGE,
        .choices = {"cover", "stretch", "crop", "pad"},
        .help = "How a still of another shape is brought to the size: cover (the default) scales and cuts what sticks "
                "out, stretch distorts, crop only cuts, pad adds bars.",
        .foreign = "resize-mode"},
    [FF_OPTION_SECONDS] = {
        .name = "seconds", .kind = FF_KIND_NUMBER, .argument = "S", .offset = VALUE(seconds),
        .group = FF_GROUP_SHAPE, .commands = FF_COMMANDS_CLIP | FF_COMMANDS_PAGE, .minimum = 0.01, .maximum = 3600,
        .help = "Length: 4 * round(S * fps / 4) + 1 frames.",
        .foreign = "duration length video-length"},
    [FF_OPTION_FRAMES] = {
        .name = "frames", .kind = FF_KIND_COUNT, .argument = "N", .offset = VALUE(frames),
        .group = FF_GROUP_SHAPE, .effect = FRAMES, .commands = FF_COMMANDS_CLIP | FF_COMMANDS_PAGE | FF_COMMAND_BENCH,
        .minimum = 1, .maximum = 100000,
        .help = "Length in frames, rounded to 4k + 1 (default: the model's).",
        .foreign = "video-frames num-frames frame-num n-frames frame-count"},
    [FF_OPTION_FPS] = {
        .name = "fps", .kind = FF_KIND_NUMBER, .argument = "N", .offset = VALUE(fps),
        .group = FF_GROUP_SHAPE, .effect = FF_CHANGES_FILE, .commands = FF_COMMANDS_CLIP | FF_COMMANDS_PAGE,
        .minimum = FF_LEAST_FPS, .maximum = FF_MOST_FPS, .help = "Frames per second (default: the model's).",
        .foreign = "frame-rate framerate sample-fps"},

    [FF_OPTION_SEED] = {
        .name = "seed", .letter = 's', .kind = FF_KIND_SEED, .argument = "N", .offset = VALUE(seed),
        .group = FF_GROUP_SAMPLING, .effect = FRAMES, .commands = FF_COMMANDS_MAKE,
        .help = "The same seed gives the same frames (default 0); -1 takes a random one and says which.",
        .foreign = "random-seed base-seed noise-seed generator"},
    [FF_OPTION_COUNT] = {
        .name = "count", .letter = 'n', .kind = FF_KIND_COUNT, .argument = "N", .offset = VALUE(count),
        .group = FF_GROUP_SAMPLING, .commands = FF_COMMANDS_RUN | FF_COMMAND_COMPARE, .minimum = 1, .maximum = 10000,
        .help = "How many, with this seed and those after it (default 1; compare: 4).",
        .foreign = "batch-count -b batch-size num-images num-images-per-prompt num-videos-per-prompt n-samples n-iter"},
    [FF_OPTION_STEPS] = {
        .name = "steps", .kind = FF_KIND_COUNT, .argument = "N", .offset = VALUE(steps),
        .group = FF_GROUP_SAMPLING, .effect = FRAMES, .commands = FF_COMMANDS_MAKE, .minimum = 1, .maximum = 1000,
        .help = "Denoising steps (default: the model's).",
        .foreign = "num-inference-steps sample-steps sampling-steps num-steps ddim-steps"},
    [FF_OPTION_GUIDANCE] = {
        .name = "guidance", .kind = FF_KIND_NUMBER, .argument = "G", .offset = VALUE(guidance),
        .group = FF_GROUP_SAMPLING, .effect = FRAMES, .commands = FF_COMMANDS_MAKE, .minimum = 0,
        .maximum = FF_MOST_GUIDANCE,
        .help = "How strongly the prompt steers (default: the model's); at most 1 takes half the time and leaves the "
                "negative prompt out.",
        .foreign = "cfg-scale cfg guidance-scale scale guide-scale sample-guide-scale -g"},
    [FF_OPTION_FLOW_SHIFT] = {
        .name = "flow-shift", .kind = FF_KIND_NUMBER, .argument = "X", .offset = VALUE(flow_shift),
        .group = FF_GROUP_SAMPLING, .effect = FRAMES, .commands = FF_COMMANDS_MAKE,
        .minimum = FF_LEAST_FLOW_SHIFT, .maximum = FF_MOST_FLOW_SHIFT,
        .help = "Spends more of the steps where there is much noise (default: the model's).",
        .foreign = "shift sample-shift timestep-shift sigma-shift"},
    [FF_OPTION_SCHEDULER] = {
        .name = "scheduler", .kind = FF_KIND_CHOICE, .argument = "NAME", .offset = VALUE(scheduler),
        .group = FF_GROUP_SAMPLING, .effect = FRAMES, .commands = FF_COMMANDS_MAKE, .choices = {"unipc", "euler"},
        .help = "unipc or euler (default: the model's).",
        .foreign = "sampling-method sample-method sampler sample-solver solver"},

    [FF_OPTION_OUTPUT] = {
        .name = "output", .letter = 'o', .kind = FF_KIND_PATH, .argument = "PATH", .offset = VALUE(output),
        .group = FF_GROUP_OUTPUT, .commands = FF_COMMANDS_MAKE | FF_COMMAND_AGAIN | FF_COMMAND_CONVERT,
        .required = FF_COMMAND_CONVERT,
        .help = "Where to write; the ending says what: .webp, .png, f-%03d.png, .y4m, - for YUV4MPEG on standard "
                "output, or, where ffmpeg is installed, .mp4, .webm, .gif, which keep no record. For stills also a "
                "folder; for compare, explain always one.",
        .foreign = "out outfile output-file output-path output-dir outdir save-file save-path save-dir"},
    [FF_OPTION_QUALITY] = {
        .name = "quality", .kind = FF_KIND_NUMBER, .argument = "N", .offset = VALUE(quality),
        .group = FF_GROUP_OUTPUT, .effect = FF_CHANGES_FILE, .commands = FF_COMMANDS_MAKE | FF_COMMAND_AGAIN,
        .minimum = 0, .maximum = 100,
        .help = "Of a lossy WebP, MP4 or WebM, 0 to 100 (default 90; inpaint is lossless without it).",
        .foreign = "-q:v crf"},
    [FF_OPTION_LOSSLESS] = {
        .name = "lossless", .kind = FF_KIND_FLAG, .offset = VALUE(lossless),
        .group = FF_GROUP_OUTPUT, .effect = FF_CHANGES_FILE, .commands = FF_COMMANDS_MAKE | FF_COMMAND_AGAIN,
        .help = "A WebP with exactly the frames that were computed."},
    [FF_OPTION_NO_METADATA] = {
        .name = "no-metadata", .kind = FF_KIND_FLAG, .offset = VALUE(no_metadata),
        .group = FF_GROUP_OUTPUT, .commands = FF_COMMANDS_RUN | FF_COMMAND_AGAIN,
        .help = "Leaves prompt, seed and options out of the file; `again` cannot work then.",
        .foreign = "disable-image-metadata disable-metadata"},
    [FF_OPTION_SHOW] = {
        .name = "show", .kind = FF_KIND_FLAG, .offset = VALUE(show),
        .group = FF_GROUP_OUTPUT, .commands = FF_COMMANDS_RUN,
        .help = "Shows the still, or the clip's last frame, in the terminal (Kitty, iTerm2, or half-blocks).",
        .foreign = "display view"},
    [FF_OPTION_PREVIEW] = {
        .name = "preview", .kind = FF_KIND_PATH, .argument = "FILE", .offset = VALUE(preview),
        .group = FF_GROUP_OUTPUT, .commands = FF_COMMANDS_RUN,
        .help = "A PNG or WebP rewritten after each step: a rough look at all latent frames, in a row.",
        .foreign = "preview-path preview-file"},
    [FF_OPTION_JSON] = {
        .name = "json", .kind = FF_KIND_FLAG, .offset = VALUE(json),
        .group = FF_GROUP_OUTPUT, .commands = FF_COMMANDS_ALL,
        .help = "Says what was done as one JSON object on standard output."},

    [FF_OPTION_DUMP] = {
        .name = "dump", .kind = FF_KIND_PATH, .argument = "FILE", .offset = VALUE(dump),
        .group = FF_GROUP_TENSORS, .commands = FF_COMMANDS_RUN | FF_COMMAND_AGAIN,
        .help = "Writes every named tensor of the run to FILE.safetensors.",
        .foreign = "save-tensors dump-tensors"},
    [FF_OPTION_DUMP_LEVEL] = {
        .name = "dump-level", .kind = FF_KIND_CHOICE, .argument = "LEVEL", .offset = VALUE(dump_level),
        .group = FF_GROUP_TENSORS, .commands = FF_COMMANDS_RUN | FF_COMMAND_AGAIN,
        .choices = {"step", "run", "block", "op"},
        .help = "step (the default); run leaves the steps out; block adds every transformer block, op what goes on "
                "inside them and inside the VAE."},
    [FF_OPTION_LOAD] = {
        .name = "load", .kind = FF_KIND_INPUT, .argument = "FILE", .offset = VALUE(load),
        .group = FF_GROUP_TENSORS, .effect = FRAMES, .commands = FF_COMMANDS_RUN | FF_COMMAND_AGAIN,
        .help = "Takes tensors from a safetensors file instead of computing those of the same name.",
        .foreign = "load-tensors latents"},
    [FF_OPTION_TOLERANCE] = {
        .name = "tolerance", .kind = FF_KIND_TEXTS, .argument = "[NAME=]X", .offset = VALUE(tolerances),
        .group = FF_GROUP_TENSORS, .commands = FF_COMMAND_DIFF,
        .help = "How far apart tensors may be, as relative L2 (default 5e-5), those called NAME if it is given, in which "
                "* stands for anything; for whole numbers, such as frames, the largest difference (default 1 for "
                "pictures, else 0). May be given several times, the last that fits deciding. 0 alone: everything must "
                "be equal.",
        .foreign = "rtol atol eps threshold"},
    [FF_OPTION_MAP] = {
        .name = "map", .kind = FF_KIND_PATH, .argument = "FILE", .offset = VALUE(map),
        .group = FF_GROUP_TENSORS, .commands = FF_COMMAND_DIFF,
        .help = "What the second dump's tensors are called here and how they lie, a line each: \"OURS <- THEIRS : "
                "OPERATION : ...\". In names, * stands for anything and {n} for a number, with which OURS may compute: "
                "{2*n+1}. Operations: transpose, permute AXES, reshape SIZES, select AXIS INDEX, channels-first, "
                "channels-last.",
        .foreign = "mapping names rename"},
    [FF_OPTION_PLOT] = {
        .name = "plot", .kind = FF_KIND_PATH, .argument = "X.png", .offset = VALUE(plot),
        .group = FF_GROUP_OUTPUT, .commands = FF_COMMAND_DIFF,
        .help = "Draws the error of each tensor against its position in the run."},
    [FF_OPTION_HEAT_MAP] = {
        .name = "heat-map", .kind = FF_KIND_PATH, .argument = "X.png", .offset = VALUE(heat_map),
        .group = FF_GROUP_OUTPUT, .commands = FF_COMMAND_DIFF,
        .help = "Draws the frame that differs most, of both, and where they differ.", .foreign = "heatmap"},

    [FF_OPTION_MODEL] = {
        .name = "model", .letter = 'm', .kind = FF_KIND_PATH, .argument = "PATH", .offset = VALUE(model.model),
        .group = FF_GROUP_RUNNING, .commands = FF_COMMANDS_MODEL,
        .help = "A model folder in diffusers' layout, such as a download of Wan-AI/Wan2.2-TI2V-5B-Diffusers, or as Wan "
                "publishes it; or a file, safetensors or GGUF, that holds its transformer or all of it (default: "
                "$FIRSTFRAME_MODEL, else the small one that ships).",
        .foreign = "-M pretrained-model-name-or-path model-path model-dir ckpt ckpt-dir checkpoint -d"},
    [FF_OPTION_TRANSFORMER] = {
        .name = "transformer", .alias = "diffusion-model", .kind = FF_KIND_PATH, .argument = "PATH",
        .offset = VALUE(model.transformer), .group = FF_GROUP_RUNNING, .commands = FF_COMMANDS_MODEL,
        .help = "The transformer, a safetensors or GGUF file or a folder, in place of the model's, or with --vae and "
                "--text-encoder instead of one.",
        .foreign = "unet dit"},
    [FF_OPTION_TRANSFORMER_2] = {
        .name = "transformer-2", .kind = FF_KIND_PATH, .argument = "PATH", .offset = VALUE(model.transformer_2),
        .group = FF_GROUP_RUNNING, .commands = FF_COMMANDS_MODEL,
        .help = "A second transformer for little noise; such models do not run yet.",
        .foreign = "high-noise-diffusion-model low-noise-model"},
    [FF_OPTION_VAE] = {
        .name = "vae", .kind = FF_KIND_PATH, .argument = "PATH", .offset = VALUE(model.vae),
        .group = FF_GROUP_RUNNING, .commands = FF_COMMANDS_MODEL,
        .help = "The VAE, a file or a folder, such as wan2.2_vae.safetensors.", .foreign = "vae-path"},
    [FF_OPTION_TEXT_ENCODER] = {
        .name = "text-encoder", .alias = "t5xxl", .kind = FF_KIND_PATH, .argument = "PATH",
        .offset = VALUE(model.text_encoder), .group = FF_GROUP_RUNNING, .commands = FF_COMMANDS_MODEL,
        .help = "The text encoder, a file or a folder, such as umt5_xxl_fp8_e4m3fn_scaled.safetensors.",
        .foreign = "umt5 t5 clip-l llm text-encoder-path"},
    [FF_OPTION_TOKENIZER] = {
        .name = "tokenizer", .kind = FF_KIND_PATH, .argument = "PATH", .offset = VALUE(model.tokenizer),
        .group = FF_GROUP_RUNNING, .commands = FF_COMMANDS_MODEL,
        .help = "tokenizer.json, spiece.model, or a folder with one of them, for text encoders that bring none.",
        .foreign = "tokenizer-path vocab"},
    [FF_OPTION_IMAGE_ENCODER] = {
        .name = "image-encoder", .kind = FF_KIND_PATH, .argument = "PATH", .offset = VALUE(model.image_encoder),
        .group = FF_GROUP_RUNNING, .commands = FF_COMMANDS_MODEL,
        .help = "A CLIP image encoder; models that have one do not run yet.", .foreign = "clip-vision"},
    [FF_OPTION_LORA] = {
        .name = "lora", .kind = FF_KIND_INPUTS, .argument = "FILE[:STRENGTH]", .offset = VALUE(loras),
        .group = FF_GROUP_RUNNING, .effect = FRAMES, .commands = FF_COMMANDS_MAKE | FF_COMMAND_AGAIN,
        .help = "A LoRA, added to the transformer at this strength (default 1). May be given several times.",
        .foreign = "lora-path lora-file lora-weights lora-high-noise"},
    [FF_OPTION_LORA_2] = {
        .name = "lora-2", .kind = FF_KIND_INPUTS, .argument = "FILE[:STRENGTH]", .offset = VALUE(loras_2),
        .group = FF_GROUP_RUNNING, .effect = FRAMES, .commands = FF_COMMANDS_MAKE | FF_COMMAND_AGAIN,
        .help = "The same for the second transformer, of models with two.", .foreign = "lora-low-noise"},
    [FF_OPTION_DIMS] = {
        .name = "dims", .kind = FF_KIND_CHOICE, .argument = "NAME", .offset = VALUE(dims),
        .group = FF_GROUP_RUNNING, .commands = FF_COMMAND_BENCH, .choices = {"ti2v-5b", "t2v-1.3b"},
        .help = "Instead of a model: random weights, made in memory, of the dimensions of Wan2.2-TI2V-5B or "
                "Wan2.1-T2V-1.3B.",
        .foreign = "dimensions preset"},
    [FF_OPTION_BLOCKS] = {
        .name = "blocks", .kind = FF_KIND_COUNT, .argument = "N", .offset = VALUE(blocks),
        .group = FF_GROUP_RUNNING, .commands = FF_COMMAND_BENCH, .minimum = 1, .maximum = 1000,
        .help = "With --dims, blocks of the transformer and layers of the text encoder (default: as published, 30 and "
                "24).",
        .foreign = "layers num-layers"},
    [FF_OPTION_DTYPE] = {
        .name = "dtype", .kind = FF_KIND_CHOICE, .argument = "TYPE", .offset = VALUE(dtype),
        .group = FF_GROUP_RUNNING, .commands = FF_COMMAND_BENCH,
        .choices = {"f32", "f16", "bf16", "q4_0", "q4_1", "q5_0", "q5_1", "q8_0", "q2_k", "q3_k", "q4_k", "q5_k",
                    "q6_k", "iq4_nl", "iq4_xs", "f8_e4m3", "f8_e5m2", "i8"},
        .help = "With --dims, how the weights are stored (default f32): those of the matrices, and with bf16 all.",
        .foreign = "precision weight-type"},
    [FF_OPTION_ONLY] = {
        .name = "only", .kind = FF_KIND_CHOICE, .argument = "STAGE", .offset = VALUE(only),
        .group = FF_GROUP_RUNNING, .commands = FF_COMMAND_BENCH,
        .choices = {"text_encoder", "transformer", "vae_encode", "vae_decode"},
        .help = "One stage alone: text_encoder, transformer, vae_encode or vae_decode.",
        .foreign = "stage stages"},
    [FF_OPTION_TYPE] = {
        .name = "type", .kind = FF_KIND_CHOICE, .argument = "TYPE", .offset = VALUE(type),
        .group = FF_GROUP_OUTPUT, .commands = FF_COMMAND_CONVERT, .required = FF_COMMAND_CONVERT,
        .choices = {"q8_0", "bf16", "f16"},
        .help = "Element type of the matrices: q8_0, in GGUF alone, bf16 or f16. Vectors and convolutions stay f32.",
        .foreign = "outtype quantization"},
    [FF_OPTION_PART] = {
        .name = "part", .kind = FF_KIND_CHOICE, .argument = "NAME", .offset = VALUE(part),
        .group = FF_GROUP_SUBJECT, .commands = FF_COMMAND_CONVERT,
        .choices = {"transformer", "transformer_2", "text_encoder"},
        .help = "What of the model: transformer (the default), transformer_2 or text_encoder.",
        .foreign = "component"},
    [FF_OPTION_THREADS] = {
        .name = "threads", .letter = 't', .kind = FF_KIND_COUNT, .argument = "N", .offset = VALUE(threads),
        .group = FF_GROUP_RUNNING, .commands = FF_COMMANDS_COMPUTE | FF_COMMAND_VERIFY, .minimum = 1,
        .maximum = FF_MOST_THREADS,
        .help = "How many (default: all); the result does not depend on it.",
        .foreign = "n-threads num-threads jobs -j"},
    [FF_OPTION_ISA] = {
        .name = "isa", .kind = FF_KIND_CHOICE, .argument = "NAME", .offset = VALUE(isa),
        .group = FF_GROUP_RUNNING, .commands = FF_COMMANDS_COMPUTE,
        .choices = {"auto", "scalar", "avx2", "avx512", "neon"},
        .help = "Instruction set: auto (the best there is, the default), scalar, avx2, avx512 or neon; the result does "
                "not depend on it.",
        .foreign = "instruction-set simd cpu arch"},
    [FF_OPTION_BACKEND] = {
        .name = "backend", .kind = FF_KIND_CHOICE, .argument = "NAME", .offset = VALUE(backend),
        .group = FF_GROUP_RUNNING, .effect = FRAMES, .commands = FF_COMMANDS_COMPUTE,
        .choices = {"auto", "scalar", "openblas", "f64"},
        .help = "auto (the default) computes everything itself; scalar does so with the plain kernels; openblas leaves "
                "matrix products to OpenBLAS, where it is installed, and the last bits of the frames with them; f64 "
                "computes inside each kernel in double.",
        .foreign = "device"},
    [FF_OPTION_ESTIMATE] = {
        .name = "estimate", .kind = FF_KIND_FLAG, .offset = VALUE(estimate),
        .group = FF_GROUP_RUNNING, .commands = FF_COMMANDS_MAKE,
        .help = "Says what the run would take, in time and memory, and does not run.",
        .foreign = "dry-run"},
    [FF_OPTION_YES] = {
        .name = "yes", .letter = 'y', .kind = FF_KIND_FLAG, .offset = VALUE(yes),
        .group = FF_GROUP_RUNNING, .commands = FF_COMMANDS_RUN | FF_COMMAND_EXPLAIN | FF_COMMAND_AGAIN,
        .help = "Starts a run of more than six hours without asking.", .foreign = "assume-yes force"},
    [FF_OPTION_NO_CACHE] = {
        .name = "no-cache", .kind = FF_KIND_FLAG, .offset = VALUE(no_cache),
        .group = FF_GROUP_RUNNING, .commands = FF_COMMANDS_MAKE | FF_COMMAND_AGAIN,
        .help = "Encodes the prompts anew and keeps nothing of them. Else what the text encoder makes of a prompt is kept "
                "in $XDG_CACHE_HOME/firstframe or ~/.cache/firstframe, at most 200 MB, for the same words the next time.",
        .foreign = "disable-cache"},
    [FF_OPTION_RESUME] = {
        .name = "resume", .kind = FF_KIND_FLAG, .offset = VALUE(resume),
        .group = FF_GROUP_RUNNING, .commands = FF_COMMANDS_RUN | FF_COMMAND_AGAIN,
        .help = "Goes on with a run that was interrupted: give the same options again. --quality, --fps and the output's "
                "ending may be others; what was denoised is not denoised again.",
        .foreign = "continue"},
    [FF_OPTION_QUIET] = {
        .name = "quiet", .letter = 'q', .kind = FF_KIND_FLAG, .offset = VALUE(quiet),
        .group = FF_GROUP_RUNNING, .commands = FF_COMMANDS_ALL,
        .help = "Says nothing but errors.", .foreign = "silent"},
    [FF_OPTION_VERBOSE] = {
        .name = "verbose", .letter = 'v', .kind = FF_KIND_FLAG, .offset = VALUE(verbose),
        .group = FF_GROUP_RUNNING, .commands = FF_COMMANDS_MAKE | FF_COMMAND_AGAIN,
        .help = "A line for every step.", .foreign = "debug"},
    [FF_OPTION_HELP] = {
        .name = "help", .letter = 'h', .kind = FF_KIND_FLAG, .offset = VALUE(help),
        .group = FF_GROUP_RUNNING, .commands = FF_COMMANDS_ALL,
        .help = "This page.", .foreign = "usage -?"},
};
