"""Writes the corpus: small sound files, of every type of metadata and tensor.

    pip install gguf numpy safetensors
    python test/fuzz/make.py
"""

from pathlib import Path

import gguf
import numpy as np
from safetensors.numpy import save_file

CORPUS = Path(__file__).parent / "corpus"
TYPES = ["F32", "F16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q4_K", "Q5_K", "Q6_K", "BF16", "F64", "I8", "I16", "I32", "I64"]


def write_gguf(name, alignment=None, types=(), entries=True):
    writer = gguf.GGUFWriter(CORPUS / name, "llama")
    random = np.random.default_rng(3)
    if alignment is not None:
        writer.add_custom_alignment(alignment)
    if entries:
        writer.add_uint8("a.u8", 8), writer.add_int8("a.i8", -8), writer.add_uint16("a.u16", 16)
        writer.add_int16("a.i16", -16), writer.add_uint32("a.u32", 32), writer.add_int32("a.i32", -32)
        writer.add_uint64("a.u64", 64), writer.add_int64("a.i64", -64), writer.add_float32("a.f32", 1.5)
        writer.add_float64("a.f64", 0.1), writer.add_bool("a.bool", True), writer.add_string("a.string", "té\"xt\n")
        writer.add_array("a.strings", ["one", "", "three"]), writer.add_array("a.integers", [1, -2, 3])
        writer.add_array("a.floats", [0.5, -1.0])
    for kind in types:
        number = gguf.GGMLQuantizationType[kind]
        elements, size = gguf.GGML_QUANT_SIZES[number]
        rows = random.integers(0, 256, (2, size * (1 if elements == 256 else 2)), dtype=np.uint8)
        writer.add_tensor(f"blk.0.{kind}.weight", rows, raw_dtype=number)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main():
    CORPUS.mkdir(exist_ok=True)
    write_gguf("all.gguf", types=TYPES)
    write_gguf("aligned.gguf", alignment=8, types=["F32", "Q8_0", "F16"], entries=False)
    write_gguf("metadata.gguf")
    small = {
        "model.weight": np.arange(6, dtype=np.float32).reshape(2, 3), "halves": np.ones(5, np.float16), "empty": np.zeros((0, 4)),
        "scalar": np.array(2.5), "bytes": np.arange(7, dtype=np.int8), "flags": np.array([True, False]),
    }  # fmt: skip
    save_file(small, CORPUS / "small.safetensors", metadata={"format": "pt", "quoted \"key\"": "é\n"})
    save_file({f"layer.{i}.weight": np.full((2, 2), i, np.float32) for i in range(12)}, CORPUS / "many.safetensors")


main()
