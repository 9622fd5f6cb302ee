#!/usr/bin/env python3
"""Goldens of ref/text: strings with their cleaned form and token ids, and small UMT5 encoders with their output.

    python3 tools/golden/text.py                  writes golden/diffusers/text
    python3 tools/golden/text.py --large FOLDER   a tokenizer of 256,300 pieces and its ids, too large to keep;
                                                  FF_LARGE_TOKENIZER=FOLDER makes tests/test_text.c check it

Versions: tools/requirements.txt, and Python 3.11 (Unicode 14). golden/diffusers/text/words is the shipped model's
tokenizer, copied.
"""
import base64
import collections
import contextlib
import html
import html.entities
import io
import json
import math
import pathlib
import random
import sys
import tempfile
import unicodedata

import ftfy
import regex
import sentencepiece
import torch
from diffusers.pipelines.wan.pipeline_wan import prompt_clean
from safetensors.torch import load_file, save_file
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import AutoTokenizer, T5Tokenizer, UMT5Config, UMT5EncoderModel
from transformers.models.umt5.modeling_umt5 import UMT5Attention

ROOT = pathlib.Path(__file__).resolve().parents[2] / "golden" / "diffusers" / "text"

# ---- strings ----

PROMPTS = [
    "A portrait of a young woman with auburn hair, soft window light, 85mm",
    "She slowly turns her head toward the camera and gives a subtle smile. Gentle lighting shift.",
    "watercolour illustration of a red fox in snow; muted palette, no text",
    "Static shot; hair moves in the wind, eyes blink twice (realistic, 4k)",
    "色调艳丽，过曝，静态，细节模糊不清，字幕，风格，作品，画作，画面，静止，整体发灰，最差质量，低质量",
]
WORDS = " ".join(PROMPTS[:4]).split() + "don't it's \"quoted\" [x] {y} #1 50% a/b c_d e-mail x*y=z ~ ^ \\ | `".split()
UNUSUAL = (
    "café naïve Ångström crème brûlée Zürich Łódź Việt İstanbul ﬁnal ﬂow eﬀect ﬃ ﬄ ﬅ ﬆ ŉ Ĳ ǅ ǆ Ǉ ǌ Ǳ ſ ß "
    "Ｆｕｌｌ ｗｉｄｔｈ ！？ ￥１００ ￣ ｶﾞｷﾞ ﾊﾟﾝ ﾡﾢ “quoted” ‘single’ „low“ ‛x‟ it’s ʼn — – … • ™ © ® ´ ¨ ˜ µ ½ ² ⁵ ① Ⅷ ℃ ㎏ ㍿ ﷺ "
    "漢字 日本語のテスト ひらがな カタカナ 한국어 안녕하세요 你好世界 Привет γειά שלום مرحبا हिन्दी ไทย "
    "👩‍🚀 👨‍👩‍👧‍👦 🇩🇪 🇯🇵🇫🇷 ❤️ 1️⃣ 👍🏽 🏴󠁧󠁢󠁷󠁬󠁳󠁿 🙂🙂 Å Ω ×÷ ▁ ▁▁a a▁b"
).split() + ["e\u0301", "A\u030a", "o\u0302\u0323", "o\u0323\u0302", "\u1112\u1161\u11ab", "か\u3099", "\u0344",
             "\u0958", "\ufb1d", "x\u0301\u0327", "\ufb01\u0301", "\u00a0\u0301"]
SPACES = (" |  |\t|\n|\r|\r\n|\n\n|\u00a0|\u3000|\u2009|\u200a|\u200b|\u200c|\u200d|\u2028|\u2029|\u0085|\u1680|\u202f|"
          "\u205f|\ufeff|\x0b|\x0c|\x1c|\x1f|\u2060|\u180e").split("|")
CONTROLS = ["\0", "\1", "\7", "\x08", "\x1b", "\x1b[31m", "\x1b[0m", "\x1b[1;٣m", "\x1b[", "\x1b[;x", "\x7f", "\x81",
            "\u206a", "\ufff9", "\ufffc", "\ufffd", "\u200e", "\u202a", "\U000e0067"]
ADDED = ["</s>", "<pad>", "<unk>", "<extra_id_0>", "<extra_id_9>", "<extra_id_299>", "<lens>", " <lens> ", "<solo>",
         "x<solo>", "<solo> y", "Über", "U\u0308ber", "<0x41>", "<s>"]
ENTITIES = ["&", "&&", "&;", "&#", "&#;", "&#x;", "&#xg;", "&am", "&amp", "&lt", "&LT;", "&QUOT", "&notit;", "&notin;",
            "&SZLIG;", "&NTILDE;", "&nTILDE;", "&FFLIG;", "&FJLIG;", "&LTDOT;", "&NAPOS;", "&amp;amp;amp;lt;", "&#59;",
            "&amp;#38;quot;", "&CounterClockwiseContourIntegral;", "&thisnamehasmorethanthirtytwocharacters;"]


def entity(r):
    name = r.choice(sorted(html.entities.html5)).rstrip(";")
    number = r.choice([0, 9, 10, 13, 27, 39, 59, 65, 128, 129, 133, 146, 160, 233, 0x2019, 0x3000, 0xD800, 0xFB01,
                       0xFDD0, 0xFFFE, 0x1F600, 0x10FFFF, 0x110000, 10 ** 12])
    return r.choice([f"&{name};", f"&{name};", f"&{name}", f"&{name}x", f"&{name.upper()};", f"&amp;{name};",
                     f"&#{number};", f"&#{number}", f"&#x{number:x};", f"&#X{number:X} ", f"&#{number}z;"])


def character(r):
    """Any character that Unicode 3.2 knew, so that newer tables agree on it."""
    while True:
        c = chr(r.randrange(r.choice([0x80, 0x250, 0x3100, 0x10000, 0x20000])))
        if unicodedata.ucd_3_2_0.category(c) not in ("Cn", "Cs", "Co"):
            return c


def piece(r):
    return r.choices([lambda: r.choice(WORDS), lambda: r.choice(UNUSUAL), lambda: r.choice(SPACES),
                      lambda: r.choice(CONTROLS), lambda: entity(r), lambda: r.choice(ENTITIES),
                      lambda: r.choice(ADDED), lambda: r.choice("aeiouAEIOU") + chr(r.randrange(0x300, 0x345)),
                      lambda: "".join(character(r) for _ in range(r.randrange(1, 4)))],
                     [30, 20, 8, 5, 6, 3, 6, 4, 12])[0]()


def strings(seed, count):
    r = random.Random(seed)
    out = ["", " ", " \n\t\u3000", "a", *PROMPTS, "\n".join(PROMPTS), "a < b &amp; c\nd &amp; e", "a &amp; b\nc < d",
           "x" * 1500, "word " * 700, "猫" * 900, "</s>" * 520, "👩‍🚀" * 300, "a\r\nb\rc\u2028d\u2029e\x85f"]
    names = sorted(name[:-1] for name in html.entities.html5 if name.endswith(";"))
    bare = [name for name in names if name in html.entities.html5]
    for some in (names[i:i + 30] for i in range(0, len(names), 30)):
        out += [" ".join(f"&{name};" for name in some), " ".join(f"&{name.upper()};" for name in some)]
    out += [f"a&{name}b" for name in bare]
    out += UNUSUAL + ADDED + ENTITIES
    out += [f"a{s}b" for s in SPACES + CONTROLS]
    out += [f"{a} {b}" for a, b in zip(PROMPTS, PROMPTS[1:])]
    while len(out) < count:
        out.append("".join(piece(r) + r.choice(["", " ", " "]) for _ in range(r.choice([1, 2, 3, 4, 6, 9]))))
    return out


def without_mojibake_repair(text):
    text = ftfy.fix_text(text, ftfy.TextFixerConfig(fix_encoding=False, explain=False))
    text = html.unescape(html.unescape(text)).strip()
    return regex.sub(r"\s+", " ", text).strip()


# ---- tokenizers ----

def charsmap(**options):
    """The precompiled_charsmap that sentencepiece makes of a set of rules."""
    def fields(data):
        i = 0

        def varint():
            nonlocal i
            value = shift = 0
            while True:
                byte = data[i]
                i += 1
                value |= (byte & 127) << shift
                shift += 7
                if byte < 128:
                    return value
        while i < len(data):
            key = varint()
            length = varint() if key & 7 == 2 else {0: 0, 1: 8, 5: 4}[key & 7]
            if key & 7 == 0:
                varint()
            yield key >> 3, data[i:i + length]
            i += length
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(WORDS * 20), model_writer=model, vocab_size=60,
                                             hard_vocab_limit=False, minloglevel=2, **options)
    normalizer_spec = next(value for number, value in fields(model.getvalue()) if number == 3)
    return next(value for number, value in fields(normalizer_spec) if number == 2)


def small_charsmap():
    """Rules of a few kinds: one to one, to several, several to one, to a space, to nothing."""
    rules = {}
    for c in map(chr, [*range(0xA8, 0x250), *range(0x2070, 0x20A0), *range(0x2150, 0x2190), *range(0x2460, 0x24C0),
                       *range(0x3300, 0x3340), *range(0xFB00, 0xFB07)]):
        folded = unicodedata.normalize("NFKC", c)
        if folded != c:
            rules[c] = folded
    for c in map(chr, range(0xC0, 0x250)):
        apart = unicodedata.normalize("NFD", c)
        if apart != c:
            rules[apart] = c
    rules |= {c: " " for c in "\t\n\r\u00a0\u2009\u200b\u3000\u2581"} | {"\u200e": "", "\u200d": ""}
    with rules_file(rules) as file:
        return charsmap(normalization_rule_tsv=file)


@contextlib.contextmanager
def rules_file(rules):
    """The name of a file with them, in a folder of its own: models keep the name they were given."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        with open("rules.tsv", "w") as file:
            for rule in rules.items():
                file.write("\t".join(" ".join("%X" % ord(c) for c in text) for text in rule) + "\n")
        yield file.name


def frequent_pieces(texts, count, seed):
    """Substrings of words with scores as a unigram model has them, a little noisy, some of them equal."""
    r = random.Random(seed)
    counts = collections.Counter()
    for text in texts:
        for word in text.split():
            word = "▁" + word[:40]
            for i in range(len(word)):
                for j in range(i + 1, min(len(word), i + 9) + 1):
                    counts[word[i:j]] += 1
    best = sorted(counts.items(), key=lambda item: (-item[1] * len(item[0]), item[0]))[:count]
    return [(text, round(math.log(n / 50000) * r.choice([1, 1, 1, 1.2]), r.choice([1, 6, 14]))) for text, n in best]


def spiece_models(folder, configured):
    """A spiece.model alone, with pieces of every type, and once more with all that may lie beside it."""
    rules = {"\t": " ", "\u00a0": " ", "\u3000": " ", "\u200b": "", "ﬁ": "fi", "½": "1/2", "Ａ": "A", "！": "!",
             "e\u0301": "é"}
    folder.mkdir(exist_ok=True)
    with rules_file(rules) as file, open(folder / "spiece.model", "wb") as model:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter([*PROMPTS * 9, " ".join(UNUSUAL[:80])]), model_writer=model, vocab_size=700,
            hard_vocab_limit=False, minloglevel=2, normalization_rule_tsv=file, pad_id=0, eos_id=1, unk_id=2,
            bos_id=3, byte_fallback=True, control_symbols=["<solo>"], user_defined_symbols=["<lens>", "猫"],
            num_threads=1)
    configured.mkdir(exist_ok=True)
    model = configured / "spiece.model"
    model.unlink(missing_ok=True)
    model.symlink_to(pathlib.Path("..", folder.name, model.name))
    for name, text in {
        "tokenizer_config": {"extra_ids": 10, "pad_token": "<filler>", "eos_token": "</s>",
                             "additional_special_tokens": ["<extra_id_9>", "<lens>", "<x>"]},
        "special_tokens_map": {"sep_token": {"content": "<solo>", "single_word": True, "lstrip": False, "rstrip": False,
                                             "normalized": False}},
        "added_tokens": {"Über": 7, "hair,": 5},
    }.items():
        (configured / (name + ".json")).write_text(json.dumps(text, indent=1, ensure_ascii=False) + "\n")


SPECIAL = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]


def write_config(folder, tokenizer_class, **more):
    config = dict(tokenizer_class=tokenizer_class, eos_token="</s>", pad_token="<pad>", unk_token="<unk>",
                  model_max_length=512, **more)
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=1) + "\n")


def pieces_tokenizer(folder, texts):
    """What the shipped tokenizer does not have: byte fallback, several normalizers, Metaspace alone, every flag."""
    vocabulary = SPECIAL + [("<0x%02X>" % byte, -14.0) for byte in range(256)] + frequent_pieces(texts, 2400, 1)
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=2, byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Precompiled(small_charsmap()),
                                                 normalizers.Strip(left=False, right=True),
                                                 normalizers.Replace(Regex(" {2,}"), "▁")])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(single=["$A", "</s>"], special_tokens=[("</s>", 1)])
    tokenizer.add_tokens([AddedToken(text, special=True, normalized=False) for text, _ in SPECIAL])
    tokenizer.add_tokens([AddedToken("<extra_id_%d>" % i, special=True, normalized=False) for i in range(10)])
    tokenizer.add_tokens([AddedToken("<lens>", lstrip=True, rstrip=True, normalized=False),
                          AddedToken("<solo>", single_word=True, normalized=False), AddedToken("Über")])
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    write_config(folder, "PreTrainedTokenizerFast")


def large_tokenizer(folder, texts):
    """As large as UMT5's: 256,000 pieces, 300 extra ids, sentencepiece's nmt_nfkc rules."""
    r = random.Random(2)
    pieces = dict(frequent_pieces(texts, 60000, 2))
    for c in map(chr, [*range(33, 0x2000), *range(0x3040, 0x9FFF), *range(0xAC00, 0xD7A4)]):
        if unicodedata.category(c) != "Cn":
            pieces.setdefault(c, r.uniform(-16, -12))
    while len(pieces) < 256000 - len(SPECIAL):
        word = "".join(r.choice("abcdefghijklmnopqrstuvwxyzäéèøñабвгдежзиклмнопрст") for _ in range(r.randrange(3, 12)))
        pieces.setdefault("▁" * r.randrange(2) + word, r.uniform(-18, -10))
    vocabulary = SPECIAL + list(pieces.items())[:256000 - len(SPECIAL)]
    vocabulary += [("<extra_id_%d>" % i, 0.0) for i in reversed(range(300))]
    T5Tokenizer(vocab=vocabulary, extra_ids=300,
                _spm_precompiled_charsmap=charsmap(normalization_rule_name="nmt_nfkc")).save_pretrained(folder)


def save(tensors, path):
    save_file(tensors, path)
    path.chmod(0o644)


def packed(numbers, width):
    return torch.tensor(list(b"".join(n.to_bytes(width, "little") for n in numbers)), dtype=torch.uint8)


def write_strings(path, texts, folders):
    """text, cleaned: bytes of all strings; *_lengths: u16 a string; NAME_ids: u16 or u24 an id, cut to 512 a string."""
    cleaned = [prompt_clean(text) for text in texts]
    kept = [i for i, text in enumerate(texts) if cleaned[i] == without_mojibake_repair(text)]
    print(f"{path}: {len(kept)} strings; {len(texts) - len(kept)} left out, ftfy repairs mojibake in them")
    tensors = {}
    for name, source in (("text", texts), ("cleaned", cleaned)):
        encoded = [source[i].encode() for i in kept]
        tensors[name] = torch.tensor(list(b"".join(encoded)), dtype=torch.uint8)
        tensors[name + "_lengths"] = packed(map(len, encoded), 2)
    for folder in folders:
        tokenizer = AutoTokenizer.from_pretrained(folder)
        ids = tokenizer([cleaned[i] for i in kept], max_length=512, truncation=True, add_special_tokens=True).input_ids
        tensors[folder.name + "_ids"] = packed((i for row in ids for i in row), 2 if len(tokenizer) < 65536 else 3)
        tensors[folder.name + "_lengths"] = packed(map(len, ids), 2)
    save(tensors, path)


def write_spiece_ids(path, strings_file, folders):
    """NAME_ids, NAME_lengths: of every 12th string in another golden, in its cleaned form."""
    tensors, texts, at = {}, [], 0
    golden = load_file(strings_file)
    lengths, cleaned = (bytes(golden[key].tolist()) for key in ("cleaned_lengths", "cleaned"))
    for i in range(0, len(lengths), 2):
        size = int.from_bytes(lengths[i:i + 2], "little")
        texts.append(cleaned[at:at + size].decode())
        at += size
    for folder in folders:
        ids = T5Tokenizer.from_pretrained(folder)(texts[::12], max_length=512, truncation=True).input_ids
        tensors[folder.name + "_ids"] = packed((i for row in ids for i in row), 2)
        tensors[folder.name + "_lengths"] = packed(map(len, ids), 2)
    save(tensors, path)


# ---- UMT5 ----

BUCKETS = [(32, 128), (32, 256), (64, 256), (32, 64), (16, 64), (8, 20), (10, 33), (7, 50), (33, 100), (4, 128),
           (12, 4096), (128, 1000), (32, 17)]


def buckets():
    """num_buckets.max_distance: transformers' bucket for every distance up to 1023, backwards, as u8."""
    tensors = {}
    for num_buckets, max_distance in BUCKETS:
        config = UMT5Config(relative_attention_num_buckets=num_buckets, relative_attention_max_distance=max_distance)
        bucket = UMT5Attention(config)._relative_position_bucket(-torch.arange(1024))
        tensors[f"{num_buckets}.{max_distance}"] = bucket.to(torch.uint8)
    save(tensors, ROOT / "buckets.safetensors")


def umt5(name, lengths, dtype=torch.float32, **config):
    """A model folder with random weights, large enough that every part matters, and its output for random ids."""
    torch.manual_seed(len(name) + len(lengths))
    folder = ROOT / name
    config = dict(vocab_size=90, d_model=20, d_kv=6, d_ff=28, num_heads=3, num_layers=2, dropout_rate=0.0) | config
    model = UMT5EncoderModel(UMT5Config(**config, is_encoder_decoder=False)).eval()
    with torch.no_grad():
        for key, weight in model.named_parameters():
            if "norm" in key:
                weight.copy_(1 + 0.3 * torch.randn(weight.shape))
            elif "relative_attention_bias" in key or "shared" in key:
                weight.copy_(torch.randn(weight.shape))
            else:
                weight.copy_(torch.randn(weight.shape) * weight.shape[1] ** -0.5)
        model.to(dtype).save_pretrained(folder)
        (folder / "model.safetensors").chmod(0o644)
        model = model.float()
        tensors = {}
        for length in lengths:
            ids = torch.randint(0, config["vocab_size"], [length])
            tensors[f"ids.{length}"] = ids
            tensors[f"out.{length}"] = model(ids[None]).last_hidden_state[0].contiguous()
    save(tensors, folder / "golden.safetensors")


def untied():
    """Both names of the embedding, with different numbers: what transformers makes of the folder."""
    folder = ROOT / "umt5_untied"
    torch.manual_seed(9)
    ids = torch.randint(0, 30, [11])
    model = UMT5EncoderModel(UMT5Config(vocab_size=30, d_model=8, d_kv=4, d_ff=12, num_heads=2, num_layers=1,
                                        is_encoder_decoder=False)).eval()
    model.save_pretrained(folder)
    weights = load_file(folder / "model.safetensors")
    weights["encoder.embed_tokens.weight"] = torch.randn(weights["shared.weight"].shape)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "model.safetensors").chmod(0o644)
    model = UMT5EncoderModel.from_pretrained(folder)
    with torch.no_grad():
        save({"ids.11": ids, "out.11": model(ids[None]).last_hidden_state[0].contiguous()},
             folder / "golden.safetensors")


def main():
    if sys.argv[1:2] == ["--large"]:
        folder = pathlib.Path(sys.argv[2])
        texts = strings(2, 6000)
        large_tokenizer(folder, [prompt_clean(text) for text in texts])
        write_strings(folder / "strings.safetensors", texts, [folder])
        return
    texts = strings(1, 2200)
    pieces_tokenizer(ROOT / "pieces", [prompt_clean(text) for text in texts[::2]])
    write_strings(ROOT / "strings.safetensors", texts, [ROOT / "words", ROOT / "pieces"])
    spiece_models(ROOT / "spiece", ROOT / "spiece_configured")
    write_spiece_ids(ROOT / "spiece" / "ids.safetensors", ROOT / "strings.safetensors",
                     [ROOT / "spiece", ROOT / "spiece_configured"])
    buckets()
    untied()
    umt5("umt5_gated_gelu", [1, 7, 130, 300, 512], num_layers=3)
    umt5("umt5_bfloat16", [7, 130], dtype=torch.bfloat16)
    umt5("umt5_relu", [1, 140], feed_forward_proj="relu", relative_attention_num_buckets=10,
         relative_attention_max_distance=33)
    umt5("umt5_gated_silu", [40], feed_forward_proj="gated-silu", relative_attention_num_buckets=7,
         relative_attention_max_distance=20)
    umt5("umt5_gelu", [40], dtype=torch.float16, feed_forward_proj="gelu", layer_norm_epsilon=1e-3)


main()
