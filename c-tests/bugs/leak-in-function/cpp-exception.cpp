/*
 * A C function's reference, held in C++ by a plain pointer, across a call that may throw. The put stands
 * behind the call. Seen where C code was compiled as C++.
 *
 * found by: leak
 */
#include "check.h"

#include <stdexcept>

namespace
{

struct Request {
    int length;
    struct kref kref;
};

void request_release(struct kref *kref)
{
    delete kref_entry(kref, Request, kref);
}

void parse(const Request *request)
{
    if (request->length > 3)
        throw std::runtime_error("too long");
}

void handle(Request *request)
{
    kref_get(&request->kref); // BLAME
#ifdef RIGHT
    try { // FIX
        parse(request);
    } catch (...) {
        kref_put(&request->kref, request_release); // FIX
        throw;
    }
#else
    parse(request);
#endif
    kref_put(&request->kref, request_release);
}

} // namespace

int main()
{
    for (int length = 1; length < 6; length++) {
        Request *request = new Request();

        request->length = length;
        kref_init(&request->kref);
        try {
            handle(request);
        } catch (const std::runtime_error &) {
        }
        kref_put(&request->kref, request_release);
    }
    return 0;
}
