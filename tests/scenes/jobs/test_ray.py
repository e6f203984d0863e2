"""The executor on a Ray cluster of this machine: every task once, lost actors replaced, the same bytes as here."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from procgen.errors import BlemishError, BlemishNote
from scenes import Dataset, load_recipe
from scenes.jobs.executor import ATTEMPTS, WorkerLost
from scenes.jobs.options import executor_for
from scenes.jobs.ray import Ray, RayError
from tests.command.told import contents
from tests.scenes.jobs.toys import Squares

ray = pytest.importorskip("ray")
TASKS = list(range(24))


@pytest.fixture(scope="module")
def cluster() -> Iterator[Ray]:
    """Two cores of this machine, which Blemish finds when it asks for a local cluster."""
    executor = executor_for(2, "local")
    assert isinstance(executor, Ray)
    ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error")
    yield executor
    ray.shutdown()


@pytest.fixture
def begun(tmp_path: Path) -> Path:
    folder = tmp_path / "begun"
    folder.mkdir()
    return folder


def taken(executor: Ray, work: Squares, *, in_order: bool = False) -> list[int]:
    order: list[int] = []

    def take(position: int, result: int) -> None:
        assert result == TASKS[position] ** 2
        order.append(position)

    executor.run(work, TASKS, take, in_order=in_order)
    return order


@pytest.mark.filterwarnings("ignore::procgen.errors.BlemishNote")
def test_every_task_is_done_once_in_actors_of_their_own(cluster: Ray, begun: Path) -> None:
    assert sorted(taken(cluster, Squares(begun))) == TASKS
    assert len(list(begun.iterdir())) == len(TASKS)
    assert len({path.read_text() for path in begun.iterdir()}) == 2
    for path in begun.iterdir():
        path.unlink()
    assert taken(Ray("local"), Squares(begun, slow=((0, 1.0),)), in_order=True) == TASKS  # as many as there are cores


@pytest.mark.filterwarnings("ignore::procgen.errors.BlemishNote")
def test_a_lost_actors_task_is_done_elsewhere(cluster: Ray, begun: Path) -> None:
    assert sorted(taken(cluster, Squares(begun, deadly=((3, 1), (20, ATTEMPTS - 1))))) == TASKS
    tries = Counter(path.name.partition("-")[0] for path in begun.iterdir())
    assert (tries["3"], tries["20"]) == (2, ATTEMPTS)
    with pytest.raises(WorkerLost, match="a worker on the Ray cluster was lost"):
        taken(cluster, Squares(begun, deadly=((4, 99),)))


@pytest.mark.filterwarnings("ignore::procgen.errors.BlemishNote")
def test_work_that_a_script_itself_defines_is_done(cluster: Ray, begun: Path) -> None:
    """Of `__main__`, which is another module in the actors."""
    own = type("Own", (Squares,), {"__module__": "__main__"})
    assert sorted(taken(cluster, own(begun))) == TASKS


def test_what_a_task_raises_is_raised_here(cluster: Ray, begun: Path) -> None:
    with pytest.raises(BlemishError, match="task 5 cannot be done"):
        taken(cluster, Squares(begun, refused=5))
    with pytest.raises(RuntimeError, match="task 6 is a mistake"):
        taken(cluster, Squares(begun, broken=6))
    with pytest.warns(BlemishNote, match="tasks that end in 7 are odd"):
        taken(cluster, Squares(begun))


def test_where_there_is_no_cluster_one_is_told_how_to_start_it(begun: Path) -> None:
    if ray.is_initialized():
        ray.shutdown()
    with pytest.raises(RayError, match=r"--ray 127\.0\.0\.1:1: found no cluster .*--ray local"):
        taken(Ray("127.0.0.1:1"), Squares(begun))


def test_a_cluster_that_does_not_come_up_is_told(begun: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def late(*arguments: object, **options: object) -> None:
        raise Exception("The current node timed out during startup. This could happen")  # as Ray does

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", late)
    with pytest.raises(RayError, match=r"--ray local: no cluster could be started here \(The current node timed out"):
        taken(Ray("local"), Squares(begun))


@pytest.mark.slow
@pytest.mark.render
def test_rendering_on_a_cluster_makes_the_same_bytes(tmp_path: Path) -> None:
    """Of a part that is a mesh: its file travels, as other machines do not see the dataset's folder."""
    from blender_addon import render_dataset
    from blender_addon.workers.render import with_part
    from tests.blender_addon.recipes import small

    trimesh = pytest.importorskip("trimesh")
    trimesh.creation.box((0.1, 0.08, 0.02)).export(tmp_path / "box.obj")
    recipe = with_part(small(load_recipe("plate")), tmp_path / "box.obj")
    render_dataset(recipe, tmp_path / "here", 4, samples=1)
    render_dataset(recipe, tmp_path / "there", 4, samples=1, executor=Ray("local", 2))
    assert contents(tmp_path / "here") == contents(tmp_path / "there")
    assert Dataset(tmp_path / "there").complete
