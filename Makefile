# StoreSCP. `make` lists the targets. Nothing here needs more than Python 3.11+, make and a shell,
# but `make scan`, which needs npm too.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
NATIVE := container/native
NATIVE_STAMP := $(VENV)/.native
SOURCES := contract container/receiver container/native container/rootfs.py functions/importer template_gen local ci tests $(wildcard bench)

.PHONY: help
help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: $(STAMP) $(NATIVE_STAMP) ## make the environment in .venv/ (instant when it is up to date)

$(STAMP): ci/uv.txt ci/requirements.txt setup.cfg pyproject.toml
	@$(PYTHON) ci/check_python.py
	@echo "setup: making $(VENV)/ (once, about 20 s)"
	@[ -x $(BIN)/python ] || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --require-hashes -r ci/uv.txt
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes ci/uv.txt ci/requirements.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@

# Tried again each time while there is none: a compiler may have been installed meanwhile.
$(NATIVE_STAMP): $(STAMP) $(wildcard $(NATIVE)/*)
	@$(BIN)/python $(NATIVE)/build.py
	@if [ -e container/receiver/_native.abi3.so ]; then touch $@; fi

.PHONY: run
run: setup ## the whole product on this machine; Ctrl-C drains and stops it
	@exec $(BIN)/python -m local

.PHONY: send
send: setup ## send DICOM files and watch them arrive: make send FILES=DIR [HOST= PORT= AET=]
	@exec $(BIN)/python -m local.send "$(FILES)" $(if $(HOST),--host "$(HOST)") $(if $(PORT),--port "$(PORT)") $(if $(AET),--called-ae-title "$(AET)")

.PHONY: redrive
redrive: setup ## have quarantined images imported again: make redrive KEY=|BATCH=|ALL=1 [STACK=] [OPERATOR=]
	@$(BIN)/python -m importer.redrive $(if $(KEY),--key "$(KEY)") $(if $(BATCH),--batch "$(BATCH)") $(if $(ALL),--all) $(if $(STACK),--stack "$(STACK)") $(if $(OPERATOR),--operator "$(OPERATOR)")

.PHONY: release
release: setup ## let originals of warned or conflicting images expire: make release KEY=|BATCH= [STACK=] [OPERATOR=]
	@$(BIN)/python -m importer.redrive --action release $(if $(KEY),--key "$(KEY)") $(if $(BATCH),--batch "$(BATCH)") $(if $(STACK),--stack "$(STACK)") $(if $(OPERATOR),--operator "$(OPERATOR)")

.PHONY: rebuild-ledger
rebuild-ledger: setup ## make a lost ledger anew from S3 and HealthImaging [STACK=]
	@$(BIN)/python -m importer.rebuild_ledger $(if $(STACK),--stack "$(STACK)")

.PHONY: test
test: setup ## the test suite, on two processes (PYTEST="-k name" for a part)
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(PYTEST)

.PHONY: test-faults
test-faults: setup ## a part of make test: every fault, bad input and weakness by its name, counted
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder tests/faults tests/wire tests/pnd_regress $(PYTEST)

.PHONY: chaos
chaos: setup ## the whole product under random faults, nothing may be lost: make chaos [SECONDS=45] [SEED=1] [CHAOS=--write]
	@$(BIN)/python -m tests.chaos --seconds $(or $(SECONDS),45) --seed $(or $(SEED),1) $(CHAOS)

.PHONY: check
check: lint fresh scan test chaos ## all that CI holds: style, types, generated files, scanners, tests

.PHONY: fresh
fresh: setup ## templates, policies and tables are what the code renders; the changelog tells of the version
	@$(BIN)/python -m ci.version
	@rm -rf build/fresh
	@mkdir -p build/fresh/docs
	@cp docs/*.md build/fresh/docs/
	@$(BIN)/python -m template_gen build/fresh/dist
	@$(BIN)/python -m template_gen.reference build/fresh/docs
	@$(BIN)/python -m ci.taskcat.network build/fresh
	@cd build/fresh; same=yes; for file in */*; do diff -u "../../$$file" "$$file" || same=; done; [ "$$same" ] || \
	    { echo "fresh: dist/, docs/ or ci/ is not what the code renders: run make template and review the diff"; exit 1; }

.PHONY: scan
scan: setup ## examine the templates by checkov and cfn-guard (needs npm; 25 s)
	@$(BIN)/python -m ci.scan

.PHONY: bench
bench: setup ## measure against peers on a quiet machine; writes bench/results.json (BENCH="--quick" for a look)
	@$(BIN)/python -m bench $(BENCH)

.PHONY: soak
soak: setup ## a receiver under mixed load for long: memory, threads, descriptors stay flat [SECONDS=3600 SEED=1]
	@$(BIN)/python -m bench.soak $(if $(SECONDS),--seconds "$(SECONDS)") $(if $(SEED),--seed "$(SEED)")

.PHONY: fuzz
fuzz: setup ## mutated sessions against the receiver, led by coverage, then over TCP [SECONDS=600 SEED=1]
	@$(BIN)/python -m tests.fuzz $(if $(SECONDS),--seconds "$(SECONDS)") $(if $(SEED),--seed "$(SEED)")

.PHONY: bench-readme
bench-readme: setup ## put the table of bench/results.json into README.md
	@$(BIN)/python -m bench.report --write

.PHONY: fix
fix: setup ## format and mend what can be mended
	$(BIN)/ruff format $(SOURCES)
	$(BIN)/ruff check --fix $(SOURCES)

.PHONY: lint
lint: setup ## format, style and types; writes nothing
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/mypy $(SOURCES)

.PHONY: template
template: setup ## write templates and deploy policies into dist/, their tables into docs/
	@$(BIN)/python -m template_gen dist
	@$(BIN)/python -m template_gen.reference docs
	@$(BIN)/python -m ci.taskcat.network .

.PHONY: golden
golden: setup ## write the golden policy of each role, which a test compares; review the diff
	@$(BIN)/python -m tests.template_gen.policies >/dev/null

.PHONY: inventory
inventory: setup ## record this version's resources at its release; updates from it must replace no data
	@$(BIN)/python -m tests.template_gen.inventory >/dev/null

.PHONY: image
image: setup ## build the receiver's image into build/image/ (PUBLISHED=1: from the published base)
	@$(BIN)/python -m ci.image.build $(if $(PUBLISHED),--published)

.PHONY: image-test
image-test: setup ## build the image, run it hardened against a local S3, and check it
	@$(BIN)/python -m ci.image.check

TASKCAT_CHOICE = $(if $(TESTS),--tests "$(TESTS)") $(if $(REGIONS),--regions "$(REGIONS)")

.PHONY: taskcat-local
taskcat-local: setup ## taskcat against emulated AWS, end to end: [TESTS= REGIONS= EXPECT=STATE]
	@$(BIN)/python -m ci.taskcat.local $(TASKCAT_CHOICE) $(if $(EXPECT),--expect "$(EXPECT)")

.PHONY: taskcat-proof
taskcat-proof: taskcat-local ## taskcat-local is green, and a wrong expectation makes it fail (3 min)
	@$(BIN)/python -m ci.taskcat.wrong

.PHONY: taskcat
taskcat: setup ## say what taskcat would make in your account: CIDR=YOUR.ADDRESS/32 (CONFIRM=yes makes it)
	@$(BIN)/python -m ci.taskcat --cidr "$(CIDR)" $(TASKCAT_CHOICE) $(if $(IMAGE),--image-uri "$(IMAGE)") $(if $(PREFIX),--asset-bucket-prefix "$(PREFIX)") $(if $(KEEP_NETWORK),--keep-network) $(if $(filter yes,$(CONFIRM)),--confirm)

.PHONY: dist
dist: template ## everything that a release consists of, in dist/
	@$(BIN)/python -m ci.dist

.PHONY: publish
publish: dist ## show what would be put into the Regions' asset buckets (CONFIRM=yes puts it)
	@$(BIN)/python -m ci.publish $(if $(PREFIX),--bucket-prefix "$(PREFIX)") $(if $(filter yes,$(CONFIRM)),--confirm)

.PHONY: lock
lock: setup ## resolve the lock files anew
	$(BIN)/python ci/lock.py
