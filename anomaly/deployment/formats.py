"""The formats of exported inspectors: each is written whole or not at all, says what it is within, and can be run."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from anomaly.deployment.answering_model import INPUT, OUTPUTS, Answer, AnsweringModel
from scenes.datasets.files import write_atomically

KEY = "blemish"  # under which a file says what it is, as JSON
OPSET = 20  # of ONNX


@dataclass(frozen=True)
class Format:
    """ending: of the file's name; files: names of all that is written, from that of the first.

    write: a model and its description into a file; run: a picture (H, W, 3) uint8 through such a file; describe: what
    it says of itself.
    """

    ending: str
    files: Callable[[Path], list[Path]]
    write: Callable[[AnsweringModel, Mapping[str, Any], Path], None]
    run: Callable[[Path, NDArray[np.uint8]], Answer]
    describe: Callable[[Path], dict[str, Any]]


def _exported(model: AnsweringModel) -> torch.export.ExportedProgram:
    picture = torch.zeros(*model.size, 3, dtype=torch.uint8)
    with torch.no_grad():
        return torch.export.export(model, (picture,), strict=False)


def _onnx(model: AnsweringModel, description: Mapping[str, Any]) -> Any:
    """An `onnx.ModelProto`."""
    import onnx

    with _quietly():
        program = torch.onnx.export(
            _exported(model),
            input_names=[INPUT],
            output_names=list(OUTPUTS),
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    proto = program.model_proto
    onnx.helper.set_model_props(proto, {KEY: json.dumps(description)})
    return proto


def _write_onnx(model: AnsweringModel, description: Mapping[str, Any], path: Path) -> None:
    write_atomically(path, _onnx(model, description).SerializeToString())


def _run_onnx(path: Path, picture: NDArray[np.uint8]) -> Answer:
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return Answer(*session.run(list(OUTPUTS), {INPUT: picture}))


def _describe_onnx(path: Path) -> dict[str, Any]:
    import onnx

    properties = {entry.key: entry.value for entry in onnx.load(str(path), load_external_data=False).metadata_props}
    return _parsed(properties[KEY])


def _write_openvino(model: AnsweringModel, description: Mapping[str, Any], path: Path) -> None:
    import openvino

    with TemporaryDirectory() as folder:
        _write_onnx(model, description, Path(folder) / "model.onnx")
        converted = openvino.convert_model(Path(folder) / "model.onnx")
    converted.set_rt_info(json.dumps(description), [KEY])
    with TemporaryDirectory(dir=path.parent) as folder:
        openvino.save_model(converted, Path(folder) / path.name, compress_to_fp16=False)
        for file in reversed(_with_weights(path)):  # the graph last: with it all is there
            (Path(folder) / file.name).replace(file)


def _run_openvino(path: Path, picture: NDArray[np.uint8]) -> Answer:
    import openvino

    core = openvino.Core()
    # Left to itself OpenVINO computes all of it in bfloat16 where a processor can, and maps are off by a hundredth.
    compiled = core.compile_model(core.read_model(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    found = compiled(picture)
    return Answer(*(found[name] for name in OUTPUTS))


def _describe_openvino(path: Path) -> dict[str, Any]:
    import openvino

    return _parsed(openvino.Core().read_model(path).get_rt_info([KEY]).value)


def _with_weights(path: Path) -> list[Path]:
    return [path, path.with_suffix(".bin")]


def _write_torch(model: AnsweringModel, description: Mapping[str, Any], path: Path) -> None:
    with TemporaryDirectory(dir=path.parent) as folder:
        torch.export.save(_exported(model), Path(folder) / path.name, extra_files={KEY: json.dumps(description)})
        (Path(folder) / path.name).replace(path)


def _run_torch(path: Path, picture: NDArray[np.uint8]) -> Answer:
    module = torch.export.load(path).module()
    with torch.no_grad():
        return Answer(*(value.numpy() for value in module(torch.from_numpy(picture))))


def _describe_torch(path: Path) -> dict[str, Any]:
    extra = {KEY: ""}
    torch.export.load(path, extra_files=extra)
    return _parsed(extra[KEY])


def _parsed(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text)
    return found


@contextmanager
def _quietly() -> Iterator[None]:
    """Without what torch's exporter says of itself."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


FORMATS = {
    "onnx": Format(".onnx", lambda path: [path], _write_onnx, _run_onnx, _describe_onnx),
    "openvino": Format(".xml", _with_weights, _write_openvino, _run_openvino, _describe_openvino),
    "torch": Format(".pt2", lambda path: [path], _write_torch, _run_torch, _describe_torch),
}
