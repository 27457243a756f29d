#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/statfs.h>

// Calls that Swift's Glibc module does not show, or that are variadic.

/** The kernel's magic number of the file system that holds `path`, 0 when it cannot be told. */
static inline long gatehouse_filesystem_type(const char *path) {
    struct statfs about;
    return statfs(path, &about) == 0 ? (long)about.f_type : 0;
}

/** Bytes free to this user where `path` is, -1 when it cannot be told. */
static inline long long gatehouse_free_bytes(const char *path) {
    struct statfs about;
    return statfs(path, &about) == 0 ? (long long)about.f_bavail * about.f_bsize : -1;
}

/** Names the calling thread; Linux keeps 15 bytes. */
static inline void gatehouse_name_thread(const char *name) { prctl(PR_SET_NAME, name, 0, 0, 0); }

/** Lets the calling thread step back for others: on Linux the value is per thread. */
static inline void gatehouse_nice_thread(int nice) { setpriority(PRIO_PROCESS, 0, nice); }
