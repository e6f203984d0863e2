import numpy as np
import pytest

from scenes import develop
from scenes.camera.sensor import processed
from scenes.camera.white_balance import gains
from scenes.scene import LensSpot, Sensor


def test_blur_comes_before_noise() -> None:
    """Neighbouring pixels of a blurred flat field are independent: the lens does not smooth electrons."""
    flat = np.full((300, 300, 3), 0.5, dtype=np.float32)
    picture = develop(flat, Sensor(exposure=1, blur=2, full_well=500, transfer="linear", bits=16)).astype(float)[..., 0]
    picture -= picture.mean()
    assert abs((picture[:, 1:] * picture[:, :-1]).mean() / picture.var()) < 0.02


def test_saturation_comes_after_noise() -> None:
    bright = np.full((50, 50, 3), 1e30, dtype=np.float32)
    assert (develop(bright, Sensor(exposure=1, full_well=1000, read_noise=5)) == 255).all()
    dark = np.zeros((50, 50, 3), dtype=np.float32)
    assert develop(dark, Sensor(exposure=1, full_well=1000, read_noise=5)).min() == 0


def test_without_noise_a_linear_16_bit_sensor_counts_light() -> None:
    radiance = np.linspace(0, 2, 256, dtype=np.float32).reshape(16, 16, 1).repeat(3, axis=2)
    picture = develop(radiance, Sensor(exposure=0.5, transfer="linear", bits=16))
    assert picture.dtype == np.uint16
    assert np.abs(picture - radiance * 0.5 * 65535).max() <= 0.51


def test_monochrome_sensor_gives_one_channel_of_luminance() -> None:
    green = np.zeros((4, 5, 3), dtype=np.float32)
    green[..., 1] = 1
    picture = develop(green, Sensor(exposure=1, transfer="linear", monochrome=True))
    assert picture.shape == (4, 5)
    assert (picture == round(0.7152 * 255)).all()


def test_same_seed_same_picture_other_seed_another() -> None:
    flat = np.full((20, 20, 3), 0.5, dtype=np.float32)
    first, again, other = (develop(flat, Sensor(exposure=1, full_well=900, seed=seed)) for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


@pytest.mark.parametrize("image", [np.zeros((4, 4)), np.zeros((4, 4, 4)), np.full((4, 4, 3), np.nan)])
def test_other_shapes_and_nan_are_refused(image: np.ndarray) -> None:
    with pytest.raises(ValueError, match="found"):
        develop(image.astype(np.float32), Sensor(exposure=1))


PLAIN = {"exposure": 1, "transfer": "linear", "bits": 16}


def test_dirt_dims_the_light_before_it_is_counted() -> None:
    """Behind a spot there is less light and so less noise, as Poisson numbers have it."""
    flat = np.full((200, 200, 3), 0.8, dtype=np.float32)
    spots = (LensSpot(x=0.5, y=0.5, radius=1e3, opacity=0.75),)
    picture = develop(flat, Sensor(**PLAIN, full_well=1000, dirt=spots)).astype(float)[..., 0] / 65535
    assert picture.mean() == pytest.approx(0.2, rel=0.01)
    assert picture.var() == pytest.approx(0.2 / 1000, rel=0.05)


def test_columns_keep_their_gain_and_offset_in_every_row() -> None:
    bright, dark = np.full((300, 80, 3), 0.5, dtype=np.float32), np.zeros((300, 80, 3), dtype=np.float32)
    sensor = Sensor(**PLAIN, column_gain=0.05, seed=4)
    striped = develop(bright, sensor)[..., 0].astype(float) / 65535
    assert (striped == striped[0]).all()
    assert striped[0].std() / 0.5 == pytest.approx(0.05, rel=3 / np.sqrt(2 * 80))
    assert (develop(dark, sensor) == 0).all()  # a gain adds nothing in the dark
    lifted = develop(bright, Sensor(**PLAIN, column_offset=0.02, seed=4))[..., 0].astype(float) / 65535
    assert (lifted - 0.5).std() == pytest.approx(0.02, rel=3 / np.sqrt(2 * 80))
    assert abs(np.corrcoef(striped[0], lifted[0])[0, 1]) < 0.4  # the two know nothing of each other


def test_white_balance_keeps_what_saturates_white_and_multiplies_the_rest() -> None:
    sensor = Sensor(**PLAIN, white_balance=3200)
    grey, full = (processed(np.full((1, 1, 3), level, dtype=np.float32), sensor)[0, 0] for level in (0.1, 1.0))
    assert full == pytest.approx(np.ones(3))
    assert grey == pytest.approx(0.1 * gains(3200), abs=1e-6)
    grey_camera = Sensor(**PLAIN, monochrome=True, white_balance=3200)
    assert processed(np.full((1, 1, 1), 0.2, dtype=np.float32), grey_camera) == pytest.approx(0.2)


def test_a_threshold_leaves_black_and_white_with_noise_on_the_edge_between() -> None:
    ramp = np.linspace(0, 1, 201, dtype=np.float32)[None, :, None].repeat(400, 0).repeat(3, 2)
    picture = develop(ramp, Sensor(exposure=1, full_well=400, threshold=0.5, seed=1))[..., 0]
    assert set(np.unique(picture)) == {0, 255}
    share = (picture == 255).mean(axis=0)
    # Of a mean μ just at the threshold half are above; a deviation further up Φ(1) are, by the noise of 200 electrons.
    assert share[100] == pytest.approx(0.5, abs=0.08)
    assert share[107] == pytest.approx(0.84, abs=0.08)
    assert share[60] == 0
    assert share[140] == 1


def test_a_negative_is_what_the_picture_lacks_to_white() -> None:
    light = np.random.default_rng(6).uniform(0, 1, (20, 30, 3)).astype(np.float32)
    plain, negative = (develop(light, Sensor(exposure=1, negative=negative)).astype(int) for negative in (False, True))
    assert np.abs(plain + negative - 255).max() <= 1


def test_jpeg_comes_last_and_is_a_jpegs_own_picture() -> None:
    import io

    from PIL import Image

    light = np.random.default_rng(5).uniform(0, 1, (48, 64, 3)).astype(np.float32)
    for monochrome in (False, True):
        plain = develop(light, Sensor(exposure=1, monochrome=monochrome))
        stored = develop(light, Sensor(exposure=1, monochrome=monochrome, jpeg_quality=40))
        file = io.BytesIO()
        Image.fromarray(plain).save(file, "JPEG", quality=40, subsampling="4:2:0")
        assert (np.asarray(Image.open(file)) == stored).all()
        assert stored.dtype == np.uint8
        assert stored.shape == plain.shape


def test_what_a_camera_lacks_is_not_written_down() -> None:
    """A frame's file says no more of a sensor than before sensors had these."""
    before = {"exposure", "vignetting", "blur", "full_well", "read_noise", "transfer", "bits", "monochrome", "seed"}
    assert set(Sensor(exposure=1).model_dump(mode="json")) == before
    full = Sensor(exposure=1, threshold=0.5, jpeg_quality=80, sharpening=1, sharpening_radius=2, row_jitter=0.3)
    assert Sensor.model_validate_json(full.model_dump_json()) == full
