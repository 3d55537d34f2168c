# Every command lives in tasks.py, for systems without make; this file only saves typing.
#   make lesson                 make lesson DATA=path/to/export.csv
PYTHON ?= $(shell command -v python3 >/dev/null 2>&1 && echo python3 || echo python)

.PHONY: help lesson test test-more lab notebooks lint claims mixtures sample quality animation signs bench site test-site address release

help:
	@"$(PYTHON)" tasks.py

# make puts DATA, SEEDS and the like into the environment, so that the shell takes nothing in the name of a file for its own.
claims:
	@"$(PYTHON)" tasks.py $@ $${SEEDS:+--seeds "$$SEEDS"} $${DATA:+--data "$$DATA"}

lesson mixtures quality:
	@"$(PYTHON)" tasks.py $@ $${DATA:+--data "$$DATA"}

test test-more lab notebooks lint sample animation signs bench site test-site:
	@"$(PYTHON)" tasks.py $@

address:
	@"$(PYTHON)" tasks.py $@ $${ADDRESS:+"$$ADDRESS"}

release:
	@"$(PYTHON)" tasks.py $@ $${VERSION:+"$$VERSION"}
