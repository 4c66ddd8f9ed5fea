# Two commands do everything on a fresh Debian 12: `make demo` and `make test`. `make help` lists the rest.
SHELL := /bin/bash
.DEFAULT_GOAL := help
JOBS ?= $(shell nproc)
BUILD := build
# `make build CCACHE=1` compiles through ccache: a gain for rebuilds, a loss for the first build.
LAUNCHER := $(if $(CCACHE),-DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
FUZZ_SECONDS ?= 60
# clang++ itself, or the newest versioned one.
CLANG ?= $(shell command -v clang++ || compgen -c clang++- | grep -E '^clang\+\+-[0-9]+$$' | sort -V | tail -n 1)
FUZZ_TARGETS := npy csv fvecs idx safetensors memory memory_log metadata partial
# Warnings are errors in CI only, and in the release build only: sanitizers make the compiler warn falsely.
WERROR := $(if $(CI),-DHOPFIELD_WERROR=ON)
export CCACHE_SLOPPINESS := pch_defines,time_macros
CONFIGURE = cmake --preset $(1) $(LAUNCHER) $(3) > $(2).configure.log 2>&1 || { cat $(2).configure.log; exit 1; }

.PHONY: help setup configure build demo test test-release test-asan test-tsan bench fuzz format clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/\1|\2/' | \
	  awk -F'|' '{printf "  make %-14s %s\n", $$1, $$2}'

setup: ## install Debian packages and the virtual environment with LibTorch (idempotent)
	@tools/setup

configure: setup
	@$(call CONFIGURE,release,$(BUILD),$(WERROR))

build: configure ## build libraries and the program build/bin/hopfield
	@cmake --build $(BUILD) -j $(JOBS) --target hopfield hopfield_torch_program

demo: build ## set-up, build, then the main job on real data; writes demo/report.html
	@tools/fetch-demo-data
	@$(BUILD)/bin/hopfield demo --data $(BUILD)/demo-data --report demo/report.html --json demo/report.json

test: test-release test-asan test-tsan ## set-up, build, all tests: release, ASan+UBSan, ThreadSanitizer on the core
	@tools/test-summary

test-release: configure ## the release tests alone
	@cmake --build $(BUILD) -j $(JOBS)
	@tools/run-tests release

test-asan: setup ## the tests under AddressSanitizer and UndefinedBehaviorSanitizer, long experiments left out
	@$(call CONFIGURE,asan,build-asan)
	@cmake --build build-asan -j $(JOBS)
	@tools/run-tests asan

test-tsan: setup ## the core, built without torch, under ThreadSanitizer
	@$(call CONFIGURE,tsan,build-tsan)
	@cmake --build build-tsan -j $(JOBS)
	@tools/run-tests tsan

bench: configure ## kernels beside rivals and the machine's limits; ROWS="part of a name ..." for some rows
	@.venv/bin/pip install --quiet --disable-pip-version-check -r tools/requirements-bench.txt
	@cmake --build $(BUILD) -j $(JOBS) --target bench_worker bench_pruning hopfield hopfield_torch_program
	@.venv/bin/python benchmarks/rivals/run.py --build $(BUILD) $(ROWS)

fuzz: setup ## libFuzzer on every reader, FUZZ_SECONDS each; needs clang
	@[ -n "$(CLANG)" ] || { echo "make fuzz: expected clang++ 14 or newer, got none; apt-get install clang"; exit 1; }
	@$(call CONFIGURE,fuzz,build-fuzz,-DCMAKE_CXX_COMPILER=$(CLANG))
	@cmake --build build-fuzz -j $(JOBS) --target fuzz_seeds $(FUZZ_TARGETS:%=fuzz_%)
	@build-fuzz/bin/fuzz_seeds build-fuzz/seeds
	@for target in $(FUZZ_TARGETS); do mkdir -p build-fuzz/found/$$target; \
	  build-fuzz/bin/fuzz_$$target -max_total_time=$(FUZZ_SECONDS) -artifact_prefix=build-fuzz/found/$$target/ \
	    build-fuzz/found/$$target build-fuzz/seeds/$$target || exit 1; done

format: ## clang-format over all C++ files
	@find include src tests benchmarks examples fuzz -name '*.h' -o -name '*.cc' -o -name '*.cu' | xargs clang-format -i

clean: ## remove what building made; .venv stays
	rm -rf build build-asan build-tsan build-dev build-no-torch build-clang build-fuzz *.configure.log
