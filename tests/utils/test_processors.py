"""Processors on Linux, and on systems that cannot restrict a process to some of them."""

import os

from seq2seq_jax.devices import memory
from seq2seq_jax.utils.processors import available_processors, restrict_processors


def test_the_processors_are_those_of_the_process(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {5, 3}, raising=False)
    assert available_processors() == [3, 5]


def test_without_affinity_all_processors_are_available_and_nothing_is_restricted(monkeypatch):
    for name in ("sched_getaffinity", "sched_setaffinity"):
        monkeypatch.delattr(os, name, raising=False)
    assert available_processors() == list(range(os.cpu_count()))
    restrict_processors([0])


def test_where_the_system_does_not_report_the_peak_memory_the_text_says_so(monkeypatch):
    assert memory.peak_memory().endswith(" GB")
    monkeypatch.setattr(memory, "resource", None)
    assert memory.peak_memory() == "not reported by this system"
