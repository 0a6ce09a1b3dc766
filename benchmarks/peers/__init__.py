"""The same work in what people use otherwise, each in an environment of its own.

Each module but `environments` and `torch_work` is a main program that makes one measurement.
"""
