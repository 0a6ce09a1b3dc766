import json

import numpy as np
import pytest

from seq2seq_jax.data.grouping import Grouping
from seq2seq_jax.evaluation.dev_evaluation import Evaluation
from seq2seq_jax.evaluation.grouped_results import (
    SourceLosses,
    flat_results,
    grouped_results,
    grouped_table,
)
from seq2seq_jax.evaluation.metrics import (
    AccuracyMetricSpec,
    BleuMetricSpec,
    LogPerplexityMetricSpec,
)

LANGUAGES = Grouping("language", [("de",), ("fr",), ("de",), ("de",)], macro_average=True)
OUTPUTS = ["a", "b", "x", "x"]
REFERENCES = [["a"], ["b"], ["y"], ["z", "x"]]


def test_each_group_is_measured_by_itself_and_counts_equally_in_the_macro_average():
    found = grouped_results([AccuracyMetricSpec()], LANGUAGES, OUTPUTS, REFERENCES)

    assert found.sizes == {"de": 3, "fr": 1}
    assert found.results["de"]["sequence_accuracy"] == pytest.approx(200 / 3)
    assert found.results["fr"]["sequence_accuracy"] == 100
    assert found.macro["sequence_accuracy"] == pytest.approx((200 / 3 + 100) / 2)


def test_a_source_counts_in_each_of_its_groups_and_a_grouping_may_have_no_macro_average():
    features = Grouping("feature", [("PL", "NOM"), ("NOM",), (), ("SG",)])

    found = grouped_results([AccuracyMetricSpec()], features, OUTPUTS, REFERENCES)

    assert found.sizes == {"PL": 1, "NOM": 2, "SG": 1} and found.macro == {}
    assert "macro" not in found.to_dict()


def test_log_perplexity_of_a_group_is_that_of_its_target_tokens():
    losses = SourceLosses(np.array([1.0, 4.0, 2.0, 3.0]), np.array([2, 2, 1, 3]))

    found = grouped_results([LogPerplexityMetricSpec()], LANGUAGES, losses=losses)

    assert found.results["de"]["log_perplexity"] == 1.0
    assert found.results["fr"]["log_perplexity"] == 2.0
    assert found.macro["log_perplexity"] == 1.5


def test_signatures_are_no_results_of_groups():
    found = grouped_results([BleuMetricSpec()], LANGUAGES, OUTPUTS, REFERENCES)

    assert set(found.macro) == {"bleu"}


def test_results_of_groups_have_flat_names_and_are_written_as_json():
    found = grouped_results([AccuracyMetricSpec()], LANGUAGES, OUTPUTS, REFERENCES)
    evaluation = Evaluation({"sequence_accuracy": 75.0}, [], {"language": found})

    assert evaluation.group_numbers["language/fr/sequence_accuracy"] == 100
    assert flat_results("language", found)["language/macro/token_accuracy"] > 0
    read = json.loads(json.dumps(evaluation.to_dict()))
    assert read["sequence_accuracy"] == 75
    assert read["language"]["groups"]["fr"]["sources"] == 1
    assert read["language"]["macro"] == found.macro


def test_the_table_has_a_row_for_each_group_and_one_for_the_macro_average():
    found = grouped_results([AccuracyMetricSpec()], LANGUAGES, OUTPUTS, REFERENCES)

    rows = [line.split() for line in grouped_table("language", found).splitlines()]

    assert rows[0] == ["language", "sources", "token_accuracy", "sequence_accuracy"]
    assert rows[1][:2] == ["de", "3"] and rows[2][:2] == ["fr", "1"]
    assert rows[3][0] == "macro" and len(rows) == 4
