# Part of build.sh: what is of aarch64 alone. A change of src/rseq/aarch64.rs is a script for sed -z.
# shellcheck shell=bash disable=SC2034

# The flag that /proc/cpuinfo has for LSE. The library then takes other instructions.
newest=atomics

sanitizer=tsan # AddressSanitizer crashes

# A loop before each commit. Each turn is a block of qemu's, so most interrupts come here, where they matter.
loop='"mov {wait}, #200", "20: sub {wait}, {wait}, #1", "cbnz {wait}, 20b"'
register='s/scratch = out(reg) _,/& wait = out(reg) _,/g'
counters="s/\"add {scratch}, {scratch}, #1\"/$loop, &/; s/\\\$operation,\n/$loop, &/
    s/\"str {[a-z]*:w}, \\[{at}\\]\"/$loop, &/g"
wide="$register; $counters; s/\"ldadd /$loop, &/; s/\"ldxr /$loop, &/"

twins() {
    changed wide "$wide"
    changed signature 's/0xd428bc00/0xd503201f/'
    # The handler goes on at the commit, if the object was loaded; and so does that of a pop.
    changed goes-on "$wide; s/\"str {scratch:w}, \\[{at}\\]\"/\"21:\", &/
        s/\"mov {number:w}, {gave_up}\"/\"b 21b \/\/ {gave_up}\"/; s/\"ldadd /\"21:\", &/; s/\"ldxr /\"21:\", &/
        s/\"b 6b\"/\"cbz {object}, 6b\", \"b 21b\"/
        s/object = out(reg) object/object = inout(reg) 0_usize => object/"
    # The sequence ends behind the loop around the store-exclusive.
    changed loop "$register; $counters; s/\"ldadd /$loop, &/; s/\"ldxr /\"21:\", &/
        s/\"3:\",\n *\"cbnz {failed:w}, 6b\"/$loop, \"cbnz {failed:w}, 21b\", \"3:\"/"
    add processor -atomics
    torture twin loop -- an abort behind a store-exclusive that has succeeded counts twice
    add processor
}
