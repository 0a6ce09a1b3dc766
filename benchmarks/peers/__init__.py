"""The same measurements in other toolkits, each in its own environment.

Each module except `environments` and `torch_work` is a main program for one measurement.
"""
