# libkref, for people who know make and not cargo.
#
#   make            builds libkref.so, libkref.a, libkref_track.so and kref-track into $(OUT)
#   make demo       builds, installs under target/, compiles and runs examples/handoff.c
#   make check      runs the tests that take little time
#   make check-all  runs all the tests
#   make deny       licences, sources and advisories of the dependencies, by cargo-deny
#   make torture    goes on disturbing the sequences, KREF_TORTURE_SECONDS=120 for each way to build
#   make mutants    puts several hundred small faults into the source, one at a time; a test must find each
#   make fuzz       fuzzes what libkref reads, and random operations, KREF_FUZZ_SECONDS=60 for each target
#   make memory     runs the Rust tests under AddressSanitizer and valgrind's memcheck
#   make miri       runs them under Miri, where nightly Rust has it
#   make bugs       prints which bugs of c-tests/bugs are found, and the lines that are blamed
#   make evidence   how often the right line is blamed in 500 mutants of right programs: c-tests/evidence
#   make bench      measures libkref next to atomics and locks by hand, GLib, std Arc and liburcu
#   make bench-pool lookups by handle, next to hash tables under locks, liburcu, sharded-slab and slotmap
#   make bench-track  what tracking costs, next to heaptrack and valgrind
#   make header     regenerates the headers of include/ that src/capi describes
#   make man        regenerates the pages of man/ from the headers, docs/ and the help of kref-track
#   make docs       the headers and docs/ as a web site, in $(TARGET_DIR)/docs
#   make install    PREFIX=/usr/local DESTDIR= LIBDIR=$(PREFIX)/lib INCLUDEDIR=$(PREFIX)/include
#                   BINDIR=$(PREFIX)/bin MANDIR=$(DATADIR)/man; TRACK=no leaves the tracker out
#   make install-strip  the same without debug information
#   make uninstall  with the same variables
#   make dist       a tarball that builds without a network, in $(TARGET_DIR)

CARGO ?= cargo
CC ?= cc
CXX ?= c++
PKG_CONFIG ?= pkg-config
OBJCOPY ?= objcopy
STRIP ?= strip
INSTALL ?= install
MKDOCS ?= mkdocs

PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
BINDIR ?= $(PREFIX)/bin
INCLUDEDIR ?= $(PREFIX)/include
PKGCONFIGDIR ?= $(LIBDIR)/pkgconfig
DATADIR ?= $(PREFIX)/share
MANDIR ?= $(DATADIR)/man

# Where cargo works, and where the finished libraries are put.
TARGET_DIR ?= target
OUT ?= $(TARGET_DIR)/libkref

# If a user's cargo configuration sets `build.target`, cargo writes to another folder. So make always passes a
# target, and knows the folder. For another machine: make TARGET=aarch64-unknown-linux-gnu CC=aarch64-linux-gnu-gcc OBJCOPY=... AR=... STRIP=...
RUSTC ?= rustc
TARGET ?= $(shell $(RUSTC) -vV 2>/dev/null | sed -n 's/^host: //p')
BUILD = $(TARGET_DIR)/$(TARGET)/capi
TRACKED = $(TARGET_DIR)/$(TARGET)/track
RECORDER = $(TARGET_DIR)/$(TARGET)/record

# make splits a variable at blanks. So `make uninstall` would take a path with a blank for two paths, and remove
# the wrong files.
$(foreach path,CURDIR TARGET_DIR OUT PREFIX LIBDIR BINDIR INCLUDEDIR PKGCONFIGDIR DATADIR MANDIR DESTDIR,$(if \
	$(word 2,$($(path))),$(error $(path) is "$($(path))": a path with a blank in it does not work \
	here. Move the source or choose another directory)))

# The oldest Rust that builds libkref, and the oldest that builds its tracker and runs the tests.
floor = $(shell sed -n 's/^rust-version = "\(.*\)"/\1/p' $(1))
FLOOR := $(call floor,Cargo.toml)
TRACK_FLOOR := $(call floor,track/Cargo.toml)

VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
# Until 1.0 a minor version may change the interface: the soname has both numbers.
ABI := $(basename $(VERSION))
SONAME := libkref.so.$(ABI)
# What libkref.so and libkref.a export. In libkref.so each symbol has the version KREF_$(ABI).
PUBLIC := kref_* percpu_ref_*
REAL := libkref.so.$(VERSION)
TRACK_SONAME := libkref_track.so.$(ABI)
HEADERS := kref.h kref.hpp kref/typed.h kref/slot.h kref/percpu.h kref/pool.h kref/track.h kref/count.h \
	kref/compiler.h kref/slow.h kref/inline.h kref/percpu_inline.h kref/tsan.h \
	kref/rseq/aarch64.h kref/rseq/riscv64.h kref/rseq/x86_64.h \
	kref/linux/kref.h kref/linux/kref_locks.h kref/linux/percpu-refcount.h \
	kref/linux/refcount.h kref/linux/refcount_types.h

# gdb looks for a script by the path of the library that it loads.
GDB_SCRIPT = $(DATADIR)/gdb/auto-load$(LIBDIR)/$(REAL)-gdb.py

# TRACK=no: libkref is built and installed without its tracker, which exists for x86-64 and aarch64, with glibc only.
# Without rustc make installs what is built, and uname tells the processor.
TRACKED_TARGETS := x86_64-%-linux-gnu aarch64-%-linux-gnu
ifeq ($(origin TRACK)$(filter $(TRACKED_TARGETS),$(or $(TARGET),$(shell uname -m)-unknown-linux-gnu)),undefined)
TRACK := no
LEFT_OUT := echo "make: kref-track is left out: it needs x86-64 or aarch64 with glibc, and this is $(TARGET)."
endif
TRACK ?= yes
BUILT := $(OUT)/built $(if $(filter yes,$(TRACK)),$(OUT)/built-track)

# The licences, ours and those of the crates in the tracker, and a list of all crates.
DOCS := LICENSE-MIT LICENSE-APACHE sbom.cdx.json $(if $(filter yes,$(TRACK)),track/third-party.txt)

# The linker's command: CC without `ccache` and the like. Further words of CC become arguments of the linker.
LINKER = $(filter-out ccache sccache distcc,$(CC))
LINK = -C linker=$(firstword $(LINKER)) \
	$(foreach option,$(wordlist 2,99,$(LINKER)),-C link-arg=$(option))

# The same for the tracker: cargo adds these options to those of REPRODUCIBLE.
LINK_TRACKED = --config "build.rustflags=[$(foreach word,$(LINK:-C=),'-C$(word)'$(comma))]"

# The same source makes the same libraries, in whatever directory and by whichever user.
REPRODUCIBLE = --config "build.rustflags=['--remap-path-prefix=$(CURDIR)=/kref', \
	'--remap-path-prefix=$(or $(CARGO_HOME),$(HOME)/.cargo)=/cargo']"

# The options that link libkref.so: no crt files (only a library with destructors needs them); no unused sections
# and libraries; all relocations read-only after loading; no page of padding, if the linker supports that (gold
# does not).
SHARED = -nostartfiles -Wl,--gc-sections -Wl,--as-needed -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack \
	$(shell $(CC) $(LDFLAGS) $(COMPACT) -nostdlib -shared -x c /dev/null -o /dev/null 2>/dev/null && \
		echo $(COMPACT))
COMPACT := -Wl,-z,noseparate-code

# $(call need,COMMAND,WHAT IT IS FOR). A comma in the text is a $(comma).
comma := ,
need = command -v $(firstword $(1)) >/dev/null 2>&1 || \
	{ echo "make: $(firstword $(1)) was not found; it is needed to $(2)." >&2; exit 1; }
# $(call need_cargo,WHAT IT IS FOR,THE OLDEST RUST). Without a second argument: what the tests need.
need_cargo = $(call need,$(CARGO),$(1): install Rust $(or $(2),$(TRACK_FLOOR)) or later$(comma) from your system or by rustup)

.PHONY: all demo check check-all deny bugs evidence mutants torture fuzz memory miri bench bench-pool bench-track header man docs \
	install install-strip uninstall dist clean
.DELETE_ON_ERROR:

all: $(BUILT)
	@$(LEFT_OUT)

# The target is a file, so `sudo make install` after `make` does not run cargo.
$(OUT)/built: Cargo.toml Cargo.lock Makefile build.rs $(wildcard src/*.rs src/*/*.rs)
	@$(call need_cargo,build libkref,$(FLOOR))
	@$(call need,$(CC),link libkref: install gcc or clang$(comma) or set CC)
	@$(call need,$(OBJCOPY),finish libkref.a: install binutils$(comma) or set OBJCOPY)
	@$(call need,$(AR),finish libkref.a: install binutils$(comma) or set AR)
	@mkdir -p $(OUT)
	@# rustc prints a note with the libraries for static linking. (It can write them into a file, but the name of
	@# the file would change the names of symbols, and so libkref.a.)
	$(CARGO) rustc --color never $(REPRODUCIBLE) --locked --profile capi --lib --features capi --crate-type staticlib \
		$(addprefix --target=,$(TARGET)) --target-dir $(TARGET_DIR) -- $(LINK) -C force-unwind-tables=yes \
		--print native-static-libs 2> $(OUT)/cargo.log || { cat $(OUT)/cargo.log >&2; exit 1; }
	@sed -e '/^note: .*native/d' -e '/^$$/d' $(OUT)/cargo.log >&2
	@sed -n 's/^note: native-static-libs: //p' $(OUT)/cargo.log > $(OUT)/native-static-libs
	@[ -s $(OUT)/native-static-libs ] || { echo "make: rustc named no libraries for static linking" >&2; exit 1; }
	@# The archive also contains Rust's runtime, which libkref does not use. Without the runtime, and with
	@# hidden internal symbols, libkref.a links beside any other Rust library.
	cp $(BUILD)/libkref.a $(OUT)/libkref.a
	$(AR) t $(OUT)/libkref.a | grep -v '^kref[-.]' | xargs $(AR) d $(OUT)/libkref.a
	$(OBJCOPY) --wildcard $(PUBLIC:%='--keep-global-symbol=%') $(OUT)/libkref.a
	@# Not by cargo: rustc does not export the assembly symbols of src/capi/edge.rs.
	@echo 'KREF_$(ABI) { global: $(PUBLIC:%=%;) local: *; };' > $(OUT)/libkref.map
	$(CC) -shared -o $(OUT)/$(REAL) -Wl,-soname,$(SONAME) -Wl,--version-script=$(OUT)/libkref.map \
		-Wl,--whole-archive $(OUT)/libkref.a -Wl,--no-whole-archive $(SHARED) $(LDFLAGS)
	@# Debug information stays in libkref.so. In a static program, libkref's functions would look like the
	@# program's: kref-track does not show functions of libkref, and knows them by their names.
	$(OBJCOPY) --strip-debug $(OUT)/libkref.a
	ln -sf $(REAL) $(OUT)/$(SONAME)
	ln -sf $(SONAME) $(OUT)/libkref.so
	@touch $@

$(OUT)/built-track: Cargo.toml Cargo.lock Makefile $(wildcard track/Cargo.toml track/*/Cargo.toml track/record/build.rs) \
		$(foreach crate,track track/record track/wire,$(wildcard $(crate)/src/*.rs $(crate)/src/*/*.rs)) $(wildcard track/src/html/*)
	@$(call need,$(CARGO),build the tracker: install Rust $(TRACK_FLOOR) or later$(comma) or set TRACK=no)
	@version=$$($(RUSTC) -V); minor=$${version#rustc 1.}; [ "$${minor%%.*}" -ge $(TRACK_FLOOR:1.%=%) ] || { \
		echo "make: the tracker needs Rust $(TRACK_FLOOR) or later; this is $$version. TRACK=no leaves it out." >&2; \
		exit 1; }
	$(CARGO) build $(REPRODUCIBLE) $(LINK_TRACKED) --locked --profile record --manifest-path track/record/Cargo.toml \
		$(addprefix --target=,$(TARGET)) --target-dir $(TARGET_DIR)
	$(CARGO) build $(REPRODUCIBLE) $(LINK_TRACKED) --locked --profile track --manifest-path track/Cargo.toml \
		$(addprefix --target=,$(TARGET)) --target-dir $(TARGET_DIR)
	@mkdir -p $(OUT)/kref
	@# -f: a program may be running.
	cp -f $(RECORDER)/libkref_track.so $(OUT)/kref/$(TRACK_SONAME)
	cp -f $(TRACKED)/kref-track $(OUT)/kref-track
	@touch $@

DEMO := $(abspath $(TARGET_DIR))/demo
demo:
	@$(call need,$(PKG_CONFIG),find the library as a program would: install pkg-config or pkgconf)
	@$(MAKE) --no-print-directory install PREFIX=$(DEMO) LIBDIR=$(DEMO)/lib \
		BINDIR=$(DEMO)/bin INCLUDEDIR=$(DEMO)/include PKGCONFIGDIR=$(DEMO)/lib/pkgconfig \
		DATADIR=$(DEMO)/share MANDIR=$(DEMO)/share/man DESTDIR= TRACK=no
	PKG_CONFIG_PATH=$(DEMO)/lib/pkgconfig; export PKG_CONFIG_PATH; \
	$(CC) -O2 -Wall -o $(DEMO)/handoff examples/handoff.c $$($(PKG_CONFIG) --cflags --libs kref)
	LD_LIBRARY_PATH=$(DEMO)/lib $(DEMO)/handoff

check check-all:
	@$(call need_cargo,run the tests)
	@$(call need,$(CC),compile the C tests: install gcc or clang$(comma) or set CC)
	@$(call need,$(PKG_CONFIG),find the library as a program would: install pkg-config or pkgconf)
	@CARGO='$(CARGO)' ci/check.sh $(if $(filter check-all,$@),all,quick)

deny:
	@$(call need,cargo-deny,check the dependencies: cargo install cargo-deny)
	$(CARGO) deny --workspace --locked check

torture: export KREF_TORTURE_SECONDS ?= 120
torture:
	@$(call need_cargo,run the tests)
	@$(call need,$(CC),compile the C tests: install gcc or clang$(comma) or set CC)
	$(CARGO) test --locked -p kref-c-tests --test torture -- /torture::

# The options of rustc that `cargo fuzz` uses. With these options a stable Rust is enough. libFuzzer writes new
# inputs into the first folder, and does not change the second one, the committed corpus. Each run takes a minute at
# most, because kref-track keeps the names and stacks that it has met until it ends.
FUZZ := -C passes=sancov-module $(addprefix -C llvm-args=-sanitizer-coverage-,level=4 \
	inline-8bit-counters pc-table trace-compares)
FUZZED := $(TARGET_DIR)/fuzz
fuzz: export KREF_FUZZ_SECONDS ?= 60
fuzz:
	@$(call need_cargo,build the targets)
	@$(call need,$(CXX),compile libFuzzer: install g++ or clang++$(comma) or set CXX)
	RUSTFLAGS="$(FUZZ)" $(CARGO) build --locked --profile fuzz -p kref-fuzz --target=$(TARGET) \
		--target-dir $(FUZZED)
	for target in fuzz/targets/*.rs; do \
		name=$$(basename $$target .rs) left=$$KREF_FUZZ_SECONDS; \
		mkdir -p $(FUZZED)/$$name; \
		while [ $$left -gt 0 ]; do \
			$(FUZZED)/$(TARGET)/fuzz/$$name -max_total_time=$$((left < 60 ? left : 60)) -timeout=30 -verbosity=0 \
				-print_final_stats=1 -artifact_prefix=$(FUZZED)/ $(FUZZED)/$$name fuzz/corpus/$$name || exit 1; \
			left=$$((left - 60)); \
		done; \
	done

# A stable rustc accepts -Z flags only with RUSTC_BOOTSTRAP. The third run is compiled as for Miri, without
# assembly.
RUST_TESTS = test --locked -p kref --test rust --test number_line
memory:
	@$(call need_cargo,run the tests)
	@$(call need,valgrind,run the tests under memcheck)
	RUSTC_BOOTSTRAP=1 RUSTFLAGS="-Z sanitizer=address -C unsafe-allow-abi-mismatch=sanitizer" \
		$(CARGO) $(RUST_TESTS) --target=$(TARGET) --target-dir $(TARGET_DIR)/asan
	$(CARGO) $(RUST_TESTS) --config 'target."$(TARGET)".runner = "valgrind -q --error-exitcode=99"'
	RUSTFLAGS="--cfg miri" $(CARGO) $(RUST_TESTS) --target-dir $(TARGET_DIR)/as-miri

miri:
	@$(CARGO) +nightly miri --version >/dev/null 2>&1 || \
		{ echo "make: no Miri; rustup component add --toolchain nightly miri" >&2; exit 1; }
	$(CARGO) +nightly miri $(RUST_TESTS) --target-dir $(TARGET_DIR)/miri

bugs:
	@$(call need_cargo,run the programs)
	$(CARGO) test --locked -q -p kref-c-tests --test bugs

evidence:
	@$(call need_cargo,run the programs)
	KREF_EVIDENCE=1 $(CARGO) test --locked -q -p kref-c-tests --test evidence

# Each run tries the faults that the runs before have not found: the Rust tests first, which are fast.
# cargo-mutants ends with 2 or 3 if some faults were not found, or made a test run too long.
MUTANTS = $(CARGO) mutants --config tests/mutants/cargo-mutants.toml --output $(TARGET_DIR) --iterate
UNFOUND = || case $$? in 2|3) ;; *) exit 1 ;; esac
mutants:
	@$(call need_cargo,run the tests)
	@$(call need,cargo-mutants,make the faults: cargo install cargo-mutants)
	rm -rf $(TARGET_DIR)/mutants.out
	$(MUTANTS) -C=--lib -C=--test=number_line -C=--test=percpu -C=--test=rust $(UNFOUND)
	TRACK=no $(MUTANTS) --timeout 60 -C=--package=kref-c-tests -C=--test=programs \
		-- -- plain::gcc::static $(UNFOUND)
	RUSTFLAGS="--cfg loom" $(MUTANTS) --timeout 300 -C=--lib -C=--test=loom $(UNFOUND)
	KREF_MISSED_MUTANTS=$(abspath $(TARGET_DIR))/mutants.out/missed.txt \
		$(CARGO) test --locked -p kref --test mutants -- survivors::

bench:
	@$(call need_cargo,run the benchmarks)
	$(CARGO) bench --locked -p kref-bench --bench costs

bench-pool:
	@$(call need_cargo,run the benchmarks)
	$(CARGO) bench --locked -p kref-bench --bench pool

bench-track:
	@$(call need_cargo,run the benchmarks)
	$(CARGO) bench --locked -p kref-bench --bench tracking

header:
	@$(call need_cargo,run cbindgen)
	$(CARGO) build --locked -p kref --features header

man:
	@$(call need_cargo,make the pages)
	rm -rf man/man?
	$(CARGO) run --locked -q -p kref-manual man man

docs:
	@$(call need_cargo,make the pages)
	@$(call need,$(MKDOCS),make the web site: pip install mkdocs$(comma) or set MKDOCS)
	rm -rf $(TARGET_DIR)/docs $(TARGET_DIR)/docs-source
	$(CARGO) run --locked -q -p kref-manual site $(TARGET_DIR)/docs-source
	$(MKDOCS) build --quiet --strict --config-file $(TARGET_DIR)/docs-source/mkdocs.yml

# $(call fill_in,FILE,DIRECTORY): makes the file in DIRECTORY from FILE.in. kref.pc lists the libraries that rustc
# names for static linking, as cargo-c's files do. kref-linux.pc has a path that is
# relative to itself. If INCLUDEDIR or DATADIR is not the default, it has the absolute path instead.
fill_in = sed -e 's|@PREFIX@|$(PREFIX)|g' -e 's|@LIBDIR@|$(LIBDIR)|g' \
	-e 's|@INCLUDEDIR@|$(INCLUDEDIR)|g' -e 's|@VERSION@|$(VERSION)|g' -e 's|@ABI@|$(ABI)|g' \
	-e "s|@NATIVE_STATIC_LIBS@|$$(cat $(OUT)/native-static-libs)|" $(RELOCATE) \
	$(1).in > $(2)/$(notdir $(1)) && chmod 644 $(2)/$(notdir $(1))
ifneq ($(INCLUDEDIR) $(DATADIR),$(PREFIX)/include $(PREFIX)/share)
RELOCATE = -e 's|^includedir=.*|includedir=$(INCLUDEDIR)|'
endif

# $(call files,FILE,PLACE below share): one file of data.
files = $(INSTALL) -d $(DESTDIR)$(DATADIR)/$(dir $(2)) && $(INSTALL) -m 644 $(1) $(DESTDIR)$(DATADIR)/$(2)
BASH_COMPLETION := bash-completion/completions/kref-track
ZSH_COMPLETION := zsh/site-functions/_kref-track
FISH_COMPLETION := fish/vendor_completions.d/kref-track.fish

# The pages, and links such as kref_get.3 for the names in a page. Without the tracker, no kref-track.1.
PAGES := $(patsubst man/%,%,$(filter-out $(if $(filter yes,$(TRACK)),,man/man1/%),$(wildcard man/man?/*)))

install: $(BUILT)
	$(INSTALL) -d $(DESTDIR)$(LIBDIR) $(DESTDIR)$(PKGCONFIGDIR) \
		$(DESTDIR)$(DATADIR)/pkgconfig $(DESTDIR)$(INCLUDEDIR)/kref/linux $(DESTDIR)$(INCLUDEDIR)/kref/rseq
	$(INSTALL) -m 755 $(OUT)/$(REAL) $(DESTDIR)$(LIBDIR)/$(REAL)
	ln -sf $(REAL) $(DESTDIR)$(LIBDIR)/$(SONAME)
	ln -sf $(SONAME) $(DESTDIR)$(LIBDIR)/libkref.so
	$(INSTALL) -m 644 $(OUT)/libkref.a $(DESTDIR)$(LIBDIR)/libkref.a
	for header in $(HEADERS); do \
		$(INSTALL) -m 644 include/$$header $(DESTDIR)$(INCLUDEDIR)/$$header || exit 1; \
	done
	$(if $(filter yes,$(TRACK)),$(call files,track/schema.json,kref/report.schema.json) && \
		$(call files,track/completions/kref-track.bash,$(BASH_COMPLETION)) && \
		$(call files,track/completions/_kref-track,$(ZSH_COMPLETION)) && \
		$(call files,track/completions/kref-track.fish,$(FISH_COMPLETION)) && \
		$(INSTALL) -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(LIBDIR)/kref && \
		$(INSTALL) -m 755 $(OUT)/kref/$(TRACK_SONAME) $(DESTDIR)$(LIBDIR)/kref/$(TRACK_SONAME) && \
		$(INSTALL) -m 755 $(OUT)/kref-track $(DESTDIR)$(BINDIR)/kref-track)
	$(INSTALL) -d $(DESTDIR)$(DATADIR)/doc/kref
	$(INSTALL) -m 644 $(DOCS) $(DESTDIR)$(DATADIR)/doc/kref
	$(INSTALL) -d $(patsubst %,$(DESTDIR)$(MANDIR)/%,$(sort $(dir $(PAGES))))
	$(foreach folder,$(sort $(dir $(PAGES))),$(INSTALL) -m 644 \
		$(addprefix man/,$(filter $(folder)%,$(PAGES))) $(DESTDIR)$(MANDIR)/$(folder) &&) true
	$(INSTALL) -d $(DESTDIR)$(dir $(GDB_SCRIPT))
	$(INSTALL) -m 644 gdb/kref.py $(DESTDIR)$(GDB_SCRIPT)
	$(call fill_in,pkgconfig/kref.pc,$(DESTDIR)$(PKGCONFIGDIR))
	$(call fill_in,pkgconfig/kref-linux.pc,$(DESTDIR)$(DATADIR)/pkgconfig)
	$(INSTALL) -d $(DESTDIR)$(LIBDIR)/cmake/kref
	$(call fill_in,cmake/kref-config.cmake,$(DESTDIR)$(LIBDIR)/cmake/kref)
	$(call fill_in,cmake/kref-config-version.cmake,$(DESTDIR)$(LIBDIR)/cmake/kref)

# Debug information is for gdb, and for distributions, which put it into a package of its own.
install-strip: install
	$(STRIP) --strip-unneeded $(DESTDIR)$(LIBDIR)/$(REAL) $(if $(filter yes,$(TRACK)), \
		$(DESTDIR)$(LIBDIR)/kref/$(TRACK_SONAME) $(DESTDIR)$(BINDIR)/kref-track)

uninstall:
	rm -f $(addprefix $(DESTDIR)$(LIBDIR)/,$(REAL) $(SONAME) libkref.so libkref.a kref/$(TRACK_SONAME))
	rm -f $(DESTDIR)$(BINDIR)/kref-track $(DESTDIR)$(GDB_SCRIPT)
	rm -f $(addprefix $(DESTDIR)$(DATADIR)/,kref/report.schema.json $(BASH_COMPLETION) $(ZSH_COMPLETION) \
		$(FISH_COMPLETION))
	rm -f $(addprefix $(DESTDIR)$(DATADIR)/doc/kref/,$(notdir $(DOCS)))
	rm -f $(addprefix $(DESTDIR)$(MANDIR)/,$(PAGES))
	rm -f $(addprefix $(DESTDIR)$(LIBDIR)/cmake/kref/,kref-config.cmake kref-config-version.cmake)
	rm -f $(DESTDIR)$(PKGCONFIGDIR)/kref.pc $(DESTDIR)$(DATADIR)/pkgconfig/kref-linux.pc
	rm -f $(addprefix $(DESTDIR)$(INCLUDEDIR)/,$(HEADERS))
	-rmdir $(DESTDIR)$(INCLUDEDIR)/kref/linux $(DESTDIR)$(INCLUDEDIR)/kref/rseq $(DESTDIR)$(INCLUDEDIR)/kref $(DESTDIR)$(LIBDIR)/kref \
		$(DESTDIR)$(LIBDIR)/cmake/kref $(DESTDIR)$(DATADIR)/doc/kref

# The tarball has the sources that are built and installed, and the crates for them. cargo needs all crates of a
# workspace, even unused ones. Therefore two changes: the dependencies of tests and of `make header` are removed
# from the manifests, and the tracker's three crates become a workspace of their own.
DIST := libkref-$(VERSION)
UNPACKED = $(TARGET_DIR)/$(DIST)
dist:
	@$(call need,git,list the files of the tarball: install git)
	rm -rf $(UNPACKED) && mkdir -p $(UNPACKED)/.cargo
	git ls-files -z . ':!c-tests' ':!bench' ':!fuzz' ':!tests' ':!models' ':!abi' ':!debian' ':!.ci' ':!ci' ':!man/tool' ':!.gitignore' | \
		tar -c --null -T - | tar -x -C $(UNPACKED)
	for manifest in Cargo.toml track/wire/Cargo.toml; do \
		awk '/^\[/ { skip = /cfg\(loom\)/ || /^\[build-dependencies\]/ } \
			skip || /^(default-)?members =/ { next } \
			{ sub(/^header = .*/, "header = []"); print } \
			/^\[workspace\]/ { print "exclude = [\"track\"]" }' \
			$$manifest > $(UNPACKED)/$$manifest || exit 1; \
	done
	awk '/^\[/ { keep = /^\[(workspace|profile)/ } keep && !/^(default-)?members =/ { print } \
		/^\[workspace\]/ { print "members = [\"record\", \"wire\"]" }' Cargo.toml >> $(UNPACKED)/track/Cargo.toml
	cp Cargo.lock $(UNPACKED)/track
	cd $(UNPACKED) && for manifest in Cargo.toml track/Cargo.toml; do \
		$(CARGO) tree --quiet --manifest-path $$manifest >/dev/null || exit 1; done
	cd $(UNPACKED) && $(CARGO) vendor --locked -s track/Cargo.toml > .cargo/config.toml
	tar -c -C $(TARGET_DIR) --sort=name --owner=0 --group=0 --numeric-owner --mode=go=rX,u+w \
		--mtime=@$$(git log -1 --format=%ct) $(DIST) | gzip -9n > $(UNPACKED).tar.gz

clean:
	$(CARGO) clean --target-dir $(TARGET_DIR)
