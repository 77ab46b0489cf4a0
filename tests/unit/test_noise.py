import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from argus_core.errors import InvalidRequest
from argus_core.simulator.noise import predicted

PROMPTS = 20_000
LOSSES = (0.03, 0.08, 0.4)


def skewed(seed=0):
    """Three levels whose losses pile up near none, as those of pictures do."""
    rng = np.random.default_rng(seed)
    common = rng.lognormal(-0.5, 1.0, (PROMPTS, 1))
    return np.clip(1 - np.array(LOSSES) * common * rng.lognormal(0, 0.3, (PROMPTS, 3)), 0, 1)


def yes_or_no(seed=0):
    """Pictures that are right or wrong, and nothing between."""
    return (np.random.default_rng(seed).random((PROMPTS, 2)) < (0.9, 0.4)).astype(float)


def even(seed=0):
    return np.random.default_rng(seed).random((PROMPTS, 2))


def correlations(truth, said):
    return [np.corrcoef(truth[:, i], said[:, i])[0, 1] for i in range(truth.shape[1])]


def slopes(truth, said):
    return [np.polyfit(said[:, i], truth[:, i], 1)[0] for i in range(truth.shape[1])]


@pytest.mark.parametrize("truth", [skewed(), yes_or_no(), even()], ids=["skewed", "yes", "even"])
@pytest.mark.parametrize("correlation", [0.2, 0.7, 0.95])
def test_each_level_correlates_as_asked_and_is_calibrated(truth, correlation):
    said = predicted(truth, correlation=correlation, rng=np.random.default_rng(1))
    assert correlations(truth, said) == pytest.approx([correlation] * truth.shape[1], abs=0.025)
    scatter = 0.02 + 3 / correlation / np.sqrt(PROMPTS)
    assert slopes(truth, said) == pytest.approx([1.0] * truth.shape[1], abs=scatter)
    assert said.mean(axis=0) == pytest.approx(truth.mean(axis=0), abs=0.005)


def test_prompts_of_which_the_same_is_said_are_on_average_so():
    truth = skewed()
    said = predicted(truth, correlation=0.7, rng=np.random.default_rng(1))
    for level in range(truth.shape[1]):
        order = np.argsort(said[:, level])
        for tenth in np.array_split(order, 10):
            spread = truth[tenth, level].std() / np.sqrt(len(tenth))
            mean = truth[tenth, level].mean()
            assert abs(said[tenth, level].mean() - mean) < 5 * spread + 0.002


@pytest.mark.parametrize(("shared", "common"), [(0.0, 0.0), (0.5, 0.5), (1.0, 1.0)])
def test_levels_of_a_prompt_share_as_much_of_the_errors_as_asked(shared, common):
    truth = even()
    said = predicted(truth, correlation=0.5, shared=shared, rng=np.random.default_rng(1))
    errors = said - 0.25 * truth
    assert np.corrcoef(errors.T)[0, 1] == pytest.approx(common, abs=0.05)


def test_without_correlation_every_prompt_is_predicted_the_mean():
    truth = skewed()
    said = predicted(truth, correlation=0.0, rng=np.random.default_rng(1))
    assert np.ptp(said, axis=0).tolist() == [0, 0, 0]
    assert said[0] == pytest.approx(truth.mean(axis=0))


def test_full_correlation_is_the_truth_but_never_the_same_memory():
    truth = even()
    said = predicted(truth, correlation=1.0, rng=np.random.default_rng(1))
    assert np.array_equal(said, truth)
    assert not np.shares_memory(said, truth)


def test_a_level_at_which_all_prompts_are_alike_is_predicted_as_it_is():
    truth = np.column_stack([np.ones(PROMPTS), skewed()[:, 0]])
    said = predicted(truth, correlation=0.5, rng=np.random.default_rng(1))
    assert (said[:, 0] == 1).all()
    assert np.ptp(said[:, 1]) > 0


def test_same_seed_same_predictions():
    first, second = (
        predicted(skewed(), correlation=0.5, rng=np.random.default_rng(3)) for _ in range(2)
    )
    assert np.array_equal(first, second)


@settings(max_examples=40, deadline=None)
@given(
    truth=arrays.arrays(
        float,
        st.tuples(st.integers(1, 8), st.integers(1, 4)),
        elements=st.floats(0, 1),
    ),
    correlation=st.floats(0, 1),
    shared=st.floats(0, 1),
)
def test_whatever_the_truth_predictions_stay_within_its_bounds(truth, correlation, shared):
    rng = np.random.default_rng(0)
    said = predicted(truth, correlation=correlation, shared=shared, rng=rng)
    assert said.shape == truth.shape
    assert (said >= truth.min(axis=0) - 1e-12).all()
    assert (said <= truth.max(axis=0) + 1e-12).all()
    assert ((said >= 0) & (said <= 1)).all()


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("truth", {"truth": np.array([0.5])}),
        ("truth", {"truth": np.empty((0, 2))}),
        ("truth", {"truth": np.array([[0.5, 1.1]])}),
        ("truth", {"truth": np.array([[np.nan]])}),
        ("correlation", {"correlation": -0.1}),
        ("correlation", {"correlation": float("nan")}),
        ("shared", {"shared": 1.5}),
    ],
)
def test_errors_name_the_field(field, changes):
    arguments = {"truth": np.array([[0.5, 0.4]]), "correlation": 0.7, "shared": 0.8, **changes}
    with pytest.raises(InvalidRequest) as error:
        predicted(arguments.pop("truth"), **arguments, rng=np.random.default_rng(0))
    assert [v.field for v in error.value.violations] == [field]


def test_all_that_is_wrong_is_named_at_once():
    with pytest.raises(InvalidRequest) as error:
        predicted(np.array([[2.0]]), correlation=2, shared=2, rng=np.random.default_rng(0))
    assert [v.field for v in error.value.violations] == ["truth", "correlation", "shared"]
