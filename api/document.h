/* api/document.h: documents made from the tables of all kinds: discovery and OpenAPI.
 *
 * Each has an entity tag, a hash of its content, alike on all heads that run the same program: who has it
 * already (If-None-Match) is told so, 304. */
#ifndef API_DOCUMENT_H
#define API_DOCUMENT_H

#include "api/call.h"

enum document {
    DOC_API_VERSIONS, DOC_GROUPS, DOC_GROUP, DOC_RESOURCES, DOC_AGGREGATED_CORE, DOC_AGGREGATED_CORE_BETA,
    DOC_AGGREGATED, DOC_AGGREGATED_BETA, DOC_OPENAPI_V2, DOC_OPENAPI_V2_PB, DOC_OPENAPI_V3_INDEX,
    DOC_OPENAPI_V3
};
/* x, y: group, version; of DOC_OPENAPI_V3 the path, "api/v1". Answers 404 if there is none such. */
void document_respond(struct call *c, const char *type, enum document d, struct str x, struct str y);
/* The documents that tell of this group are made anew when they are asked for. */
void documents_forget(struct api *a, struct str group);

#endif
