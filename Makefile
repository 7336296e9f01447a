# Thin on purpose: each target is a line or two of what you would type yourself.
SHELL := /bin/bash
.DEFAULT_GOAL := build

# Clones in different folders share the compiler's cache.
export CCACHE_BASEDIR := $(CURDIR)
export CCACHE_NOHASHDIR := 1

RBEE := build/release/rbee
T ?= gguf
# Not `SECONDS ?=`: bash has a variable of that name.
FUZZ_SECONDS := $(if $(findstring command,$(origin SECONDS)),$(SECONDS),30)

.PHONY: build program setup engines demo test test-machines test-all bench lint lint-all format fuzz clean help

build:  ## the program, build/release/rbee, and the unit tests
	@[ -f build/release/build.ninja ] || cmake --preset release
	@cmake --build --preset release

program:  ## the program alone
	@[ -f build/release/build.ninja ] || cmake --preset release
	@cmake --build --preset release --target rbee

setup:  ## what the machine lacks: packages, and the tests' npm packages
	@tools/setup

engines: program  ## the engine packs of the demo and the tests, built once into ~/.cache/rbee
	@$(RBEE) engine install cpu
	@$(RBEE) engine install vulkan

demo:  ## real answers from two backends of this machine
	@tools/setup
	@$(MAKE) --no-print-directory engines
	@node tools/demo.mjs

test:  ## unit tests, and end-to-end tests on the CPU and Vulkan engines
	@tools/setup
	@$(MAKE) --no-print-directory build engines
	@tools/run_tests.py

test-machines:  ## several machines in network namespaces: the seed's example, and what breaks between machines
	@tools/setup machines
	@$(MAKE) --no-print-directory build engines
	@tools/run_tests.py --machines

test-all:  ## test and test-machines, again with AddressSanitizer, UBSan and ThreadSanitizer, and every fuzz target for a while
	@tools/setup fuzz machines
	@$(MAKE) --no-print-directory build engines
	@for preset in debug tsan fuzz; do \
	  { [ -f build/$$preset/build.ninja ] || cmake --preset $$preset; } && cmake --build --preset $$preset || exit 1; done
	@tools/run_tests.py --all

# In the order of what users meet; each part can be run by itself.
BENCHES := run proxies links streams speed resume learning routing rhai/beside_lua fit_zoo download hives keeper_back

bench:  ## what rbee costs, beside nginx too, how well it routes, learns and plans; ends with 1 on a miss
	@tools/setup bench
	@$(MAKE) --no-print-directory build engines
	@cmake --build --preset release --target rhai_bench fake_engine load
	@status=0; for part in $(BENCHES); do bench/$$part || status=1; done; exit $$status

lint:  ## format, include rules, tidy, and clang-tidy on what changed
	@tools/setup
	@tools/lint

lint-all:  ## lint with clang-tidy on the whole tree
	@tools/setup
	@tools/lint --all

format:  ## clang-format on every source file
	@git ls-files -co --exclude-standard -- 'src/*.h' 'src/*.cpp' 'fuzz/*.cpp' | xargs clang-format-19 -i

fuzz:  ## one fuzz target for a while: make fuzz T=gguf SECONDS=30
	@tools/setup fuzz
	@[ -f build/fuzz/build.ninja ] || cmake --preset fuzz
	@cmake --build --preset fuzz --target fuzz_$(T)
	@mkdir -p build/fuzz/corpus/$(T)
	@build/fuzz/fuzz/fuzz_$(T) -max_total_time=$(FUZZ_SECONDS) -timeout=10 -artifact_prefix=build/fuzz/ \
	  $(addprefix -dict=,$(wildcard fuzz/$(T).dict fuzz/$(firstword $(subst _, ,$(T))).dict)) \
	  build/fuzz/corpus/$(T) $(wildcard fuzz/seeds/$(T))

clean:  ## what was built here; the engine packs in ~/.cache/rbee stay
	@rm -rf build

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*  ## /\1: /p' Makefile | column -t -s: -l 2
