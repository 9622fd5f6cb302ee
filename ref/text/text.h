// From a prompt to its embedding: cleaning, tokens, text encoder.
#ifndef FF_TEXT_H
#define FF_TEXT_H

#include "../kernels/kernels.h"
#include "../weights/weights.h"

// ---- cleaning ----

// What diffusers' Wan pipelines do to a prompt before tokenizing it: ftfy.fix_text (ftfy 6.3, without its repair of
// mojibake, that is of text decoded with the wrong encoding), html.unescape twice, white space collapsed and stripped.
//   prompt: `size` bytes of UTF-8      *out: NUL-terminated UTF-8, to be freed by the caller
// FF_ERROR_INPUT names the first byte that is not UTF-8.
ff_status ff_text_clean(const char *prompt, size_t size, char **out, ff_error *error);

// ---- tokens ----

typedef struct ff_tokenizer ff_tokenizer;

// path: a tokenizer.json as Hugging Face's tokenizers library writes it, holding a unigram model as T5 and UMT5 have.
// A part that this code does not know is refused by name.
ff_status ff_tokenizer_open(const char *path, ff_tokenizer **out, ff_error *error);
// path: a spiece.model of SentencePiece's, unigram as well. The tokenizer_config.json, special_tokens_map.json and
// added_tokens.json beside it are read where they are there. Ids are those of transformers' T5Tokenizer.
ff_status ff_tokenizer_open_spiece(const char *path, ff_tokenizer **out, ff_error *error);
// What a text encoder's own file holds of it: a GGUF's vocabulary (tokenizer.ggml.*), or a spiece.model as the bytes of a
// tensor called spiece_model. *out is NULL if it holds none. Of unknown pieces and sentinels there are only the model's.
ff_status ff_tokenizer_open_weights(const ff_weights *weights, ff_tokenizer **out, ff_error *error);
void ff_tokenizer_close(ff_tokenizer *tokenizer);  // NULL allowed
size_t ff_tokenizer_files(const ff_tokenizer *tokenizer);
const char *ff_tokenizer_file(const ff_tokenizer *tokenizer, size_t i);  // the name of the i-th file read
size_t ff_tokenizer_vocabulary(const ff_tokenizer *tokenizer);  // pieces and added tokens
size_t ff_tokenizer_sentinels(const ff_tokenizer *tokenizer);   // of which <extra_id_N> that T5Tokenizer adds

// Ids of a cleaned prompt, with the special tokens around it (T5: </s> at the end). What goes beyond most_tokens is
// cut off the text, never off the special tokens.
//   ids: room for most_tokens      *count: how many there are
ff_status ff_tokenizer_encode(const ff_tokenizer *tokenizer, const char *text, size_t size, size_t most_tokens,
                              int64_t *ids, size_t *count, ff_error *error);

// ---- text encoder ----

typedef struct ff_text_encoder ff_text_encoder;

// A UMT5EncoderModel. Checks every weight's shape against the config; computes nothing. Both must outlive it.
ff_status ff_text_encoder_open(ff_weights *weights, const ff_config *config, ff_text_encoder **out, ff_error *error);
void ff_text_encoder_close(ff_text_encoder *encoder);  // NULL allowed
size_t ff_text_encoder_dim(const ff_text_encoder *encoder);
size_t ff_text_encoder_vocabulary(const ff_text_encoder *encoder);  // ids it has an embedding for
size_t ff_text_encoder_parameters(const ff_text_encoder *encoder);
double ff_text_encoder_flop(const ff_text_encoder *encoder, size_t count);  // a multiply-add counts two
// Bytes: what a run over so many tokens takes from the arena, and most that the kernels take beside it.
size_t ff_text_encoder_memory(const ff_text_encoder *encoder, size_t count);
size_t ff_text_encoder_scratch(const ff_text_encoder *encoder, const ff_kernels *kernels, size_t count);

//   ids: [count], each below vocab_size      out: [count, dim]
ff_status ff_text_encoder_run(const ff_text_encoder *encoder, const ff_kernels *kernels, ff_arena *arena,
                              const int64_t *ids, size_t count, float *out, ff_error *error);

#endif
