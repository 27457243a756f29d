#include <sqlite3.h>

// Swift cannot call variadic C functions or see these macros.

/** sqlite3_db_config for the options that take an on/off int. */
static inline int gatehouse_db_config(sqlite3 *db, int option, int on) {
    int now = -1;
    int result = sqlite3_db_config(db, option, on, &now);
    return result == SQLITE_OK && now != on ? SQLITE_ERROR : result;
}

static inline int gatehouse_bind_text(sqlite3_stmt *s, int at, const char *text, int bytes) {
    return sqlite3_bind_text(s, at, text, bytes, SQLITE_TRANSIENT);
}

static inline void gatehouse_result_text(sqlite3_context *c, const char *text, int bytes) {
    sqlite3_result_text(c, text, bytes, SQLITE_TRANSIENT);
}

static inline int gatehouse_bind_blob(sqlite3_stmt *s, int at, const void *bytes, int count) {
    // A null pointer would bind NULL; an empty blob is a value.
    return count == 0 ? sqlite3_bind_zeroblob(s, at, 0)
                      : sqlite3_bind_blob(s, at, bytes, count, SQLITE_TRANSIENT);
}
