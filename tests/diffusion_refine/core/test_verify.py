"""A model appears by the rename of its index, and what was changed in it since is refused and named."""

import shutil
from pathlib import Path

import pytest

from diffusion_refine.core.models import ModelError, load_model
from diffusion_refine.core.verify import DIGESTS, INDEX, damages
from diffusion_refine.training.model_shapes import build_pipeline
from diffusion_refine.training.saving import model_in, save_pipeline
from tests.diffusion_refine.training.test_diffusion import TINY


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    with model_in(folder) as part:
        save_pipeline(build_pipeline(TINY, 3), part)
    return folder


@pytest.fixture
def model(saved: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "model"))


@pytest.mark.parametrize("name", [INDEX, DIGESTS, "unet/config.json", "unet/*.safetensors", "tokenizer/tokenizer.json"])
def test_one_flipped_bit_of_a_model_is_refused_and_named(name: str, model: Path) -> None:
    assert not list(damages(model))
    load_model(str(model), "cpu")
    path = next(model.glob(name))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 8
    path.write_bytes(content)
    assert [line.partition(": was changed")[0] for line in damages(model)] == [str(path)]
    with pytest.raises(ModelError, match=path.name):
        load_model(str(model), "cpu")


def test_a_model_that_is_not_yet_whole_is_none(model: Path) -> None:
    def dying() -> None:
        with model_in(model) as part:
            (part / "unet").mkdir()
            raise KeyboardInterrupt

    before = {path: path.read_bytes() for path in model.rglob("*") if path.is_file()}
    with pytest.raises(KeyboardInterrupt):
        dying()
    assert all(path.read_bytes() == content for path, content in before.items())
    (model / INDEX).unlink()
    with pytest.raises(ModelError, match=INDEX):
        load_model(str(model), "cpu")


def test_a_model_without_digests_is_read_and_said_to_have_none(model: Path) -> None:
    (model / DIGESTS).unlink()
    load_model(str(model), "cpu")
    assert "nothing to compare" in next(damages(model))


def test_the_model_that_ships_is_whole() -> None:
    from diffusion_refine.core.models import EMBEDDED_FOLDER

    assert (EMBEDDED_FOLDER / DIGESTS).is_file()
    assert not list(damages(EMBEDDED_FOLDER))
