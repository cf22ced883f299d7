/*
 * A derived type with a count of its own: a ref to it does not become a ref to the base, whose count is another one.
 * says: conversion from
 */
#include <kref.hpp>

struct job {
    struct kref kref;
};

static void job_free(job *j)
{
    delete j;
}

KREF_DEFINE(job, job, kref, job_free);

struct print : job {
    struct kref own;
};

#ifdef WRONG
extern "C" {
KREF_DECLARE(print, print);
}
#endif

int main()
{
    libkref::ref<print> none;
    libkref::ref<job> base = none;

    return base ? 1 : 0;
}
