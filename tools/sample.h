/* tools/sample.h: the sample application of `coracle up`: its manifest is part of the program. */
#ifndef TOOLS_SAMPLE_H
#define TOOLS_SAMPLE_H

#include "net/str.h"

/* tools/sample.yaml, several documents separated by "---" lines. */
struct str sample_manifest(void);
/* Cut the next document off; false after the last. */
bool sample_next_document(struct str *rest, struct str *ret_doc);
#define SAMPLE_DEPLOYMENT "sample"
#define SAMPLE_REPLICAS   6

#endif
