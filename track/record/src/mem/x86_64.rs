//! x86-64.

// Where memory overlaps so that forwards would spoil it: backwards.
function! {
    "memmove",
    "mov rax, rdi",
    "mov rcx, rdi",
    "sub rcx, rsi",
    "cmp rcx, rdx",
    "jae memcpy",
    "lea rdi, [rdi + rdx - 1]",
    "lea rsi, [rsi + rdx - 1]",
    "mov rcx, rdx",
    "std",
    "rep movsb",
    "cld",
    "ret",
}

// The last piece is loaded first and stored last: any length is a row of whole pieces and that.
function! {
    "memcpy",
    "mov rax, rdi",
    "cmp rdx, 16",
    "jb 2f",
    "movups xmm1, [rsi + rdx - 16]",
    "lea r8, [rdi + rdx - 16]",
    "1:  cmp rdi, r8",
    "jae 3f",
    "movups xmm0, [rsi]",
    "movups [rdi], xmm0",
    "add rsi, 16",
    "add rdi, 16",
    "jmp 1b",
    "3:  movups [r8], xmm1",
    "ret",
    "2:  cmp edx, 8",
    "jb 4f",
    "mov rcx, [rsi]",
    "mov r8, [rsi + rdx - 8]",
    "mov [rdi], rcx",
    "mov [rdi + rdx - 8], r8",
    "ret",
    "4:  mov ecx, edx",
    "rep movsb",
    "ret",
}

function! {
    "memset",
    "mov r8, rdi",
    "mov eax, esi",
    "mov rcx, rdx",
    "rep stosb",
    "mov rax, r8",
    "ret",
}

function! {
    "memcmp",
    "xor ecx, ecx",
    "1:  cmp rcx, rdx",
    "je 2f",
    "movzx eax, byte ptr [rdi + rcx]",
    "movzx r8d, byte ptr [rsi + rcx]",
    "inc rcx",
    "sub eax, r8d",
    "je 1b",
    "ret",
    "2:  xor eax, eax",
    "ret",
}

function! {
    "bcmp",
    "jmp memcmp",
}
