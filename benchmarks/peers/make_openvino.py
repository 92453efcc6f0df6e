#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Converts a Gen checkpoint to OpenVINO: bf16.xml, and with compressed weights int8.xml and int4.xml.

The conversion is optimum-intel's, with the keys and values as the model's state; compression is NNCF's: int8 per row, int4
symmetric with 32 columns per scale in every layer, the embedding and the output matrix in int8. The model then gives
logits for the last position only, as OpenVINO's own text generation arranges it. Files newer than the checkpoint are
kept.
"""

import argparse
import shutil
from pathlib import Path

import nncf
import openvino as ov
from openvino import opset13 as ops
from optimum.intel import OVModelForCausalLM

COMPRESSIONS = {
    "bf16": None,
    "int8": {"mode": nncf.CompressWeightsMode.INT8_SYM},
    "int4": {"mode": nncf.CompressWeightsMode.INT4_SYM, "group_size": 32, "ratio": 1.0},
}


def keep_last_position(model: ov.Model) -> None:
    """Multiplies the output matrix with the last hidden state instead of all."""
    product = model.output("logits").get_node().input_value(0).get_node()
    while product.get_type_name() != "MatMul":
        product = product.input_value(0).get_node()
    last = ops.slice(product.input_value(0), [-1], [2**31 - 1], [1], [1])
    product.input(0).replace_source_output(last.output(0))
    model.validate_nodes_and_infer_types()


def write(source: Path, xml: Path, compression: dict | None) -> None:
    model = OVModelForCausalLM.from_pretrained(source, export=True, compile=False, load_in_8bit=False, stateful=True,
                                               local_files_only=True).model
    keep_last_position(model)
    if compression:
        model = nncf.compress_weights(model, **compression)
    part = xml.parent / "part"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    ov.save_model(model, part / xml.name, compress_to_fp16=False)
    for path in sorted(part.iterdir()):  # weights first: whoever sees the .xml finds its .bin
        path.rename(xml.parent / path.name)
    part.rmdir()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True, help="folder of a Gen checkpoint in BF16")
    parser.add_argument("--out", type=Path, required=True, help="folder for the OpenVINO files")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    since = max(path.stat().st_mtime for path in args.model.glob("model*.safetensors"))
    for name, compression in COMPRESSIONS.items():
        xml = args.out / f"{name}.xml"
        if not xml.exists() or xml.stat().st_mtime < since:
            write(args.model, xml, compression)
            size = xml.stat().st_size + xml.with_suffix(".bin").stat().st_size
            print(f"{xml}: {size / 1e9:.2f} GB", flush=True)


if __name__ == "__main__":
    main()
