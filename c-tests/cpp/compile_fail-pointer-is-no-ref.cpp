/*
 * A pointer does not become a ref by itself.
 * says: conversion from
 */
#include <kref.hpp>

class job : public libkref::counted<job>
{
};

int main()
{
#ifdef WRONG
    libkref::ref<job> j = new job;
#else
    libkref::ref<job> j = libkref::adopt(new job);
#endif
    return !j;
}
