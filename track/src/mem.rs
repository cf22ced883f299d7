//! memcpy() and its like, for the tracker alone.
//!
//! The compiler calls them for moves, and in a program with a sanitizer the names are the sanitizer's:
//! ThreadSanitizer, which cannot see our locks, would report races in our memory. So the names are
//! defined here, hidden, and the linker takes these for all the code that is linked into the library.

#[cfg(target_arch = "x86_64")]
std::arch::global_asm!(
    ".pushsection .text.kref_track_mem,\"ax\",@progbits",
    ".macro kref_track_begin name",
    "    .globl \\name",
    "    .hidden \\name",
    "    .type \\name, @function",
    "    .balign 16",
    "\\name:",
    "    .cfi_startproc",
    ".endm",
    ".macro kref_track_end name",
    "    .cfi_endproc",
    "    .size \\name, . - \\name",
    ".endm",
    //
    // Where memory overlaps so that forwards would spoil it: backwards.
    "kref_track_begin memmove",
    "    mov rax, rdi",
    "    mov rcx, rdi",
    "    sub rcx, rsi",
    "    cmp rcx, rdx",
    "    jae memcpy",
    "    lea rdi, [rdi + rdx - 1]",
    "    lea rsi, [rsi + rdx - 1]",
    "    mov rcx, rdx",
    "    std",
    "    rep movsb",
    "    cld",
    "    ret",
    "kref_track_end memmove",
    //
    // The last piece is loaded first and stored last: any length is a row of whole pieces and that.
    "kref_track_begin memcpy",
    "    mov rax, rdi",
    "    cmp rdx, 16",
    "    jb 2f",
    "    movups xmm1, [rsi + rdx - 16]",
    "    lea r8, [rdi + rdx - 16]",
    "1:  cmp rdi, r8",
    "    jae 3f",
    "    movups xmm0, [rsi]",
    "    movups [rdi], xmm0",
    "    add rsi, 16",
    "    add rdi, 16",
    "    jmp 1b",
    "3:  movups [r8], xmm1",
    "    ret",
    "2:  cmp edx, 8",
    "    jb 4f",
    "    mov rcx, [rsi]",
    "    mov r8, [rsi + rdx - 8]",
    "    mov [rdi], rcx",
    "    mov [rdi + rdx - 8], r8",
    "    ret",
    "4:  mov ecx, edx",
    "    rep movsb",
    "    ret",
    "kref_track_end memcpy",
    //
    "kref_track_begin memset",
    "    mov r8, rdi",
    "    mov eax, esi",
    "    mov rcx, rdx",
    "    rep stosb",
    "    mov rax, r8",
    "    ret",
    "kref_track_end memset",
    //
    "kref_track_begin memcmp",
    "    xor ecx, ecx",
    "1:  cmp rcx, rdx",
    "    je 2f",
    "    movzx eax, byte ptr [rdi + rcx]",
    "    movzx r8d, byte ptr [rsi + rcx]",
    "    inc rcx",
    "    sub eax, r8d",
    "    je 1b",
    "    ret",
    "2:  xor eax, eax",
    "    ret",
    "kref_track_end memcmp",
    //
    "kref_track_begin bcmp",
    "    jmp memcmp",
    "kref_track_end bcmp",
    ".popsection",
);

#[cfg(test)]
mod tests {
    use std::hint::black_box;

    #[test]
    fn every_length_and_overlap() {
        for length in 0..100_usize {
            let source: Vec<u8> = (0..length).map(|byte| byte as u8).collect();
            let copy = black_box(&source).clone();
            assert!(copy.iter().enumerate().all(|(place, &byte)| place == usize::from(byte)));
            assert_eq!(black_box(&copy), &source);
            for distance in 0..length {
                let mut moved = source.clone();
                moved.copy_within(..length - distance, distance);
                assert!(moved[distance..].iter().enumerate().all(|(i, &b)| i == usize::from(b)));
                moved.copy_from_slice(&source);
                moved.copy_within(distance.., 0);
                let mut rest = moved[..length - distance].iter().enumerate();
                assert!(rest.all(|(i, &b)| i + distance == usize::from(b)));
            }
        }
    }
}
