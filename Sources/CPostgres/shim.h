#include <libpq-fe.h>

// Swift cannot see the macros that name an error's fields.

/** The five characters of an error's code; NULL when it did not come from the server. */
static inline const char *gatehouse_sqlstate(const PGresult *result) {
    return PQresultErrorField(result, PG_DIAG_SQLSTATE);
}

/** The first line alone: the detail beside it may quote a row. */
static inline const char *gatehouse_error_text(const PGresult *result) {
    return PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
}

static inline const char *gatehouse_constraint(const PGresult *result) {
    return PQresultErrorField(result, PG_DIAG_CONSTRAINT_NAME);
}

/** Notices are no errors, and libpq would print them on standard error. */
static inline void gatehouse_ignore_notice(void *context, const PGresult *notice) {}

static inline void gatehouse_ignore_notices(PGconn *connection) {
    PQsetNoticeReceiver(connection, gatehouse_ignore_notice, NULL);
}
