# Part of build.sh: what is changed in src/rseq/aarch64.rs. Each change is a script for sed -z.
# shellcheck shell=bash

# A loop before each commit. Each turn is a block of qemu's, so most interrupts come here, where they matter.
loop='"mov {wait}, #200", "20: sub {wait}, {wait}, #1", "cbnz {wait}, 20b"'
wide="
    s/scratch = out(reg) _,/& wait = out(reg) _,/g
    s/\"ldadd /$loop, &/
    s/\"ldxr /$loop, &/
    s/\"add {scratch}, {scratch}, #1\"/$loop, &/
    s/\\\$operation,\n/$loop, &/"
changed wide "$wide"
for subject in slot percpu; do
    torture torture $subject.wide wide
    torture twin $subject.no-fence wide -DWITHOUT_FENCE -- a sequence goes on with a released object
done

changed signature 's/0xd428bc00/0xd503201f/'
torture twin slot.signature signature -- SIGSEGV at the first abort

changed goes-on "$wide
    s/\"ldadd /\"21: \", &/
    s/\"ldxr /\"21: \", &/
    s/\"b 6b\"/\"cbz {object}, 6b\", \"b 21b\"/
    s/object = out(reg) object/object = inout(reg) 0_usize => object/"
torture twin slot.goes-on goes-on -- the handler goes on at the commit, with an object that was released

# The store-exclusive in a loop, as it is usual: an abort between the store and the loop's end increments twice.
changed loop "
    s/scratch = out(reg) _,/& wait = out(reg) _,/g
    s/\"add {scratch}, {scratch}, #1\"/$loop, &/
    s/\\\$operation,\n/$loop, &/
    s/\"ldadd /$loop, &/
    s/\"ldxr /\"21: \", &/
    s/\"3:\",\n *\"cbnz {failed:w}, 6b\"/$loop, \"cbnz {failed:w}, 21b\", \"3:\"/"
add processor -atomics
torture twin slot.loop loop -- an abort between the store and the end of the loop increments twice
add processor

# Each instruction is a block: an abort may come between any two.
add step on
for subject in slot percpu; do
    add torture torture.$subject.right
done
add step off
