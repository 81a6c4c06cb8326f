# Each target works as the first command after a clone: it sets up .venv when needed, and only then.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready

.DEFAULT_GOAL := help
.PHONY: help run test test-long prove synth bitstream sim verilog figures lint bench experiments experiments-full clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(READY): pyproject.toml constraints.txt scripts/setup.sh
	@scripts/setup.sh $(PYTHON)
	@touch $@

run: $(READY) ## echo generated packets through the RTL, and say how it went
	@$(BIN)/hermes run

test: $(READY) ## every test that is quick
	$(BIN)/pytest -n 2 -m "not long"

test-long: $(READY) ## the tests that take long
	$(BIN)/pytest -n 2 -m long

prove: $(READY) ## what is promised of the NIC's blocks, proven for every cycle
	$(BIN)/python -m tests.formal.prove

synth: $(READY) ## what the NIC and its blocks cost in an ECP5 and an UltraScale+, how deep and fast they are; a bitstream
	$(BIN)/python -m tests.synthesis.synthesise --route
	$(BIN)/python -m tests.synthesis.board

bitstream: $(READY) ## only the last part of it: a small NIC as a whole, and the on-chip self-test as a bitstream
	$(BIN)/python -m tests.synthesis.board

sim: $(READY) ## the cycle-level benches of the NIC and its blocks, its line rate, latency and coverage
	$(BIN)/python -m tests.rtl.sim_report

verilog: $(READY) ## the NIC in build/verilog: Verilog, AXI-Stream wrapper, constraints, documentation
	$(BIN)/hermes verilog --config full --out build/verilog

figures: $(READY) ## the figures of docs/nic.md, from simulations
	$(BIN)/python -m tests.rtl.figures docs

lint: $(READY) ## style and types
	$(BIN)/ruff check
	$(BIN)/mypy

bench: $(READY) ## how fast the co-simulation is, in ratios of one run
	$(BIN)/python -m cosim.bench

experiments: $(READY) ## the quick set of all experiments: tables, figures and build/report/index.html
	$(BIN)/hermes experiment all

experiments-full: $(READY) ## the full set, which may take hours; what is finished is kept, so it may be interrupted
	$(BIN)/hermes experiment all --full --out build/report-full

clean: ## what the other targets made
	rm -rf .venv build out *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find rtl sw sim tests -name __pycache__ -type d -prune -exec rm -rf {} +
