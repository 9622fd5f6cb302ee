"""Goldens for pictures: golden/diffusers/image.

Versions: tools/requirements.txt. Pillow resizes and writes JPEG and WebP; what it does not write (16-bit, interlaced,
odd depths of PNG) is put together here from the PNG specification, and its expected pixels follow from the samples
themselves.

    python3 tools/golden/image.py
"""
import hashlib
import io
import math
import pathlib
import random
import struct
import zlib

import numpy as np
from PIL import Image, ImageOps
import PIL

assert PIL.__version__ == "13.0.0", PIL.__version__
OUT = pathlib.Path(__file__).parents[2] / "golden/diffusers/image"


def noise(width, height, seed):
    """uint8 [height, width, 3]: the high bytes of a linear congruential generator, as in tests/test_image.c."""
    values, x = bytearray(), seed
    for _ in range(3 * width * height):
        x = (1664525 * x + 1013904223) % 2**32
        values.append(x >> 24)
    return np.frombuffer(bytes(values), np.uint8).reshape(height, width, 3)


def digest(pixels):
    return hashlib.sha256(np.ascontiguousarray(pixels).tobytes()).hexdigest()


# ---- Lanczos ----

def resize_goldens():
    rng = random.Random(1)
    sizes = [(1, 1, 1, 1), (1, 1, 7, 5), (7, 5, 1, 1), (2, 1, 1, 2), (640, 3, 2, 200), (3, 640, 200, 2), (5, 5, 5, 9),
             (5, 5, 9, 5), (33, 20, 33, 20), (64, 64, 128, 128), (128, 128, 64, 64), (96, 160, 80, 70), (1, 300, 1, 9),
             (300, 1, 9, 1), (60, 200, 59, 197), (60, 200, 59, 198), (60, 200, 61, 199), (200, 60, 100, 59)]
    small, large = (lambda: rng.randint(1, 20)), (lambda: rng.randint(1, 160))
    sizes += [tuple(rng.choice([small, large])() for _ in range(4)) for _ in range(180)]
    lines = []
    for seed, (in_width, in_height, width, height) in enumerate(sizes):
        picture = Image.fromarray(noise(in_width, in_height, seed))
        resized = picture.resize((width, height), Image.Resampling.LANCZOS)
        lines.append(f"{in_width} {in_height} {width} {height} {seed} {digest(np.asarray(resized))}")
    return lines


# ---- fitting ----

def fit(picture, how, width, height):
    in_width, in_height = picture.size
    if how == "stretch":
        return picture.resize((width, height), Image.Resampling.LANCZOS)
    if how == "crop":
        scaled = picture
    else:  # Wan2.2, wan/textimage2video.py, for cover
        scale = (max if how == "cover" else min)(width / in_width, height / in_height)
        scaled = picture.resize((max(1, round(in_width * scale)), max(1, round(in_height * scale))),
                                Image.Resampling.LANCZOS)
    if how == "pad":
        padded = Image.new("RGB", (width, height))
        padded.paste(scaled, ((width - scaled.width) // 2, (height - scaled.height) // 2))
        return padded
    left, top = (scaled.width - width) // 2, (scaled.height - height) // 2
    return scaled.crop((left, top, left + width, top + height))


def fit_goldens():
    rng, lines = random.Random(2), []
    for seed in range(60):
        how = ["cover", "stretch", "crop", "pad"][seed % 4]
        width, height = rng.randint(1, 90), rng.randint(1, 90)
        least = (width, height) if how == "crop" else (1, 1)
        in_width, in_height = least[0] + rng.randint(0, 80), least[1] + rng.randint(0, 80)
        fitted = fit(Image.fromarray(noise(in_width, in_height, seed)), how, width, height)
        lines.append(f"{how} {in_width} {in_height} {width} {height} {seed} {digest(np.asarray(fitted))}")
    return lines


def best_output_size(width, height, multiple_width, multiple_height, area):
    """The rule of Wan2.2, wan/utils/utils.py: round either side down first, keep what is nearer to the ratio."""
    ratio = width / height
    exact = math.sqrt(area * ratio)
    width_a = int(exact // multiple_width * multiple_width)
    height_a = int(area / width_a // multiple_height * multiple_height)
    height_b = int(area / exact // multiple_height * multiple_height)
    width_b = int(area / height_b // multiple_width * multiple_width)

    def departure(w, h):
        return max(ratio / (w / h), (w / h) / ratio)
    if departure(width_a, height_a) < departure(width_b, height_b):
        return width_a, height_a
    return width_b, height_b


def best_size_goldens():
    rng, lines = random.Random(3), []
    areas = [(1280 * 704, 32, 32), (832 * 480, 16, 16), (256 * 256, 16, 16), (128 * 128, 16, 32), (160 * 96, 32, 32)]
    stills = [(1280, 704), (704, 1280), (1920, 1080), (3000, 2000), (2000, 3000), (512, 512), (4032, 3024), (16, 9)]
    stills += [(rng.randint(300, 4000), rng.randint(300, 4000)) for _ in range(30)]
    for area, multiple_width, multiple_height in areas:
        for width, height in stills:
            best = best_output_size(width, height, multiple_width, multiple_height, area)
            lines.append(f"{width} {height} {area} {multiple_width} {multiple_height} {best[0]} {best[1]}")
    return lines


# ---- PNG ----

CHANNELS = {"grey": (0, 1), "rgb": (2, 3), "palette": (3, 1), "grey-alpha": (4, 2), "rgba": (6, 4)}
ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def scanlines(samples, depth):
    """samples: [height, width, channels] below 2**depth; unfiltered rows, each from a whole byte."""
    rows = b""
    for row in samples:
        bits = "".join(format(int(value), f"0{depth}b") for value in row.reshape(-1))
        bits += "0" * (-len(bits) % 8)
        rows += b"\0" + bytes(int(bits[i:i + 8], 2) for i in range(0, len(bits), 8))
    return rows


def png(kind, depth, samples, interlaced=False, extra=b""):
    height, width, _ = samples.shape
    header = struct.pack(">IIBBBBB", width, height, depth, CHANNELS[kind][0], 0, 0, int(interlaced))
    if interlaced:
        passes = [samples[y::step_y, x::step_x] for x, y, step_x, step_y in ADAM7]
        data = b"".join(scanlines(part, depth) for part in passes if part.size)
    else:
        data = scanlines(samples, depth)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(data, 9))
            + chunk(b"IEND", b""))


def over(rgb, alpha, background):
    """round((v a + background (255 - a)) / 255)"""
    rgb, alpha = rgb.astype(np.int64), alpha.astype(np.int64)[..., None]
    return ((rgb * alpha + background * (255 - alpha) + 127) // 255).astype(np.uint8)


def png_goldens(save):
    rng = np.random.default_rng(4)
    width, height = 11, 9
    for kind, (_, channels) in CHANNELS.items():
        depths = {"grey": [1, 2, 4, 8, 16], "palette": [1, 2, 4, 8]}.get(kind, [8, 16])
        for depth in depths:
            for interlaced in [False, True]:
                for transparent in [False, True] if kind in ("grey", "rgb", "palette") else [False]:
                    samples = rng.integers(0, 2**depth, (height, width, channels))
                    alpha = np.full((height, width), 255)
                    extra = b""
                    if kind == "palette":
                        palette = rng.integers(0, 256, (2**depth, 3)).astype(np.uint8)
                        opacity = rng.integers(0, 256, 2**depth).astype(np.uint8)
                        extra = chunk(b"PLTE", palette.tobytes())
                        rgb = palette[samples[..., 0]]
                        if transparent:
                            extra += chunk(b"tRNS", opacity.tobytes())
                            alpha = opacity[samples[..., 0]]
                    else:
                        eight = (samples * 255 * 2 + (2**depth - 1)) // (2 * (2**depth - 1))  # to nearest
                        colours = 1 if kind.startswith("grey") else 3
                        rgb = np.broadcast_to(eight[..., :colours], (height, width, 3))
                        if kind in ("grey-alpha", "rgba"):
                            alpha = eight[..., -1]
                        if transparent:  # one colour is transparent
                            extra = chunk(b"tRNS", b"".join(struct.pack(">H", int(v)) for v in samples[2, 3]))
                            alpha = np.where((samples == samples[2, 3]).all(-1), 0, 255)
                    name = f"{kind}{depth}{'-interlaced' * interlaced}{'-transparent' * transparent}.png"
                    save(name, png(kind, depth, samples, interlaced, extra), over(rgb, alpha, 255), 0)
    # what readers must leave alone or follow
    samples = rng.integers(0, 256, (height, width, 3))
    gamma = chunk(b"gAMA", struct.pack(">I", 100000)) + chunk(b"sRGB", b"\0")
    save("gamma.png", png("rgb", 8, samples, extra=gamma), samples.astype(np.uint8), 0)
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = png("rgb", 8, samples, extra=chunk(b"eXIf", exif.tobytes()[6:]))
    save("orientation6.png", turned, np.rot90(samples, -1).astype(np.uint8), 0)


# ---- JPEG and WebP ----

def soft(width, height, seed):
    """Noise that a lossy codec can follow."""
    return Image.fromarray(noise(5, 4, seed)).resize((width, height), Image.Resampling.BICUBIC)


def encoded(picture, kind, **options):
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def lossy_goldens(save):
    def decoded(data):
        return np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB"))

    # libjpeg versions differ by a level or two
    picture = soft(37, 22, 10)
    for name, options in {"baseline": {}, "progressive": {"progressive": True}, "420": {"subsampling": 2},
                          "422": {"subsampling": 1}, "444": {"subsampling": 0}}.items():
        data = encoded(picture, "JPEG", quality=92, **options)
        save(name + ".jpg", data, decoded(data), 2)
    data = encoded(picture.convert("L"), "JPEG", quality=92)
    save("grey.jpg", data, decoded(data), 2)
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        data = encoded(soft(24, 16, 11), "JPEG", quality=92, subsampling=0, exif=exif)
        save(f"orientation{orientation}.jpg", data, decoded(data), 2)
    save("cmyk.jpg", encoded(picture.convert("CMYK"), "JPEG", quality=80), None, 0)

    alpha = Image.fromarray(noise(37, 22, 12)[..., 0])
    layered = picture.copy()
    layered.putalpha(alpha)

    def flat(data):
        frame = Image.open(io.BytesIO(data)).convert("RGBA")
        pixels = np.asarray(ImageOps.exif_transpose(frame))
        return over(pixels[..., :3], pixels[..., 3], 255)

    exif = Image.Exif()
    exif[0x0112] = 8
    for name, data in {
        "lossy": encoded(picture, "WEBP", quality=80),
        "lossless": encoded(picture, "WEBP", lossless=True),
        "alpha": encoded(layered, "WEBP", quality=80),
        "alpha-lossless": encoded(layered, "WEBP", lossless=True, exact=True),
        "animation": encoded(picture, "WEBP", save_all=True, append_images=[soft(37, 22, 13)], duration=40),
    }.items():
        save(name + ".webp", data, flat(data), 0)
    # the first frame covers part of the canvas: an ANMF chunk of our own at (6, 4) of 50 x 40
    still = encoded(layered, "WEBP", lossless=True, exact=True)
    still = still[still.index(b"VP8L"):]
    still = still[:8 + struct.unpack("<I", still[4:8])[0]]
    frame = b"".join(struct.pack("<I", v)[:3] for v in (3, 2, 36, 21, 100)) + b"\0" + still + b"\0" * (len(still) % 2)
    body = b"WEBP" + b"VP8X" + struct.pack("<II", 10, 0x12) + b"\x31\0\0\x27\0\0"
    body += b"ANIM" + struct.pack("<IIH", 6, 0, 0) + b"ANMF" + struct.pack("<I", len(frame)) + frame
    canvas = np.full((40, 50, 3), 255, np.uint8)
    canvas[4:26, 6:43] = over(np.asarray(picture), np.asarray(alpha), 255)
    save("offset.webp", b"RIFF" + struct.pack("<I", len(body)) + body, canvas, 0)

    data = encoded(picture, "WEBP", lossless=True, exif=exif)
    save("orientation8.webp", data, np.rot90(np.asarray(picture)), 0)


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    for old in OUT.iterdir():
        old.unlink()
    (OUT / "resize.txt").write_text("\n".join(resize_goldens()) + "\n")
    (OUT / "fit.txt").write_text("\n".join(fit_goldens()) + "\n")
    (OUT / "best-size.txt").write_text("\n".join(best_size_goldens()) + "\n")
    lines = []

    def save(name, data, pixels, tolerance):
        """A file, and a line: name, width, height, levels by which pixels may differ, their hash. Where they may, and
        a hash says nothing, they are kept beside it. A file that must be refused has size 0 x 0."""
        (OUT / name).write_bytes(data)
        if pixels is None:
            lines.append(f"{name} 0 0 0 -")
            return
        if tolerance:
            (OUT / (name + ".rgb")).write_bytes(np.ascontiguousarray(pixels).tobytes())
        lines.append(f"{name} {pixels.shape[1]} {pixels.shape[0]} {tolerance} {digest(pixels)}")

    png_goldens(save)
    lossy_goldens(save)
    (OUT / "pictures.txt").write_text("\n".join(lines) + "\n")


main()
