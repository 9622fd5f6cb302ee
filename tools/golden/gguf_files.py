"""Goldens for the container: golden/diffusers/gguf, written by gguf-py.

values.gguf has a value of every type, arrays, a tensor of 1, 2 and 5 dimensions and one that is quantised; tests/test_gguf.c
knows what is in it. version2.gguf is the same with the older version's number, whose layout is the same.

    python3 tools/golden/gguf_files.py
"""
import pathlib
import struct

import gguf
import numpy as np

OUT = pathlib.Path(__file__).parents[2] / "golden/diffusers/gguf"


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    path = OUT / "values.gguf"
    writer = gguf.GGUFWriter(path, "wan")
    writer.add_uint8("u8", 200)
    writer.add_int8("i8", -100)
    writer.add_uint16("u16", 60000)
    writer.add_int16("i16", -30000)
    writer.add_uint32("u32", 4000000000)
    writer.add_int32("i32", -2000000000)
    writer.add_float32("f32", 0.1)
    writer.add_bool("bool", True)
    writer.add_string("string", "Katze 고양이")
    writer.add_uint64("u64", 1 << 52)
    writer.add_int64("i64", -(1 << 52))
    writer.add_float64("f64", 1e-300)
    writer.add_array("strings", ["a", "", "▁the"])
    writer.add_array("numbers", [3, -1, 2])
    writer.add_array("scores", [0.5, -2.25])
    writer.add_quantization_version(2)
    writer.add_tensor("one", np.arange(5, dtype=np.float32))
    writer.add_tensor("two", np.arange(6, dtype=np.float16).reshape(2, 3))
    writer.add_tensor("five", np.arange(48, dtype=np.float32).reshape(3, 4, 1, 2, 2))
    rows = np.linspace(-1, 1, 2 * 64, dtype=np.float32).reshape(2, 64)
    quantised = gguf.quantize(rows, gguf.GGMLQuantizationType.Q8_0)
    writer.add_tensor("quantised", quantised, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    data = bytearray(path.read_bytes())
    assert data[:8] == b"GGUF" + struct.pack("<I", 3)
    data[4:8] = struct.pack("<I", 2)
    (OUT / "version2.gguf").write_bytes(data)


main()
