"""A fault tree's answers are those of going through all states, in every order of variables, however deep it is."""

from math import inf, isnan, nan, prod

import pytest
from brute_force import States, drawn

from holdfast.predict import And, AtLeast, Event, FaultTree, Gate, Not, Or, Xor, sampling
from holdfast.predict import solve as solving
from holdfast.predict.formula import formula_of

SEEDS = range(150)


@pytest.mark.parametrize("coherent", [True, False])
def test_probability_frequency_and_cut_sets_are_those_of_all_states(coherent):
    for seed in SEEDS:
        top = drawn(seed, coherent=coherent)
        tree = FaultTree(top)
        states = States(top, tree.events)
        assert tree.probability() == pytest.approx(states.probability(), abs=1e-12), seed
        assert tree.frequency() == pytest.approx(states.frequency(), abs=1e-10), seed
        assert set(tree.cut_sets()) == states.minimal(), seed


def test_counts_by_order_are_those_of_the_sets_that_are_written_out():
    for seed in SEEDS:
        tree = FaultTree(drawn(seed, coherent=seed % 2 == 0, events=9, gates=20))
        every = tree.cut_sets()
        orders = [len(cut) for cut in every]
        assert tree.cut_set_counts() == {order: orders.count(order) for order in sorted(set(orders))}
        for most in (0, 1, 2, 3):
            assert set(tree.cut_sets(most)) == {cut for cut in every if len(cut) <= most}
            assert sum(tree.cut_set_counts(most).values()) == sum(order <= most for order in orders)


def test_no_order_of_variables_changes_the_answer():
    for seed in SEEDS:
        formula = formula_of(drawn(seed, coherent=False, events=10, gates=25))
        numbers = [event.probability for event in formula.events]
        answers = [solving.probability(solving.solve(formula, number=number), numbers) for number in range(9)]
        assert answers == pytest.approx([answers[0]] * 9, rel=1e-12, abs=1e-15)


def test_nothing_that_gets_likelier_makes_a_coherent_top_less_likely():
    for seed in SEEDS:
        tree = FaultTree(drawn(seed, coherent=True))
        before = tree.probability()
        for event in tree.events:
            assert tree.probability({event.name: min(1.0, event.probability * 2)}) >= before - 1e-15


def test_birnbaum_is_the_difference_that_an_event_makes():
    for seed in SEEDS:
        tree = FaultTree(drawn(seed, coherent=seed % 2 == 0))
        for name, slope in tree.birnbaum().items():
            assert slope == pytest.approx(tree.probability({name: 1.0}) - tree.probability({name: 0.0}), abs=1e-12)


def test_importance_says_what_is_gone_without_an_event_and_what_comes_with_it():
    disk, cable = Event("disk", 0.1), Event("cable", 0.01)
    tree = FaultTree(Or(And(disk, Event("mirror", 0.05)), cable))

    found = tree.importance()

    total = 0.01 + 0.99 * 0.005
    assert list(found)[0] == "cable"
    assert found["disk"].birnbaum == pytest.approx(0.99 * 0.05)
    assert found["disk"].criticality == pytest.approx((total - 0.01) / total) == found["disk"].fussell_vesely
    assert found["disk"].achievement == pytest.approx((0.01 + 0.99 * 0.05) / total)
    assert found["disk"].reduction == pytest.approx(total / 0.01)
    assert found["disk"].diagnostic == pytest.approx(0.1 * (0.01 + 0.99 * 0.05) / total)


def test_an_only_event_leaves_no_risk_behind_and_an_impossible_top_has_no_shares():
    assert FaultTree(Event("a", 0.5)).importance()["a"].reduction == inf
    assert isnan(FaultTree(And(Event("a", 0.0), Event("b", 0.5))).importance()["b"].criticality)


def test_what_is_as_unlikely_as_1e_minus_40_keeps_its_digits():
    events = [Event(f"e{index}", 1e-8) for index in range(5)]
    assert FaultTree(And(*events)).probability() == pytest.approx(1e-40, rel=1e-12)
    either = Or(And(*events), And(events[0], Event("f", 1e-9), Event("g", 1e-9)))
    assert FaultTree(either).probability() == pytest.approx(1e-8 * (1e-18 + 1e-32), rel=1e-9)


def test_five_thousand_gates_below_each_other_are_no_limit():
    node = Event("e0", 0.5)
    for index in range(1, 5001):
        node = (Or if index % 2 else And)(node, Event(f"e{index}", 1 / (index + 2)), Event("shared", 0.25))
    tree = FaultTree(node)
    assert 0 < tree.probability() < 1
    assert tree.cut_set_counts(1) == {}


def test_a_hundred_of_which_thirty_must_fail_is_the_binomial_tail():
    from math import comb

    tree = FaultTree(AtLeast(30, *(Event(f"u{index}", 0.2) for index in range(100))))
    assert tree.probability() == pytest.approx(sum(comb(100, i) * 0.2**i * 0.8 ** (100 - i) for i in range(30, 101)), rel=1e-12)
    assert tree.cut_set_counts() == {30: comb(100, 30)}


def test_a_what_if_leaves_the_tree_as_it_was():
    tree = FaultTree(Or(Event("a", 0.1), Event("b", 0.2)))
    assert tree.probability({"a": 0.5}) == pytest.approx(0.6)
    assert tree.probability() == pytest.approx(0.28)


def test_samples_are_the_same_as_one_by_one():
    tree = FaultTree(drawn(7, coherent=False, events=12, gates=30))
    first, second = tree.events[0].name, tree.events[-1].name
    samples = {first: [index / 5000 for index in range(5000)], second: [1 - index / 6000 for index in range(5000)]}
    found = tree.probabilities(samples)
    for index in (0, 1, 2499, 2500, 4999):
        point = {name: column[index] for name, column in samples.items()}
        assert found[index] == pytest.approx(tree.probability(point), abs=1e-14)


def test_a_tree_that_is_always_or_never_is_so():
    a = Event("a", 0.3)
    assert FaultTree(Or(a, Not(a))).probability() == 1.0
    assert FaultTree(And(a, Not(a))).cut_sets() == ()
    assert FaultTree(Xor(a, a)).probability() == 0.0
    assert FaultTree(Or(a, Not(a))).cut_sets() == (frozenset(),)


def test_a_repair_that_brings_the_top_about_counts_in_its_frequency():
    a = Event("a", failure_rate=1.0, repair_rate=3.0)
    assert FaultTree(Not(a)).frequency() == pytest.approx(FaultTree(a).frequency()) == pytest.approx(0.75)
    assert not FaultTree(Not(a)).coherent


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Event("a", 1.5), "a: probability must lie between 0 and 1, not 1.5"),
        (lambda: Event("a"), "a: probability must lie between 0 and 1"),
        (lambda: Event("a", failure_rate=1.0), "a: give failure_rate and repair_rate"),
        (lambda: Event("a", failure_rate=1.0, repair_rate=0.0), "repair_rate must be a finite rate"),
        (lambda: AtLeast(3, Event("a", 0.1), Event("b", 0.1)), "from 1 to its 2 inputs, not 3"),
        (lambda: And(), "And needs 1 input or more"),
        (lambda: Or("a"), "must be an Event or a gate"),
        (lambda: Gate("nand", (Event("a", 0.1),)), "must be one of and, or, atleast, not, xor, not 'nand'"),
        (lambda: Gate("and", ()), "And needs 1 input or more, not 0"),
        (lambda: Gate("or", "ab"), "the inputs of Or must be Events and gates, not 'ab'"),
        (lambda: Gate("not", (Event("a", 0.1), Event("b", 0.1))), "Not needs one input, not 2"),
        (lambda: Gate("atleast", (Event("a", 0.1),)), "a whole number from 1 to its 1 inputs, not 0"),
        (lambda: AtLeast(2.0, Event("a", 0.1), Event("b", 0.1)), "a whole number from 1 to its 2 inputs, not 2.0"),
        (lambda: FaultTree("a"), "the top of a tree must be an Event or a gate, not 'a'"),
        (lambda: FaultTree(_round()), "stands below itself"),
        (lambda: FaultTree(Event("a", 0.1)).probabilities({"a": [2.0, -1.0]}), "a: probability must lie between 0 and 1, not 2"),
        (lambda: FaultTree(Event("a", 0.1)).probabilities({"a": [nan]}), "between 0 and 1, not nan"),
        (lambda: FaultTree(Or(Event("a", 0.1), Event("a", 0.2))), "two different events are both named 'a'"),
        (lambda: FaultTree(Event("a", 0.1)).probability({"b": 0.1}), "there is no event 'b'"),
        (lambda: FaultTree(Event("a", 0.1)).frequency(), "a has a probability but no frequency"),
        (lambda: FaultTree(Event("a", 0.1)).cut_sets(-1), "order must be 0 or more"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(make, says):
    with pytest.raises(ValueError, match=says.replace("(", r"\(")):
        make()


def _round() -> Gate:
    """A gate below itself, which only force makes."""
    low = Or(Event("a", 0.1))
    top = And(low, Event("b", 0.1))
    object.__setattr__(low, "inputs", (top,))
    return top


def test_samples_are_refused_without_numpy_as_with_it(monkeypatch):
    monkeypatch.setattr(sampling, "has_numpy", lambda: False)
    with pytest.raises(ValueError, match="a: probability must lie between 0 and 1, not 2.0"):
        FaultTree(Event("a", 0.1)).probabilities({"a": [0.5, 2.0]})


def test_a_diagram_beyond_its_budget_is_refused_with_a_way_out():
    def mixed(number: int):
        chosen = [index for index in range(40) if (number >> index % 7) & 1 or index % (number % 5 + 2) == 0]
        return Xor(*(Event(f"e{index}", 0.5) for index in chosen))

    hard = AtLeast(6, *(And(mixed(number), mixed(number + 3)) for number in range(1, 13)))
    with pytest.raises(ValueError, match="more than 500 nodes in each of"):
        FaultTree(hard, most_nodes=500)


def test_independent_modules_multiply():
    chains = [And(*(Event(f"c{index}p{part}", 0.1) for part in range(3))) for index in range(50)]
    assert FaultTree(Or(*chains)).probability() == pytest.approx(1 - prod([1 - 1e-3] * 50), rel=1e-12)
