/* What is linked of objects that were built before. */
typedef int nothing;
