import json

from seq2seq_jax.training.patience import Plateau


def reached(plateau: Plateau, *values: float) -> list[bool]:
    return [plateau.reached({"bleu": value, "log_perplexity": value}) for value in values]


def test_a_plateau_is_so_many_evaluations_without_a_better_one():
    assert reached(Plateau("bleu", 2), 10, 9, 11, 11, 10, 12) == [
        False,
        False,
        False,
        False,
        True,
        False,
    ]


def test_some_metrics_are_better_lower():
    assert reached(Plateau("log_perplexity", 1), 3, 2, 2.5) == [False, False, True]


def test_after_a_plateau_counting_starts_anew():
    assert reached(Plateau("bleu", 2), 5, 4, 4, 4, 4) == [False, False, True, False, True]


def test_without_patience_there_is_none():
    assert not any(reached(Plateau("bleu", 0), *range(9, 0, -1)))


def test_counting_goes_on_where_it_was():
    plateau, resumed = Plateau("bleu", 3), Plateau("bleu", 3)
    reached(plateau, 5, 4, 4)
    resumed.restore(json.loads(json.dumps(plateau.state())))
    assert reached(resumed, 4) == [True]
