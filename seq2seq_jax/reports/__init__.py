"""Plots, HTML pages and text that describe corpora, runs and models.

`figures` and `html_page` write the files; the other modules each make one report.
"""
