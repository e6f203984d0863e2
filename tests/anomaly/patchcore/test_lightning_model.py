import numpy as np
import pytest
import torch
from PIL import Image

pytest.importorskip("anomalib")

from anomalib.data import Folder
from anomalib.deploy import ExportType
from anomalib.engine import Engine

from anomaly import SequentialPatchcore
from anomaly.patchcore.coreset import SequentialCoreset


def datamodule(folder, batch=2):
    return Folder(
        name="squares", root=folder, normal_dir="good", normal_test_dir="good_test", abnormal_dir="bad",
        mask_dir="masks", train_batch_size=batch, eval_batch_size=2, num_workers=0, val_split_mode="same_as_test",
    )  # fmt: skip


def model(**settings):
    return SequentialPatchcore(
        **{"size": 40, "pre_processor": SequentialPatchcore.configure_pre_processor((64, 64)), "visualizer": False}
        | settings
    )


def engine(tmp_path, **settings):
    return Engine(
        default_root_dir=tmp_path, accelerator="cpu", logger=False, enable_progress_bar=False,
        enable_model_summary=False, **settings,
    )  # fmt: skip


@pytest.fixture(scope="module")
def trained(folder, tmp_path_factory):
    torch.manual_seed(1)
    runner, patchcore = engine(tmp_path_factory.mktemp("engine")), model()
    runner.fit(model=patchcore, datamodule=datamodule(folder))
    return runner, patchcore


def test_engine_trains_several_epochs_and_stops_when_one_changes_nothing(trained, folder, tmp_path):
    runner, patchcore = trained
    assert patchcore.model.memory_bank.shape == (40, 152)
    assert runner.trainer.current_epoch <= 5
    small = model(epochs=50, size=6)
    patient = engine(tmp_path)
    patient.fit(model=small, datamodule=datamodule(folder))
    assert 1 < patient.trainer.current_epoch < 50
    assert float(patient.trainer.callback_metrics["accepted"]) == 0


def test_epochs_given_to_the_engine_count(folder, tmp_path):
    runner = engine(tmp_path, max_epochs=2)
    runner.fit(model=model(size=200), datamodule=datamodule(folder))
    assert runner.trainer.current_epoch == 2


def test_bank_is_the_coreset_of_the_patches_in_an_order_that_only_the_seed_decides(trained, folder, tmp_path):
    _, patchcore = trained
    torch.manual_seed(99)
    again = model()
    engine(tmp_path).fit(model=again, datamodule=datamodule(folder, batch=3))
    assert torch.equal(patchcore.model.memory_bank, again.model.memory_bank)
    assert torch.equal(patchcore.model.memory_bank, patchcore.model.coreset.bank)


def test_test_and_predict_find_the_squares(trained, folder):
    runner, patchcore = trained
    results = runner.test(model=patchcore, datamodule=datamodule(folder), verbose=False)[0]
    assert results["image_AUROC"] == 1
    assert results["pixel_AUROC"] > 0.9
    predictions = runner.predict(model=patchcore, datamodule=datamodule(folder))
    assert predictions[0].anomaly_map.shape[-2:] == (64, 64)


def test_checkpoint_loads_with_weights_only_and_evaluates_equally(trained):
    runner, patchcore = trained
    path = runner.best_model_path
    torch.load(path, weights_only=True)
    loaded = SequentialPatchcore.load_from_checkpoint(path, map_location="cpu").eval()
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        ours, theirs = patchcore.eval()(images), loaded(images)
    assert torch.equal(ours.anomaly_map, theirs.anomaly_map)
    assert torch.equal(ours.pred_score, theirs.pred_score)
    assert torch.equal(loaded.model.coreset.bank, patchcore.model.coreset.bank)


def test_torch_export_evaluates_equally(trained, tmp_path):
    runner, patchcore = trained
    path = runner.export(model=patchcore, export_type=ExportType.TORCH, export_root=tmp_path)
    exported = torch.load(path, weights_only=False)["model"].eval()
    images = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(6))
    with torch.no_grad():
        assert torch.equal(exported(images).anomaly_map, patchcore.eval()(images).anomaly_map)


def test_training_leaves_the_backbone_alone_and_autocast_changes_nothing(trained, folder, tmp_path):
    _, patchcore = trained
    hurried = model()
    engine(tmp_path, precision="bf16-mixed").fit(model=hurried, datamodule=datamodule(folder))
    assert torch.equal(hurried.model.memory_bank, patchcore.model.memory_bank)
    fresh = model().model.extractor.state_dict()
    assert all(torch.equal(value, fresh[name]) for name, value in hurried.model.extractor.state_dict().items())


def test_bank_equals_a_coreset_fed_by_hand(trained, folder):
    _, patchcore = trained
    by_hand = SequentialCoreset(40)
    pictures = [np.asarray(Image.open(path)) for path in sorted((folder / "good").iterdir())]
    batch = torch.stack([torch.from_numpy(picture.copy()).permute(2, 0, 1) / 255 for picture in pictures])
    features = patchcore.model.features(patchcore.pre_processor(batch)).reshape(6, -1, 152)
    for epoch in range(5):
        order = torch.randperm(6, generator=torch.Generator().manual_seed(epoch))
        if sum(by_hand.update(features[index]) for index in order.tolist()) == 0:
            break
    torch.testing.assert_close(by_hand.bank, patchcore.model.memory_bank, rtol=1e-5, atol=1e-5)
