/* What was fetched, and the index of it. */
#ifndef DOCUMENT_H
#define DOCUMENT_H

#include "url.h"

enum { LINKS = 4, WORDS = 16 };

struct document {
    struct kref kref;
    struct url *url;
    int links[LINKS], nlinks;
    int words[3];
    unsigned sum;
};

/* Returns a document whose reference the caller owns. */
struct document *document_new(struct url *url);
struct document *document_ref(struct document *document);
void document_unref(struct document *document);

/* The index keeps the best document for each word. */
void index_add(struct document *document);
/* Returns the best document for a word, with a reference, or NULL. */
struct document *index_search(int word);
void index_clear(void);

/* Whether the same text has been seen lately. Keeps the document for later ones. */
int seen_before(struct document *document);
void seen_clear(void);

#endif
