/* api/kinds/service_account.c: identities for programs in pods. */
#include "api/kinds/kinds_impl.h"

const struct kind_hooks kind_service_accounts = {
    .group = "", .plural = "serviceaccounts", .unconditional_update = true, .returns_deleted = true,
};
