/* A seccomp filter for one system call. */
#ifndef FILTER_H
#define FILTER_H

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

/* From now on the call of this number is answered by "KILL", "EPERM" or "ENOSYS". Returns 0, or -1 with errno. */
static int filter(const char *number, const char *answer)
{
    unsigned int error = strcmp(answer, "EPERM") == 0 ? EPERM : ENOSYS;
    unsigned int then = strcmp(answer, "KILL") == 0 ? SECCOMP_RET_KILL_PROCESS : SECCOMP_RET_ERRNO | error;
    struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned int)atoi(number), 0, 1),
        BPF_STMT(BPF_RET | BPF_K, then),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { sizeof steps / sizeof steps[0], steps };

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        return -1;
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

#endif
