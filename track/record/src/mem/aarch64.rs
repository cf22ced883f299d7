//! 64-bit Arm.

// Where memory overlaps so that forwards would spoil it: backwards.
function! {
    "memmove",
    "sub x3, x0, x1",
    "cmp x3, x2",
    "b.hs memcpy",
    "1: cbz x2, 2f",
    "sub x2, x2, 1",
    "ldrb w3, [x1, x2]",
    "strb w3, [x0, x2]",
    "b 1b",
    "2: ret",
}

// The last piece is loaded first and stored last: any length is a row of whole pieces and that.
function! {
    "memcpy",
    "subs x3, x2, 16",
    "b.lo 2f",
    "ldr q1, [x1, x3]",
    "add x3, x0, x3", // where the last piece goes
    "mov x4, x0",
    "1: cmp x4, x3",
    "b.hs 3f",
    "ldr q0, [x1], 16",
    "str q0, [x4], 16",
    "b 1b",
    "3: str q1, [x3]",
    "ret",
    "2: mov x3, 0",
    "4: cmp x3, x2",
    "b.eq 5f",
    "ldrb w4, [x1, x3]",
    "strb w4, [x0, x3]",
    "add x3, x3, 1",
    "b 4b",
    "5: ret",
}

function! {
    "memset",
    "dup v0.16b, w1",
    "mov x3, x0",
    "1: subs x2, x2, 16",
    "b.lo 2f",
    "str q0, [x3], 16",
    "b 1b",
    "2: add x2, x2, 16",
    "3: cbz x2, 4f",
    "strb w1, [x3], 1",
    "sub x2, x2, 1",
    "b 3b",
    "4: ret",
}

function! {
    "memcmp",
    "mov x3, x0",
    "mov w0, 0",
    "1: cbz x2, 2f",
    "ldrb w4, [x3], 1",
    "ldrb w5, [x1], 1",
    "sub x2, x2, 1",
    "subs w0, w4, w5",
    "b.eq 1b",
    "2: ret",
}

function! {
    "bcmp",
    "b memcmp",
}
