/*
 * A ref in the containers of the standard library: comparisons with refs, pointers and nullptr, and std::hash.
 */
#include "check.h"

#include <kref.hpp>
#include <map>
#include <set>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

struct session {
    struct kref kref;
    int id;
};

using ref = libkref::ref<session>;

static int freed;

static void session_free(session *s)
{
    freed++;
    delete s;
}

KREF_DEFINE(session, session, kref, session_free);

static ref session_new(int id)
{
    session *s = new session;

    session_ref_init(s);
    s->id = id;
    return libkref::adopt(s);
}

/* Each operator, in each of its three forms, with another ref and with a pointer. */
template <class A, class B> static void ordered(const A &low, const B &high)
{
    CHECK(low == low && low != high && low < high && low <= high && high > low && high >= low);
    CHECK(!(low != low) && !(low == high) && !(high < low) && !(high <= low) && !(low > high) && !(low >= high));
    CHECK(low <= low && low >= low && !(low < low) && !(low > low));
#ifdef __cpp_impl_three_way_comparison
    CHECK((low <=> high) < 0 && (high <=> low) > 0 && (low <=> low) == 0);
#endif
}

static void comparisons()
{
    static session two[2];
    ref low = libkref::adopt(&two[0]), high = libkref::adopt(&two[1]), none;
    libkref::ref<const session> other = libkref::adopt<const session>(&two[1]);
    const session *pointer = &two[1];

    ordered(low, high);
    ordered(low, other);
    ordered(low, pointer);
    ordered(low, &two[1]);
    ordered(&two[0], high);
    CHECK(none == nullptr && nullptr == none && low != nullptr && nullptr != low);
    CHECK(none == NULL && NULL != low && none < low && nullptr < low && low > nullptr);
    CHECK(high == other && other == high);
#ifdef __cpp_impl_three_way_comparison
    static_assert(std::is_same<decltype(low <=> high), std::strong_ordering>::value, "");
    CHECK((none <=> nullptr) == 0 && (nullptr <=> low) < 0);
#endif
    /* These objects were never counted. */
    for (ref *r : { &low, &high })
        CHECK(r->release() != NULL);
    CHECK(other.release() == pointer);
}

static void hashes()
{
    ref r = session_new(1), none;

    CHECK(std::hash<ref>()(r) == std::hash<session *>()(r.get()));
    CHECK(std::hash<ref>()(none) == std::hash<session *>()(nullptr));
    CHECK(std::hash<libkref::ref<const session>>()(r) == std::hash<const session *>()(r.get()));
}

static void containers()
{
    const int n = 50;
    std::vector<ref> all;

    freed = 0;
    for (int i = 0; i < n; i++)
        all.push_back(session_new(i)); /* moved when the vector grows */
    for (const ref &r : all)
        CHECK(r.is_unique());
    {
        std::set<ref> set(all.begin(), all.end());
        std::map<ref, int> ordered;
        std::unordered_map<ref, int> hashed;

        for (const ref &r : all) {
            CHECK(set.count(r) == 1 && !set.insert(r).second);
            ordered[r] = hashed[r] = r->id;
        }
        CHECK(set.size() == n && ordered.size() == n && hashed.size() == n);
        for (const ref &r : all)
            CHECK(ordered.at(r) == r->id && hashed.at(r) == r->id && kref_read(&r->kref) == 4);
    }
    for (const ref &r : all)
        CHECK(r.is_unique());
    all.resize(10);
    CHECK(freed == 40);
    all.erase(all.begin());
    CHECK(freed == 41 && all[0]->id == 1);
    all.clear();
    CHECK(freed == n);
}

int main()
{
    comparisons();
    hashes();
    containers();
    return 0;
}
