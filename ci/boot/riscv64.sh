# Part of build.sh: what is of riscv64 alone. A change of src/rseq/riscv64.rs is a script for sed -z.
# shellcheck shell=bash disable=SC2034

newest= # the library takes the same instructions on every processor

sanitizer=asan # ThreadSanitizer does not know this layout of memory

# A loop before each commit. Each turn is a block of qemu's, so most interrupts come here, where they matter.
loop='"li {wait}, 200", "20: addi {wait}, {wait}, -1", "bnez {wait}, 20b"'
wide="s/scratch = out(reg) _,/& wait = out(reg) _,/g
    s/\"addi {scratch}, {scratch}, 1\"/$loop, &/; s/\\\$operation,\n/$loop, &/; s/\"amoadd.w /$loop, &/
    s/\"sw {[a-z]*}, 0({at})\"/$loop, &/g"

twins() {
    changed wide "$wide"
    changed signature 's/0xf1401073/0x00000013/'
    # The handler goes on at the commit, if the object was loaded; and so does that of a pop.
    changed goes-on "$wide; s/\"sw {scratch}, 0({at})\"/\"21:\", &/
        s/\"li {number}, {gave_up}\"/\"j 21b # {gave_up}\"/; s/\"amoadd.w /\"21:\", &/
        s/\"bnez {restarts}, 6b\"/\"beqz {object}, 6b\", \"j 21b\"/
        s/object = out(reg) object/object = inout(reg) 0_usize => object/"
}
