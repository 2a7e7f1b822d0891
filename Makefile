# make demo    the built-in site with adproxy around it, and the second listener; Ctrl-C ends all of it
# make run     adproxy in front of a site: make run UPSTREAM=https://origin.example RULES=rules/ (PORT=8080)
# make test    everything, including what the tests need installed
# make bench   what a page costs, beside other ways to do it, in about five minutes; BENCH_JSON=FILE writes the ratios
# make growth  how that cost grows with pages, rules and requests at once; the first byte of a slow page
# make reconcile   VIEWS views while workers are killed: acknowledged = in the event store = in Prometheus
# make forgeries   mutated tokens: 0 are accepted; scanners with paths, agents and hosts of their own: 0 new series
# make sheet   pictures of PAGES with the slots of RULES, many to a sheet, in OUT
# make fuzz    strangers' bytes against each part that reads them, SECONDS for each (60); KEEP=1 keeps what reaches further
# make faults  readers who leave or dawdle, origins that fail, overload, restarts: LENGTH 1.0 is all of it (0.01)
# make judges  cache-tests, REDbot, slowhttptest and varnishtest, which it installs; JUDGES="redbot …" for some of them
# make screenshots   the console's pictures in docs, taken anew
# make density how far estimated densities are from what Chromium shows, in a dozen themes that it installs
SHELL := /bin/bash
.DEFAULT_GOAL := help
PY := .venv/bin/python
PYTEST_ARGS ?=
RULES ?= rules/
PORT ?= 8080
VIEWS ?= 3000
FORGERIES ?= 100000
SCANS ?= 100000
SECONDS ?= 60
LENGTH ?= 0.01

.PHONY: help demo run site-named test lint bench growth reconcile forgeries sheet screenshots density corpus fuzz faults judges clean

help:
	@sed -n 's/^# //p' Makefile

# The environment is made anew when pyproject.toml changes, or what is compiled: the modules that hatch_build.py names.
IN_PYTHON := $(shell sed -n '/for module in """/,/""".split/p' hatch_build.py | grep -v '"""')
COMPILED := $(wildcard $(addprefix adproxy/,*.pyx page/*.p?? $(addsuffix .py,$(IN_PYTHON))))
.venv/product: pyproject.toml tests/setup.sh hatch_build.py $(COMPILED)
	@tests/setup.sh product
	@touch $@

.venv/tests: .venv/product
	@tests/setup.sh tests
	@touch $@

demo: .venv/product
	@exec .venv/bin/adproxy demo $(DEMO_ARGS)

# Asked before anything is installed. The values reach the shell through the environment, so none needs quoting.
run: export UPSTREAM := $(UPSTREAM)
run: export RULES := $(RULES)
run: export PORT := $(PORT)
run: site-named .venv/product
	@exec .venv/bin/adproxy serve --upstream "$$UPSTREAM" --rules "$$RULES" --port "$$PORT" $(RUN_ARGS)

site-named:
	@[ -n "$$UPSTREAM" ] || { \
	  echo "make run: which site? Name its own server: make run UPSTREAM=https://origin.example RULES=rules/" >&2; exit 2; }

test: .venv/tests lint
	@$(PY) -m pytest -n auto --dist loadgroup $(PYTEST_ARGS)

lint: .venv/tests
	@.venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/mypy
	@$(PY) -m adproxy.rules.reference --check
	@.venv/bin/adproxy check --strict rules adproxy/demo/rules

bench: .venv/tests
	@.venv/bin/pip install --quiet --group bench
	@$(PY) tests/benchmarks/bench.py $(BENCH_ARGS)

growth: .venv/tests
	@$(PY) tests/benchmarks/growth_bench.py $(GROWTH_ARGS)

reconcile: .venv/tests
	@$(PY) tests/reconcile.py $(VIEWS)

forgeries: .venv/tests
	@$(PY) tests/mutations.py $(FORGERIES)
	@$(PY) tests/scanners.py $(SCANS)

sheet: .venv/tests
	@$(PY) tests/contact_sheet.py --rules $(RULES) --out $(OUT) $(PAGES)

screenshots: .venv/tests
	@$(PY) tests/screenshots.py --out docs

density: .venv/tests
	@$(PY) tests/benchmarks/density_bench.py --tools .tools/density $(DENSITY_ARGS)

fuzz: .venv/tests
	@cd tests && ../$(PY) -m fuzz --seconds $(SECONDS) $(if $(KEEP),--keep) $(FUZZ_ARGS)

faults: .venv/tests
	@cd tests && ../$(PY) -m faults --length $(LENGTH)

judges: .venv/tests
	@tests/setup.sh judges
	@cd tests && PATH=$$PATH:/usr/sbin ../$(PY) -m judges ../.tools/judges $(JUDGES)

clean:
	find adproxy -name '*.so' -delete
	rm -f adproxy__mypyc.*.so adproxy/compiled_from.txt
	rm -rf .venv .tools .pytest_cache .mypy_cache .ruff_cache .hypothesis
