// Never _GNU_SOURCE here: it changes types that Swift's Glibc module has too, and a clean build then
// refuses the two.
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

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

/** Writes to the disk what the file's pages have in memory, and waits for it; no metadata (fsync(2)
 * is for that), and so no journal of the file system either. */
static inline int gatehouse_flush_pages(int descriptor) {
    return (int)syscall(SYS_sync_file_range, descriptor, (long long)0, (long long)0,
                        SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
                            SYNC_FILE_RANGE_WAIT_AFTER);
}

/** Gives back the memory of a file's pages that are on the disk, from `offset` to its end. */
static inline int gatehouse_forget_pages(int descriptor, long long offset) {
    return posix_fadvise(descriptor, offset, 0, POSIX_FADV_DONTNEED);
}

/** Whether nobody else has the file open: only then does the kernel give a write lease (fcntl(2)).
 * False too where there are no leases. The lease ends with the descriptor. */
static inline int gatehouse_is_alone(int descriptor) {
    return fcntl(descriptor, 1024 /* F_SETLEASE, which needs _GNU_SOURCE */, F_WRLCK) == 0;
}

/** What SO_ATTACH_FILTER takes (struct sock_fprog), its pointer as a number, which Swift lets pass
 * from one thread to another. */
struct gatehouse_socket_filter {
    unsigned short length;
    uintptr_t instructions;
};

/** For a listening TCP socket: drops what begins a connection, a segment with SYN and without ACK,
 * and lets all else through, so that a handshake that has begun ends. Which other flags there are
 * (ECN) does not matter. */
static inline struct gatehouse_socket_filter gatehouse_no_new_connections(void) {
    static const struct sock_filter instructions[] = {
        {BPF_LD | BPF_B | BPF_ABS, 0, 0, 13}, /* the flags; a segment begins with its TCP header */
        {BPF_ALU | BPF_AND | BPF_K, 0, 0, 0x12 /* ACK, SYN */},
        {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0x02 /* SYN */},
        {BPF_RET | BPF_K, 0, 0, 0},
        {BPF_RET | BPF_K, 0, 0, UINT32_MAX},
    };
    _Static_assert(
        sizeof(struct gatehouse_socket_filter) == sizeof(struct sock_fprog), "the same layout");
    struct gatehouse_socket_filter filter = {
        sizeof instructions / sizeof instructions[0], (uintptr_t)instructions};
    return filter;
}

/** Asks the processor for the memory at `at`, whatever is there, and waits for nothing. */
static inline void gatehouse_prefetch(uintptr_t at) { __builtin_prefetch((const void *)at); }

/** Names the calling thread; Linux keeps 15 bytes. */
static inline void gatehouse_name_thread(const char *name) { prctl(PR_SET_NAME, name, 0, 0, 0); }

/** Lets the calling thread step back for others: on Linux the value is per thread. */
static inline void gatehouse_nice_thread(int nice) { setpriority(PRIO_PROCESS, 0, nice); }

// Words of mapped memory. Swift's `Atomic` must own its storage, so it cannot stand on memory that
// `mmap` gave; the compiler's own builtins can. Each is one instruction: a process that is killed
// has written the whole word or nothing of it.

/** The aligned word at `at`; what its writer wrote before it is seen too. */
static inline uint64_t gatehouse_load_word(const void *at) {
    return __atomic_load_n((const uint64_t *)at, __ATOMIC_ACQUIRE);
}

/** Writes the aligned word at `at`, after everything that was written before. */
static inline void gatehouse_store_word(void *at, uint64_t word) {
    __atomic_store_n((uint64_t *)at, word, __ATOMIC_RELEASE);
}

/** Writes `word` only if `expected` stands there. */
static inline void gatehouse_replace_word(void *at, uint64_t expected, uint64_t word) {
    __atomic_compare_exchange_n(
        (uint64_t *)at, &expected, word, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}
