/* Runs a program under a filter: start-filtered NUMBER ANSWER PROGRAM... This one is not linked with libkref. */
#include "filter.h"
#include <unistd.h>

int main(int argc, char **argv)
{
    if (argc < 4 || filter(argv[1], argv[2]))
        return 99;
    execv(argv[3], &argv[3]);
    return 98;
}
